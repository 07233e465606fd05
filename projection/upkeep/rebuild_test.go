package upkeep_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"graphy/eventstore"
	"graphy/projection"
	"graphy/projection/memory"
	"graphy/projection/projectiontest"
	"graphy/projection/upkeep"
)

func (w *world) rebuild(t testing.TB, graph string, opts upkeep.RebuildOptions) upkeep.Rebuilt {
	t.Helper()
	rebuilt, err := w.keeper.Rebuild(t.Context(), graph, opts)
	if err != nil {
		t.Fatalf("rebuild: %v", err)
	}
	return rebuilt
}

func TestI3RebuildOutcomes(t *testing.T) {
	w := inMemory()
	writer := w.write(t, "g", 1, 700)
	dry := w.rebuild(t, "g", upkeep.RebuildOptions{DryRun: true})
	if dry.Outcome != "rebuilt" || !dry.DryRun || dry.Differences != 0 {
		t.Errorf("dry run without read models: got %+v", dry)
	}
	if checkpoint, err := w.models.Checkpoint(t.Context(), "g"); err != nil || checkpoint.Version != 0 {
		t.Errorf("a dry run has written: %+v, %v", checkpoint, err)
	}
	if rebuilt := w.rebuild(t, "g", upkeep.RebuildOptions{}); rebuilt.Outcome != "rebuilt" || rebuilt.Version != 700 || rebuilt.Events != 700 {
		t.Errorf("without read models: got %+v", rebuilt)
	}
	w.mustBeWhole(t, writer)
	if rebuilt := w.rebuild(t, "g", upkeep.RebuildOptions{}); rebuilt.Outcome != "unchanged" {
		t.Errorf("nothing wrong: got %+v", rebuilt)
	}
	w.append(t, writer, 3)
	if rebuilt := w.rebuild(t, "g", upkeep.RebuildOptions{}); rebuilt.Outcome != "unchanged" || rebuilt.Version != 703 {
		t.Errorf("behind the log: got %+v", rebuilt)
	}
	w.models.(*memory.Models).Damage("g")
	for _, dryRun := range []bool{true, true, false} {
		rebuilt := w.rebuild(t, "g", upkeep.RebuildOptions{DryRun: dryRun})
		if rebuilt.Outcome != "different" || rebuilt.Differences != 1 || !find(rebuilt.First, "node", "", 0) {
			t.Errorf("dry run %t: damaged: got %+v", dryRun, rebuilt)
		}
	}
	w.mustBeWhole(t, writer)
	if _, err := w.keeper.Rebuild(t.Context(), "unknown", upkeep.RebuildOptions{}); !errors.Is(err, upkeep.ErrUnknown) {
		t.Errorf("unknown graph: got %v", err)
	}
}

func TestRebuildFromSnapshot(t *testing.T) {
	w := inMemory()
	writer := w.write(t, "g", 2, 400)
	snapshot, err := writer.Graph.Snapshot()
	if err == nil {
		err = w.models.Save(t.Context(), "g", snapshot)
	}
	if err != nil {
		t.Fatal(err)
	}
	w.append(t, writer, 100)
	if rebuilt := w.rebuild(t, "g", upkeep.RebuildOptions{FromSnapshot: true}); rebuilt.Outcome != "rebuilt" || rebuilt.Events != 100 {
		t.Errorf("got %+v, want 100 events read", rebuilt)
	}
	w.mustBeWhole(t, writer)
	models := w.models.(*memory.Models)
	models.Damage("g")
	if rebuilt := w.rebuild(t, "g", upkeep.RebuildOptions{FromSnapshot: true}); rebuilt.Outcome != "different" || rebuilt.Events != 100 {
		t.Errorf("damaged read models: got %+v, want 100 events read", rebuilt)
	}
	w.mustBeWhole(t, writer)
	damaged := snapshot
	damaged.Data = damaged.Data[:len(damaged.Data)/2]
	if err := w.models.Save(t.Context(), "g", damaged); err != nil {
		t.Fatal(err)
	}
	if rebuilt := w.rebuild(t, "g", upkeep.RebuildOptions{FromSnapshot: true}); rebuilt.Outcome != "unchanged" || rebuilt.Events != 500 {
		t.Errorf("damaged snapshot: got %+v, want 500 events read", rebuilt)
	}
}

// A graph that was parked although its log is good goes on; one whose log is not stays parked, with nothing changed.
func TestRebuildReleasesWhatIsParked(t *testing.T) {
	w := inMemory()
	writer := w.write(t, "g", 3, 100)
	w.project(t, writer)
	letter := projection.DeadLetter{Graph: "g", Version: 101, Cause: "by mistake", Attempts: 3}
	if err := w.models.Stall(t.Context(), "g", writer.Graph.Position, letter); err != nil {
		t.Fatal(err)
	}
	w.append(t, writer, 20)
	if rebuilt := w.rebuild(t, "g", upkeep.RebuildOptions{}); rebuilt.Outcome != "different" || !find(rebuilt.First, "state", "stalled", 0) {
		t.Errorf("got %+v", rebuilt)
	}
	w.mustBeWhole(t, writer)
	if checkpoint, _ := w.models.Checkpoint(t.Context(), "g"); checkpoint.Stalled != "" {
		t.Errorf("still parked: %q", checkpoint.Stalled)
	}
	poison := writer.Poison()
	projectiontest.Append(t, w.log, "g", poison)
	if err := w.models.Stall(t.Context(), "g", writer.Graph.Position, projection.DeadLetter{Graph: "g", Version: 121, Cause: "poison"}); err != nil {
		t.Fatal(err)
	}
	rebuilt := w.rebuild(t, "g", upkeep.RebuildOptions{})
	if rebuilt.Outcome != "parked" || rebuilt.Cause == "" || rebuilt.Version != 121 {
		t.Errorf("poisonous event: got %+v", rebuilt)
	}
	if checkpoint, _ := w.models.Checkpoint(t.Context(), "g"); checkpoint.Stalled != "poison" || checkpoint.Version != 120 {
		t.Errorf("poisonous event: the read models are now %+v", checkpoint)
	}
	verified := w.verify(t, "g")
	if verified.OK || verified.Mismatches != 1 || !find(verified.First, "event", "", 121) || verified.Checkpoint != 120 {
		t.Errorf("poisonous event: verified %+v", verified)
	}
}

