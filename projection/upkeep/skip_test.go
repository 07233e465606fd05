package upkeep_test

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"graphy/eventstore"
	"graphy/projection"
	"graphy/projection/projectiontest"
	"graphy/projection/upkeep"
)

// poisoned returns a log with so many nodes, one created by each event, of which the first moves twice at the end; spoil
// changes the data of the event of a version, and all chain.
func poisoned(t testing.TB, nodes int, version eventstore.Version, spoil func(data []byte) []byte) (*world, []eventstore.Event) {
	t.Helper()
	w := inMemory()
	writer := w.write(t, "origin", 1, 0)
	var events []eventstore.Event
	for range nodes {
		events = append(events, writer.CreateNode())
	}
	events = append(events, writer.Move("n1"), writer.Move("n1"))
	newer := &events[nodes-2] // as of a version that has further fields
	newer.Data = append(newer.Data[:len(newer.Data)-1:len(newer.Data)-1], `,"future":{"checksum":"0123456789abcdef"}}`...)
	event := &events[version-1]
	event.Data = spoil(bytes.Clone(event.Data))
	seal(eventstore.Position{}, events)
	projectiontest.Append(t, w.log, "g", events...)
	return w, events
}

func garbage([]byte) []byte { return []byte(`{"version":5,"commandType":"POISON"}`) }

func otherChecksum(data []byte) []byte {
	at := bytes.LastIndex(data, []byte(`"checksum":"`)) + len(`"checksum":"`)
	return append(append(data[:at:at], "0123456789abcdef"...), data[at+16:]...)
}

func doesNotFit(data []byte) []byte {
	return bytes.Replace(data, []byte(`"value":`), []byte(`"was":{},"value":`), 1)
}

func saysAnotherVersion(data []byte) []byte {
	return bytes.Replace(data, []byte(`{"version":5,`), []byte(`{"version":6,`), 1)
}

func TestSkip(t *testing.T) {
	tests := []struct {
		name  string
		spoil func([]byte) []byte
	}{
		{"not an event", garbage}, {"not JSON", func([]byte) []byte { return []byte("\x00{") }}, {"another checksum", otherChecksum},
		{"does not fit", doesNotFit}, {"says another version", saysAnotherVersion},
	}
	for _, test := range tests {
		w, events := poisoned(t, 10, 5, test.spoil)
		w.archived(newShelf())
		opts := upkeep.SkipOptions{Reason: "it was \"wrong\"", By: "op"}
		dry := opts
		dry.DryRun = true
		if got, err := w.keeper.Skip(t.Context(), "g", 5, dry); err != nil || !slices.Equal(got.Skipped, []eventstore.Version{5}) || got.Version != 12 {
			t.Errorf("%s: dry run: got %+v, %v", test.name, got, err)
		}
		if now := w.all(t, w.log, "g"); !sameEvents(now, events) {
			t.Errorf("%s: the dry run has changed the log", test.name)
		}
		got, err := w.keeper.Skip(t.Context(), "g", 5, opts)
		if err != nil || !slices.Equal(got.Skipped, []eventstore.Version{5}) || len(got.Needs) > 0 || got.Version != 12 {
			t.Fatalf("%s: got %+v, %v", test.name, got, err)
		}
		now := w.all(t, w.log, "g")
		if err := eventstore.VerifyChain("g", eventstore.Position{}, now); err != nil || len(now) != 12 {
			t.Fatalf("%s: got %d events, %v", test.name, len(now), err)
		}
		if !sameEvents(now[:4], events[:4]) {
			t.Errorf("%s: events before were changed", test.name)
		}
		skip, err := projection.DecodeEvent(now[4].Data)
		if err != nil || skip.CommandType != "SKIP" || skip.UserID != "op" || len(skip.Changes) != 0 || skip.Timestamp == 0 ||
			!strings.Contains(string(skip.Skips), `"reason":"it was \"wrong\""`) {
			t.Errorf("%s: got %s, %v", test.name, now[4].Data, err)
		}
		for i := 5; i < 12; i++ {
			mustDifferInChecksum(t, events[i].Data, now[i].Data)
		}
		w.follow(t, "g")
		if verified := w.verify(t, "g"); !verified.OK {
			t.Errorf("%s: got %+v", test.name, verified)
		}
		if again, err := w.keeper.Skip(t.Context(), "g", 5, opts); err != nil || !slices.Equal(again.Skipped, []eventstore.Version{5}) {
			t.Errorf("%s: again: got %+v, %v", test.name, again, err)
		}
		if after := w.all(t, w.log, "g"); !sameEvents(after, now) {
			t.Errorf("%s: skipping again has changed the log", test.name)
		}
		tips, err := w.stores.Archive.Tips(t.Context(), "g")
		if err != nil || len(tips) != 1 || tips[0] != events[11].Position() {
			t.Errorf("%s: the archive ends at %v, %v, want the log as it was", test.name, tips, err)
		}
	}
}

