// Package eventstoretest holds the conformance suite of the log port: what every eventstore.Log must do.
//
// An adapter's test calls Run with a function that opens an empty log. Each case gets one of its own. The suite
// checks invariants I1 (an operation is in the log at most once) and I2 (versions without a hole, a chain of hashes)
// under concurrent appenders, the outcomes of Append, paging, Tail, the directory and the list of active streams.
// What happens when a connection fails is left to the adapters' own tests.
package eventstoretest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"graphy/eventstore"
)

// patience bounds every wait; only a failing test waits that long.
const patience = 20 * time.Second

// Run runs the suite on logs that open returns: empty, ready for use, closed by open's own clean-up.
func Run(t *testing.T, open func(t *testing.T) eventstore.Log) {
	cases := []struct {
		name string
		run  func(*testing.T, eventstore.Log)
	}{
		{"AppendAndRead", appendAndRead},
		{"AppendMany", appendMany},
		{"AppendBig", appendBig},
		{"AppendUnicode", appendUnicode},
		{"Conflict", conflict},
		{"ConflictWithOtherHistory", otherHistory},
		{"ConflictWhenBegunAnew", begunAnew},
		{"IdenticalAppendIsApplied", identicalAppend},
		{"Duplicate", duplicate},
		{"DuplicateWithinBatch", duplicateOfMany},
		{"EndedContextWritesNothing", endedContext},
		{"ReadPages", readPages},
		{"ReadBackwardPages", readBackwardPages},
		{"Head", head},
		{"I1OperationsExactlyOnce", operationsExactlyOnce},
		{"I2VersionsWithoutHole", versionsWithoutHole},
		{"Linearizable", linearizable},
		{"TailHistory", tailHistory},
		{"TailLive", tailLive},
		{"TailManyReaders", tailManyReaders},
		{"TailSlowReader", tailSlowReader},
		{"TailEndsWithContext", tailEndsWithContext},
		{"TailStops", tailStops},
		{"TailResetByDelete", tailResetByDelete},
		{"TailResetWhenAhead", tailResetWhenAhead},
		{"DeleteStartsAnew", deleteStartsAnew},
		{"StreamsPages", streamsPages},
		{"ActiveAndSettle", activeAndSettle},
		{"Appends", appends},
	}
	// Alone, before the parallel ones: it looks at all goroutines of the process.
	t.Run("TailLeavesNoGoroutine", func(t *testing.T) { tailLeavesNoGoroutine(t, open(t)) })
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t, open(t))
		})
	}
}

// Chain returns events with the data given, that follow from and are chained; each settles an operation of its own.
func Chain(from eventstore.Position, data ...string) []eventstore.Event {
	events := make([]eventstore.Event, len(data))
	for i, text := range data {
		events[i] = eventstore.Event{Version: from.Version + 1, Data: []byte(text),
			Hash: eventstore.NextHash(from.Hash, []byte(text)), Operations: []string{ulid.Make().String()}}
		from = events[i].Position()
	}
	return events
}

// Numbered returns n chained events after from, with their version as data.
func Numbered(from eventstore.Position, n int) []eventstore.Event {
	data := make([]string, n)
	for i := range data {
		data[i] = fmt.Sprintf(`{"version":%d}`, int(from.Version)+i+1)
	}
	return Chain(from, data...)
}

// within returns the test's context, bounded.
func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// must appends events and ends the test unless they are Applied.
func must(t testing.TB, log eventstore.Log, stream string, expected eventstore.Position, events []eventstore.Event) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	result, err := log.Append(ctx, stream, expected, events)
	if want := expected.Version + eventstore.Version(len(events)); err != nil || result.Outcome != eventstore.Applied || result.Head != want {
		t.Fatalf("append %d events at %v: got %+v, %v, want Applied, head %d", len(events), expected, result, err, want)
	}
}

// same checks that got are the events want: versions, data and hashes.
func same(t testing.TB, what string, got, want []eventstore.Event) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: got %d events, want %d", what, len(got), len(want))
	}
	for i := range got {
		if got[i].Position() != want[i].Position() || string(got[i].Data) != string(want[i].Data) {
			t.Fatalf("%s: event %d: got %v %.80q, want %v %.80q", what, i, got[i].Position(), got[i].Data, want[i].Position(), want[i].Data)
		}
		if got[i].Operations != nil {
			t.Errorf("%s: event %d: operations %q, want none", what, i, got[i].Operations)
		}
	}
}

// all reads a whole stream in pages and verifies its chain.
func all(t testing.TB, log eventstore.Log, stream string) []eventstore.Event {
	t.Helper()
	var events []eventstore.Event
	for {
		page, err := log.Read(t.Context(), stream, eventstore.Version(len(events)), 500)
		if err != nil {
			t.Fatalf("read after %d: %v", len(events), err)
		}
		if len(page) == 0 {
			break
		}
		events = append(events, page...)
	}
	if err := eventstore.VerifyChain(stream, eventstore.Position{}, events); err != nil {
		t.Fatal(err)
	}
	return events
}
