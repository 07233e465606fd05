package eventstoretest

import (
	"errors"
	"slices"
	"testing"

	"graphy/eventstore"
)

func trim(t *testing.T, log eventstore.Log, m eventstore.Maintainer) {
	history := Numbered(eventstore.Position{}, 30)
	must(t, log, "g", eventstore.Position{}, history)
	if err := m.SetBase(t.Context(), "g", baseAt(history[19])); err != nil {
		t.Fatal(err)
	}
	steps := []struct{ from, to, first int }{
		{0, 5, 6}, {0, 5, 6}, {5, 8, 9}, {5, 8, 9}, {3, 6, 9}, {3, 12, 13}, {0, 1, 13}, {12, 12, 13}, {12, 20, 21}, {0, 20, 21},
	}
	for _, step := range steps {
		if err := m.Trim(t.Context(), "g", history[step.from:step.to]); err != nil {
			t.Fatalf("trim %d to %d: %v", step.from+1, step.to, err)
		}
		events, err := log.Read(t.Context(), "g", eventstore.Version(step.first-1), 100)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "what is left", events, history[step.first-1:])
		_, err = log.Read(t.Context(), "g", eventstore.Version(step.first-2), 100)
		wantTrimmed(t, "read below", err, eventstore.Version(step.first))
	}
	more := Numbered(history[29].Position(), 3)
	must(t, log, "g", history[29].Position(), more)
	wantBase(t, m, "g", baseAt(history[19]))
	trimTo(t, m, "g", slices.Concat(history, more), 32)
	if names, err := log.Streams(t.Context(), "", 10); err != nil || !slices.Equal(names, []string{"g"}) {
		t.Errorf("streams: got %q, %v", names, err)
	}
}

func trimRefuses(t *testing.T, log eventstore.Log, m eventstore.Maintainer) {
	history := Numbered(eventstore.Position{}, 20)
	other := Numbered(history[4].Position(), 5)
	other[4].Hash = eventstore.NextHash("", nil)
	wantBroken(t, "an unknown stream", m.Trim(t.Context(), "g", history[:5]))
	must(t, log, "g", eventstore.Position{}, history)
	wantBroken(t, "without a base", m.Trim(t.Context(), "g", history[:5]))
	if err := m.SetBase(t.Context(), "g", baseAt(history[14])); err != nil {
		t.Fatal(err)
	}
	if err := m.Trim(t.Context(), "g", history[:5]); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		events []eventstore.Event
	}{
		{"above the base", history[5:16]},
		{"not the oldest", history[6:8]},
		{"with a hole", slices.Concat(history[5:6], history[7:8])},
		{"of another history", other},
		{"above the head", Numbered(history[19].Position(), 2)},
	}
	for _, test := range tests {
		wantBroken(t, test.name, m.Trim(t.Context(), "g", test.events))
	}
	if err := m.SetBase(t.Context(), "g", baseAt(history[19])); err != nil {
		t.Fatal(err)
	}
	wantBroken(t, "the newest", m.Trim(t.Context(), "g", history[5:]))
	if err := m.Trim(t.Context(), "g", nil); err != nil {
		t.Errorf("nothing: %v", err)
	}
	events, err := log.Read(t.Context(), "g", 5, 100)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "what is left", events, history[5:])
}

func trimmedReads(t *testing.T, log eventstore.Log, m eventstore.Maintainer) {
	history := Numbered(eventstore.Position{}, 20)
	must(t, log, "g", eventstore.Position{}, history)
	trimTo(t, m, "g", history, 8)
	for after := range eventstore.Version(22) {
		for _, limit := range []int{1, 5, 100} {
			got, err := log.Read(t.Context(), "g", after, limit)
			if after < 8 {
				wantTrimmed(t, "read", err, 9)
				continue
			}
			if err != nil {
				t.Fatalf("after %d: %v", after, err)
			}
			rest := history[min(after, 20):]
			same(t, "read", got, rest[:min(limit, len(rest))])
		}
	}
	for before := range eventstore.Version(23) {
		for _, limit := range []int{1, 5, 100} {
			got, err := log.ReadBackward(t.Context(), "g", before, limit)
			if before >= 2 && before <= 9 {
				wantTrimmed(t, "read backward", err, 9)
				continue
			}
			if err != nil {
				t.Fatalf("before %d: %v", before, err)
			}
			var want []eventstore.Event
			if before != 1 {
				want = slices.Clone(history[8:min((before-1), 20)])
			}
			slices.Reverse(want)
			same(t, "read backward", got, want[:min(limit, len(want))])
		}
	}
	if head, err := log.Head(t.Context(), "g"); err != nil || head != history[19].Position() {
		t.Errorf("head: got %v, %v", head, err)
	}
	if events, err := log.Read(t.Context(), "g", 0, 0); err != nil || len(events) > 0 {
		t.Errorf("limit 0: got %d events, %v", len(events), err)
	}
}