func mustDifferInChecksum(t testing.TB, a, b []byte) {
	t.Helper()
	one, err := projection.DecodeEvent(a)
	other, failure := projection.DecodeEvent(b)
	if err != nil || failure != nil {
		t.Fatal(err, failure)
	}
	if one.Checksum == other.Checksum || !bytes.Equal(bytes.Replace(a, []byte(one.Checksum), []byte(other.Checksum), 1), b) {
		t.Errorf("got %s\nof  %s", b, a)
	}
}

func TestSkipRefuses(t *testing.T) {
	w, events := poisoned(t, 10, 5, garbage)
	tests := []struct {
		graph   string
		version eventstore.Version
		err     error
	}{
		{"g", 4, upkeep.ErrConflict}, {"g", 6, upkeep.ErrConflict}, {"g", 12, upkeep.ErrConflict}, {"g", 0, upkeep.ErrConflict},
		{"g", 13, upkeep.ErrConflict}, {"g", 1 << 60, upkeep.ErrConflict},
		{"nobody", 1, upkeep.ErrUnknown},
	}
	for _, test := range tests {
		if got, err := w.keeper.Skip(t.Context(), test.graph, test.version, upkeep.SkipOptions{}); !errors.Is(err, test.err) {
			t.Errorf("version %d of %s: got %+v, %v, want %v", test.version, test.graph, got, err, test.err)
		}
	}
	if now := w.all(t, w.log, "g"); !sameEvents(now, events) {
		t.Error("the log was changed")
	}
	healthy := inMemory()
	healthy.write(t, "g", 1, 20)
	for _, version := range []eventstore.Version{1, 20, 21, 1 << 60} {
		if got, err := healthy.keeper.Skip(t.Context(), "g", version, upkeep.SkipOptions{}); !errors.Is(err, upkeep.ErrConflict) {
			t.Errorf("healthy, version %d: got %+v, %v", version, got, err)
		}
	}
}

// TestSkipCascade: what cannot be folded without an event is named, and skipped only when that is asked for.
func TestSkipCascade(t *testing.T) {
	w, events := poisoned(t, 10, 1, garbage1)
	w.archived(newShelf())
	got, err := w.keeper.Skip(t.Context(), "g", 1, upkeep.SkipOptions{Reason: "r", By: "op"})
	if want := []eventstore.Version{11, 12}; err != nil || len(got.Skipped) > 0 || !slices.Equal(got.Needs, want) {
		t.Fatalf("got %+v, %v, want it to need %v", got, err, want)
	}
	if now := w.all(t, w.log, "g"); !sameEvents(now, events) {
		t.Fatal("the log was changed")
	}
	got, err = w.keeper.Skip(t.Context(), "g", 1, upkeep.SkipOptions{Reason: "r", By: "op", Cascade: true})
	if want := []eventstore.Version{1, 11, 12}; err != nil || !slices.Equal(got.Skipped, want) || len(got.Needs) > 0 {
		t.Fatalf("got %+v, %v, want %v skipped", got, err, want)
	}
	w.follow(t, "g")
	if verified := w.verify(t, "g"); !verified.OK || verified.Version != 12 {
		t.Errorf("got %+v", verified)
	}
	closed, err := w.models.Letters(t.Context(), true, "g", "", 10)
	if err != nil || len(closed) != 3 {
		t.Fatalf("got %d closed letters, %v", len(closed), err)
	}
	slices.SortFunc(closed, func(a, b projection.Letter) int { return cmp.Compare(a.Version, b.Version) })
	for i, letter := range closed {
		version := got.Skipped[i]
		if letter.Version != version || !bytes.Equal(letter.Payload, events[version-1].Data) || letter.Closed.Reason != "r" {
			t.Errorf("got letter %+v, want that of version %d", letter, version)
		}
	}
	if open, err := w.models.OpenLetters(t.Context()); err != nil || open != 0 {
		t.Errorf("%d letters are open, %v", open, err)
	}
	if checkpoint, err := w.models.Checkpoint(t.Context(), "g"); err != nil || checkpoint.Stalled != "" {
		t.Errorf("got %+v, %v, want the graph released", checkpoint, err)
	}
}

