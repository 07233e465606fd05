package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"graphy/eventstore"
)

func TestReopenedStoreHoldsEverything(t *testing.T) {
	opts := Options{Dir: t.TempDir() + "/new/folder", Prefix: "p:"}
	s := open(t, opts)
	for i := range 5 {
		grow(t, s, fmt.Sprintf("g%d", i), 10*i+1)
	}
	appendAll(t, s, "batch", eventstore.Position{}, chain(eventstore.Position{}, "batch", 500))

	for range 2 { // and once more, after appending to what was replayed
		s = reopen(t, s, opts)
		verify(t, s, "batch", 500)
		for i := range 5 {
			stream := fmt.Sprintf("g%d", i)
			head, err := s.Head(t.Context(), stream)
			if err != nil {
				t.Fatal(err)
			}
			verify(t, s, stream, head.Version)
			grow(t, s, stream, 3)
			verify(t, s, stream, head.Version+3)
		}
	}
	if streams, err := s.Streams(t.Context(), "", 10); err != nil || len(streams) != 6 {
		t.Errorf("Streams: got %q, %v, want 6", streams, err)
	}
}

func TestReplayedStreamsAreActive(t *testing.T) {
	opts := Options{Dir: t.TempDir()}
	s := open(t, opts)
	grow(t, s, "g", 1)
	active, err := s.Active(t.Context(), 10)
	if err != nil || len(active) != 1 {
		t.Fatalf("Active: %v, %v", active, err)
	}
	if err := s.Settle(t.Context(), "g", active[0].Marked); err != nil {
		t.Fatal(err)
	}
	s = reopen(t, s, opts)
	if active, err = s.Active(t.Context(), 10); err != nil || len(active) != 1 || active[0].Stream != "g" {
		t.Errorf("Active after replay: got %v, %v, want g", active, err)
	}
}

func TestDeletedStreamStartsAnew(t *testing.T) {
	opts := Options{Dir: t.TempDir()}
	s := open(t, opts)
	grow(t, s, "gone", 3)
	grow(t, s, "again", 3)
	for _, stream := range []string{"gone", "again", "unknown"} {
		if err := s.Delete(t.Context(), stream); err != nil {
			t.Fatal(err)
		}
	}
	grow(t, s, "again", 2) // the same operation ids: the old index must be gone too
	for range 2 {
		verify(t, s, "gone", 0)
		verify(t, s, "again", 2)
		if streams, err := s.Streams(t.Context(), "", 10); err != nil || len(streams) != 1 {
			t.Errorf("Streams: got %q, %v, want again", streams, err)
		}
		s = reopen(t, s, opts)
	}
}

func TestSecondProcessIsRefused(t *testing.T) {
	opts := Options{Dir: t.TempDir()}
	s := open(t, opts)
	_, err := Open(t.Context(), opts)
	if !errors.Is(err, ErrLocked) {
		t.Fatalf("second Open: got %v, want ErrLocked", err)
	}
	t.Log(err)
	grow(t, s, "g", 1) // the first one does not mind
	verify(t, reopen(t, s, opts), "g", 1)
}

func TestOpenNamesTheDamagedFile(t *testing.T) {
	opts := Options{Dir: t.TempDir()}
	s := open(t, opts)
	grow(t, s, "g", 3)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(journalPath(opts.Dir))
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)/2] ^= 1
	if err := os.WriteFile(journalPath(opts.Dir), content, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time too: a failed Open gives back the lock
		var corrupt *CorruptError
		if _, err := Open(t.Context(), opts); !errors.As(err, &corrupt) || corrupt.File != journalPath(opts.Dir) {
			t.Fatalf("got %v, want a *CorruptError", err)
		}
	}
}

