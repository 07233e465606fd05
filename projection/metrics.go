package projection

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	events, commits, retries, stale, regressions, deadLetters, left, stepIns prometheus.Counter

	latency prometheus.Histogram
	lag     prometheus.Gauge
}

func newMetrics() *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "graphy", Subsystem: "projection", Name: name, Help: help})
	}
	return &metrics{
		events:      counter("events_total", "Events folded into the read models."),
		commits:     counter("commits_total", "Batches of events committed."),
		retries:     counter("retries_total", "Steps that failed and are tried again."),
		stale:       counter("stale_total", "Commits refused because another projector was faster."),
		regressions: counter("regressions_total", "Read models rebuilt because they did not belong to the log."),
		deadLetters: counter("deadletters_total", "Dead letters written."),
		left:        counter("left_total", "Notices of appends that were left to the projectors that own their graphs."),
		stepIns:     counter("stepins_total", "Times that a graph of another projector was behind for too long."),
		latency: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "graphy", Subsystem: "projection", Name: "latency_seconds",
			Help: "Time from an event's acceptance to its commit.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 16)}),
		lag: prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "graphy", Subsystem: "projection", Name: "lag_seconds",
			Help: "Age of the event committed last, when it was committed."}),
	}
}

// committed takes note of a commit of events with these timestamps (Unix ms).
func (m *metrics) committed(now time.Time, stamps []int64) {
	m.commits.Inc()
	m.events.Add(float64(len(stamps)))
	millis := now.UnixMilli()
	for _, stamp := range stamps {
		m.latency.Observe(float64(max(0, millis-stamp)) / 1000)
	}
	if len(stamps) > 0 {
		m.lag.Set(float64(max(0, millis-stamps[len(stamps)-1])) / 1000)
	}
}

func (m *metrics) all() []prometheus.Collector {
	return []prometheus.Collector{m.events, m.commits, m.retries, m.stale, m.regressions, m.deadLetters, m.left, m.stepIns, m.latency, m.lag}
}

var parkedDesc = prometheus.NewDesc("graphy_projection_parked", "Graphs that are parked.", nil, nil)

var _ prometheus.Collector = (*Projector)(nil)

// Describe implements prometheus.Collector.
func (p *Projector) Describe(descriptions chan<- *prometheus.Desc) {
	for _, collector := range p.metrics.all() {
		collector.Describe(descriptions)
	}
	descriptions <- parkedDesc
}

// Collect implements prometheus.Collector.
func (p *Projector) Collect(values chan<- prometheus.Metric) {
	for _, collector := range p.metrics.all() {
		collector.Collect(values)
	}
	values <- prometheus.MustNewConstMetric(parkedDesc, prometheus.GaugeValue, float64(p.parked.len()))
}
