package eventstoretest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"graphy/eventstore"
)

func appendAndRead(t *testing.T, log eventstore.Log) {
	first := Chain(eventstore.Position{}, `{"a":1}`)
	must(t, log, "g", eventstore.Position{}, first)
	rest := Chain(first[0].Position(), `{"b":2}`, `{"c":3}`)
	must(t, log, "g", first[0].Position(), rest)
	got, err := log.Read(t.Context(), "g", 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "read", got, slices.Concat(first, rest))
	if other, err := log.Read(t.Context(), "h", 0, 100); len(other) != 0 || err != nil {
		t.Errorf("read of an unknown stream: got %d events, %v, want none", len(other), err)
	}
}

func appendMany(t *testing.T, log eventstore.Log) {
	events := Numbered(eventstore.Position{}, 1000)
	for i := range events { // more operations than events, as of batches
		events[i].Operations = append(events[i].Operations, events[i].Operations[0]+"-1", events[i].Operations[0]+"-2")
	}
	must(t, log, "g", eventstore.Position{}, events)
	same(t, "read", all(t, log, "g"), events)
	versions, err := log.Operations(t.Context(), "g", events[999].Operations...)
	if want := []eventstore.Version{1000, 1000, 1000}; err != nil || !slices.Equal(versions, want) {
		t.Errorf("operations: got %v, %v, want %v", versions, err, want)
	}
}

func appendBig(t *testing.T, log eventstore.Log) {
	events := Chain(eventstore.Position{}, `"`+strings.Repeat("x", 1<<20)+`"`, `"`+strings.Repeat("y", 1<<20)+`"`)
	must(t, log, "g", eventstore.Position{}, events)
	same(t, "read", all(t, log, "g"), events)
}

func appendUnicode(t *testing.T, log eventstore.Log) {
	events := Chain(eventstore.Position{}, `{"title":"żółć 漢字 🦔 \u0000 \\n"}`, "{\"a\":\"\u2028 \u00a0\r\t\x00\"}", "{ }", "\xff\xfe")
	must(t, log, "g:~@.-_", eventstore.Position{}, events)
	same(t, "read", all(t, log, "g:~@.-_"), events)
}

func conflict(t *testing.T, log eventstore.Log) {
	ctx := within(t)
	history := Numbered(eventstore.Position{}, 3)
	must(t, log, "g", eventstore.Position{}, history)
	tests := []struct {
		name string
		from eventstore.Position
		size int
	}{
		{"new stream", eventstore.Position{}, 1},
		{"behind", history[0].Position(), 1},
		{"behind, up to the head", history[0].Position(), 2},
		{"behind, over the head", history[1].Position(), 5},
		{"ahead by one", eventstore.Position{Version: 4, Hash: "4"}, 1},
		{"far ahead", eventstore.Position{Version: 1000, Hash: "1000"}, 1},
	}
	for _, test := range tests {
		events := Chain(test.from, slices.Repeat([]string{`{"other":true}`}, test.size)...)
		got, err := log.Append(ctx, "g", test.from, events)
		if err != nil || got.Outcome != eventstore.Conflict || got.Head != 3 {
			t.Errorf("%s: got %+v, %v, want Conflict, head 3", test.name, got, err)
		}
		if versions, err := log.Operations(ctx, "g", events[0].Operations...); err != nil || versions[0] != 0 {
			t.Errorf("%s: its operation has version %v, %v, want none", test.name, versions, err)
		}
	}
	got, err := log.Append(ctx, "unknown", history[2].Position(), Numbered(history[2].Position(), 1))
	if err != nil || got.Outcome != eventstore.Conflict || got.Head != 0 {
		t.Errorf("unknown stream: got %+v, %v, want Conflict, head 0", got, err)
	}
	same(t, "afterwards", all(t, log, "g"), history)
}

// otherHistory appends at the version where the stream stands, and at hashes that it does not have there.
func otherHistory(t *testing.T, log eventstore.Log) {
	history := Numbered(eventstore.Position{}, 3)
	must(t, log, "g", eventstore.Position{}, history)
	foreign := Chain(eventstore.Position{}, `{"other":1}`, `{"other":2}`, `{"other":3}`)
	for _, hash := range []eventstore.Hash{foreign[2].Hash, history[1].Hash, ""} {
		refused(t, log, eventstore.Position{Version: 3, Hash: hash})
	}
	refused(t, log, eventstore.Position{Hash: history[2].Hash})
	same(t, "afterwards", all(t, log, "g"), history)
	must(t, log, "g", history[2].Position(), Numbered(history[2].Position(), 1))
}

// begunAnew appends where a stream stood that was deleted and has grown to the same version.
func begunAnew(t *testing.T, log eventstore.Log) {
	old := Numbered(eventstore.Position{}, 3)
	must(t, log, "g", eventstore.Position{}, old)
	if err := log.Delete(within(t), "g"); err != nil {
		t.Fatal(err)
	}
	var anew []eventstore.Event
	for _, event := range Chain(eventstore.Position{}, `{"anew":1}`, `{"anew":2}`, `{"anew":3}`) {
		expected := eventstore.Position{}
		if len(anew) > 0 {
			expected = anew[len(anew)-1].Position()
		}
		must(t, log, "g", expected, []eventstore.Event{event})
		anew = append(anew, event)
	}
	refused(t, log, old[2].Position())
	same(t, "afterwards", all(t, log, "g"), anew)
	must(t, log, "g", anew[2].Position(), Numbered(anew[2].Position(), 2))
	all(t, log, "g")
}

