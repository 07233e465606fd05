package upkeep_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"graphy/eventstore"
	events "graphy/eventstore/memory"
	"graphy/projection/memory"
	"graphy/projection/upkeep"
)

// slowly is a clock that goes on by a millisecond each time it is looked at, and by every pause.
type slowly struct {
	now           time.Time
	worked, slept time.Duration
	end           func() bool // asked at every pause
	cancel        context.CancelFunc
}

func (c *slowly) Now() time.Time {
	c.now = c.now.Add(time.Millisecond)
	c.worked += time.Millisecond
	return c.now
}

func (c *slowly) Pause(_ context.Context, long time.Duration) {
	c.now = c.now.Add(long)
	c.slept += long
	if c.end() {
		c.cancel()
	}
}

// sample runs a sampler until done says so, and returns its clock.
func (w *world) sample(t testing.TB, seed uint64, done func() bool) *slowly {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	clock := &slowly{now: time.UnixMilli(1), end: done, cancel: cancel}
	sampler := upkeep.NewSampler(w.keeper, upkeep.SamplerOptions{Window: 500, Rand: rand.New(rand.NewPCG(seed, 1)), Now: clock.Now, Pause: clock.Pause})
	if err := sampler.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if clock.now.Sub(time.UnixMilli(1)) > time.Hour*24*365 {
		t.Error("the sampler did not find in a year of its time what it should")
	}
	return clock
}

// metrics returns what the keeper tells, by name and label.
func (w *world) metrics(t testing.TB) map[string]float64 {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(w.keeper)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			name := strings.TrimPrefix(family.GetName(), "graphy_")
			for _, label := range metric.GetLabel() {
				name += " " + label.GetValue()
			}
			values[name] = metric.GetCounter().GetValue() + metric.GetGauge().GetValue()
		}
	}
	return values
}

func TestSamplerFindsMismatchesAndTheirCure(t *testing.T) {
	w := inMemory()
	core, logs := observer.New(zapcore.ErrorLevel)
	w.keeper = upkeep.New(w.stores, upkeep.Options{Logger: zap.New(core)})
	for i := range 20 {
		writer := w.write(t, fmt.Sprintf("g%02d", i), uint64(i), 60)
		w.project(t, writer)
	}
	w.models.(*memory.Models).Damage("g07")
	w.models.(*memory.Models).Damage("g13")
	mismatched := func(want float64) func() bool {
		return func() bool { return w.metrics(t)["verify_mismatched_graphs"] == want }
	}
	w.sample(t, 1, mismatched(2))
	rounds := 0
	w.sample(t, 2, func() bool { rounds++; return rounds > 200 })
	if logs.Len() != 2 || logs.All()[0].ContextMap()["kind"] != "node" {
		t.Errorf("got %d lines in the log, want one for each graph: %v", logs.Len(), logs.All())
	}
	if got := w.metrics(t); got["verify_mismatches_total node"] < 2 {
		t.Errorf("got %v", got)
	}
	w.rebuild(t, "g07", upkeep.RebuildOptions{})
	w.sample(t, 3, mismatched(1))
	if err := w.log.Delete(t.Context(), "g13"); err != nil {
		t.Fatal(err)
	}
	if err := w.models.Delete(t.Context(), "g13"); err != nil {
		t.Fatal(err)
	}
	w.sample(t, 4, mismatched(0))
}

// Of a long log every part is looked at some time, its read models too, none of it at once.
func TestSamplerLooksAtPartsOfALongLog(t *testing.T) {
	tests := []struct {
		name   string
		damage func(w *world)
		kind   string
	}{
		{"beginning", func(w *world) { flip(w, 3) }, "chain"},
		{"middle", func(w *world) { flip(w, 752) }, "chain"},
		{"end", func(w *world) { flip(w, 1490) }, "chain"},
		{"read models", func(w *world) { w.models.(*memory.Models).Damage("g") }, "node"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := inMemory()
			writer := w.write(t, "g", 50, 0)
			for range 15 {
				w.append(t, writer, 100)
				snapshot, err := writer.Graph.Snapshot()
				if err == nil {
					err = w.models.Save(t.Context(), "g", snapshot)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			w.project(t, writer)
			test.damage(w)
			w.open()
			w.sample(t, 5, func() bool { return w.metrics(t)["verify_mismatches_total "+test.kind] > 0 })
		})
	}
}

// flip has the log give an event with a flipped bit.
func flip(w *world, version eventstore.Version) {
	w.log = &damagedLog{log: w.log, change: func(events []eventstore.Event) []eventstore.Event {
		events[version-1].Data[30] ^= 1
		return events
	}}
}

func TestSamplerKeepsToItsShare(t *testing.T) {
	w := several(t, 100)
	pauses := 0
	clock := w.sample(t, 6, func() bool { pauses++; return pauses > 2000 })
	if share := float64(clock.worked) / float64(clock.worked+clock.slept); share > 0.021 {
		t.Errorf("worked %v, slept %v: %.3f of the time", clock.worked, clock.slept, share)
	}
}

// The same random numbers and the same clock make it do the same.
func TestSamplerIsDeterministic(t *testing.T) {
	order := func() (graphs []string) {
		w := several(t, 30)
		w.log.(*events.Log).Fail = func(call, stream string) error {
			if call == "read" {
				graphs = append(graphs, stream)
			}
			return nil
		}
		w.sample(t, 7, func() bool { return len(graphs) > 100 })
		return graphs
	}
	if a, b := order(), order(); !slices.Equal(a, b) {
		t.Errorf("got %v\nand %v", a, b)
	}
}

func TestSamplerGoesOnAfterFailures(t *testing.T) {
	w := several(t, 5)
	failing := true
	w.models.(*memory.Models).Fail = func(string, bool) error {
		if failing {
			return fmt.Errorf("%w: for a test", eventstore.ErrUnavailable)
		}
		return nil
	}
	pauses := 0
	w.sample(t, 8, func() bool { pauses++; return pauses > 50 })
	failing = false
	before := w.metrics(t)["verify_events_total"]
	w.sample(t, 9, func() bool { return w.metrics(t)["verify_events_total"] > before })
	empty := inMemory()
	pauses = 0
	empty.sample(t, 10, func() bool { pauses++; return pauses > 3 })
}
