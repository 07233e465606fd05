package upkeep_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"graphy/eventstore"
	"graphy/eventstore/archive"
	"graphy/projection/upkeep"
)

func TestRestoreWhatWasTrimmed(t *testing.T) {
	w := inMemory().archived(newShelf())
	writer := w.write(t, "g", 1, 3000)
	events := w.all(t, w.log, "g")
	w.follow(t, "g")
	if got, err := w.keeper.Restore(t.Context(), "g", false); err != nil || got.Outcome != "unchanged" {
		t.Errorf("nothing was trimmed: got %+v, %v", got, err)
	}
	w.retain(t, "g", upkeep.Policy{Events: 500})
	dry, err := w.keeper.Restore(t.Context(), "g", true)
	if err != nil || dry.Outcome != "restored" || dry.Added != 2500 || dry.First != 1 || dry.Version != 3000 {
		t.Errorf("dry run: got %+v, %v", dry, err)
	}
	if now := w.all(t, w.log, "g"); !sameEvents(now, events[2500:]) {
		t.Error("the dry run has changed the log")
	}
	got, err := w.keeper.Restore(t.Context(), "g", false)
	if err != nil || got.Outcome != "restored" || got.Added != 2500 || got.Changed != 0 || got.First != 1 {
		t.Errorf("got %+v, %v", got, err)
	}
	if now := w.all(t, w.log, "g"); !sameEvents(now, events) {
		t.Errorf("got %d events", len(now))
	}
	if base, err := w.log.Base(t.Context(), "g"); err != nil || base.Version != 0 {
		t.Errorf("base %v, %v", base.Position, err)
	}
	if again, err := w.keeper.Restore(t.Context(), "g", false); err != nil || again.Outcome != "unchanged" {
		t.Errorf("again: got %+v, %v", again, err)
	}
	w.append(t, writer, 10)
	w.follow(t, "g")
	w.mustBeWhole(t, writer)
	if again := w.retain(t, "g", upkeep.Policy{Events: 500}); again.Archived != 10 {
		t.Errorf("trimmed again: got %+v, want what the archive lacks written", again)
	}
}

// TestRestoreFromABase: the archive begins where it was set up.
func TestRestoreFromABase(t *testing.T) {
	w := inMemory()
	writer := w.write(t, "g", 1, 3000)
	events := w.all(t, w.log, "g")
	w.follow(t, "g")
	w.retain(t, "g", upkeep.Policy{Events: 2000})
	w.archived(newShelf())
	w.retain(t, "g", upkeep.Policy{Events: 500})
	got, err := w.keeper.Restore(t.Context(), "g", false)
	if err != nil || got.Added != 1500 || got.First != 1001 {
		t.Errorf("got %+v, %v", got, err)
	}
	if now := w.all(t, w.log, "g"); !sameEvents(now, events[1000:]) {
		t.Errorf("got %d events", len(now))
	}
	w.mustFold(t, "g", events, 1000)
	w.mustBeWhole(t, writer)
}

func TestRestoreWithoutArchive(t *testing.T) {
	w := inMemory()
	w.write(t, "g", 1, 10)
	if _, err := w.keeper.Restore(t.Context(), "g", false); !errors.Is(err, upkeep.ErrConflict) {
		t.Errorf("got %v", err)
	}
	w.archived(newShelf())
	if _, err := w.keeper.Restore(t.Context(), "nobody", false); !errors.Is(err, upkeep.ErrUnknown) {
		t.Errorf("unknown graph: got %v", err)
	}
	if got, err := w.keeper.Restore(t.Context(), "g", false); err != nil || got.Outcome != "unchanged" {
		t.Errorf("nothing in the archive: got %+v, %v", got, err)
	}
}

// TestRestoreALostLog: the log is gone, or has lost its end, or is of another history now.
func TestRestoreALostLog(t *testing.T) {
	w := inMemory().archived(newShelf())
	w.write(t, "g", 1, 1500)
	events := w.all(t, w.log, "g")
	w.follow(t, "g")
	w.retain(t, "g", upkeep.Policy{Events: 100}) // 1 to 1400 are in the archive
	if err := w.log.Delete(t.Context(), "g"); err != nil {
		t.Fatal(err)
	}
	got, err := w.keeper.Restore(t.Context(), "g", false)
	if err != nil || got.Added != 1400 || got.Version != 1400 || got.First != 1 {
		t.Errorf("gone: got %+v, %v", got, err)
	}
	if now := w.all(t, w.log, "g"); !sameEvents(now, events[:1400]) {
		t.Errorf("gone: got %d events", len(now))
	}

	w.log.Delete(t.Context(), "g")
	if _, err := w.log.Append(t.Context(), "g", eventstore.Position{}, events[:700]); err != nil {
		t.Fatal(err)
	}
	got, err = w.keeper.Restore(t.Context(), "g", false)
	if err != nil || got.Added != 700 || got.Version != 1400 {
		t.Errorf("without its end: got %+v, %v", got, err)
	}

	w.log.Delete(t.Context(), "g")
	other := w.write(t, "g", 2, 300)
	if got, err := w.keeper.Restore(t.Context(), "g", false); err != nil || got.Outcome != "unchanged" {
		t.Errorf("another history: got %+v, %v", got, err)
	}
	w.follow(t, "g")
	w.mustBeWhole(t, other)
	other.Clock += 1_000_000 // so that it ends last
	w.append(t, other, 300)
	w.follow(t, "g")
	w.retain(t, "g", upkeep.Policy{Events: 100})
	w.log.Delete(t.Context(), "g")
	if got, err := w.keeper.Restore(t.Context(), "g", false); err != nil || got.Version != 500 {
		t.Errorf("the history that ends last: got %+v, %v", got, err)
	}
}

