package memory

import (
	"context"
	"errors"
	"slices"

	"graphy/eventstore"
)

// rewriting is new content for the stream called name.
type rewriting struct {
	log       *Log
	name      string
	content   stream
	committed bool
}

// Rewrite implements eventstore.Maintainer.
func (l *Log) Rewrite(ctx context.Context, name string, base eventstore.Base) (eventstore.Rewriting, error) {
	if err := l.begin(ctx, "rewrite", name); err != nil {
		return nil, err
	}
	base.Data = slices.Clone(base.Data)
	return &rewriting{log: l, name: name,
		content: stream{base: base, floor: base.Position, operations: map[string]eventstore.Version{}}}, nil
}

// Write implements eventstore.Rewriting.
func (r *rewriting) Write(ctx context.Context, events []eventstore.Event) error {
	if err := r.log.begin(ctx, "write", r.name); err != nil {
		return err
	}
	if n := len(events); n > 0 {
		if held, ok := r.content.at(events[n-1].Version); ok && held.Hash == events[n-1].Hash {
			return nil // written by a call whose outcome was unknown
		}
	}
	if err := eventstore.VerifyChain(r.name, r.content.head(), events); err != nil {
		return err
	}
	r.content.add(events)
	return r.log.fail("written", r.name)
}

// Commit implements eventstore.Rewriting.
func (r *rewriting) Commit(ctx context.Context, expected eventstore.Position) (bool, error) {
	if r.content.head().Version == 0 {
		return false, errors.New("commit a rewriting: nothing was written")
	}
	if err := r.log.begin(ctx, "commit", r.name); err != nil {
		return false, err
	}
	if !r.committed {
		r.log.mu.Lock()
		r.committed = r.swap(expected)
		r.log.mu.Unlock()
	}
	if !r.committed {
		return false, nil
	}
	return true, r.log.fail("committed", r.name)
}

// swap puts the content in its place. The caller holds the log's mutex.
func (r *rewriting) swap(expected eventstore.Position) bool {
	s := r.log.get(r.name)
	if s.head() != expected {
		return false
	}
	kept, ok := r.content.at(expected.Version)
	goesOn := ok && kept.Hash == expected.Hash || expected == r.content.floor || expected.Version == 0
	close(s.changed)
	if !goesOn {
		s.deleted = true
		delete(r.log.streams, r.name)
		s = r.log.get(r.name)
	}
	s.base, s.floor, s.events, s.operations = r.content.base, r.content.floor, slices.Clone(r.content.events), r.content.operations
	s.changed = make(chan struct{})
	r.log.mark(r.name)
	r.log.notify(eventstore.Notice{Stream: r.name, Head: s.head().Version})
	return true
}

// Discard implements eventstore.Rewriting.
func (r *rewriting) Discard(ctx context.Context) error {
	if r.committed {
		return nil
	}
	r.content = stream{operations: map[string]eventstore.Version{}}
	return ctx.Err()
}
