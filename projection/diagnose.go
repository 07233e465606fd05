package projection

import (
	"context"
	"errors"
	"fmt"

	"go.uber.org/zap"

	"graphy/eventstore"
)

// errGone matches the failure of a graph whose read models hold something while its log is empty. It is never cured
// by rebuilding from nothing.
var errGone = errors.New("projection: log is gone")

// check is for a graph that has nothing new although something was expected.
func (f *follower) check(ctx context.Context) (again bool, err error) {
	at := f.graph
	if err = f.diagnose(ctx, nil); err != nil {
		return true, err
	}
	return f.graph != at || f.news.head > at.Position.Version, nil
}

// diagnoseIf diagnoses failures that may have their cause in what read models and log hold, and returns all others.
func (f *follower) diagnoseIf(ctx context.Context, cause error) error {
	if retriable(cause) || f.rebuild {
		return cause
	}
	return f.diagnose(ctx, cause)
}

// diagnose finds out whether the graph, the read models and the log belong together. If so it returns cause. Else it
// does what helps (load again, rebuild from the log) and returns nil, or fails with errGone.
func (f *follower) diagnose(ctx context.Context, cause error) error {
	call, cancel := context.WithTimeout(ctx, f.opts.Timeout)
	defer cancel()
	at := f.graph.Position
	checkpoint, err := f.models.Checkpoint(call, f.id)
	if err != nil {
		return err
	}
	if checkpoint.Position != at {
		f.drop()
		f.waiters.reached(f.id, checkpoint.Version)
		return nil
	}
	head, err := f.log.Head(call, f.id)
	if err != nil {
		return err
	}
	if head == at {
		f.waiters.reached(f.id, at.Version)
		return cause
	}
	if head.Version == 0 {
		return fmt.Errorf("%w: the read models are at version %d", errGone, at.Version)
	}
	if head.Version > at.Version {
		same, err := f.holds(call, at)
		if err != nil {
			return err
		}
		if same {
			f.news.head = max(f.news.head, head.Version)
			return cause
		}
	}
	f.opts.Logger.Warn("read models hold what the log does not, and are built anew from it", zap.String("graphId", f.id),
		zap.Uint64("version", uint64(at.Version)), zap.Uint64("head", uint64(head.Version)))
	f.startRebuild(at)
	return nil
}

// holds tells whether the log's history goes through position.
func (f *follower) holds(ctx context.Context, position eventstore.Position) (bool, error) {
	if position.Version == 0 {
		return true, nil
	}
	events, err := f.log.Read(ctx, f.id, position.Version-1, 1)
	switch {
	case errors.Is(err, eventstore.ErrBroken):
		return true, nil // which history it is cannot be told: the break is the trouble
	case errors.Is(err, eventstore.ErrTrimmed):
		return Vouches(ctx, f.log, f.id, position)
	}
	return err == nil && len(events) == 1 && events[0].Position() == position, err
}
