package projection_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"graphy/eventstore"
	log "graphy/eventstore/memory"
	"graphy/projection"
	"graphy/projection/memory"
	"graphy/projection/projectiontest"
)

func TestLagWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		events := log.New()
		models := memory.New(events)
		var writers []*projectiontest.Writer
		for i := range 3 {
			writer := projectiontest.NewWriter(fmt.Sprintf("g%d", i), rand.New(rand.NewPCG(uint64(i), 1)))
			writer.Clock = time.Now().UnixMilli()
			projectiontest.Append(t, events, writer.Graph.ID, writer.Events(10)...)
			writers = append(writers, writer)
		}
		ctx, cancel := context.WithCancel(t.Context())
		projector := projection.NewProjector(events, models, projection.ProjectorOptions{Quiet: time.Hour})
		done := make(chan error, 2)
		go func() { done <- projector.Run(ctx) }()
		for _, writer := range writers {
			projectiontest.Await(t, projector, writer.Graph)
		}
		cancel()
		<-done
		var away atomic.Bool
		models.Fail = func(string, bool) error {
			if away.Load() {
				return eventstore.ErrUnavailable
			}
			return nil
		}
		watch := projection.NewLagWatch(events, models, models, projection.LagOptions{})
		watching, stop := context.WithCancel(t.Context())
		go func() { done <- watch.Run(watching) }()
		synctest.Wait()
		expect(t, watch, "graphy_lag_events 0", "graphy_lag_seconds_max 0", "graphy_lag_graphs 0", "graphy_lag_watched_graphs 3",
			"graphy_parked_graphs 0", "graphy_deadletters_open 0")

		for i, writer := range writers[:2] {
			writer.Clock = time.Now().UnixMilli()
			projectiontest.Append(t, events, writer.Graph.ID, writer.Events(5+i)...)
		}
		letter := projection.DeadLetter{Graph: "g0", Version: 11, Cause: "for a test"}
		if err := models.Stall(t.Context(), "g0", positionOf(t, models, "g0"), letter); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Second)
		synctest.Wait()
		expect(t, watch, "graphy_lag_events 11", "graphy_lag_events_max 6", "graphy_lag_seconds 40", "graphy_lag_seconds_max 20",
			"graphy_lag_graphs 2", "graphy_parked_graphs 1", "graphy_deadletters_open 1")

		away.Store(true)
		time.Sleep(40 * time.Second)
		synctest.Wait()
		expect(t, watch, "graphy_lag_events 11", "graphy_lag_seconds_max 20") // as of the last look
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func positionOf(t *testing.T, models projection.ReadModels, graph string) eventstore.Position {
	t.Helper()
	checkpoint, err := models.Checkpoint(t.Context(), graph)
	if err != nil {
		t.Fatal(err)
	}
	return checkpoint.Position
}

func expect(t *testing.T, watch *projection.LagWatch, lines ...string) {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(watch)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]bool{}
	for _, family := range families {
		told[fmt.Sprintf("%s %v", family.GetName(), family.GetMetric()[0].GetGauge().GetValue())] = true
	}
	for _, line := range lines {
		if !told[line] {
			t.Errorf("no %q in %v", line, told)
		}
	}
}