func garbage1([]byte) []byte { return []byte(`{"version":1,"commandType":"POISON"}`) }

// TestSkipLeavesTheLetter: the dead letter that a projector has written is for who asks for the skip.
func TestSkipLeavesTheLetter(t *testing.T) {
	w, events := poisoned(t, 10, 5, garbage)
	letter := projection.DeadLetter{Graph: "g", Version: 5, Cause: "poison", Payload: events[4].Data}
	if err := w.models.Stall(t.Context(), "g", eventstore.Position{}, letter); err != nil {
		t.Fatal(err)
	}
	if _, err := w.keeper.Skip(t.Context(), "g", 5, upkeep.SkipOptions{Reason: "r"}); err != nil {
		t.Fatal(err)
	}
	open, err := w.models.Letters(t.Context(), false, "g", "", 10)
	if err != nil || len(open) != 1 || open[0].Version != 5 {
		t.Errorf("got %+v, %v", open, err)
	}
}

// TestSkipBehindABase: the log is trimmed, and stays so.
func TestSkipBehindABase(t *testing.T) {
	w := inMemory()
	writer := w.write(t, "g", 1, 1500)
	w.follow(t, "g")
	w.retain(t, "g", upkeep.Policy{Events: 100})
	poison := writer.Poison()
	projectiontest.Append(t, w.log, "g", poison)
	if _, err := w.keeper.Skip(t.Context(), "g", 1400, upkeep.SkipOptions{}); !errors.Is(err, upkeep.ErrConflict) {
		t.Errorf("a version that was trimmed: got %v", err)
	}
	got, err := w.keeper.Skip(t.Context(), "g", poison.Version, upkeep.SkipOptions{Reason: "r"})
	if err != nil || got.Version != 1501 {
		t.Fatalf("got %+v, %v", got, err)
	}
	w.follow(t, "g")
	if verified := w.verify(t, "g"); !verified.OK || verified.Version != 1501 {
		t.Errorf("got %+v", verified)
	}
}

// TestSkipUnderWriters: a writer that has the state in memory goes on behind the poison while it is taken out, and loses
// nothing.
func TestSkipUnderWriters(t *testing.T) {
	w, events := poisoned(t, 400, 5, garbage)
	head := events[len(events)-1].Position()
	stop := make(chan struct{})
	done := make(chan error)
	written := 0
	go func() {
		defer close(done)
		ticker := time.NewTicker(100 * time.Microsecond)
		defer ticker.Stop()
		for {
			select {
			case <-stop:
				return
			case <-ticker.C:
			}
			data := fmt.Appendf(nil, `{"version":%d,"commandType":"UPDATE_NODE","operationId":"w%d","changes":[],"checksum":"%s"}`, head.Version+1, written, "x")
			event := eventstore.Event{Version: head.Version + 1, Data: data, Hash: eventstore.NextHash(head.Hash, data), Operations: []string{fmt.Sprint("w", written)}}
			result, err := w.log.Append(t.Context(), "g", head, []eventstore.Event{event})
			if err != nil {
				done <- err
				return
			}
			if result.Outcome != eventstore.Applied {
				return // the log is another one now
			}
			head = event.Position()
			written++
		}
	}()
	got, err := w.keeper.Skip(t.Context(), "g", 5, upkeep.SkipOptions{Reason: "r"})
	close(stop)
	if failure := <-done; err != nil || failure != nil {
		t.Fatal(err, failure)
	}
	now, _ := w.log.Head(t.Context(), "g")
	if now.Version < got.Version || now.Version < head.Version {
		t.Errorf("log at version %d, skip said %d, and %d was acknowledged", now.Version, got.Version, head.Version)
	}
	for i := range written {
		versions, err := w.log.Operations(t.Context(), "g", fmt.Sprint("w", i))
		if err != nil || versions[0] != eventstore.Version(403+i) {
			t.Fatalf("operation %d is at version %v, %v", i, versions, err)
		}
	}
}
