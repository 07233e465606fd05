package projection

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type snapshotMetrics struct {
	written, bytes, failures prometheus.Counter

	seconds prometheus.Histogram
}

func newSnapshotMetrics() *snapshotMetrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "graphy", Subsystem: "snapshot", Name: name, Help: help})
	}
	return &snapshotMetrics{
		written:  counter("written_total", "Snapshots written."),
		bytes:    counter("written_bytes_total", "Bytes of snapshots written, compressed."),
		failures: counter("failures_total", "Graphs of which no snapshot could be taken, each time anew."),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "graphy", Subsystem: "snapshot", Name: "seconds",
			Help: "Time to encode and write one snapshot.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 14)}),
	}
}

func (m *snapshotMetrics) taken(took time.Duration, bytes int) {
	m.written.Inc()
	m.bytes.Add(float64(bytes))
	m.seconds.Observe(took.Seconds())
}

func (m *snapshotMetrics) all() []prometheus.Collector {
	return []prometheus.Collector{m.written, m.bytes, m.failures, m.seconds}
}

var _ prometheus.Collector = (*Snapshotter)(nil)

// Describe implements prometheus.Collector.
func (s *Snapshotter) Describe(descriptions chan<- *prometheus.Desc) {
	for _, collector := range s.metrics.all() {
		collector.Describe(descriptions)
	}
}

// Collect implements prometheus.Collector.
func (s *Snapshotter) Collect(values chan<- prometheus.Metric) {
	for _, collector := range s.metrics.all() {
		collector.Collect(values)
	}
}
