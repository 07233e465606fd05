package upkeep_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"graphy/eventstore"
	"graphy/projection"
	"graphy/projection/upkeep"
)

// TestSkipDamage: what Redis itself may have lost or changed is taken out, and the log is whole again.
func TestSkipDamage(t *testing.T) {
	tests := []struct {
		name    string
		version eventstore.Version // that the dead letter names
		spoil   func(events []eventstore.Event) []eventstore.Event
		skipped []eventstore.Version
		end     eventstore.Version
	}{
		{"flipped data", 20, func(events []eventstore.Event) []eventstore.Event {
			events[19].Data = bytes.Clone(events[19].Data)
			events[19].Data[len(events[19].Data)/2] ^= 1
			return events
		}, []eventstore.Version{20}, 40},
		{"flipped hash", 20, func(events []eventstore.Event) []eventstore.Event {
			events[19].Hash = events[18].Hash
			return events
		}, []eventstore.Version{20}, 40},
		{"hole", 20, func(events []eventstore.Event) []eventstore.Event { return slices.Delete(events, 19, 20) }, []eventstore.Version{20}, 40},
		{"larger hole", 20, func(events []eventstore.Event) []eventstore.Event { return slices.Delete(events, 19, 22) },
			[]eventstore.Version{20, 21, 22}, 40},
		{"beginning gone", 1, func(events []eventstore.Event) []eventstore.Event { return events[1:] }, []eventstore.Version{1}, 40},
		{"foreign entry", 20, func(events []eventstore.Event) []eventstore.Event { events[19].Hash = ""; return events }, []eventstore.Version{20}, 40},
		{"foreign entry at the end", 41, func(events []eventstore.Event) []eventstore.Event {
			return append(events, eventstore.Event{Version: 41, Data: []byte("x")})
		}, []eventstore.Version{41}, 41},
		{"foreign entry far behind the end", 1760000000000, func(events []eventstore.Event) []eventstore.Event {
			return append(events, eventstore.Event{Version: 1760000000000, Data: []byte("x")})
		}, []eventstore.Version{41}, 41},
		{"one that looks like an event", 1760000000000, func(events []eventstore.Event) []eventstore.Event {
			return append(events, eventstore.Event{Version: 1760000000000, Data: []byte("{}"), Hash: "00"})
		}, []eventstore.Version{41}, 41},
		{"flipped last event", 40, func(events []eventstore.Event) []eventstore.Event {
			events[39].Data = bytes.Clone(events[39].Data)
			events[39].Data[1] ^= 1
			return events
		}, []eventstore.Version{40}, 40},
	}
	s := keptOnRedis(t)
	writer := s.write(t, "origin", 1, 0)
	var events []eventstore.Event
	for range 40 {
		events = append(events, writer.CreateNode())
	}
	for i, test := range tests {
		graph := "g" + string(rune('a'+i))
		s.rewrite(t, graph, test.spoil(slices.Clone(events)))
		got, err := s.keeper.Skip(t.Context(), graph, test.version, upkeep.SkipOptions{Cascade: len(test.skipped) > 1, Reason: "r"})
		if err != nil || !slices.Equal(got.Skipped, test.skipped) || got.Version != test.end {
			t.Errorf("%s: got %+v, %v, want %v skipped up to version %d", test.name, got, err, test.skipped, test.end)
			continue
		}
		s.follow(t, graph)
		if verified := s.verify(t, graph); !verified.OK || verified.Version != test.end {
			t.Errorf("%s: got %+v", test.name, verified)
		}
		state, err := projection.At(t.Context(), s.log, nil, graph, test.end)
		if want := 40 - len(test.skipped) + int(test.end-40); err != nil || state.Len(projection.Node) != want {
			t.Errorf("%s: got %d nodes, %v, want %d", test.name, state.Len(projection.Node), err, want)
		}
	}
}

// TestSkipMoreThanOne: two things are wrong. The first comes first, then the other one.
func TestSkipMoreThanOne(t *testing.T) {
	s := keptOnRedis(t)
	writer := s.write(t, "origin", 1, 0)
	var events []eventstore.Event
	for range 40 {
		events = append(events, writer.CreateNode())
	}
	events[9].Data = []byte("x")
	events = slices.Delete(events, 29, 30)
	s.rewrite(t, "g", events)
	if _, err := s.keeper.Skip(t.Context(), "g", 30, upkeep.SkipOptions{}); !errors.Is(err, upkeep.ErrConflict) {
		t.Errorf("the second: got %v", err)
	}
	got, err := s.keeper.Skip(t.Context(), "g", 10, upkeep.SkipOptions{})
	if err != nil || !slices.Equal(got.Needs, []eventstore.Version{30}) {
		t.Errorf("the first: got %+v, %v", got, err)
	}
	got, err = s.keeper.Skip(t.Context(), "g", 10, upkeep.SkipOptions{Cascade: true})
	if err != nil || !slices.Equal(got.Skipped, []eventstore.Version{10, 30}) || got.Version != 40 {
		t.Errorf("both: got %+v, %v", got, err)
	}
	s.follow(t, "g")
	if verified := s.verify(t, "g"); !verified.OK || verified.Version != 40 {
		t.Errorf("got %+v", verified)
	}
}
