package projection_test

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"graphy/eventstore"
	memorylog "graphy/eventstore/memory"
	"graphy/projection"
	"graphy/projection/memory"
	"graphy/projection/projectiontest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func source(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 9)) }

// project runs a projector inside a bubble; the returned function stops it.
func project(t *testing.T, log eventstore.Log, models projection.ReadModels, opts projection.ProjectorOptions) (*projection.Projector, func()) {
	t.Helper()
	projector := projection.NewProjector(log, models, opts)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- projector.Run(ctx) }()
	return projector, func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("projector: %v", err)
		}
	}
}

// settle lets time pass, in the bubble, until all is done that will be done.
func settle() {
	time.Sleep(time.Minute)
	synctest.Wait()
}

func TestProjectorFolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := memorylog.New()
		models := memory.New(log)
		before := projectiontest.NewWriter("before", source(1))
		projectiontest.Append(t, log, "before", before.Events(3000)...)
		_, stop := project(t, log, models, projection.ProjectorOptions{})
		defer stop()
		during := projectiontest.NewWriter("during", source(2))
		for range 100 {
			projectiontest.Append(t, log, "during", during.Events(10)...)
			time.Sleep(time.Millisecond)
		}
		settle()
		projectiontest.Same(t, models, before.Graph)
		projectiontest.Same(t, models, during.Graph)
	})
}

// TestCoalescing: under load commits of a graph keep their distance; when nothing is under way they come at once.
func TestCoalescing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := memorylog.New()
		models := memory.New(log)
		var commits atomic.Int64
		models.Fail = func(method string, done bool) error {
			if method == "Commit" && done {
				commits.Add(1)
			}
			return nil
		}
		projector, stop := project(t, log, models, projection.ProjectorOptions{Linger: 10 * time.Millisecond})
		defer stop()
		settle()
		w := projectiontest.NewWriter("g", source(1))
		projectiontest.Append(t, log, "g", w.CreateNode())
		synctest.Wait()
		if got := commits.Load(); got != 1 {
			t.Errorf("an idle graph: got %d commits at once, want 1", got)
		}
		for range 100 {
			projectiontest.Append(t, log, "g", w.Move("n1"))
			synctest.Wait()
			time.Sleep(time.Millisecond)
		}
		synctest.Wait()
		if got := commits.Load(); got < 8 || got > 13 {
			t.Errorf("100 events in 100 ms with 10 ms between commits: got %d commits", got)
		}
		start := time.Now()
		projectiontest.Append(t, log, "g", w.Move("n1"))
		synctest.Wait()
		projectiontest.Append(t, log, "g", w.Move("n1"))
		projectiontest.Await(t, projector, w.Graph)
		if waited := time.Since(start); waited > 0 {
			t.Errorf("somebody waits: the commit took %v, want none", waited)
		}
	})
}

// TestEvictionKeepsMemoryBounded: many graphs, and room for few.
func TestEvictionKeepsMemoryBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := memorylog.New()
		models := memory.New(log)
		_, stop := project(t, log, models, projection.ProjectorOptions{Shards: 2, Cache: 100 << 10})
		defer stop()
		var writers []*projectiontest.Writer
		for i := range 100 {
			w := projectiontest.NewWriter("g"+string(rune('A'+i)), source(uint64(i)))
			writers = append(writers, w)
		}
		for range 3 {
			for _, w := range writers {
				projectiontest.Append(t, log, w.Graph.ID, w.Events(30)...)
			}
			settle()
		}
		for _, w := range writers {
			projectiontest.Same(t, models, w.Graph)
		}
	})
}

// TestNoWakeUpIsLost: what is appended while its graph is in the queue is folded at its turn, without the sweeper.
func TestNoWakeUpIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := memorylog.New()
		models := memory.New(log)
		_, stop := project(t, log, models, projection.ProjectorOptions{Sweep: time.Hour})
		defer stop()
		random := source(4)
		w := projectiontest.NewWriter("g", random)
		for range 200 {
			for range 1 + random.IntN(4) {
				projectiontest.Append(t, log, "g", w.Events(1+random.IntN(3))...)
				time.Sleep(time.Duration(random.IntN(3000)) * time.Microsecond)
			}
			time.Sleep(20 * time.Millisecond)
			synctest.Wait()
			if got, err := models.Checkpoint(t.Context(), "g"); err != nil || got.Position != w.Graph.Position {
				t.Fatalf("got version %d, %v, want %d", got.Version, err, w.Graph.Position.Version)
			}
		}
	})
}