// refused appends at a position of another history than the stream's, which is at version 3.
func refused(t *testing.T, log eventstore.Log, expected eventstore.Position) {
	t.Helper()
	ctx := within(t)
	events := Chain(expected, `{"refused":true}`)
	got, err := log.Append(ctx, "g", expected, events)
	if err != nil || got.Outcome != eventstore.Conflict || got.Head != 3 {
		t.Errorf("append at %v: got %+v, %v, want Conflict, head 3", expected, got, err)
	}
	if versions, err := log.Operations(ctx, "g", events[0].Operations...); err != nil || versions[0] != 0 {
		t.Errorf("append at %v: its operation has version %v, %v, want none", expected, versions, err)
	}
}

func identicalAppend(t *testing.T, log eventstore.Log) {
	ctx := within(t)
	events := Numbered(eventstore.Position{}, 5)
	must(t, log, "g", eventstore.Position{}, events[:3])
	again := func(expected eventstore.Position, events []eventstore.Event, want eventstore.AppendResult) {
		t.Helper()
		got, err := log.Append(ctx, "g", expected, events)
		if err != nil || got.Outcome != want.Outcome || got.Head != want.Head {
			t.Errorf("append %d again at %v: got %+v, %v, want %+v", len(events), expected, got, err, want)
		}
	}
	again(eventstore.Position{}, events[:3], eventstore.AppendResult{Head: 3})
	must(t, log, "g", events[2].Position(), events[3:])
	again(eventstore.Position{}, events[:3], eventstore.AppendResult{Head: 5})
	again(events[2].Position(), events[3:], eventstore.AppendResult{Head: 5})
	different := Chain(eventstore.Position{}, `{"version":1}`, `{"version":2}`, `{"version":"3"}`)
	again(eventstore.Position{}, different, eventstore.AppendResult{Outcome: eventstore.Conflict, Head: 5})
	same(t, "afterwards", all(t, log, "g"), events)
}

func duplicate(t *testing.T, log eventstore.Log) {
	ctx := within(t)
	history := Numbered(eventstore.Position{}, 2)
	must(t, log, "g", eventstore.Position{}, history)
	next := Chain(history[1].Position(), `{"new":true}`)
	fresh := next[0].Operations[0]
	next[0].Operations = []string{fresh, history[0].Operations[0]}
	got, err := log.Append(ctx, "g", history[1].Position(), next)
	if err != nil || got.Outcome != eventstore.Duplicate || got.Head != 2 || len(got.Done) != 1 || got.Done[history[0].Operations[0]] != 1 {
		t.Errorf("got %+v, %v, want Duplicate, head 2, the known operation at 1", got, err)
	}
	if versions, err := log.Operations(ctx, "g", fresh, history[1].Operations[0]); err != nil || !slices.Equal(versions, []eventstore.Version{0, 2}) {
		t.Errorf("operations: got %v, %v, want 0 and 2", versions, err)
	}
	same(t, "afterwards", all(t, log, "g"), history)
	// The index is the stream's own.
	other := Chain(eventstore.Position{}, `{}`)
	other[0].Operations = history[0].Operations
	must(t, log, "h", eventstore.Position{}, other)
}

func duplicateOfMany(t *testing.T, log eventstore.Log) {
	ctx := within(t)
	history := Numbered(eventstore.Position{}, 5000)
	must(t, log, "g", eventstore.Position{}, history)
	next := Numbered(history[4999].Position(), 2500)
	next[2400].Operations = append(next[2400].Operations, history[4321].Operations[0])
	next[3].Operations = []string{history[17].Operations[0]}
	got, err := log.Append(ctx, "g", history[4999].Position(), next)
	if err != nil || got.Outcome != eventstore.Duplicate || got.Head != 5000 || len(got.Done) != 2 ||
		got.Done[history[4321].Operations[0]] != 4322 || got.Done[history[17].Operations[0]] != 18 {
		t.Errorf("got %v, head %d, %v, %v, want Duplicate, head 5000, at 4322 and 18", got.Outcome, got.Head, got.Done, err)
	}
	if position, err := log.Head(ctx, "g"); err != nil || position != history[4999].Position() {
		t.Errorf("head: got %v, %v, want %v", position, err, history[4999].Position())
	}
}

func endedContext(t *testing.T, log eventstore.Log) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := log.Append(ctx, "g", eventstore.Position{}, Numbered(eventstore.Position{}, 1)); !errors.Is(err, eventstore.ErrUnavailable) {
		t.Errorf("append: got %v, want %v", err, eventstore.ErrUnavailable)
	}
	if position, err := log.Head(t.Context(), "g"); err != nil || position.Version != 0 {
		t.Errorf("head: got %v, %v, want none", position, err)
	}
}
