package projection_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"graphy/eventstore"
	memorylog "graphy/eventstore/memory"
	"graphy/projection"
	"graphy/projection/memory"
	"graphy/projection/projectiontest"
)

// saved returns the versions of a graph's snapshots, and checks that each is the fold of the log.
func saved(t *testing.T, log eventstore.Log, snapshots projection.Snapshots, graph string) (versions []int) {
	t.Helper()
	for at := eventstore.Version(1 << 53); ; {
		s, found, err := snapshots.Nearest(t.Context(), graph, at)
		if err != nil {
			t.Fatal(err)
		}
		if !found {
			slices.Reverse(versions)
			return versions
		}
		g, err := projection.DecodeSnapshot(graph, s)
		if err != nil {
			t.Fatal(err)
		}
		want, err := projection.At(t.Context(), log, nil, graph, s.Version)
		if err != nil || whole(g) != whole(want) {
			t.Errorf("snapshot of %q at %d is not the fold of the log: %v", graph, s.Version, err)
		}
		versions = append(versions, int(s.Version))
		at = s.Version - 1
	}
}

func wantSaved(t *testing.T, log eventstore.Log, snapshots projection.Snapshots, graph string, want ...int) {
	t.Helper()
	if got := saved(t, log, snapshots, graph); !slices.Equal(got, want) {
		t.Errorf("snapshots of %q: got %v, want %v", graph, got, want)
	}
}

// every returns n, 2n … up to last.
func every(n, last int) (versions []int) {
	for version := n; version <= last; version += n {
		versions = append(versions, version)
	}
	return versions
}

// rounds runs rounds until there is nothing more to do at once.
func rounds(t *testing.T, s *projection.Snapshotter) {
	t.Helper()
	for range 1000 {
		more, err := s.RunOnce(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !more {
			return
		}
	}
	t.Fatal("no end")
}

func appendTo(t *testing.T, log eventstore.Log, w *projectiontest.Writer, events int) {
	t.Helper()
	projectiontest.Append(t, log, w.Graph.ID, w.Events(events)...)
}

func TestSnapshotterTakesEachMultiple(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := memorylog.New()
		models := memory.New(log)
		s := projection.NewSnapshotter(log, models, projection.SnapshotterOptions{Events: 10, Turn: 3})
		w := projectiontest.NewWriter("g", source(1))
		steps := []struct{ events, last int }{{9, 0}, {1, 10}, {1, 10}, {8, 10}, {25, 40}, {200, 240}, {0, 240}}
		for _, step := range steps {
			if step.events > 0 {
				appendTo(t, log, w, step.events)
			}
			rounds(t, s)
			wantSaved(t, log, models, "g", every(10, step.last)...)
		}
		if written, failed := metric(t, s, "graphy_snapshot_written_total"), metric(t, s, "graphy_snapshot_failures_total"); written != 24 || failed != 0 {
			t.Errorf("metrics: got %v written, %v failures, want 24 and none", written, failed)
		}
	})
}

