package embedded

import (
	"context"
	"iter"
	"strconv"
	"strings"

	"github.com/alicebob/miniredis/v2"

	"graphy/eventstore"
)

// Reads take entries straight from the stream in memory: the server inside walks a stream from its beginning to
// find a range, which costs more the longer the stream is. What does not look like an entry of ours is left to the
// ordinary store, which says what is wrong with it.

// Read is described at [eventstore.Log].
func (s *Store) Read(ctx context.Context, name string, after eventstore.Version, limit int) ([]eventstore.Event, error) {
	if err := s.intact(name); err != nil {
		return nil, err
	}
	if events, ok := s.page(name, after, limit); ok {
		return events, nil
	}
	return s.Store.Read(ctx, name, after, limit)
}

// ReadBackward is described at [eventstore.Log].
func (s *Store) ReadBackward(ctx context.Context, name string, before eventstore.Version, limit int) ([]eventstore.Event, error) {
	if err := s.intact(name); err != nil {
		return nil, err
	}
	if events, ok := s.pageBackward(name, before, limit); ok {
		return events, nil
	}
	return s.Store.ReadBackward(ctx, name, before, limit)
}

// Head is described at [eventstore.Log].
func (s *Store) Head(ctx context.Context, name string) (eventstore.Position, error) {
	if err := s.intact(name); err != nil {
		return eventstore.Position{}, err
	}
	switch events, ok := s.pageBackward(name, 0, 1); {
	case !ok:
		return s.Store.Head(ctx, name)
	case len(events) == 0:
		return eventstore.Position{}, nil
	default:
		return events[0].Position(), nil
	}
}

// Operations is described at [eventstore.Log].
func (s *Store) Operations(ctx context.Context, name string, ids ...string) ([]eventstore.Version, error) {
	if err := s.intact(name); err != nil {
		return nil, err
	}
	return s.Store.Operations(ctx, name, ids...)
}

// Tail is described at [eventstore.Log].
func (s *Store) Tail(ctx context.Context, name string, after eventstore.Version) iter.Seq2[eventstore.Event, error] {
	return func(yield func(eventstore.Event, error) bool) {
		if err := s.intact(name); err != nil {
			yield(eventstore.Event{}, err)
			return
		}
		s.Store.Tail(ctx, name, after)(yield)
	}
}

func (s *Store) page(name string, after eventstore.Version, limit int) ([]eventstore.Event, bool) {
	entries, ok := s.entries(name)
	if !ok || after >= eventstore.Version(len(entries)) || limit <= 0 {
		return nil, ok
	}
	entries = entries[after:]
	return decodeEntries(entries[:min(limit, len(entries))], after+1, 1)
}

func (s *Store) pageBackward(name string, before eventstore.Version, limit int) ([]eventstore.Event, bool) {
	entries, ok := s.entries(name)
	if !ok {
		return nil, false
	}
	newest := eventstore.Version(len(entries))
	if before > 0 {
		newest = min(newest, before-1)
	}
	count := min(max(limit, 0), int(newest))
	page := make([]miniredis.StreamEntry, count)
	for i := range page {
		page[i] = entries[int(newest)-1-i]
	}
	return decodeEntries(page, newest, -1)
}

// entries returns the entries of a stream, which is not to be changed. Those that are there stay; the server
// only adds behind them.
func (s *Store) entries(name string) ([]miniredis.StreamEntry, bool) {
	entries, err := s.db.Stream(s.Keys().Events(name))
	return entries, err == nil
}

// decodeEntries makes events of entries whose versions begin at first and go in steps. It is not ok if they do not.
func decodeEntries(entries []miniredis.StreamEntry, first eventstore.Version, step int) ([]eventstore.Event, bool) {
	events := make([]eventstore.Event, len(entries))
	for i, entry := range entries {
		version := first + eventstore.Version(step*i)
		digits, whole := strings.CutSuffix(entry.ID, "-0")
		if !whole || digits != strconv.FormatUint(uint64(version), 10) ||
			len(entry.Values) != 4 || entry.Values[0] != "event" || entry.Values[2] != "hash" {
			return nil, false
		}
		events[i] = eventstore.Event{Version: version, Data: []byte(entry.Values[1]), Hash: eventstore.Hash(entry.Values[3])}
	}
	return events, true
}
