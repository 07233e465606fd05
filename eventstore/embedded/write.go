package embedded

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"go.uber.org/zap"

	"graphy/eventstore"
	"graphy/eventstore/redis"
)

// applyTimeout bounds how long a journaled change may take to become visible before the Store counts as failed.
const applyTimeout = 30 * time.Second

// Append decides, journals and then carries out. See [eventstore.Log].
func (s *Store) Append(ctx context.Context, name string, expected eventstore.Position, events []eventstore.Event) (eventstore.AppendResult, error) {
	if s.journal == nil {
		return s.Store.Append(ctx, name, expected, events)
	}
	return write(ctx, s, name, func(st *stream) (eventstore.AppendResult, error) {
		return s.append(st, name, expected, events)
	})
}

// Delete journals the end of the stream and then carries it out; a broken stream can be deleted too. See
// [eventstore.Log].
func (s *Store) Delete(ctx context.Context, name string) error {
	if s.journal == nil {
		return s.Store.Delete(ctx, name)
	}
	_, err := write(ctx, s, name, func(st *stream) (struct{}, error) { return struct{}{}, s.delete(st, name) })
	return err
}

// write runs action when it is name's turn. The action goes on when ctx is done, for what is journaled must become
// visible; the outcome is then unknown to the caller.
func write[T any](ctx context.Context, s *Store, name string, action func(*stream) (T, error)) (T, error) {
	type outcome struct {
		result T
		err    error
	}
	st, err := s.acquire(ctx, name)
	if err != nil {
		return *new(T), err
	}
	done := make(chan outcome, 1)
	go func() {
		result, err := action(st)
		s.release(name, st)
		done <- outcome{result, err}
	}()
	select {
	case o := <-done:
		return o.result, o.err
	case <-ctx.Done():
	}
	select {
	case o := <-done:
		return o.result, o.err
	default:
		return *new(T), fmt.Errorf("write to %q: %w: %w", name, eventstore.ErrUnknown, ctx.Err())
	}
}

// append has the turn on st.
func (s *Store) append(st *stream, name string, expected eventstore.Position, events []eventstore.Event) (eventstore.AppendResult, error) {
	if err := s.intact(name); err != nil {
		return eventstore.AppendResult{}, err
	}
	if len(events) == 0 {
		return eventstore.AppendResult{}, fmt.Errorf("append to %q: no events", name)
	}
	if result, decided, err := s.decide(st, name, expected, events); decided {
		return result, err
	}
	// What does not chain would break the stream at the next start.
	if err := eventstore.VerifyChain(name, st.head, events); err != nil { // not ErrBroken: the stream is well
		return eventstore.AppendResult{}, fmt.Errorf("append to %q: events do not follow its head: %s", name, err.Error())
	}
	r := record{kind: kindAppend, stream: name, expected: expected.Version, events: events}
	if err := s.commit(r); err != nil {
		return eventstore.AppendResult{}, err
	}
	st.head = events[len(events)-1].Position()
	ctx, cancel := context.WithTimeout(context.Background(), applyTimeout)
	defer cancel()
	entries, _ := s.entries(name)
	known := eventstore.Position{Version: expected.Version, Hash: redis.AnyHash(len(entries))} // decided above
	result, err := s.Store.Append(ctx, name, known, events)
	if err == nil && result.Outcome != eventstore.Applied {
		err = fmt.Errorf("the stream is at %d, the journal was at %d", result.Head, expected.Version)
	}
	if err != nil {
		return eventstore.AppendResult{}, s.fail(name, err)
	}
	return result, nil
}

// decide answers an append as the script would, if the answer is not to write.
func (s *Store) decide(st *stream, name string, expected eventstore.Position, events []eventstore.Event) (eventstore.AppendResult, bool, error) {
	result := eventstore.AppendResult{Head: st.head.Version}
	if expected != st.head {
		result.Outcome = eventstore.Conflict
		end := expected.Version + eventstore.Version(len(events))
		held, ok := s.page(name, end-1, 1)
		if len(held) == 1 && held[0].Hash == events[len(events)-1].Hash { // a hash stands for all history before it
			result.Outcome = eventstore.Applied
		}
		if first := s.firstEvent(name); !ok && end < first {
			return eventstore.AppendResult{}, true, &eventstore.TrimmedError{Stream: name, First: first}
		}
		return result, true, nil
	}
	key := s.Keys().Operations(name)
	for _, event := range events {
		for _, id := range event.Operations {
			if version, err := strconv.ParseUint(s.db.HGet(key, id), 10, 64); err == nil {
				if result.Done == nil {
					result.Done = map[string]eventstore.Version{}
				}
				result.Outcome, result.Done[id] = eventstore.Duplicate, eventstore.Version(version)
			}
		}
	}
	return result, result.Outcome == eventstore.Duplicate, nil
}

// delete has the turn on st.
func (s *Store) delete(st *stream, name string) error {
	if st.head.Version > 0 || s.intact(name) != nil {
		if err := s.commit(record{kind: kindDelete, stream: name}); err != nil {
			return err
		}
		st.head = eventstore.Position{}
		s.mu.Lock()
		st.broken = nil
		s.mu.Unlock()
	}
	ctx, cancel := context.WithTimeout(context.Background(), applyTimeout)
	defer cancel()
	if err := s.Store.Delete(ctx, name); err != nil {
		return s.fail(name, err)
	}
	return nil
}

// commit journals r. Its errors are ErrUnavailable, when r certainly is not in the journal, and ErrUnknown.
func (s *Store) commit(r record) error {
	err := s.Err()
	if err == nil {
		if err = s.journal.append(r); err == nil {
			return nil
		}
	}
	class := eventstore.ErrUnavailable
	if errors.Is(err, errInDoubt) {
		class = eventstore.ErrUnknown
	}
	return fmt.Errorf("write to %q: %w: %w", r.stream, class, err)
}

// fail stops all writes, because the journal and the streams no longer agree: opening the Store anew mends that.
func (s *Store) fail(name string, cause error) error {
	cause = fmt.Errorf("write to %q is journaled and not visible: %w", name, cause)
	s.logger.Error("embedded store takes no more writes", zap.String("graphId", name), zap.Error(cause))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = cause
	return fmt.Errorf("%w: %w", eventstore.ErrUnknown, cause)
}
