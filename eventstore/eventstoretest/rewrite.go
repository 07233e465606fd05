package eventstoretest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"graphy/eventstore"
)

// begin begins new content for g and writes events to it.
func begin(t testing.TB, m eventstore.Maintainer, base eventstore.Base, events []eventstore.Event) eventstore.Rewriting {
	t.Helper()
	r, err := m.Rewrite(t.Context(), "g", base)
	if err == nil {
		err = r.Write(t.Context(), events)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// commit commits r at expected and checks what comes of it.
func commit(t testing.TB, r eventstore.Rewriting, expected eventstore.Position, want bool) {
	t.Helper()
	if committed, err := r.Commit(t.Context(), expected); committed != want || err != nil {
		t.Fatalf("commit at %v: got %t, %v, want %t", expected, committed, err, want)
	}
}

// skip returns history with the event of version replaced, and the hashes after it.
func skip(history []eventstore.Event, version eventstore.Version) []eventstore.Event {
	events := slices.Clone(history)
	events[version-1].Data = []byte(`{"commandType":"SKIP"}`)
	rehash(events)
	return events
}

// rehash chains events that begin with version 1.
func rehash(events []eventstore.Event) {
	var hash eventstore.Hash
	for i := range events {
		hash = eventstore.NextHash(hash, events[i].Data)
		events[i].Hash = hash
	}
}

func rewrite(t *testing.T, log eventstore.Log, m eventstore.Maintainer) {
	history := Numbered(eventstore.Position{}, 1200)
	must(t, log, "g", eventstore.Position{}, history)
	rewritten := skip(history, 700)
	rewritten[699].Operations = nil
	r := begin(t, m, eventstore.Base{}, rewritten)
	same(t, "before", all(t, log, "g"), history)
	commit(t, r, history[1199].Position(), true)
	commit(t, r, history[1199].Position(), true) // again, as after an answer that did not come
	if err := r.Discard(t.Context()); err != nil {
		t.Error(err)
	}
	same(t, "after", all(t, log, "g"), rewritten)
	wantBase(t, m, "g", eventstore.Base{})
	want := map[string]eventstore.Version{}
	for _, event := range rewritten {
		for _, id := range event.Operations {
			want[id] = event.Version
		}
	}
	wantIndex(t, m, "g", want)
	if got, err := log.Append(t.Context(), "g", history[1199].Position(), Numbered(history[1199].Position(), 1)); err != nil || got.Outcome != eventstore.Conflict || got.Head != 1200 {
		t.Errorf("append to the old history: got %+v, %v, want Conflict at 1200", got, err)
	}
	more := Numbered(rewritten[1199].Position(), 2)
	must(t, log, "g", rewritten[1199].Position(), more)
	same(t, "and on", all(t, log, "g"), slices.Concat(rewritten, more))
	if names, err := log.Streams(t.Context(), "", 10); err != nil || !slices.Equal(names, []string{"g"}) {
		t.Errorf("streams: got %q, %v", names, err)
	}
}

func rewriteNothing(t *testing.T, log eventstore.Log, m eventstore.Maintainer) {
	must(t, log, "g", eventstore.Position{}, Numbered(eventstore.Position{}, 3))
	r := begin(t, m, eventstore.Base{}, nil)
	head, err := log.Head(t.Context(), "g")
	if err != nil {
		t.Fatal(err)
	}
	if committed, err := r.Commit(t.Context(), head); committed || err == nil {
		t.Errorf("with nothing written: got %t, %v, want an error", committed, err)
	}
	r = begin(t, m, eventstore.Base{}, nil)
	wantBroken(t, "what does not follow", r.Write(t.Context(), Numbered(eventstore.Position{}, 2)[1:]))
	if err := r.Write(t.Context(), Numbered(eventstore.Position{}, 2)); err != nil {
		t.Fatal(err)
	}
	wantBroken(t, "others in their place", r.Write(t.Context(), Chain(eventstore.Position{}, `{"other":1}`, `{"other":2}`)))
	if got, err := log.Head(t.Context(), "g"); got != head || err != nil {
		t.Errorf("head: got %v, %v, want %v", got, err, head)
	}
	// What nobody has written to yet may be begun by a rewriting; so may what is not there.
	content := Numbered(eventstore.Position{}, 4)
	anew, err := m.Rewrite(t.Context(), "h", eventstore.Base{})
	if err != nil {
		t.Fatal(err)
	}
	if err := anew.Write(t.Context(), content); err != nil {
		t.Fatal(err)
	}
	commit(t, anew, head, false)
	commit(t, anew, eventstore.Position{}, true)
	same(t, "new stream", all(t, log, "h"), content)
	if names, err := log.Streams(t.Context(), "", 10); err != nil || !slices.Equal(names, []string{"g", "h"}) {
		t.Errorf("streams: got %q, %v", names, err)
	}
	if active, err := log.Active(t.Context(), 10); err != nil || len(active) != 2 {
		t.Errorf("active: got %v, %v, want both", active, err)
	}
}

func rewriteMovedOn(t *testing.T, log eventstore.Log, m eventstore.Maintainer) {
	history := Numbered(eventstore.Position{}, 10)
	must(t, log, "g", eventstore.Position{}, history)
	rewritten := skip(history, 4)
	r := begin(t, m, eventstore.Base{}, rewritten)
	more := Numbered(history[9].Position(), 2)
	must(t, log, "g", history[9].Position(), more)
	commit(t, r, history[9].Position(), false)
	commit(t, r, eventstore.Position{}, false)
	commit(t, r, eventstore.Position{Version: 12}, false)
	same(t, "not committed", all(t, log, "g"), slices.Concat(history, more))
	rewritten = append(rewritten, slices.Clone(more)...)
	rehash(rewritten)
	if err := r.Write(t.Context(), rewritten[10:]); err != nil {
		t.Fatal(err)
	}
	if err := r.Write(t.Context(), rewritten[10:]); err != nil {
		t.Fatalf("again: %v", err)
	}
	commit(t, r, more[1].Position(), true)
	same(t, "committed", all(t, log, "g"), rewritten)

	if err := log.Delete(t.Context(), "g"); err != nil {
		t.Fatal(err)
	}
	commit(t, begin(t, m, eventstore.Base{}, rewritten), more[1].Position(), false)
}

// rewriteToBaseAlone: a stream may be a base without any event.
func rewriteToBaseAlone(t *testing.T, log eventstore.Log, m eventstore.Maintainer) {
	history := Numbered(eventstore.Position{}, 12)
	floor := baseAt(history[7])
	commit(t, begin(t, m, floor, nil), eventstore.Position{}, true)
	wantBase(t, m, "g", floor)
	check := func(events []eventstore.Event) {
		t.Helper()
		head := floor.Position
		if len(events) > 0 {
			head = events[len(events)-1].Position()
		}
		if got, err := log.Head(t.Context(), "g"); err != nil || got != head {
			t.Errorf("head: got %v, %v, want %v", got, err, head)
		}
		for _, after := range []eventstore.Version{0, 6, 7} {
			_, err := log.Read(t.Context(), "g", after, 10)
			wantTrimmed(t, "read", err, 9)
		}
		got, err := log.Read(t.Context(), "g", 8, 10)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "read", got, events)
		for _, before := range []eventstore.Version{2, 8, 9} {
			_, err := log.ReadBackward(t.Context(), "g", before, 10)
			wantTrimmed(t, "read backward", err, 9)
		}
		for _, before := range []eventstore.Version{0, 13} {
			got, err := log.ReadBackward(t.Context(), "g", before, 10)
			if len(events) == 0 {
				wantTrimmed(t, "read backward", err, 9)
				continue
			}
			slices.Reverse(got)
			same(t, "read backward", got, events)
		}
		if names, err := log.Streams(t.Context(), "", 10); err != nil || !slices.Equal(names, []string{"g"}) {
			t.Errorf("streams: got %q, %v, want g", names, err)
		}
		_, err = follow(within(t), log, 7, 1)
		wantTrimmed(t, "tail", err, 9)
	}
	check(nil)
	commit(t, begin(t, m, floor, nil), eventstore.Position{}, false)
	must(t, log, "g", floor.Position, history[8:9])
	check(history[8:9])
	if got, err := log.Append(t.Context(), "g", floor.Position, Chain(floor.Position, `{"other":1}`)); err != nil || got.Outcome != eventstore.Conflict || got.Head != 9 {
		t.Errorf("append at the base: got %+v, %v, want Conflict at 9", got, err)
	}
	must(t, log, "g", history[8].Position(), history[9:])
	check(history[8:])
	got, err := follow(within(t), log, 8, 4)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "tail", got, history[8:])
	if err := m.SetBase(t.Context(), "g", baseAt(history[9])); err != nil {
		t.Fatal(err)
	}
	if err := m.Trim(t.Context(), "g", history[8:10]); err != nil {
		t.Fatal(err)
	}
	_, err = log.Read(t.Context(), "g", 8, 10)
	wantTrimmed(t, "trimmed on", err, 11)
}

