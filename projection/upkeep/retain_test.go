package upkeep_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"graphy/eventstore"
	"graphy/projection"
	"graphy/projection/upkeep"
)

func TestRetainTrimsToThePolicy(t *testing.T) {
	for _, archived := range []bool{false, true} {
		w := inMemory()
		if archived {
			w.archived(newShelf())
		}
		writer := w.write(t, "g", 1, 3000)
		events := w.all(t, w.log, "g")
		w.follow(t, "g")
		dry, err := w.keeper.Retain(t.Context(), "g", upkeep.Policy{Events: 500}, true)
		if err != nil || dry.Outcome != "trimmed" || dry.Trimmed != 2500 || dry.First != 2501 || archived != (dry.Archived == 2500) {
			t.Errorf("dry run: got %+v, %v", dry, err)
		}
		if now := w.all(t, w.log, "g"); !sameEvents(now, events) {
			t.Error("the dry run has changed the log")
		}
		got := w.retain(t, "g", upkeep.Policy{Events: 500})
		if got.Outcome != "trimmed" || got.Trimmed != 2500 || got.First != 2501 || got.Version != 3000 || archived != (got.Archived == 2500) {
			t.Errorf("archive %t: got %+v", archived, got)
		}
		if now := w.all(t, w.log, "g"); !sameEvents(now, events[2500:]) {
			t.Errorf("archive %t: the log holds %d events", archived, len(now))
		}
		if got := w.retain(t, "g", upkeep.Policy{Events: 500}); got.Outcome != "kept" || got.Trimmed != 0 {
			t.Errorf("archive %t: again: got %+v", archived, got)
		}
		first := eventstore.Version(2500)
		if archived {
			first = 1
			if now := w.all(t, w.stores.Log, "g"); !sameEvents(now, events) {
				t.Errorf("through the archive there are %d events", len(now))
			}
		}
		w.mustFold(t, "g", events, first)
		w.append(t, writer, 50)
		w.follow(t, "g")
		w.mustBeWhole(t, writer)
		if count, err := w.log.Indexed(t.Context(), "g"); err != nil || count != 550 {
			t.Errorf("archive %t: %d operations are in the index, %v", archived, count, err)
		}
	}
}

// TestRetainAgain: what the archive has of one run is not written again by the next, and the log goes on being whole.
func TestRetainAgain(t *testing.T) {
	w := inMemory().archived(newShelf())
	writer := w.write(t, "g", 1, 500)
	for round := range 5 {
		w.append(t, writer, 300)
		w.follow(t, "g")
		if got := w.retain(t, "g", upkeep.Policy{Events: 200}); got.Trimmed != got.Archived || got.First != got.Version-199 {
			t.Fatalf("round %d: got %+v", round, got)
		}
	}
	events := w.all(t, w.stores.Log, "g")
	if len(events) != 2000 {
		t.Fatalf("got %d events", len(events))
	}
	w.mustFold(t, "g", events, 1)
	segments, err := w.stores.Archive.Segments(t.Context(), "g")
	if err != nil || len(segments) != 5 {
		t.Errorf("got %d segments, %v", len(segments), err)
	}
	w.mustBeWhole(t, writer)
}

func TestRetainKeepsWhatIsNeeded(t *testing.T) {
	tests := []struct {
		name    string
		events  int
		policy  upkeep.Policy
		prepare func(w *world)
		outcome string
		first   eventstore.Version
	}{
		{"nothing is due", 300, upkeep.Policy{Events: 300}, nil, "kept", 1},
		{"no policy", 3000, upkeep.Policy{}, nil, "kept", 1},
		{"a tail", 300, upkeep.Policy{Events: 1}, nil, "trimmed", 201},
		{"less than the tail", 90, upkeep.Policy{Events: 1}, nil, "kept", 1},
		{"not worth it", 3000, upkeep.Policy{Events: 2950}, nil, "kept", 1},
		{"too young", 300, upkeep.Policy{Age: 100 * 365 * 24 * time.Hour}, nil, "kept", 1},
		{"old", 300, upkeep.Policy{Age: time.Hour}, nil, "trimmed", 201},
		{"beyond either bound", 300, upkeep.Policy{Events: 150, Age: 100 * 365 * 24 * time.Hour}, nil, "trimmed", 151},
		{"a client", 3000, upkeep.Policy{Events: 100}, func(w *world) {
			w.stores.Needed = func(context.Context, string) (eventstore.Version, bool, error) { return 1500, true, nil }
		}, "trimmed", 1500},
		{"a client at the beginning", 3000, upkeep.Policy{Events: 100}, func(w *world) {
			w.stores.Needed = func(context.Context, string) (eventstore.Version, bool, error) { return 0, true, nil }
		}, "kept", 1},
		{"no client", 3000, upkeep.Policy{Events: 100}, func(w *world) {
			w.stores.Needed = func(context.Context, string) (eventstore.Version, bool, error) { return 0, false, nil }
		}, "trimmed", 2901},
	}
	for _, test := range tests {
		w := inMemory()
		writer := w.write(t, "g", 1, test.events)
		w.follow(t, "g")
		if test.prepare != nil {
			test.prepare(w)
			w.keeper = upkeep.New(w.stores, upkeep.Options{})
		}
		if got := w.retain(t, "g", test.policy); got.Outcome != test.outcome || got.First != test.first {
			t.Errorf("%s: got %+v, want %s from version %d on", test.name, got, test.outcome, test.first)
		}
		w.mustBeWhole(t, writer)
	}
}

