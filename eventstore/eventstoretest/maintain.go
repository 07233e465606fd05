package eventstoretest

import (
	"errors"
	"maps"
	"slices"
	"testing"

	"graphy/eventstore"
)

// RunMaintainer runs the suite of a log's upkeep on logs that open returns, as Run does: trimming, rewriting and the
// index of operations, alone, in any order, and beside appends and Tails.
func RunMaintainer(t *testing.T, open func(t *testing.T) (eventstore.Log, eventstore.Maintainer)) {
	cases := []struct {
		name string
		run  func(*testing.T, eventstore.Log, eventstore.Maintainer)
	}{
		{"Base", base},
		{"BaseNeedsItsEvent", baseNeedsItsEvent},
		{"Trim", trim},
		{"TrimRefuses", trimRefuses},
		{"TrimmedReads", trimmedReads},
		{"TrimmedOperations", trimmedOperations},
		{"TrimmedTail", trimmedTail},
		{"DeleteForgetsBase", deleteForgetsBase},
		{"Rewrite", rewrite},
		{"RewriteNothing", rewriteNothing},
		{"RewriteMovedOn", rewriteMovedOn},
		{"RewriteToBaseAlone", rewriteToBaseAlone},
		{"RewriteAgain", rewriteAgain},
		{"RewriteDiscarded", rewriteDiscarded},
		{"RewriteRestores", rewriteRestores},
		{"RewriteIsHeardOf", rewriteIsHeardOf},
		{"RewriteAndTails", rewriteAndTails},
		{"Index", index},
		{"TrimKilledAtEveryStep", killedTrimming},
		{"RewriteKilledAtEveryStep", killedRewrite},
		{"I2I4TrimUnderWriters", trimUnderWriters},
		{"I1RewriteUnderWriters", rewriteUnderWriters},
		{"Model", model},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			log, maintainer := open(t)
			c.run(t, log, maintainer)
		})
	}
}

// baseAt is the base of a stream at one of its events.
func baseAt(event eventstore.Event) eventstore.Base {
	return eventstore.Base{Position: event.Position(), Data: []byte("state at \x00 " + string(event.Hash))}
}

// wantBase checks what stream begins with.
func wantBase(t testing.TB, m eventstore.Maintainer, stream string, want eventstore.Base) {
	t.Helper()
	got, err := m.Base(t.Context(), stream)
	if err != nil || got.Position != want.Position || string(got.Data) != string(want.Data) {
		t.Fatalf("base of %s: got %v %q, %v, want %v %q", stream, got.Position, got.Data, err, want.Position, want.Data)
	}
}

// trimTo drops the events of history up to version, whose base it sets.
func trimTo(t testing.TB, m eventstore.Maintainer, stream string, history []eventstore.Event, version eventstore.Version) {
	t.Helper()
	if err := m.SetBase(t.Context(), stream, baseAt(history[version-1])); err != nil {
		t.Fatalf("set base %d: %v", version, err)
	}
	if err := m.Trim(t.Context(), stream, history[:version]); err != nil {
		t.Fatalf("trim to %d: %v", version, err)
	}
}

func wantBroken(t testing.TB, what string, err error) {
	t.Helper()
	if !errors.Is(err, eventstore.ErrBroken) {
		t.Errorf("%s: got %v, want %v", what, err, eventstore.ErrBroken)
	}
}

func wantTrimmed(t testing.TB, what string, err error, first eventstore.Version) {
	t.Helper()
	trimmed, ok := errors.AsType[*eventstore.TrimmedError](err)
	if !ok || trimmed.First != first || trimmed.Stream != "g" || !errors.Is(err, eventstore.ErrTrimmed) || errors.Is(err, eventstore.ErrBroken) {
		t.Errorf("%s: got %v, want that g begins with version %d", what, err, first)
	}
}

func base(t *testing.T, log eventstore.Log, m eventstore.Maintainer) {
	wantBase(t, m, "unknown", eventstore.Base{})
	history := Numbered(eventstore.Position{}, 10)
	must(t, log, "g", eventstore.Position{}, history)
	wantBase(t, m, "g", eventstore.Base{})
	for _, version := range []int{3, 7, 10} {
		if err := m.SetBase(t.Context(), "g", baseAt(history[version-1])); err != nil {
			t.Fatal(err)
		}
		wantBase(t, m, "g", baseAt(history[version-1]))
	}
	if err := m.SetBase(t.Context(), "g", baseAt(history[4])); err != nil {
		t.Errorf("an older one: %v", err)
	}
	wantBase(t, m, "g", baseAt(history[9]))
	better := eventstore.Base{Position: history[9].Position(), Data: []byte("better")}
	if err := m.SetBase(t.Context(), "g", better); err != nil {
		t.Error(err)
	}
	wantBase(t, m, "g", better)
	same(t, "all events are there", all(t, log, "g"), history)
	wantBase(t, m, "h", eventstore.Base{})
}

