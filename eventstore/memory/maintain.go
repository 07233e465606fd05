package memory

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"

	"graphy/eventstore"
)

var _ eventstore.Maintainer = (*Log)(nil)

// indexPage is how many operations Index yields at once.
const indexPage = 100

// Base implements eventstore.Maintainer.
func (l *Log) Base(ctx context.Context, name string) (eventstore.Base, error) {
	if err := l.begin(ctx, "base", name); err != nil {
		return eventstore.Base{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.get(name).base, nil
}

// SetBase implements eventstore.Maintainer.
func (l *Log) SetBase(ctx context.Context, name string, base eventstore.Base) error {
	return l.maintain(ctx, "rebase", "rebased", name, func(s *stream) error {
		event, held := s.at(base.Version)
		if (!held || event.Hash != base.Hash) && (base.Version == 0 || base.Position != s.base.Position) {
			return &eventstore.ChainError{Stream: name, Version: base.Version, Reason: "the base is of an event that the stream does not hold"}
		}
		if base.Version >= s.base.Version {
			s.base = eventstore.Base{Position: base.Position, Data: slices.Clone(base.Data)}
		}
		return nil
	})
}

// Trim implements eventstore.Maintainer.
func (l *Log) Trim(ctx context.Context, name string, oldest []eventstore.Event) error {
	if len(oldest) == 0 {
		return nil
	}
	return l.maintain(ctx, "trim", "trimmed", name, func(s *stream) error { return s.trim(name, oldest) })
}

func (s *stream) trim(name string, oldest []eventstore.Event) error {
	first, last := oldest[0], oldest[len(oldest)-1]
	refuse := func(version eventstore.Version, reason string) error {
		return &eventstore.ChainError{Stream: name, Version: version, Reason: "not trimmed: " + reason}
	}
	held, ok := s.at(last.Version)
	switch {
	case last.Version <= s.floor.Version:
		return nil
	case first.Version > s.floor.Version+1:
		return refuse(first.Version, fmt.Sprintf("the oldest event is version %d", s.floor.Version+1))
	case last.Version-first.Version != eventstore.Version(len(oldest)-1):
		return refuse(first.Version, "the events have holes")
	case last.Version > s.base.Version:
		return refuse(last.Version, fmt.Sprintf("the base is of version %d", s.base.Version))
	case !ok || held.Hash != last.Hash:
		return refuse(last.Version, "the stream holds another event")
	case last.Version == s.head().Version:
		return refuse(last.Version, "it is the newest event")
	}
	s.events = slices.Clone(s.events[last.Version-s.floor.Version:])
	s.floor = last.Position()
	for _, event := range oldest {
		s.forget(event.Version, event.Operations)
	}
	return nil
}

// forget takes off the index what it says to be of version.
func (s *stream) forget(version eventstore.Version, ids []string) {
	for _, id := range ids {
		if s.operations[id] == version {
			delete(s.operations, id)
		}
	}
}

// Indexed implements eventstore.Maintainer.
func (l *Log) Indexed(ctx context.Context, name string) (int64, error) {
	if err := l.begin(ctx, "index", name); err != nil {
		return 0, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return int64(len(l.get(name).operations)), nil
}

// Index implements eventstore.Maintainer.
func (l *Log) Index(ctx context.Context, name string) iter.Seq2[map[string]eventstore.Version, error] {
	return func(yield func(map[string]eventstore.Version, error) bool) {
		if err := l.begin(ctx, "index", name); err != nil {
			yield(nil, err)
			return
		}
		l.mu.Lock()
		operations := maps.Clone(l.get(name).operations)
		l.mu.Unlock()
		for ids := range slices.Chunk(slices.Sorted(maps.Keys(operations)), indexPage) {
			page := map[string]eventstore.Version{}
			for _, id := range ids {
				page[id] = operations[id]
			}
			if !yield(page, nil) {
				return
			}
		}
	}
}

// Reindex implements eventstore.Maintainer.
func (l *Log) Reindex(ctx context.Context, name string, add []eventstore.Event, remove map[string]eventstore.Version) error {
	return l.maintain(ctx, "reindex", "reindexed", name, func(s *stream) error {
		for id, version := range remove {
			s.forget(version, []string{id})
		}
		for _, event := range add {
			if held, ok := s.at(event.Version); ok && held.Hash == event.Hash {
				for _, id := range event.Operations {
					s.operations[id] = event.Version
				}
			}
		}
		return nil
	})
}

// maintain carries act out on a stream, between two calls that may fail.
func (l *Log) maintain(ctx context.Context, before, after, name string, act func(*stream) error) error {
	if err := l.begin(ctx, before, name); err != nil {
		return err
	}
	l.mu.Lock()
	err := act(l.get(name))
	l.mu.Unlock()
	if err != nil {
		return err
	}
	return l.fail(after, name)
}