// TestRestoreDamage: what is damaged in the log, and was archived, is brought back; what was not is named.
func TestRestoreDamage(t *testing.T) {
	flipped := func(event eventstore.Event) eventstore.Event {
		event.Data = bytes.Clone(event.Data)
		event.Data[len(event.Data)/2] ^= 1
		return event
	}
	tests := []struct {
		name           string
		spoil          func(events []eventstore.Event) []eventstore.Event
		added, changed int64
		refused        bool
	}{
		{"flipped data", func(events []eventstore.Event) []eventstore.Event { events[150] = flipped(events[150]); return events }, 0, 1, false},
		{"flipped hash", func(events []eventstore.Event) []eventstore.Event {
			events[150].Hash = events[149].Hash
			return events
		}, 0, 1, false},
		{"hole", func(events []eventstore.Event) []eventstore.Event { return slices.Delete(events, 100, 200) }, 100, 0, false},
		{"first event gone", func(events []eventstore.Event) []eventstore.Event { return events[1:] }, 1, 0, false},
		{"beginning gone", func(events []eventstore.Event) []eventstore.Event { return events[200:] }, 200, 0, false},
		{"foreign entry in its place", func(events []eventstore.Event) []eventstore.Event { events[150].Hash = ""; return events }, 1, 0, false},
		{"two of them", func(events []eventstore.Event) []eventstore.Event {
			events[20] = flipped(events[20])
			return slices.Delete(events, 250, 260)
		}, 10, 1, false},
		{"end gone", func(events []eventstore.Event) []eventstore.Event { return events[:150] }, 150, 0, false},
		{"foreign end", func(events []eventstore.Event) []eventstore.Event {
			return append(events, eventstore.Event{Version: 1760000000000, Data: []byte("x")})
		}, 0, 0, false},
		{"behind the archive", func(events []eventstore.Event) []eventstore.Event { events[350] = flipped(events[350]); return events }, 0, 0, true},
		{"hole beyond the archive", func(events []eventstore.Event) []eventstore.Event { return slices.Delete(events, 250, 310) }, 0, 0, true},
	}
	s := keptOnRedis(t)
	writer := s.write(t, "origin", 1, 400)
	events := s.all(t, s.log, "origin")
	for i, test := range tests {
		graph := "g" + string(rune('a'+i))
		if _, err := s.stores.Archive.Put(t.Context(), graph, eventstore.Position{}, events[:300]); err != nil {
			t.Fatal(err)
		}
		s.rewrite(t, graph, test.spoil(slices.Clone(events)))
		got, err := s.keeper.Restore(t.Context(), graph, false)
		if test.refused {
			if !errors.Is(err, upkeep.ErrConflict) {
				t.Errorf("%s: got %+v, %v, want it refused", test.name, got, err)
			}
			continue
		}
		if err != nil || got.Outcome != "restored" || got.Added != test.added || got.Changed != test.changed {
			t.Errorf("%s: got %+v, %v, want %d added and %d replaced", test.name, got, err, test.added, test.changed)
			continue
		}
		whole := events
		if test.name == "end gone" {
			whole = events[:300]
		}
		if now := s.all(t, s.log, graph); !sameEvents(now, whole) {
			t.Errorf("%s: got %d events", test.name, len(now))
		}
		count, err := s.log.Indexed(t.Context(), graph)
		if all, _ := s.log.Indexed(t.Context(), "origin"); err != nil || test.name != "end gone" && count != all {
			t.Errorf("%s: %d operations in the index, %v, want %d", test.name, count, err, all)
		}
	}
	_ = writer
}

// TestRestoreAWrongKey: something else stands in the place of the log.
func TestRestoreAWrongKey(t *testing.T) {
	s := keptOnRedis(t)
	s.write(t, "origin", 1, 300)
	events := s.all(t, s.log, "origin")
	if _, err := s.stores.Archive.Put(t.Context(), "g", eventstore.Position{}, events); err != nil {
		t.Fatal(err)
	}
	s.do(t, s.keys.Events("g"), "SET", "something")
	got, err := s.keeper.Restore(t.Context(), "g", false)
	if err != nil || got.Added != 300 {
		t.Fatalf("got %+v, %v", got, err)
	}
	if now := s.all(t, s.log, "g"); !sameEvents(now, events) {
		t.Errorf("got %d events", len(now))
	}
}

// TestRestoreFromADamagedArchive: nothing of it gets into the log.
func TestRestoreFromADamagedArchive(t *testing.T) {
	store := newShelf()
	w := inMemory().archived(store)
	w.write(t, "g", 1, 3000)
	events := w.all(t, w.log, "g")
	w.follow(t, "g")
	w.retain(t, "g", upkeep.Policy{Events: 500})
	for name, content := range store.objects {
		content[len(content)/2] ^= 1
		store.objects[name] = content
	}
	w.archived(store)
	if got, err := w.keeper.Restore(t.Context(), "g", false); !errors.Is(err, archive.ErrDamaged) {
		t.Errorf("got %+v, %v", got, err)
	}
	if now := w.all(t, w.log, "g"); !sameEvents(now, events[2500:]) {
		t.Errorf("got %d events", len(now))
	}
}