// TestRetainWaitsForTheReadModels: what they have not folded stays, and so does the event that they stand at.
func TestRetainWaitsForTheReadModels(t *testing.T) {
	w := inMemory()
	writer := w.write(t, "g", 1, 1500)
	if got := w.retain(t, "g", upkeep.Policy{Events: 100}); got.Outcome != "kept" || got.Cause == "" {
		t.Errorf("without read models: got %+v", got)
	}
	w.follow(t, "g")
	w.append(t, writer, 1500)
	if got := w.retain(t, "g", upkeep.Policy{Events: 100}); got.Outcome != "trimmed" || got.First != 1500 || got.Cause == "" {
		t.Errorf("got %+v", got)
	}
	w.follow(t, "g")
	w.mustBeWhole(t, writer)
}

// TestRetainAge finds the border in the middle of a log.
func TestRetainAge(t *testing.T) {
	w := inMemory()
	writer := w.write(t, "g", 1, 1000)
	writer.Clock = time.Now().UnixMilli()
	w.append(t, writer, 400)
	w.follow(t, "g")
	if got := w.retain(t, "g", upkeep.Policy{Age: time.Hour}); got.First != 1001 || got.Trimmed != 1000 {
		t.Errorf("got %+v, want the 1000 old ones gone", got)
	}
	w.mustBeWhole(t, writer)
}

func TestRetainSkips(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(t *testing.T, w *world)
	}{
		{"parked", func(t *testing.T, w *world) {
			checkpoint, err := w.models.Checkpoint(t.Context(), "g")
			if err == nil {
				err = w.models.Stall(t.Context(), "g", checkpoint.Position, projection.DeadLetter{Graph: "g", Version: 3001, Cause: "poison"})
			}
			if err != nil {
				t.Fatal(err)
			}
		}},
		{"read models of another history", func(t *testing.T, w *world) {
			if err := w.log.Delete(t.Context(), "g"); err != nil {
				t.Fatal(err)
			}
			w.write(t, "g", 2, 3100)
		}},
	}
	for _, test := range tests {
		w := inMemory().archived(newShelf())
		w.write(t, "g", 1, 3000)
		w.follow(t, "g")
		test.spoil(t, w)
		if got := w.retain(t, "g", upkeep.Policy{Events: 100}); got.Outcome != "skipped" || got.Cause == "" || got.Trimmed != 0 || got.Archived != 0 {
			t.Errorf("%s: got %+v, want it skipped", test.name, got)
		}
	}
	if _, err := inMemory().keeper.Retain(t.Context(), "g", upkeep.Policy{Events: 100}, false); !errors.Is(err, upkeep.ErrUnknown) {
		t.Errorf("unknown graph: got %v", err)
	}
}

// TestRetainArchiveLater: an archive that is set up when logs are trimmed already begins with their bases.
func TestRetainArchiveLater(t *testing.T) {
	w := inMemory()
	writer := w.write(t, "g", 1, 3000)
	events := w.all(t, w.log, "g")
	w.follow(t, "g")
	w.retain(t, "g", upkeep.Policy{Events: 2000})
	w.archived(newShelf())
	if got := w.retain(t, "g", upkeep.Policy{Events: 500}); got.Archived != 1500 || got.Trimmed != 1500 {
		t.Errorf("got %+v", got)
	}
	w.mustFold(t, "g", events, 1000)
	if _, err := projection.At(t.Context(), w.stores.Log, w.stores.Snapshots, "g", 999); !errors.Is(err, projection.ErrTrimmed) &&
		!errors.Is(err, eventstore.ErrTrimmed) {
		t.Errorf("before the archive: got %v, want %v", err, projection.ErrTrimmed)
	}
	w.mustBeWhole(t, writer)
}

func ExampleParsePolicy() {
	policy, err := upkeep.ParsePolicy("events=10000,age=720h")
	fmt.Println(policy.Events, policy.Age, err)
	// Output: 10000 720h0m0s <nil>
}
