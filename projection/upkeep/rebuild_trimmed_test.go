package upkeep_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"graphy/eventstore"
	"graphy/eventstore/archive"
	"graphy/projection"
	"graphy/projection/projectiontest"
	"graphy/projection/upkeep"
)

// trim gives the log of a graph the base that its writer stood at, and drops events up to version to.
func (w *world) trim(t testing.TB, graph string, base eventstore.Base, to eventstore.Version) {
	t.Helper()
	if err := w.log.SetBase(t.Context(), graph, base); err != nil {
		t.Fatal(err)
	}
	events, err := w.log.Read(t.Context(), graph, 0, int(to))
	if err == nil {
		for i := range events {
			settle(t, &events[i])
		}
		err = w.log.Trim(t.Context(), graph, events)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// settle gives an event its operations.
func settle(t testing.TB, entry *eventstore.Event) {
	t.Helper()
	event, err := projection.DecodeEvent(entry.Data)
	if err != nil {
		t.Fatal(err)
	}
	entry.Operations = event.OperationIDs()
}

// A trimmed log is verified and rebuilt from its base, or, with an archive, from the beginning.
func TestI3VerifyAndRebuildOfATrimmedLog(t *testing.T) {
	for _, open := range []struct {
		name string
		open func(t testing.TB) *world
	}{
		{"memory", func(testing.TB) *world { return inMemory() }},
		{"redis", func(t testing.TB) *world { return inSharedRedis(t).world }},
	} {
		for _, trimmed := range []eventstore.Version{600, 450} {
			for _, archived := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s to %d, archived %t", open.name, trimmed, archived), func(t *testing.T) {
					testTrimmed(t, open.open(t), trimmed, archived)
				})
			}
		}
	}
}

func testTrimmed(t *testing.T, w *world, trimmed eventstore.Version, archived bool) {
	writer := w.write(t, "g", 40, 10)
	w.rebuild(t, "g", upkeep.RebuildOptions{}) // so that the read models will be behind what the log begins with
	w.append(t, writer, 590)
	snapshot, err := writer.Graph.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	w.append(t, writer, 300)
	whole := int64(900)
	folder := t.TempDir()
	if archived {
		w.reopen(t, folder)
		a := w.stores.Archive
		events, err := w.log.Read(t.Context(), "g", 0, 600)
		if err == nil {
			_, err = a.Put(t.Context(), "g", eventstore.Position{}, events)
		}
		if err == nil {
			err = a.PutBase(t.Context(), "g", snapshot.Base())
		}
		if err != nil {
			t.Fatal(err)
		}
	} else {
		whole -= int64(trimmed)
	}
	w.trim(t, "g", snapshot.Base(), trimmed)
	if verified := w.verify(t, "g"); !verified.OK || verified.Checkpoint != 10 || verified.Events != whole {
		t.Errorf("read models far behind: got %+v, want nothing wrong with %d events", verified, whole)
	}
	want := map[bool]string{false: "different", true: "unchanged"}[archived] // nothing else leads on from there
	if rebuilt := w.rebuild(t, "g", upkeep.RebuildOptions{}); rebuilt.Outcome != want || rebuilt.Events != whole || rebuilt.Version != 900 {
		t.Errorf("read models far behind: got %+v, want %d events, %s", rebuilt, whole, want)
	}
	if err := w.models.Delete(t.Context(), "g"); err != nil {
		t.Fatal(err)
	}
	if rebuilt := w.rebuild(t, "g", upkeep.RebuildOptions{}); rebuilt.Outcome != "rebuilt" || rebuilt.Events != whole || rebuilt.Version != 900 {
		t.Errorf("without read models: got %+v, want %d events", rebuilt, whole)
	}
	verified := w.verify(t, "g")
	if !verified.OK || verified.Version != 900 || verified.Checkpoint != 900 || verified.Events != whole {
		t.Fatalf("got %+v, want nothing wrong with %d events", verified, whole)
	}
	projectiontest.Same(t, w.models, writer.Graph)
	stray := w.at(t, "g", 700)
	stray.Operations = []string{"stray"}
	if err := w.log.Reindex(t.Context(), "g", []eventstore.Event{stray}, nil); err != nil {
		t.Fatal(err)
	}
	if verified := w.verify(t, "g"); verified.Mismatches != 1 || !find(verified.First, "operation", "stray", 0) {
		t.Errorf("stray operation: got %+v", verified)
	}
	w.rebuild(t, "g", upkeep.RebuildOptions{})
	if verified := w.verify(t, "g"); !verified.OK {
		t.Errorf("repaired: got %+v", verified)
	}
	if archived {
		testDamagedArchive(t, w, folder, 900-int64(trimmed))
	}
	damaged := snapshot.Base()
	damaged.Data = damaged.Data[:len(damaged.Data)-9]
	w.log = &damagedBase{w.log, damaged}
	w.stores.Maintainer = w.log
	w.keeper = upkeep.New(w.stores, upkeep.Options{})
	if verified := w.verify(t, "g"); verified.OK || !find(verified.First, "base", "", 600) {
		t.Errorf("damaged base: got %+v", verified)
	}
	want = map[bool]string{false: "parked", true: "unchanged"}[archived] // nobody needs the base to fold what is archived
	if rebuilt := w.rebuild(t, "g", upkeep.RebuildOptions{}); rebuilt.Outcome != want {
		t.Errorf("damaged base: got %+v, want %s", rebuilt, want)
	}
}

// testDamagedArchive: what is wrong with an archive is found, and what is left in the log is verified and rebuilt
// nevertheless. It leaves the archive as it was.
func testDamagedArchive(t *testing.T, w *world, folder string, left int64) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(folder, "*", "*.events.zst"))
	if err != nil || len(paths) != 1 {
		t.Fatalf("got %v, %v", paths, err)
	}
	segment, err := os.ReadFile(paths[0])
	if err == nil {
		err = os.WriteFile(paths[0], segment[:len(segment)/2], 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	w.reopen(t, folder)
	if verified := w.verify(t, "g"); verified.Mismatches != 1 || !find(verified.First, "chain", "", 1) || verified.Events != left {
		t.Errorf("damaged archive: got %+v, want it found, and %d events", verified, left)
	}
	if rebuilt := w.rebuild(t, "g", upkeep.RebuildOptions{}); rebuilt.Outcome != "unchanged" || rebuilt.Events != left {
		t.Errorf("damaged archive: got %+v", rebuilt)
	}
	if err := os.WriteFile(paths[0], segment, 0o600); err != nil {
		t.Fatal(err)
	}
	w.reopen(t, folder)
}

// reopen forgets what was read from the archive.
func (w *world) reopen(t testing.TB, folder string) {
	t.Helper()
	store, err := archive.OpenStore(t.Context(), folder)
	if err != nil {
		t.Fatal(err)
	}
	w.stores.Archive = archive.New(store)
	w.stores.Log = archive.Through(w.log, w.log, w.stores.Archive)
	w.keeper = upkeep.New(w.stores, upkeep.Options{})
}

// damagedBase gives another base than the log has.
type damagedBase struct {
	log
	base eventstore.Base
}

func (d *damagedBase) Base(context.Context, string) (eventstore.Base, error) { return d.base, nil }