func rewriteAgain(t *testing.T, log eventstore.Log, m eventstore.Maintainer) {
	history := Numbered(eventstore.Position{}, 20)
	must(t, log, "g", eventstore.Position{}, history)
	first := begin(t, m, baseAt(history[4]), history[5:])
	second := begin(t, m, baseAt(history[9]), history[10:])
	commit(t, second, history[19].Position(), true)
	wantBase(t, m, "g", baseAt(history[9]))
	_, err := log.Read(t.Context(), "g", 9, 10)
	wantTrimmed(t, "read", err, 11)
	commit(t, first, history[19].Position(), true) // the head is the same
	wantBase(t, m, "g", baseAt(history[4]))
	events, err := log.Read(t.Context(), "g", 5, 100)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "read", events, history[5:])
	commit(t, begin(t, m, eventstore.Base{}, history), history[19].Position(), true)
	wantBase(t, m, "g", eventstore.Base{})
	same(t, "read", all(t, log, "g"), history)
}

func rewriteDiscarded(t *testing.T, log eventstore.Log, m eventstore.Maintainer) {
	history := Numbered(eventstore.Position{}, 5)
	must(t, log, "g", eventstore.Position{}, history)
	r := begin(t, m, eventstore.Base{}, skip(history, 2))
	for range 2 {
		if err := r.Discard(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if committed, err := r.Commit(t.Context(), history[4].Position()); committed || err == nil {
		t.Errorf("commit what was discarded: got %t, %v, want an error", committed, err)
	}
	same(t, "after", all(t, log, "g"), history)
	r = begin(t, m, eventstore.Base{}, skip(history, 3)[:4])
	if err := log.Delete(t.Context(), "g"); err != nil {
		t.Fatal(err)
	}
	// With the stream go its rewritings, or those that remain do not take its place.
	if committed, err := r.Commit(t.Context(), history[4].Position()); committed {
		t.Errorf("commit after a deletion: got %t, %v", committed, err)
	}
}

// rewriteRestores: a trimmed stream gets its beginning back while others go on.
func rewriteRestores(t *testing.T, log eventstore.Log, m eventstore.Maintainer) {
	history := Numbered(eventstore.Position{}, 30)
	must(t, log, "g", eventstore.Position{}, history)
	trimTo(t, m, "g", history, 20)
	r := begin(t, m, eventstore.Base{}, history)
	commit(t, r, history[29].Position(), true)
	wantBase(t, m, "g", eventstore.Base{})
	same(t, "restored", all(t, log, "g"), history)
	want := map[string]eventstore.Version{}
	for _, event := range history {
		want[event.Operations[0]] = event.Version
	}
	wantIndex(t, m, "g", want)
	trimTo(t, m, "g", history, 20)
	_, err := log.Read(t.Context(), "g", 0, 10)
	wantTrimmed(t, "trimmed again", err, 21)
}

// rewriteIsHeardOf: whoever follows all appends is told.
func rewriteIsHeardOf(t *testing.T, log eventstore.Log, m eventstore.Maintainer) {
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	heard := make(chan eventstore.Version, 100)
	go func() {
		for notice := range log.Appends(ctx) {
			if notice.Stream == "g" {
				heard <- notice.Head
			}
		}
	}()
	var history []eventstore.Event
	head := eventstore.Position{}
	for listening := false; !listening; {
		events := Numbered(head, 1)
		must(t, log, "g", head, events)
		history, head = append(history, events...), events[0].Position()
		select {
		case <-heard:
			listening = true
		case <-time.After(10 * time.Millisecond):
		}
	}
	rewritten := append(skip(history, 1), Numbered(head, 3)...)
	rehash(rewritten)
	commit(t, begin(t, m, eventstore.Base{}, rewritten), head, true)
	for version := eventstore.Version(0); version != head.Version+3; {
		select {
		case version = <-heard:
		case <-ctx.Done():
			t.Fatal("nobody was told")
		}
	}
}

func rewriteAndTails(t *testing.T, log eventstore.Log, m eventstore.Maintainer) {
	history := Numbered(eventstore.Position{}, 40)
	must(t, log, "g", eventstore.Position{}, history[:20])
	atHead, done := make(chan struct{}, 1), make(chan error)
	var got []eventstore.Event
	go func() {
		var last error
		for event, err := range log.Tail(within(t), "g", 0) {
			if last = err; err != nil {
				break
			}
			if got = append(got, event); event.Version == 20 || event.Version == 40 {
				atHead <- struct{}{}
			}
		}
		done <- last
	}()
	<-atHead
	// Goes on, with what the new content has more; and over the loss of what it has had.
	commit(t, begin(t, m, eventstore.Base{}, history[:30]), history[19].Position(), true)
	commit(t, begin(t, m, baseAt(history[9]), history[10:30]), history[29].Position(), true)
	must(t, log, "g", history[29].Position(), history[30:])
	<-atHead
	same(t, "tail", got, history)
	other := skip(history, 40)
	commit(t, begin(t, m, eventstore.Base{}, other), history[39].Position(), true)
	if err := <-done; !errors.Is(err, eventstore.ErrReset) && !errors.Is(err, eventstore.ErrBroken) {
		t.Errorf("tail of another history: ended with %v, want %v", err, eventstore.ErrReset)
	}
}
