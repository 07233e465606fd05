package eventstoretest

import (
	"slices"
	"testing"

	"graphy/eventstore"
)

func readPages(t *testing.T, log eventstore.Log) {
	history := Numbered(eventstore.Position{}, 10)
	must(t, log, "g", eventstore.Position{}, history)
	tests := []struct {
		after    eventstore.Version
		limit    int
		from, to int // of history
	}{
		{0, 4, 0, 4}, {4, 4, 4, 8}, {8, 4, 8, 10}, {0, 10, 0, 10}, {0, 1000, 0, 10}, {9, 1, 9, 10},
		{10, 4, 0, 0}, {11, 4, 0, 0}, {1 << 40, 4, 0, 0}, {0, 0, 0, 0}, {0, -1, 0, 0},
	}
	for _, test := range tests {
		got, err := log.Read(t.Context(), "g", test.after, test.limit)
		if err != nil {
			t.Fatalf("after %d, limit %d: %v", test.after, test.limit, err)
		}
		same(t, "page", got, history[test.from:test.to])
	}
}

func readBackwardPages(t *testing.T, log eventstore.Log) {
	history := Numbered(eventstore.Position{}, 10)
	must(t, log, "g", eventstore.Position{}, history)
	tests := []struct {
		before   eventstore.Version
		limit    int
		from, to int // of history, to be reversed
	}{
		{0, 4, 6, 10}, {7, 4, 2, 6}, {3, 4, 0, 2}, {1, 4, 0, 0}, {2, 4, 0, 1}, {11, 2, 8, 10}, {1 << 40, 2, 8, 10}, {0, 0, 0, 0},
	}
	for _, test := range tests {
		got, err := log.ReadBackward(t.Context(), "g", test.before, test.limit)
		if err != nil {
			t.Fatalf("before %d, limit %d: %v", test.before, test.limit, err)
		}
		want := slices.Clone(history[test.from:test.to])
		slices.Reverse(want)
		same(t, "page", got, want)
	}
	if got, err := log.ReadBackward(t.Context(), "unknown", 0, 5); len(got) != 0 || err != nil {
		t.Errorf("unknown stream: got %v, %v, want none", got, err)
	}
}

func head(t *testing.T, log eventstore.Log) {
	var position eventstore.Position
	for range 3 {
		if got, err := log.Head(t.Context(), "g"); got != position || err != nil {
			t.Fatalf("got %v, %v, want %v", got, err, position)
		}
		events := Numbered(position, 2)
		must(t, log, "g", position, events)
		position = events[1].Position()
	}
	if versions, err := log.Operations(t.Context(), "unknown", "a", "b"); err != nil || !slices.Equal(versions, []eventstore.Version{0, 0}) {
		t.Errorf("operations of an unknown stream: got %v, %v, want 0 0", versions, err)
	}
	if versions, err := log.Operations(t.Context(), "g"); err != nil || len(versions) != 0 {
		t.Errorf("no operations: got %v, %v", versions, err)
	}
}