// trimmedOperations: what was trimmed with its event may be done again; what an append comes to is otherwise as ever.
func trimmedOperations(t *testing.T, log eventstore.Log, m eventstore.Maintainer) {
	history := Numbered(eventstore.Position{}, 10)
	must(t, log, "g", eventstore.Position{}, history)
	moved := slices.Clone(history[:4])
	moved[1].Operations = []string{history[1].Operations[0], history[7].Operations[0], "unknown"}
	if err := m.SetBase(t.Context(), "g", baseAt(history[3])); err != nil {
		t.Fatal(err)
	}
	if err := m.Trim(t.Context(), "g", moved); err != nil {
		t.Fatal(err)
	}
	for i, event := range history {
		want := event.Version
		if i < 4 {
			want = 0
		}
		if versions, err := log.Operations(t.Context(), "g", event.Operations...); err != nil || versions[0] != want {
			t.Errorf("operation of version %d: got %v, %v, want %d", event.Version, versions, err, want)
		}
	}
	head := history[9].Position()
	kept := Numbered(head, 1)
	kept[0].Operations = history[5].Operations
	if got, err := log.Append(t.Context(), "g", head, kept); err != nil || got.Outcome != eventstore.Duplicate || got.Done[kept[0].Operations[0]] != 6 {
		t.Errorf("an operation that is kept: got %+v, %v, want Duplicate of 6", got, err)
	}
	again := Numbered(head, 1)
	again[0].Operations = history[2].Operations
	must(t, log, "g", head, again)
	must(t, log, "g", head, again) // identical
	if got, err := log.Append(t.Context(), "g", history[5].Position(), history[6:8]); err != nil || got.Outcome != eventstore.Applied {
		t.Errorf("identical events that are kept: got %+v, %v, want Applied", got, err)
	}
	if got, err := log.Append(t.Context(), "g", history[0].Position(), history[1:2]); err == nil || !errors.Is(err, eventstore.ErrTrimmed) || errors.Is(err, eventstore.ErrUnknown) {
		t.Errorf("identical events that were trimmed: got %+v, %v, want %v", got, err, eventstore.ErrTrimmed)
	}
	if got, err := log.Append(t.Context(), "g", eventstore.Position{}, Numbered(eventstore.Position{}, 20)); err != nil || got.Outcome != eventstore.Conflict || got.Head != 11 {
		t.Errorf("as if it were new: got %+v, %v, want Conflict at 11", got, err)
	}
}

func trimmedTail(t *testing.T, log eventstore.Log, m eventstore.Maintainer) {
	history := Numbered(eventstore.Position{}, 20)
	must(t, log, "g", eventstore.Position{}, history)
	waiting := make(chan struct{})
	type end struct {
		events []eventstore.Event
		err    error
	}
	ended := make(chan end)
	go func() { // waits at the head while its history goes, and goes on
		var e end
		for event, err := range log.Tail(within(t), "g", 18) {
			if e.err = err; err != nil {
				break
			}
			if e.events = append(e.events, event); event.Version == 20 {
				close(waiting)
			}
			if event.Version == 22 {
				break
			}
		}
		ended <- e
	}()
	<-waiting
	trimTo(t, m, "g", history, 8)
	for _, after := range []eventstore.Version{0, 1, 7} {
		_, err := follow(within(t), log, after, 1)
		wantTrimmed(t, "tail below", err, 9)
	}
	for _, after := range []eventstore.Version{8, 9, 15} {
		got, err := follow(within(t), log, after, 20-int(after))
		if err != nil {
			t.Fatalf("tail after %d: %v", after, err)
		}
		same(t, "tail", got, history[after:])
	}
	more := Numbered(history[19].Position(), 2)
	must(t, log, "g", history[19].Position(), more)
	if e := <-ended; e.err != nil {
		t.Error(e.err)
	} else {
		same(t, "tail at the head", e.events, slices.Concat(history[18:], more))
	}
}
