package embedded

import (
	"context"
	"fmt"

	"graphy/eventstore"
)

// A stream is what the Store knows of one graph, so that it can decide an append before it journals it.
type stream struct {
	turn  chan struct{} // holds one token: whoever took it writes
	head  eventstore.Position
	users int // who hold or wait for the turn; guarded by Store.mu

	// broken is why the journal's events of this stream cannot be trusted, or nil. Guarded by Store.mu.
	broken *eventstore.ChainError
}

func newStream() *stream {
	st := &stream{turn: make(chan struct{}, 1)}
	st.turn <- struct{}{}
	return st
}

// acquire waits for the turn to write to a stream; who got it calls release.
func (s *Store) acquire(ctx context.Context, name string) (*stream, error) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, fmt.Errorf("%w: the store is closed", eventstore.ErrUnavailable)
	}
	st := s.streams[name]
	if st == nil {
		st = newStream()
		s.streams[name] = st
	}
	st.users++
	s.writers.Add(1)
	s.mu.Unlock()

	if ctx.Err() == nil {
		select {
		case <-st.turn:
			return st, nil
		case <-ctx.Done():
		}
	}
	s.leave(name, st)
	return nil, fmt.Errorf("%w: %q: %w", eventstore.ErrUnavailable, name, ctx.Err())
}

func (s *Store) release(name string, st *stream) {
	st.turn <- struct{}{}
	s.leave(name, st)
}

// leave forgets a stream that nobody uses and that has no events.
func (s *Store) leave(name string, st *stream) {
	s.mu.Lock()
	st.users--
	if st.users == 0 && st.head == (eventstore.Position{}) && st.broken == nil {
		delete(s.streams, name)
	}
	s.mu.Unlock()
	s.writers.Done()
}

// intact returns the *eventstore.ChainError of a stream that is not to be read or appended to.
func (s *Store) intact(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.streams[name]; st != nil && st.broken != nil {
		return st.broken
	}
	return nil
}