// TestSnapshotterWalksAllOnce: graphs that were appended to long ago are found at the start, those appended to since by
// the list of active ones.
func TestSnapshotterWalksAllOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := memorylog.New()
		models := memory.New(log)
		var writers []*projectiontest.Writer
		for i := range 130 {
			w := projectiontest.NewWriter(fmt.Sprintf("g%03d", i), source(uint64(i)))
			appendTo(t, log, w, 10)
			writers = append(writers, w)
		}
		active, err := log.Active(t.Context(), 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, stream := range active {
			if err := log.Settle(t.Context(), stream.Stream, stream.Marked); err != nil {
				t.Fatal(err)
			}
		}
		s := projection.NewSnapshotter(log, models, projection.SnapshotterOptions{Events: 5})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		settle()
		for _, w := range writers {
			wantSaved(t, log, models, w.Graph.ID, 5, 10)
		}
		late := projectiontest.NewWriter("late", source(999))
		appendTo(t, log, late, 17)
		appendTo(t, log, writers[7], 3)
		appendTo(t, log, writers[8], 8)
		settle()
		wantSaved(t, log, models, "late", 5, 10, 15)
		wantSaved(t, log, models, "g007", 5, 10)
		wantSaved(t, log, models, "g008", 5, 10, 15)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// TestI11SnapshotterPoison: a graph whose events cannot be folded has snapshots up to there, is tried again from time to
// time, and holds up nobody.
func TestI11SnapshotterPoison(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := memorylog.New()
		models := memory.New(log)
		counting := &countingLog{Log: log}
		s := projection.NewSnapshotter(counting, models, projection.SnapshotterOptions{Events: 10})
		sick, well := projectiontest.NewWriter("a sick one", source(1)), projectiontest.NewWriter("well", source(2))
		appendTo(t, log, sick, 25)
		poison := sick.Poison()
		after := []eventstore.Event{poison}
		for len(after) < 40 { // what follows chains, and follows the poison
			last := after[len(after)-1]
			data := fmt.Appendf(nil, `{"version":%d}`, last.Version+1)
			after = append(after, eventstore.Event{Version: last.Version + 1, Data: data, Hash: eventstore.NextHash(last.Hash, data)})
		}
		projectiontest.Append(t, log, "a sick one", after...)
		appendTo(t, log, well, 35)
		rounds(t, s)
		wantSaved(t, log, models, "well", 10, 20, 30)
		if got := saved(t, log, models, "a sick one"); !slices.Equal(got, []int{10, 20}) {
			t.Errorf("snapshots before the poison: got %v, want 10 and 20", got)
		}
		counting.calls.Store(0)
		for range 10 {
			rounds(t, s)
		}
		if calls := counting.calls.Load(); calls > 0 {
			t.Errorf("the poison was read again at once, in %d calls", calls)
		}
		if len(s.Pending()) > 0 {
			t.Errorf("pending: %v", s.Pending())
		}
		if got := metric(t, s, "graphy_snapshot_failures_total"); got != 1 {
			t.Errorf("failures: got %v, want 1", got)
		}
		time.Sleep(2 * time.Minute)
		appendTo(t, log, well, 5)
		rounds(t, s)
		if got := metric(t, s, "graphy_snapshot_failures_total"); got != 2 {
			t.Errorf("failures after two minutes: got %v, want 2", got)
		}
		wantSaved(t, log, models, "well", 10, 20, 30, 40)
	})
}

// TestSnapshottersRace: several of them, stores that fail at any moment and graphs that are deleted and begun anew under
// their hands: in the end the snapshots are those of the log as it is.
func TestSnapshottersRace(t *testing.T) {
	for seed := range uint64(3) {
		synctest.Test(t, func(t *testing.T) {
			var faults atomic.Bool
			faults.Store(true)
			fail := flaky(source(seed), 10, &faults)
			log := memorylog.New()
			models := memory.New(log)
			models.Fail = func(string, bool) error { return fail() }
			ctx, cancel := context.WithCancel(t.Context())
			var running sync.WaitGroup
			for range 3 {
				s := projection.NewSnapshotter(log, models, projection.SnapshotterOptions{Events: 10, Every: 50 * time.Millisecond, Turn: 2})
				running.Go(func() {
					if err := s.Run(ctx); err != nil {
						t.Error(err)
					}
				})
			}
			random := source(seed + 50)
			writers := map[string]*projectiontest.Writer{}
			life := uint64(0)
			for range 150 {
				graph := string(rune('a' + random.IntN(3)))
				if life++; writers[graph] == nil {
					writers[graph] = projectiontest.NewWriter(graph, source(1000*seed+life))
				}
				appendTo(t, log, writers[graph], 1+random.IntN(9))
				time.Sleep(time.Duration(random.IntN(20)) * time.Millisecond)
				if random.IntN(20) == 0 {
					if err := log.Delete(ctx, graph); err != nil {
						t.Fatal(err)
					}
					for models.Delete(ctx, graph) != nil {
						time.Sleep(time.Millisecond)
					}
					delete(writers, graph)
				}
			}
			faults.Store(false)
			settle()
			for _, graph := range []string{"a", "b", "c"} {
				head, err := log.Head(ctx, graph)
				if err != nil {
					t.Fatal(err)
				}
				wantSaved(t, log, models, graph, every(10, int(head.Version))...)
			}
			cancel()
			running.Wait()
		})
	}
}

