package embedded

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/oklog/ulid/v2"

	"graphy/eventstore"
)

// rewritingPrefix begins the names that new content for streams bears in the journal until it is put in its place. No
// graph can have such a name.
const rewritingPrefix = "\x00rewriting "

func isRewriting(name string) bool { return strings.HasPrefix(name, rewritingPrefix) }

// rewriting is new content for the stream called name. In the journal it is a stream of another name, which one record
// puts in its place; the replay passes over those that never were.
type rewriting struct {
	store   *Store
	name    string
	written string               // its name in the journal
	beside  eventstore.Rewriting // the same in the Redis inside
	done    bool                 // it is committed; belongs to who has the turn on name
}

// Rewrite is described at [eventstore.Maintainer]. A broken stream stands at the zero Position.
func (s *Store) Rewrite(ctx context.Context, name string, base eventstore.Base) (eventstore.Rewriting, error) {
	beside, err := s.Store.Rewrite(ctx, name, base)
	if err != nil || s.journal == nil {
		return beside, err
	}
	r := &rewriting{store: s, name: name, written: rewritingPrefix + ulid.Make().String(), beside: beside}
	if base.Version == 0 {
		return r, nil
	}
	_, err = write(ctx, s, r.written, func(st *stream) (struct{}, error) {
		err := s.commit(record{kind: kindBase, stream: r.written, position: base.Position, data: base.Data})
		if err == nil {
			st.head = base.Position
		}
		return struct{}{}, err
	})
	if err != nil {
		return nil, errors.Join(err, beside.Discard(context.WithoutCancel(ctx)))
	}
	return r, nil
}

// Write is described at [eventstore.Rewriting].
func (r *rewriting) Write(ctx context.Context, events []eventstore.Event) error {
	if len(events) == 0 {
		return nil
	}
	_, err := write(ctx, r.store, r.written, func(st *stream) (struct{}, error) {
		last := events[len(events)-1].Position()
		if last != st.head { // else an earlier call came as far as that
			if err := eventstore.VerifyChain(r.name, st.head, events); err != nil {
				return struct{}{}, err
			}
			err := r.store.commit(record{kind: kindAppend, stream: r.written, expected: st.head.Version, events: events})
			if err != nil {
				return struct{}{}, err
			}
			st.head = last
		}
		ctx, cancel := context.WithTimeout(context.Background(), applyTimeout)
		defer cancel()
		return struct{}{}, r.beside.Write(ctx, events)
	})
	return err
}

// Commit is described at [eventstore.Rewriting].
func (r *rewriting) Commit(ctx context.Context, expected eventstore.Position) (bool, error) {
	return write(ctx, r.store, r.name, func(st *stream) (bool, error) {
		if r.done {
			return true, nil
		}
		content, err := r.store.acquire(context.Background(), r.written)
		if err != nil {
			return false, err
		}
		defer r.store.release(r.written, content)
		switch {
		case content.head == (eventstore.Position{}):
			return false, fmt.Errorf("rewrite %q: nothing was written", r.name)
		case r.store.standing(r.name, st) != expected:
			return false, nil
		}
		if err := r.store.commit(record{kind: kindRename, stream: r.written, target: r.name}); err != nil {
			return false, err
		}
		return true, r.swap(st, content, expected)
	})
}

// swap carries a commit out that is journaled. The caller has both turns.
func (r *rewriting) swap(st, content *stream, expected eventstore.Position) error {
	s := r.store
	r.done = true
	s.mu.Lock()
	st.head, st.broken = content.head, nil
	content.head = eventstore.Position{} // it is forgotten when it is released
	s.mu.Unlock()

	ctx, cancel := context.WithTimeout(context.Background(), applyTimeout)
	defer cancel()
	committed, err := r.beside.Commit(ctx, expected)
	if err == nil && !committed {
		err = fmt.Errorf("the stream does not stand at %d as in the journal", expected.Version)
	}
	if err != nil {
		return s.fail(r.name, err)
	}
	return nil
}

// standing returns where a stream stands for those who replace it: one that is broken, or that is gone from the Redis
// inside, nowhere.
func (s *Store) standing(name string, st *stream) eventstore.Position {
	if entries, ok := s.entries(name); s.intact(name) != nil || !ok || len(entries) == 0 {
		return eventstore.Position{}
	}
	return st.head
}

// Discard is described at [eventstore.Rewriting].
func (r *rewriting) Discard(ctx context.Context) error {
	_, err := write(ctx, r.store, r.written, func(st *stream) (struct{}, error) {
		r.store.mu.Lock()
		st.head = eventstore.Position{}
		r.store.mu.Unlock()
		ctx, cancel := context.WithTimeout(context.Background(), applyTimeout)
		defer cancel()
		return struct{}{}, r.beside.Discard(ctx)
	})
	return err
}
