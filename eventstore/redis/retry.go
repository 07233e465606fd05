package redis

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"graphy/eventstore"
)

const (
	firstDelay = 5 * time.Millisecond
	lastDelay  = 400 * time.Millisecond
	leastTime  = 100 * time.Millisecond // for another attempt: one that is cut off by the deadline would leave its outcome unknown
)

// read calls attempt until it succeeds or ctx is done. For calls that write nothing: any failure is ErrUnavailable.
func (s *Store) read(ctx context.Context, what, stream string, attempt func() error) error {
	_, err := s.retry(ctx, attempt)
	return outcome(false, what, stream, err)
}

// write calls attempt until it succeeds or ctx is done. For calls that may be sent twice: once the outcome of an
// attempt was unknown, failing later is ErrUnknown.
func (s *Store) write(ctx context.Context, what, stream string, attempt func() error) error {
	unsure, err := s.retry(ctx, attempt)
	return outcome(unsure, what, stream, err)
}

// outcome turns the last error of the driver into one of the log's.
func outcome(unsure bool, what, stream string, err error) error {
	switch {
	case err == nil:
		return nil
	case classify(err) == permanent:
		return &eventstore.ChainError{Stream: stream, Version: 1, Reason: fmt.Sprintf("%s: %v", what, err)}
	case unsure:
		return fmt.Errorf("%s %q: %w: %w", what, stream, eventstore.ErrUnknown, err)
	}
	return fmt.Errorf("%s %q: %w: %w", what, stream, eventstore.ErrUnavailable, err)
}

// retry calls attempt until it succeeds, fails for good, or ctx is done; it returns the last error, and whether any
// attempt may have been carried out although it failed.
func (s *Store) retry(ctx context.Context, attempt func() error) (unsure bool, err error) {
	for delay := firstDelay; ; delay = min(2*delay, lastDelay) {
		if over(ctx) {
			if err == nil {
				err = ctx.Err()
			}
			return unsure, err
		}
		if err = attempt(); err == nil {
			return unsure, nil
		}
		switch classify(err) {
		case permanent:
			return unsure, err
		case unknown:
			unsure = true
		}
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < delay+leastTime {
			return unsure, err
		}
		pause(ctx, delay)
	}
}

// pause waits between half of delay and all of it, or until ctx is done.
func pause(ctx context.Context, delay time.Duration) {
	timer := time.NewTimer(delay/2 + rand.N(delay/2))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