// TestSnapshotterGoesOnFromSnapshot reads no more than what came since the last one, and builds on none that is damaged
// or of another history.
func TestSnapshotterGoesOnFromSnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		events := memorylog.New()
		log := &countingLog{Log: events}
		models := memory.New(events)
		w := projectiontest.NewWriter("g", source(1))
		appendTo(t, events, w, 1000)
		rounds(t, projection.NewSnapshotter(log, models, projection.SnapshotterOptions{Events: 100}))
		appendTo(t, events, w, 100)
		log.read.Store(0)
		rounds(t, projection.NewSnapshotter(log, models, projection.SnapshotterOptions{Events: 100}))
		if read := log.read.Load(); read > 101 {
			t.Errorf("100 new events: %d were read", read)
		}
		newest, _, err := models.Nearest(t.Context(), "g", 1100)
		if err != nil {
			t.Fatal(err)
		}
		newest.Data = newest.Data[:20]
		if err := models.Save(t.Context(), "g", newest); err != nil {
			t.Fatal(err)
		}
		appendTo(t, events, w, 100)
		rounds(t, projection.NewSnapshotter(log, models, projection.SnapshotterOptions{Events: 100}))
		wantSaved(t, events, models, "g", every(100, 1200)...)
	})
}

// TestSnapshotterSlowStore: a page that takes too long is asked for in smaller parts, and other graphs have their turn.
func TestI11SnapshotterSlowStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		events := memorylog.New()
		models := memory.New(events)
		log := &slowLog{Log: events, slow: "big", perEvent: 100 * time.Millisecond}
		dead := &slowLog{Log: log, slow: "a dead one", perEvent: time.Hour}
		big, well := projectiontest.NewWriter("big", source(1)), projectiontest.NewWriter("well", source(2))
		appendTo(t, events, projectiontest.NewWriter("a dead one", source(3)), 100)
		appendTo(t, events, big, 250)
		appendTo(t, events, well, 100)
		s := projection.NewSnapshotter(dead, models, projection.SnapshotterOptions{Events: 100, Timeout: 5 * time.Second})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		wantSaved(t, events, models, "big", 100, 200)
		wantSaved(t, events, models, "well", 100)
		wantSaved(t, events, models, "a dead one")
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// slowLog takes its time for each event that is read of one stream.
type slowLog struct {
	eventstore.Log
	slow     string
	perEvent time.Duration
}

func (l *slowLog) Read(ctx context.Context, stream string, after eventstore.Version, limit int) ([]eventstore.Event, error) {
	if stream == l.slow {
		select {
		case <-ctx.Done():
			return nil, errors.Join(eventstore.ErrUnavailable, ctx.Err())
		case <-time.After(time.Duration(limit) * l.perEvent):
		}
	}
	return l.Log.Read(ctx, stream, after, limit)
}

// TestSnapshotterRests between pages, and longer after longer work.
func TestSnapshotterRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		events := memorylog.New()
		models := memory.New(events)
		appendTo(t, events, projectiontest.NewWriter("g", source(1)), 1000)
		log := &slowLog{Log: events, slow: "g", perEvent: time.Millisecond}
		start := time.Now()
		rounds(t, projection.NewSnapshotter(log, models, projection.SnapshotterOptions{}))
		if took := time.Since(start); took < 4*time.Second || took > 5*time.Second {
			t.Errorf("a second's work took %v, want about four", took)
		}
	})
}

// metric returns the value of a counter.
func metric(t *testing.T, s *projection.Snapshotter, name string) float64 {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(s)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == name {
			return family.GetMetric()[0].GetCounter().GetValue()
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}
