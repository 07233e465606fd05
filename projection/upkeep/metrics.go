package upkeep

import (
	"maps"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"graphy/eventstore"
)

type metrics struct {
	mismatches *prometheus.CounterVec // by kind
	rebuilding prometheus.Gauge
	verified   prometheus.Counter
	mismatched prometheus.Gauge

	mu      sync.Mutex
	damaged map[string]eventstore.Version // guarded by mu: graphs in which something was found, with the part of it
}

// kinds are those of mismatches (projection.Mismatch), each a series from the beginning on: one that appears with its first
// mismatch has not grown.
var kinds = []string{"chain", "event", "checksum", "state", "node", "edge", "viewport", "incident", "conflict", "stats", "damage",
	"operation", "base"}

func newMetrics() *metrics {
	m := &metrics{
		mismatches: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "graphy_verify_mismatches_total",
			Help: "What verification found not to be as it should, by kind."}, []string{"kind"}),
		rebuilding: prometheus.NewGauge(prometheus.GaugeOpts{Name: "graphy_rebuilds_running", Help: "Graphs that are being rebuilt."}),
		verified:   prometheus.NewCounter(prometheus.CounterOpts{Name: "graphy_verify_events_total", Help: "Events verified."}),
		mismatched: prometheus.NewGauge(prometheus.GaugeOpts{Name: "graphy_verify_mismatched_graphs",
			Help: "Graphs that the verifier in the background found mismatches in when it last looked."}),
		damaged: map[string]eventstore.Version{},
	}
	for _, kind := range kinds {
		m.mismatches.WithLabelValues(kind)
	}
	return m
}

// found counts the mismatches of one graph.
func (m *metrics) found(f *findings) {
	for kind, count := range f.byKind {
		m.mismatches.WithLabelValues(kind).Add(float64(count))
	}
}

// damage takes note that something was found in a graph; it is false if that was known.
func (m *metrics) damage(graph string, at eventstore.Version) (news bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, known := m.damaged[graph]
	m.damaged[graph] = at
	m.mismatched.Set(float64(len(m.damaged)))
	return !known
}

// cured takes note that nothing was found in a graph.
func (m *metrics) cured(graph string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.damaged, graph)
	m.mismatched.Set(float64(len(m.damaged)))
}

func (m *metrics) damagedGraphs() map[string]eventstore.Version {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.damaged)
}

func (m *metrics) all() []prometheus.Collector {
	return []prometheus.Collector{m.mismatches, m.rebuilding, m.verified, m.mismatched}
}

var _ prometheus.Collector = (*Keeper)(nil)

// Describe implements prometheus.Collector.
func (k *Keeper) Describe(descriptions chan<- *prometheus.Desc) {
	for _, collector := range append(k.metrics.all(), k.kept.all()...) {
		collector.Describe(descriptions)
	}
}

// Collect implements prometheus.Collector.
func (k *Keeper) Collect(values chan<- prometheus.Metric) {
	for _, collector := range append(k.metrics.all(), k.kept.all()...) {
		collector.Collect(values)
	}
}
