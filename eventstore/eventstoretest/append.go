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
	must(t, log, "g", 0, first)
	rest := Chain(first[0].Position(), `{"b":2}`, `{"c":3}`)
	must(t, log, "g", 1, rest)
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
	must(t, log, "g", 0, events)
	same(t, "read", all(t, log, "g"), events)
	versions, err := log.Operations(t.Context(), "g", events[999].Operations...)
	if want := []eventstore.Version{1000, 1000, 1000}; err != nil || !slices.Equal(versions, want) {
		t.Errorf("operations: got %v, %v, want %v", versions, err, want)
	}
}

func appendBig(t *testing.T, log eventstore.Log) {
	events := Chain(eventstore.Position{}, `"`+strings.Repeat("x", 1<<20)+`"`, `"`+strings.Repeat("y", 1<<20)+`"`)
	must(t, log, "g", 0, events)
	same(t, "read", all(t, log, "g"), events)
}

func appendUnicode(t *testing.T, log eventstore.Log) {
	events := Chain(eventstore.Position{}, `{"title":"żółć 漢字 🦔 \u0000 \\n"}`, "{\"a\":\"\u2028 \u00a0\r\t\x00\"}", "{ }", "\xff\xfe")
	must(t, log, "g:~@.-_", 0, events)
	same(t, "read", all(t, log, "g:~@.-_"), events)
}

func conflict(t *testing.T, log eventstore.Log) {
	ctx := within(t)
	history := Numbered(eventstore.Position{}, 3)
	must(t, log, "g", 0, history)
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
		got, err := log.Append(ctx, "g", test.from.Version, events)
		if err != nil || got.Outcome != eventstore.Conflict || got.Head != 3 {
			t.Errorf("%s: got %+v, %v, want Conflict, head 3", test.name, got, err)
		}
		if versions, err := log.Operations(ctx, "g", events[0].Operations...); err != nil || versions[0] != 0 {
			t.Errorf("%s: its operation has version %v, %v, want none", test.name, versions, err)
		}
	}
	got, err := log.Append(ctx, "unknown", 7, Numbered(eventstore.Position{Version: 7}, 1))
	if err != nil || got.Outcome != eventstore.Conflict || got.Head != 0 {
		t.Errorf("unknown stream: got %+v, %v, want Conflict, head 0", got, err)
	}
	same(t, "afterwards", all(t, log, "g"), history)
}

func identicalAppend(t *testing.T, log eventstore.Log) {
	ctx := within(t)
	events := Numbered(eventstore.Position{}, 5)
	must(t, log, "g", 0, events[:3])
	again := func(expected eventstore.Version, events []eventstore.Event, want eventstore.AppendResult) {
		t.Helper()
		got, err := log.Append(ctx, "g", expected, events)
		if err != nil || got.Outcome != want.Outcome || got.Head != want.Head {
			t.Errorf("append %d again at %d: got %+v, %v, want %+v", len(events), expected, got, err, want)
		}
	}
	again(0, events[:3], eventstore.AppendResult{Head: 3})
	must(t, log, "g", 3, events[3:])
	again(0, events[:3], eventstore.AppendResult{Head: 5})
	again(3, events[3:], eventstore.AppendResult{Head: 5})
	different := Chain(eventstore.Position{}, `{"version":1}`, `{"version":2}`, `{"version":"3"}`)
	again(0, different, eventstore.AppendResult{Outcome: eventstore.Conflict, Head: 5})
	same(t, "afterwards", all(t, log, "g"), events)
}

func duplicate(t *testing.T, log eventstore.Log) {
	ctx := within(t)
	history := Numbered(eventstore.Position{}, 2)
	must(t, log, "g", 0, history)
	next := Chain(history[1].Position(), `{"new":true}`)
	fresh := next[0].Operations[0]
	next[0].Operations = []string{fresh, history[0].Operations[0]}
	got, err := log.Append(ctx, "g", 2, next)
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
	must(t, log, "h", 0, other)
}

func duplicateOfMany(t *testing.T, log eventstore.Log) {
	ctx := within(t)
	history := Numbered(eventstore.Position{}, 5000)
	must(t, log, "g", 0, history)
	next := Numbered(history[4999].Position(), 2500)
	next[2400].Operations = append(next[2400].Operations, history[4321].Operations[0])
	next[3].Operations = []string{history[17].Operations[0]}
	got, err := log.Append(ctx, "g", 5000, next)
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
	if _, err := log.Append(ctx, "g", 0, Numbered(eventstore.Position{}, 1)); !errors.Is(err, eventstore.ErrUnavailable) {
		t.Errorf("append: got %v, want %v", err, eventstore.ErrUnavailable)
	}
	if position, err := log.Head(t.Context(), "g"); err != nil || position.Version != 0 {
		t.Errorf("head: got %v, %v, want none", position, err)
	}
}
