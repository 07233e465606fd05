package projection

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"graphy/eventstore"
)

// poison is the failure of one event.
type poison struct {
	Version eventstore.Version
	Payload []byte
	Err     error
}

func (p *poison) Error() string { return fmt.Sprintf("event %d: %v", p.Version, p.Err) }
func (p *poison) Unwrap() error { return p.Err }

// isPoison tells whether err says something about the graph, not about the stores.
func (f *follower) isPoison(err error) bool {
	return !retriable(err) && (errors.Is(err, ErrEvent) || errors.Is(err, ErrChecksum) ||
		errors.Is(err, eventstore.ErrBroken) || errors.Is(err, eventstore.ErrTrimmed) || errors.Is(err, errGone))
}

// poisoned counts a failure of the graph. It is tried again from a fresh load, and parked in the end.
func (f *follower) poisoned(ctx context.Context, cause error) (again bool) {
	f.drop()
	f.attempts++
	f.metrics.retries.Inc()
	f.news.check = true
	if f.attempts < f.opts.Attempts {
		f.backOff(f.attempts)
		return true
	}
	if err := f.park(ctx, cause); err != nil {
		if errors.Is(err, ErrStale) {
			f.attempts = 0
		}
		f.failures++
		f.backOff(f.failures)
		return true
	}
	f.attempts, f.failures, f.news = 0, 0, ring{}
	return false
}

func (f *follower) park(ctx context.Context, cause error) error {
	call, cancel := context.WithTimeout(ctx, f.opts.Timeout)
	defer cancel()
	checkpoint, err := f.models.Checkpoint(call, f.id)
	if err != nil && retriable(err) {
		return err
	}
	readable := err == nil
	letter := DeadLetter{Graph: f.id, Version: checkpoint.Version + 1, Cause: cause.Error(), Attempts: f.attempts,
		Time: time.Now().UnixMilli()}
	if event, ok := errors.AsType[*poison](cause); ok {
		letter.Version, letter.Payload = event.Version, event.Payload
	} else if chain, ok := errors.AsType[*eventstore.ChainError](cause); ok {
		letter.Version = chain.Version
	}
	if readable { // else there is nowhere to note it; whoever looks at the checkpoint sees the same
		if err := f.models.Stall(call, f.id, checkpoint.Position, letter); err != nil {
			return err
		}
		f.metrics.deadLetters.Inc()
	}
	f.opts.Logger.Error("graph is parked", zap.String("graphId", f.id), zap.Uint64("version", uint64(letter.Version)),
		zap.Int("attempts", letter.Attempts), zap.Error(cause))
	f.parked.add(ParkedGraph{Graph: f.id, Version: letter.Version, Cause: letter.Cause, Time: letter.Time,
		checkpoint: checkpoint.Position, gone: errors.Is(cause, errGone)})
	f.waiters.stalled(f.id, letter.Cause)
	return nil
}
