package upkeep_test

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"

	"graphy/eventstore"
	"graphy/eventstore/memory"
	models "graphy/projection/memory"
	"graphy/projection/projectiontest"
	"graphy/projection/upkeep"
)

// saboteur has the n-th call to any store fail, before it is carried out or after, and all that follow, as if the process
// had died or its network had.
type saboteur struct {
	world *world

	mu    sync.Mutex
	calls int // guarded by mu
	at    int // guarded by mu; 0: nothing fails
}

// sabotaged returns an empty world with an archive in which calls may be made to fail.
func sabotaged() *saboteur {
	s := &saboteur{}
	log := memory.New()
	kept := models.New(log)
	store := newShelf()
	log.Fail = func(call, _ string) error { return s.count(call) }
	kept.Fail = func(method string, done bool) error { return s.count(method) }
	store.fail = func(call string, _ bool) error { return s.count(call) }
	s.world = (&world{log: log, models: kept}).open().archived(store)
	return s
}

func (s *saboteur) count(call string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at == 0 {
		return nil
	}
	if s.calls++; s.calls < s.at {
		return nil
	}
	return fmt.Errorf("%w: %s is call %d", eventstore.ErrUnavailable, call, s.calls)
}

// from has the call of that number fail from here on; 0: none.
func (s *saboteur) from(at int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at, s.calls = at, 0
}

// everyStep does act in a fresh world, which prepare has filled, with its first call failing, then with its second, and so
// on until nothing fails any more; each time check sees what is left, then act is done again and has to succeed, and done
// sees what that comes to.
func everyStep(t *testing.T, prepare func(w *world), act func(w *world) error, check, done func(w *world)) {
	t.Helper()
	for at, step := 1, 1; ; at += step {
		s := sabotaged()
		prepare(s.world)
		s.from(at)
		err := act(s.world)
		s.from(0)
		if err == nil {
			if at == 1 {
				t.Fatal("no call was made to fail")
			}
			done(s.world)
			return
		}
		check(s.world)
		if err := act(s.world); err != nil {
			t.Fatalf("again, after call %d had failed: %v", at, err)
		}
		done(s.world)
		if at > 30 {
			step = 5
		}
	}
}

func TestRetainKilledAtEveryStep(t *testing.T) {
	var writer *projectiontest.Writer
	var events []eventstore.Event
	readable := func(w *world) {
		t.Helper()
		if now := w.all(t, w.stores.Log, "g"); !sameEvents(now, events) {
			t.Fatalf("%d events can be read, of %d", len(now), len(events))
		}
		w.mustBeWhole(t, writer)
	}
	everyStep(t, func(w *world) {
		writer = w.write(t, "g", 1, 250)
		events = w.all(t, w.log, "g")
		w.follow(t, "g")
	}, func(w *world) error {
		_, err := w.keeper.Retain(t.Context(), "g", upkeep.Policy{Events: 100}, false)
		return err
	}, readable, func(w *world) {
		readable(w)
		if now := w.all(t, w.log, "g"); !sameEvents(now, events[150:]) {
			t.Fatalf("the log holds %d events", len(now))
		}
		if segments, err := w.stores.Archive.Segments(t.Context(), "g"); err != nil || len(segments) != 1 {
			t.Fatalf("the archive has %v, %v", segments, err)
		}
		w.mustFold(t, "g", events, 1)
	})
}

func TestRestoreKilledAtEveryStep(t *testing.T) {
	var writer *projectiontest.Writer
	var events []eventstore.Event
	everyStep(t, func(w *world) {
		writer = w.write(t, "g", 1, 250)
		events = w.all(t, w.log, "g")
		w.follow(t, "g")
		w.retain(t, "g", upkeep.Policy{Events: 100})
	}, func(w *world) error {
		_, err := w.keeper.Restore(t.Context(), "g", false)
		return err
	}, func(w *world) {
		if now := w.all(t, w.log, "g"); !sameEvents(now, events) && !sameEvents(now, events[150:]) {
			t.Fatalf("the log holds %d events", len(now))
		}
		w.mustBeWhole(t, writer)
	}, func(w *world) {
		if now := w.all(t, w.log, "g"); !sameEvents(now, events) {
			t.Fatalf("the log holds %d events", len(now))
		}
		w.mustBeWhole(t, writer)
	})
}