func baseNeedsItsEvent(t *testing.T, log eventstore.Log, m eventstore.Maintainer) {
	history := Numbered(eventstore.Position{}, 5)
	other := Numbered(history[3].Position(), 2)
	other[0].Hash = eventstore.NextHash("", nil)
	wantBroken(t, "of an unknown stream", m.SetBase(t.Context(), "g", baseAt(history[4])))
	must(t, log, "g", eventstore.Position{}, history)
	wantBroken(t, "of version 0", m.SetBase(t.Context(), "g", eventstore.Base{}))
	wantBroken(t, "of another hash", m.SetBase(t.Context(), "g", baseAt(other[0])))
	wantBroken(t, "ahead", m.SetBase(t.Context(), "g", baseAt(other[1])))
	wantBase(t, m, "g", eventstore.Base{})
	trimTo(t, m, "g", history, 3)
	wantBroken(t, "below the floor", m.SetBase(t.Context(), "g", baseAt(history[1])))
	if err := m.SetBase(t.Context(), "g", baseAt(history[2])); err != nil {
		t.Errorf("the one that it has: %v", err)
	}
	wantBase(t, m, "g", baseAt(history[2]))
}

func deleteForgetsBase(t *testing.T, log eventstore.Log, m eventstore.Maintainer) {
	history := Numbered(eventstore.Position{}, 10)
	must(t, log, "g", eventstore.Position{}, history)
	trimTo(t, m, "g", history, 6)
	if err := log.Delete(t.Context(), "g"); err != nil {
		t.Fatal(err)
	}
	wantBase(t, m, "g", eventstore.Base{})
	if head, err := log.Head(t.Context(), "g"); err != nil || head.Version != 0 {
		t.Errorf("head: got %v, %v, want none", head, err)
	}
	if events, err := log.Read(t.Context(), "g", 0, 10); err != nil || len(events) != 0 {
		t.Errorf("read: got %d events, %v, want none", len(events), err)
	}
	anew := Chain(eventstore.Position{}, `{"anew":1}`, `{"anew":2}`)
	must(t, log, "g", eventstore.Position{}, anew)
	same(t, "anew", all(t, log, "g"), anew)
}

func index(t *testing.T, log eventstore.Log, m eventstore.Maintainer) {
	history := Numbered(eventstore.Position{}, 2500)
	must(t, log, "g", eventstore.Position{}, history)
	want := map[string]eventstore.Version{}
	for _, event := range history {
		want[event.Operations[0]] = event.Version
	}
	wantIndex(t, m, "g", want)
	wantIndex(t, m, "unknown", nil)

	foreign := map[string]eventstore.Version{history[10].Operations[0]: 11, history[11].Operations[0]: 99, "unknown": 5}
	added := slices.Clone(history[20:22])
	added[0].Operations = []string{"more", "and more"}
	added[1].Operations, added[1].Hash = []string{"of another history"}, "x"
	added = append(added, Numbered(eventstore.Position{Version: 5000}, 1)...)
	if err := m.Reindex(t.Context(), "g", added, foreign); err != nil {
		t.Fatal(err)
	}
	delete(want, history[10].Operations[0])
	want["more"], want["and more"] = 21, 21
	wantIndex(t, m, "g", want)
}

// wantIndex checks the whole index of operations.
func wantIndex(t testing.TB, m eventstore.Maintainer, stream string, want map[string]eventstore.Version) {
	t.Helper()
	got := map[string]eventstore.Version{}
	for page, err := range m.Index(t.Context(), stream) {
		if err != nil {
			t.Fatal(err)
		}
		maps.Copy(got, page)
	}
	if !maps.Equal(got, want) {
		t.Errorf("index of %s: got %d operations, want %d, or others", stream, len(got), len(want))
	}
	if count, err := m.Indexed(t.Context(), stream); err != nil || count != int64(len(want)) {
		t.Errorf("operations of %s: got %d, %v, want %d", stream, count, err, len(want))
	}
	for range m.Index(t.Context(), stream) {
		break
	}
}
