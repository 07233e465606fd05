package projection_test

import (
	"context"
	"errors"
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

// TestI6Await is I6 as far as it is projection's: in this process, in another, and where nobody projects.
func TestI6Await(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := memorylog.New()
		models := memory.New(log)
		var looks atomic.Int64
		models.Fail = func(method string, done bool) error {
			if method == "Checkpoint" && done {
				looks.Add(1)
			}
			return nil
		}
		idle := projection.NewProjector(log, models, projection.ProjectorOptions{})
		w := projectiontest.NewWriter("g", source(1))
		projectiontest.Append(t, log, "g", w.Events(5)...)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := idle.Await(ctx, "g", 5); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("nobody projects: got %v, want the deadline's error", err)
		}
		if got := looks.Load(); got < 20 || got > 80 {
			t.Errorf("looks at the checkpoint in 1 s: got %d", got)
		}
		results := make(chan error)
		for i := range 100 {
			go func() { results <- idle.Await(t.Context(), "g", eventstore.Version(i%5+1)) }()
		}
		before := looks.Load()
		time.Sleep(100 * time.Millisecond)
		if got := looks.Load() - before; got > 20 {
			t.Errorf("100 waiters: got %d looks in 100 ms, want them shared", got)
		}
		_, stop := project(t, log, models, projection.ProjectorOptions{})
		defer stop()
		for range 100 {
			if err := <-results; err != nil {
				t.Errorf("await: %v", err)
			}
		}
		if err := idle.Await(t.Context(), "g", 5); err != nil {
			t.Errorf("await of what is there: %v", err)
		}
	})
}

// TestCommitEndsAwait: who waits hears of a commit in this process without a look at the checkpoint.
func TestCommitEndsAwait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := memorylog.New()
		models := memory.New(log)
		models.Fail = func(method string, _ bool) error {
			if method == "Checkpoint" {
				return eventstore.ErrUnavailable
			}
			return nil
		}
		projector, stop := project(t, log, models, projection.ProjectorOptions{})
		defer stop()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		result := make(chan error)
		go func() { result <- projector.Await(ctx, "g", 5) }()
		synctest.Wait()
		w := projectiontest.NewWriter("g", source(1))
		projectiontest.Append(t, log, "g", w.Events(5)...)
		if err := <-result; err != nil {
			t.Errorf("await: %v", err)
		}
		err := projector.Await(ctx, "g", 6)
		if !errors.Is(err, eventstore.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("await with read models out of reach: got %v", err)
		}
	})
}

// TestMetrics: what operators see of a projector.
func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := memorylog.New()
		models := memory.New(log)
		projector, stop := project(t, log, models, projection.ProjectorOptions{})
		defer stop()
		w := projectiontest.NewWriter("g", source(1))
		projectiontest.Append(t, log, "g", w.Events(10)...)
		projectiontest.Append(t, log, "g", w.Poison())
		settle()
		registry := prometheus.NewPedanticRegistry()
		if err := registry.Register(projector); err != nil {
			t.Fatal(err)
		}
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]float64{}
		for _, family := range families {
			metric := family.GetMetric()[0]
			got[family.GetName()] = metric.GetCounter().GetValue() + metric.GetGauge().GetValue() + float64(metric.GetHistogram().GetSampleCount())
		}
		for name, want := range map[string]float64{"events_total": 10, "latency_seconds": 10, "parked": 1, "deadletters_total": 1} {
			if got := got["graphy_projection_"+name]; got != want {
				t.Errorf("%s: got %v, want %v", name, got, want)
			}
		}
	})
}