// TestBrokenChainStopsThatGraphOnly writes a journal whose checksums are right and one of whose chains is not.
func TestBrokenChainStopsThatGraphOnly(t *testing.T) {
	logs, seen := observer.New(zap.WarnLevel)
	opts := Options{Dir: t.TempDir(), Logger: zap.New(logs)}
	s := open(t, opts)
	grow(t, s, "well", 2)
	grow(t, s, "broken", 4)
	wrong := chain(eventstore.Position{Version: 4, Hash: "of another history"}, "broken", 1)
	if err := s.journal.append(record{kind: kindAppend, stream: "broken", expected: 4, events: wrong}); err != nil {
		t.Fatal(err)
	}
	if err := s.journal.append(record{kind: kindAppend, stream: "hole", expected: 7,
		events: chain(eventstore.Position{Version: 7}, "hole", 1)}); err != nil {
		t.Fatal(err)
	}
	grow(t, s, "well", 2)

	s = reopen(t, s, opts)
	verify(t, s, "well", 4)
	grow(t, s, "well", 1)
	if entries := seen.FilterField(zap.String("graphId", "broken")).All(); len(entries) != 1 {
		t.Errorf("log names the broken graph %d times, want once", len(entries))
	}
	for stream, version := range map[string]eventstore.Version{"broken": 5, "hole": 1} {
		for call, err := range everyCall(t, s, stream) {
			var chainError *eventstore.ChainError
			if !errors.As(err, &chainError) || chainError.Stream != stream || chainError.Version != version {
				t.Errorf("%s of %q: got %v, want a *ChainError at version %d", call, stream, err, version)
			}
		}
	}

	if streams, err := s.Streams(t.Context(), "", 10); err != nil || len(streams) != 3 {
		t.Errorf("Streams: got %q, %v, want all three", streams, err)
	}
	if active, err := s.Active(t.Context(), 10); err != nil || len(active) != 3 {
		t.Errorf("Active: got %v, %v, want all three, so that the broken ones are met", active, err)
	}

	if err := s.Delete(t.Context(), "broken"); err != nil { // the way out
		t.Fatal(err)
	}
	grow(t, s, "broken", 1)
	s = reopen(t, s, opts)
	verify(t, s, "broken", 1)
	verify(t, s, "well", 5)
}

// everyCall returns what each call that reads or appends says of a stream.
func everyCall(t *testing.T, s *Store, stream string) map[string]error {
	ctx := soon(t)
	failures := map[string]error{}
	_, failures["Append"] = s.Append(ctx, stream, eventstore.Position{}, chain(eventstore.Position{}, stream, 1))
	_, failures["Read"] = s.Read(ctx, stream, 0, 1)
	_, failures["ReadBackward"] = s.ReadBackward(ctx, stream, 0, 1)
	_, failures["Head"] = s.Head(ctx, stream)
	_, failures["Operations"] = s.Operations(ctx, stream, "o")
	for _, failures["Tail"] = range s.Tail(ctx, stream, 0) {
	}
	return failures
}

func TestNothingIsSeenBeforeItIsDurable(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir()})
	grow(t, s, "g", 1)
	f := breakFile(s.journal)
	f.hold, f.entered = make(chan struct{}), make(chan struct{}, 10)

	ctx, cancel := context.WithCancel(t.Context())
	head, _ := s.Head(t.Context(), "g")
	failed := make(chan error)
	go func() {
		_, err := s.Append(ctx, "g", head, chain(head, "g", 1))
		failed <- err
	}()
	<-f.entered
	verify(t, s, "g", 1)
	cancel() // the caller goes away in the middle of the fsync
	if err := <-failed; !errors.Is(err, eventstore.ErrUnknown) {
		t.Errorf("append given up during fsync: got %v, want ErrUnknown", err)
	}
	close(f.hold)
	appendAll(t, s, "g", head, chain(head, "g", 1)) // identical, so applied: waits its turn, finds the first one
	verify(t, s, "g", 2)
}

func TestFullDiskRefusesAndRecovers(t *testing.T) {
	opts := Options{Dir: t.TempDir()}
	s := open(t, opts)
	grow(t, s, "g", 2)
	head, _ := s.Head(t.Context(), "g")
	f := breakFile(s.journal)
	f.set(func(f *faults) { f.write, f.written = errDisk, 30 })

	if _, err := s.Append(t.Context(), "g", head, chain(head, "g", 1)); !errors.Is(err, eventstore.ErrUnavailable) {
		t.Errorf("append to a full disk: got %v, want ErrUnavailable", err)
	}
	if err := s.Delete(t.Context(), "g"); !errors.Is(err, eventstore.ErrUnavailable) {
		t.Errorf("delete on a full disk: got %v, want ErrUnavailable", err)
	}
	verify(t, s, "g", 2)
	if err := s.Err(); err != nil {
		t.Errorf("Err: got %v, want nil: there may be room again", err)
	}
	f.set(func(f *faults) { f.write = nil })
	grow(t, s, "g", 1)
	verify(t, reopen(t, s, opts), "g", 3)
}

