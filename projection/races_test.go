package projection_test

import (
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"graphy/eventstore"
	memorylog "graphy/eventstore/memory"
	"graphy/projection"
	"graphy/projection/memory"
	"graphy/projection/projectiontest"
)

// flaky fails one call in n, before or after it is carried out.
func flaky(random *rand.Rand, one int, on *atomic.Bool) func() error {
	lock := make(chan struct{}, 1)
	return func() error {
		lock <- struct{}{}
		defer func() { <-lock }()
		if on.Load() && random.IntN(one) == 0 {
			return eventstore.ErrUnavailable
		}
		return nil
	}
}

// TestI3FaultsAndRaces: two projectors on the same graphs, and a third that comes and goes; calls fail at any moment,
// done or not; notices are lost, doubled and disordered. In the end each read model is the fold of its log.
func TestI3FaultsAndRaces(t *testing.T) {
	for seed := range uint64(5) {
		synctest.Test(t, func(t *testing.T) {
			var faults atomic.Bool
			faults.Store(true)
			fail := flaky(source(seed), 4, &faults)
			events := memorylog.New()
			log := &lossyLog{Log: events, random: source(seed + 100)}
			models := memory.New(events)
			models.Fail = func(string, bool) error { return fail() }
			small := projection.ProjectorOptions{Shards: 2, Events: 7, Cache: 1 << 14, Backoff: time.Millisecond}
			one, stopOne := project(t, log, models, small)
			two, stopTwo := project(t, log, models, projection.ProjectorOptions{Linger: time.Microsecond})
			stopThree := func() {}

			var writers []*projectiontest.Writer
			random := source(seed + 200)
			for i := range 6 {
				writers = append(writers, projectiontest.NewWriter(string(rune('a'+i)), source(uint64(i))))
			}
			for step := range 300 {
				w := writers[random.IntN(len(writers))]
				projectiontest.Append(t, events, w.Graph.ID, w.Events(1+random.IntN(5))...)
				if random.IntN(3) == 0 {
					time.Sleep(time.Duration(random.IntN(5000)) * time.Microsecond)
				}
				if step%50 == 0 {
					stopThree()
					_, stopThree = project(t, log, models, small)
				}
			}
			stopThree()
			faults.Store(false)
			settle()
			for _, w := range writers {
				projectiontest.Same(t, models, w.Graph)
			}
			for _, p := range []*projection.Projector{one, two} {
				if parked := p.Parked(); len(parked) > 0 {
					t.Errorf("seed %d: parked %v", seed, parked)
				}
			}
			if letters := open(t, models); len(letters) > 0 {
				t.Errorf("seed %d: dead letters %+v", seed, letters)
			}
			stopOne()
			stopTwo()
		})
	}
}

// TestFrozenProjectorResumes: one that was frozen inside a commit comes back with old work, which is refused.
func TestI3FrozenProjectorResumes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := memorylog.New()
		models := memory.New(log)
		frozen := &freezing{ReadModels: models, at: 3, thaw: make(chan struct{})}
		_, stop := project(t, log, frozen, projection.ProjectorOptions{Timeout: time.Hour})
		defer stop()
		w := projectiontest.NewWriter("g", source(1))
		for range 5 {
			projectiontest.Append(t, log, "g", w.Events(5)...)
			time.Sleep(10 * time.Millisecond)
		}
		other, stopOther := project(t, log, models, projection.ProjectorOptions{})
		defer stopOther()
		projectiontest.Append(t, log, "g", w.Events(50)...)
		projectiontest.Await(t, other, w.Graph)
		close(frozen.thaw)
		settle()
		projectiontest.Append(t, log, "g", w.Events(5)...)
		settle()
		projectiontest.Same(t, models, w.Graph)
	})
}

// TestSlowerProjectorYields: of two projectors on one graph the slower one leaves it to the faster, rather than fold
// and load it for nothing, and takes over when the other is gone.
func TestSlowerProjectorYields(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := memorylog.New()
		models := memory.New(log)
		var loads atomic.Int64
		models.Fail = func(method string, done bool) error {
			if method == "Load" && done {
				loads.Add(1)
			}
			return nil
		}
		_, stopOne := project(t, log, models, projection.ProjectorOptions{Linger: 2 * time.Millisecond})
		two, stopTwo := project(t, log, models, projection.ProjectorOptions{Linger: 3 * time.Millisecond})
		w := projectiontest.NewWriter("g", source(1))
		for range 1500 {
			projectiontest.Append(t, log, "g", w.Random())
			time.Sleep(time.Millisecond)
		}
		if got := loads.Load(); got > 10 {
			t.Errorf("got %d loads of one graph in 1.5 s", got)
		}
		stopOne()
		for range 20 {
			projectiontest.Append(t, log, "g", w.Random())
			time.Sleep(10 * time.Millisecond)
		}
		start := time.Now()
		projectiontest.Await(t, two, w.Graph)
		if took := time.Since(start); took > 100*time.Millisecond {
			t.Errorf("the other one was behind by %v", took)
		}
		projectiontest.Same(t, models, w.Graph)
		stopTwo()
	})
}
