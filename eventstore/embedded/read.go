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
	if events, ok := s.pageBackward(name, 0, 1); ok && len(events) == 1 {
		return events[0].Position(), nil
	}
	return s.Store.Head(ctx, name)
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

// page is not ok where the stream is empty, or does not begin as early as that.
func (s *Store) page(name string, after eventstore.Version, limit int) ([]eventstore.Event, bool) {
	entries, ok := s.entries(name)
	first, known := firstVersion(entries)
	if !ok || !known || after+1 < first {
		return nil, false
	}
	if after+1-first >= eventstore.Version(len(entries)) || limit <= 0 {
		return nil, true
	}
	entries = entries[after+1-first:]
	return decodeEntries(entries[:min(limit, len(entries))], after+1, 1)
}

func (s *Store) pageBackward(name string, before eventstore.Version, limit int) ([]eventstore.Event, bool) {
	entries, ok := s.entries(name)
	first, known := firstVersion(entries)
	if !ok || !known || before > 0 && before <= first {
		return nil, false
	}
	newest := first + eventstore.Version(len(entries)) - 1
	if before > 0 {
		newest = min(newest, before-1)
	}
	page := make([]miniredis.StreamEntry, min(max(limit, 0), int(newest-first)+1))
	for i := range page {
		page[i] = entries[int(newest-first)-i]
	}
	return decodeEntries(page, newest, -1)
}

// firstVersion returns the version of the first entry, which is above 1 in a stream that was trimmed.
func firstVersion(entries []miniredis.StreamEntry) (eventstore.Version, bool) {
	if len(entries) == 0 {
		return 0, false
	}
	digits, whole := strings.CutSuffix(entries[0].ID, "-0")
	version, err := strconv.ParseUint(digits, 10, 64)
	return eventstore.Version(version), whole && err == nil && version > 0
}

// entries returns the entries of a stream, which is not to be changed. Those that are there stay, for as long as
// somebody has them; the server only adds behind them, and forgets the first ones.
func (s *Store) entries(name string) ([]miniredis.StreamEntry, bool) {
	entries, err := s.db.Stream(s.Keys().Events(name))
	return entries, err == nil
}

// firstEvent returns the version of the oldest event that is kept, or that may come; 1 for a stream that is empty.
func (s *Store) firstEvent(name string) eventstore.Version {
	entries, _ := s.entries(name)
	first, ok := firstVersion(entries)
	switch {
	case !ok:
		return 1
	case entries[0].Values[0] != "event": // what stands for all before it, in a stream that began with a base alone
		return first + 1
	}
	return first
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
