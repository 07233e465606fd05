package embedded

import (
	"bytes"
	"context"
	"iter"

	"graphy/eventstore"
)

// What is kept of a stream besides its events is decided, journaled and then carried out like an append. What is to be
// refused is left to the ordinary store, which knows the words.

// Base is described at [eventstore.Maintainer].
func (s *Store) Base(ctx context.Context, name string) (eventstore.Base, error) {
	if err := s.intact(name); err != nil {
		return eventstore.Base{}, err
	}
	return s.Store.Base(ctx, name)
}

// SetBase is described at [eventstore.Maintainer].
func (s *Store) SetBase(ctx context.Context, name string, base eventstore.Base) error {
	if s.journal == nil {
		return s.Store.SetBase(ctx, name, base)
	}
	return s.maintain(ctx, name, func(ctx context.Context, st *stream) (record, bool, error) {
		known, err := s.Store.Base(ctx, name)
		if err != nil {
			return record{}, false, err
		}
		wanted := s.at(name, base.Version) == base.Position && base.Version >= known.Version
		if known.Position == base.Position {
			wanted = base.Version > 0 && !bytes.Equal(known.Data, base.Data)
		}
		return record{kind: kindBase, stream: name, position: base.Position, data: base.Data}, wanted, nil
	}, func(ctx context.Context) error { return s.Store.SetBase(ctx, name, base) })
}

// Trim is described at [eventstore.Maintainer]. The journal keeps what is trimmed until it is compacted at a start.
func (s *Store) Trim(ctx context.Context, name string, oldest []eventstore.Event) error {
	if s.journal == nil || len(oldest) == 0 {
		return s.Store.Trim(ctx, name, oldest)
	}
	last := oldest[len(oldest)-1].Position()
	return s.maintain(ctx, name, func(ctx context.Context, st *stream) (record, bool, error) {
		base, err := s.Store.Base(ctx, name)
		if err != nil {
			return record{}, false, err
		}
		entries, _ := s.entries(name)
		first, ok := firstVersion(entries)
		wanted := ok && oldest[0].Version <= first && consecutive(oldest) &&
			last.Version <= base.Version && last.Version < st.head.Version && s.at(name, last.Version) == last
		return record{kind: kindTrim, stream: name, position: last}, wanted, nil
	}, func(ctx context.Context) error { return s.Store.Trim(ctx, name, oldest) })
}

func consecutive(events []eventstore.Event) bool {
	for i, event := range events {
		if event.Version != events[0].Version+eventstore.Version(i) {
			return false
		}
	}
	return true
}

// Indexed is described at [eventstore.Maintainer].
func (s *Store) Indexed(ctx context.Context, name string) (int64, error) {
	if err := s.intact(name); err != nil {
		return 0, err
	}
	return s.Store.Indexed(ctx, name)
}

// Index is described at [eventstore.Maintainer].
func (s *Store) Index(ctx context.Context, name string) iter.Seq2[map[string]eventstore.Version, error] {
	return func(yield func(map[string]eventstore.Version, error) bool) {
		if err := s.intact(name); err != nil {
			yield(nil, err)
			return
		}
		s.Store.Index(ctx, name)(yield)
	}
}

// Reindex is described at [eventstore.Maintainer].
func (s *Store) Reindex(ctx context.Context, name string, add []eventstore.Event, remove map[string]eventstore.Version) error {
	if s.journal == nil {
		return s.Store.Reindex(ctx, name, add, remove)
	}
	return s.maintain(ctx, name, func(context.Context, *stream) (record, bool, error) {
		r := record{kind: kindIndex, stream: name}
		for _, event := range add {
			if s.at(name, event.Version) != event.Position() {
				continue
			}
			for _, id := range event.Operations {
				r.add = append(r.add, indexed{id, event.Version})
			}
		}
		for id, version := range remove {
			r.remove = append(r.remove, indexed{id, version})
		}
		return r, len(r.add)+len(r.remove) > 0, nil
	}, func(ctx context.Context) error { return s.Store.Reindex(ctx, name, add, remove) })
}

// maintain has decide say, when it is name's turn, what is to be journaled, and then carries it out. What decide does
// not want is not journaled: carrying it out then changes nothing, and says why.
func (s *Store) maintain(ctx context.Context, name string,
	decide func(context.Context, *stream) (record, bool, error), carryOut func(context.Context) error) error {
	_, err := write(ctx, s, name, func(st *stream) (struct{}, error) {
		if err := s.intact(name); err != nil {
			return struct{}{}, err
		}
		ctx, cancel := context.WithTimeout(context.Background(), applyTimeout)
		defer cancel()
		r, wanted, err := decide(ctx, st)
		if err != nil || !wanted {
			if err == nil {
				err = carryOut(ctx)
			}
			return struct{}{}, err
		}
		if err := s.commit(r); err != nil {
			return struct{}{}, err
		}
		if err := carryOut(ctx); err != nil {
			return struct{}{}, s.fail(name, err)
		}
		return struct{}{}, nil
	})
	return err
}

// at returns the position of the event of that version, the zero one if the stream does not hold it.
func (s *Store) at(name string, version eventstore.Version) eventstore.Position {
	if version == 0 {
		return eventstore.Position{}
	}
	if held, ok := s.page(name, version-1, 1); ok && len(held) == 1 {
		return held[0].Position()
	}
	return eventstore.Position{}
}