func TestFailedFsyncEndsWriting(t *testing.T) {
	opts := Options{Dir: t.TempDir()}
	s := open(t, opts)
	grow(t, s, "g", 2)
	head, _ := s.Head(t.Context(), "g")
	f := breakFile(s.journal)
	f.set(func(f *faults) { f.sync = errDisk })
	if _, err := s.Append(t.Context(), "g", head, chain(head, "g", 1)); !errors.Is(err, eventstore.ErrUnknown) {
		t.Errorf("append whose fsync fails: got %v, want ErrUnknown", err)
	}
	f.set(func(f *faults) { f.sync = nil })
	if _, err := s.Append(t.Context(), "h", eventstore.Position{}, chain(eventstore.Position{}, "h", 1)); !errors.Is(err, eventstore.ErrUnavailable) {
		t.Errorf("append afterwards: got %v, want ErrUnavailable", err)
	}
	if err := s.Err(); !errors.Is(err, errDisk) {
		t.Errorf("Err: got %v, want the cause", err)
	}
	verify(t, s, "g", 2) // reading goes on
	s = reopen(t, s, opts)
	verify(t, s, "g", 2)
	grow(t, s, "g", 1)
}

func TestWhatDoesNotChainIsNotJournaled(t *testing.T) {
	opts := Options{Dir: t.TempDir()}
	s := open(t, opts)
	grow(t, s, "g", 1)
	head, _ := s.Head(t.Context(), "g")
	foreign := chain(eventstore.Position{Version: 1, Hash: "of another history"}, "g", 1)
	if result, err := s.Append(t.Context(), "g", head, foreign); err == nil || errors.Is(err, eventstore.ErrBroken) {
		t.Errorf("got %+v, %v, want an error that does not call the stream broken", result, err)
	}
	verify(t, reopen(t, s, opts), "g", 1)
}

func TestRefusalsLeaveNoRecord(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir()})
	grow(t, s, "g", 3)
	events, err := s.Read(t.Context(), "g", 0, 3)
	if err != nil {
		t.Fatal(err)
	}
	end := s.journal.end
	head := events[2].Position()
	other := chain(head, "g", 1)
	other[0].Operations = []string{"new", "g-2"}
	tests := []struct {
		name     string
		expected eventstore.Position
		events   []eventstore.Event
		want     eventstore.Outcome
	}{
		{"identical", events[0].Position(), events[1:], eventstore.Applied},
		{"identical, not up to head", eventstore.Position{}, events[:1], eventstore.Applied},
		{"behind", events[0].Position(), chain(events[0].Position(), "other", 1), eventstore.Conflict},
		{"ahead", eventstore.Position{Version: 9}, chain(eventstore.Position{Version: 9}, "g", 1), eventstore.Conflict},
		{"another history", eventstore.Position{Version: 3}, chain(eventstore.Position{Version: 3}, "g", 1), eventstore.Conflict},
		{"known operation", head, other, eventstore.Duplicate},
	}
	for _, test := range tests {
		result, err := s.Append(t.Context(), "g", test.expected, test.events)
		if err != nil || result.Outcome != test.want || result.Head != 3 {
			t.Errorf("%s: got %+v, %v, want outcome %d at 3", test.name, result, err, test.want)
		}
		if test.want == eventstore.Duplicate && (len(result.Done) != 1 || result.Done["g-2"] != 2) {
			t.Errorf("%s: done %v, want g-2 at 2", test.name, result.Done)
		}
	}
	if s.journal.end != end {
		t.Errorf("journal grew by %d bytes", s.journal.end-end)
	}
}

func TestManyGraphsShareFsyncs(t *testing.T) {
	opts := Options{Dir: t.TempDir()}
	s := open(t, opts)
	f := breakFile(s.journal)
	const graphs, each = 32, 20
	var wg sync.WaitGroup
	for i := range graphs {
		wg.Go(func() { grow(t, s, fmt.Sprintf("g%d", i), each) })
	}
	wg.Wait()
	if syncs := f.syncs.Load(); syncs >= graphs*each {
		t.Errorf("%d appends took %d fsyncs", graphs*each, syncs)
	} else {
		t.Logf("%d appends took %d fsyncs", graphs*each, syncs)
	}
	s = reopen(t, s, opts)
	for i := range graphs {
		verify(t, s, fmt.Sprintf("g%d", i), each)
	}
}

func TestClosedStoreTakesNoWrites(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir()})
	grow(t, s, "g", 1)
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Append(t.Context(), "g", eventstore.Position{}, chain(eventstore.Position{}, "g", 1)); !errors.Is(err, eventstore.ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
}

func TestStreamsWithoutEventsAreForgotten(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir()})
	for i := range 100 {
		name := fmt.Sprintf("g%d", i)
		if result, err := s.Append(t.Context(), name, eventstore.Position{Version: 5}, chain(eventstore.Position{Version: 5}, name, 1)); err != nil || result.Outcome != eventstore.Conflict {
			t.Fatalf("got %+v, %v, want Conflict", result, err)
		}
		grow(t, s, name, 1)
		if err := s.Delete(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.streams) != 0 {
		t.Errorf("%d streams remembered, want none", len(s.streams))
	}
}