// A rebuild that ends at any of its steps leaves the read models as they were, or as they should be; the next one cures
// the graph.
func TestI3RebuildKilledAtEveryStep(t *testing.T) {
	for _, kill := range []string{"fails", "fails after it was done", "cancelled"} {
		t.Run(kill, func(t *testing.T) {
			for step, ended := 0, false; !ended; step++ {
				w := inMemory()
				models := w.models.(*memory.Models)
				var fail atomic.Pointer[func(method string, done bool) error]
				models.Fail = func(method string, done bool) error {
					if fail := fail.Load(); fail != nil {
						return (*fail)(method, done)
					}
					return nil
				}
				writer := w.write(t, "g", 4, 60)
				w.rebuild(t, "g", upkeep.RebuildOptions{})
				models.Damage("g")
				before := w.dump(t, "g")
				ctx, cancel := context.WithCancel(t.Context())
				steps := 0
				failing := func(method string, done bool) error {
					if done != (kill == "fails after it was done") {
						return nil
					}
					if steps++; steps-1 != step {
						return nil
					}
					if kill == "cancelled" {
						cancel()
						return fmt.Errorf("%w: %w", eventstore.ErrUnavailable, context.Canceled)
					}
					return fmt.Errorf("%s: %w", method, eventstore.ErrUnavailable)
				}
				fail.Store(&failing)
				_, err := w.keeper.Rebuild(ctx, "g", upkeep.RebuildOptions{})
				cancel()
				fail.Store(nil)
				ended = err == nil
				if after := w.dump(t, "g"); !ended && after != before && !w.verify(t, "g").OK {
					t.Fatalf("step %d: half a rebuild:\n%s\nbefore:\n%s", step, after, before)
				}
				w.rebuild(t, "g", upkeep.RebuildOptions{})
				w.mustBeWhole(t, writer)
				if ended && step < 4 {
					t.Errorf("only %d steps: the test kills nothing", step)
				}
			}
		})
	}
}

// dump returns all read models of a graph as text.
func (w *world) dump(t testing.TB, graph string) string {
	t.Helper()
	contents, err := w.models.Inspect(t.Context(), graph, nil)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%+v", *contents)
}

// While a graph is rebuilt again and again, and damaged in between, writers write and readers find their own writes, and
// never half a graph.
func TestI5I6RebuildUnderWriters(t *testing.T) {
	w := inMemory()
	writer := w.write(t, "g", 5, 300)
	projector := projectiontest.Project(t, w.log, w.models, projection.ProjectorOptions{Linger: time.Millisecond, Sweep: 10 * time.Millisecond})
	projectiontest.Await(t, projector, writer.Graph)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	var working sync.WaitGroup
	var written atomic.Uint64
	written.Store(300)
	working.Go(func() {
		for ctx.Err() == nil {
			projectiontest.Append(t, w.log, "g", writer.Events(3)...)
			written.Store(uint64(writer.Graph.Position.Version))
			time.Sleep(time.Millisecond) // as writers do
		}
	})
	for range 4 {
		working.Go(func() {
			seen := eventstore.Version(0)
			for ctx.Err() == nil {
				own := eventstore.Version(written.Load())
				if err := projector.Await(t.Context(), "g", own); err != nil {
					t.Errorf("await %d: %v", own, err)
					return
				}
				graph, err := w.models.Load(t.Context(), "g")
				if errors.Is(err, projection.ErrChecksum) {
					continue // the damage that this test does
				}
				if err != nil || graph.Position.Version < own || graph.Position.Version < seen {
					t.Errorf("read version %d after %d, own write %d: %v", graph.Position.Version, seen, own, err)
					return
				}
				seen = graph.Position.Version
			}
		})
	}
	outcomes := map[string]int{}
	var mu sync.Mutex
	for range 2 {
		working.Go(func() {
			for ctx.Err() == nil {
				w.models.(*memory.Models).Damage("g")
				rebuilt, err := w.keeper.Rebuild(t.Context(), "g", upkeep.RebuildOptions{})
				if err != nil {
					t.Errorf("rebuild: %v", err)
					return
				}
				mu.Lock()
				outcomes[rebuilt.Outcome]++
				mu.Unlock()
			}
		})
	}
	working.Wait()
	w.rebuild(t, "g", upkeep.RebuildOptions{})
	projectiontest.Await(t, projector, writer.Graph)
	w.mustBeWhole(t, writer)
	if outcomes["different"] == 0 || outcomes["parked"] > 0 {
		t.Errorf("got outcomes %v, want different ones", outcomes)
	}
}