func TestCopyKilledAtEveryStep(t *testing.T) {
	var events []eventstore.Event
	everyStep(t, func(w *world) {
		w.write(t, "g", 1, 300)
		events = w.all(t, w.log, "g")
	}, func(w *world) error {
		_, err := w.keeper.Copy(t.Context(), "g", "h", 0)
		if head, failure := w.log.Head(context.Background(), "h"); failure == nil && head.Version == 300 {
			return nil // it was carried out, whatever came after
		}
		return err
	}, func(w *world) {
		if now := w.all(t, w.log, "h"); len(now) != 0 && !sameEvents(now, events) {
			t.Fatalf("the copy holds %d events", len(now))
		}
	}, func(w *world) {
		if now := w.all(t, w.log, "h"); !sameEvents(now, events) {
			t.Fatalf("the copy holds %d events", len(now))
		}
	})
}

func TestSkipKilledAtEveryStep(t *testing.T) {
	var before []eventstore.Event
	_, poison := poisoned(t, 10, 5, garbage)
	everyStep(t, func(w *world) {
		projectiontest.Append(t, w.log, "g", poison...)
		before = w.all(t, w.log, "g")
		letter := "poison"
		if err := w.models.Stall(t.Context(), "g", eventstore.Position{}, deadLetter(5, letter, before[4].Data)); err != nil {
			t.Fatal(err)
		}
	}, func(w *world) error {
		_, err := w.keeper.Skip(t.Context(), "g", 5, upkeep.SkipOptions{Reason: "r"})
		return err
	}, func(w *world) {
		now := w.all(t, w.log, "g")
		if err := eventstore.VerifyChain("g", eventstore.Position{}, now); err != nil || len(now) != 12 {
			t.Fatalf("the log holds %d events, %v", len(now), err)
		}
		if !sameEvents(now, before) && !bytes.Contains(now[4].Data, []byte(`"SKIP"`)) {
			t.Fatal("the log is neither the one before nor the one after")
		}
	}, func(w *world) {
		w.follow(t, "g")
		if verified := w.verify(t, "g"); !verified.OK || verified.Version != 12 {
			t.Fatalf("got %+v", verified)
		}
		if checkpoint, err := w.models.Checkpoint(t.Context(), "g"); err != nil || checkpoint.Stalled != "" {
			t.Fatalf("got %+v, %v", checkpoint, err)
		}
		if open, err := w.models.OpenLetters(t.Context()); err != nil || open != 1 {
			t.Fatalf("%d letters are open, %v", open, err)
		}
		if tips, err := w.stores.Archive.Tips(t.Context(), "g"); err != nil || len(tips) != 1 || tips[0] != before[11].Position() {
			t.Fatalf("the archive ends at %v, %v", tips, err)
		}
	})
}

func TestImportKilledAtEveryStep(t *testing.T) {
	source := inMemory()
	source.write(t, "a", 1, 300)
	source.write(t, "b", 2, 300)
	source.write(t, "c", 3, 300)
	file := source.export(t, "a", "b", "c")
	there := map[string][]eventstore.Event{}
	everyStep(t, func(w *world) {
		w.write(t, "b", 2, 150)
		w.write(t, "c", 9, 50)
		for _, graph := range []string{"a", "b", "c"} {
			there[graph] = w.all(t, w.log, graph)
		}
	}, func(w *world) error {
		return w.keeper.Import(t.Context(), bytes.NewReader(file), upkeep.ImportOptions{Replace: true}, nil)
	}, func(w *world) {
		for graph, before := range there {
			if now := w.all(t, w.log, graph); !sameEvents(now, before) && !sameEvents(now, source.all(t, source.log, graph)) {
				t.Fatalf("%s has %d events", graph, len(now))
			}
		}
	}, func(w *world) {
		for graph := range there {
			if now := w.all(t, w.log, graph); !sameEvents(now, source.all(t, source.log, graph)) {
				t.Fatalf("%s has %d events", graph, len(now))
			}
		}
	})
}

func TestExportKilledAtEveryStep(t *testing.T) {
	everyStep(t, func(w *world) {
		w.write(t, "g", 1, 250)
		w.follow(t, "g")
		w.retain(t, "g", upkeep.Policy{Events: 100})
	}, func(w *world) error {
		var file bytes.Buffer
		_, err := w.keeper.Export(t.Context(), &file, names("g"), nil)
		failure := inMemory().keeper.Import(t.Context(), &file, upkeep.ImportOptions{}, nil)
		if (err == nil) != (failure == nil) {
			t.Fatalf("export: %v, and import of what it wrote: %v", err, failure)
		}
		return err
	}, func(*world) {}, func(*world) {})
}
