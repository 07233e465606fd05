package upkeep

import "github.com/prometheus/client_golang/prometheus"

// keeping counts what Retain does.
type keeping struct {
	trimmed, archived, bytes, skipped, failures prometheus.Counter

	last prometheus.Gauge
}

func newKeeping() *keeping {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "graphy", Subsystem: "retain", Name: name, Help: help})
	}
	return &keeping{
		trimmed:  counter("trimmed_events_total", "Events that were trimmed from logs."),
		archived: counter("archived_events_total", "Events that were written to the archive."),
		bytes:    counter("archived_bytes_total", "Bytes of segments that were written to the archive, compressed."),
		skipped:  counter("skipped_total", "Graphs that could not be trimmed because they are parked or damaged, each time anew."),
		failures: counter("failures_total", "Graphs that could not be trimmed because a store failed, each time anew."),
		last: prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "graphy", Subsystem: "retain", Name: "last_success_timestamp_seconds",
			Help: "When this process last came to the end of all graphs, none of which had failed."}),
	}
}

// retained takes note of what a run has come to; report and bytes tell what it did before it failed, if it did.
func (m *keeping) retained(report *Retained, bytes int64, err error) {
	if !report.DryRun {
		m.trimmed.Add(float64(report.Trimmed))
		m.archived.Add(float64(report.Archived))
		m.bytes.Add(float64(bytes))
	}
	if err != nil {
		m.failures.Inc()
	} else if report.Outcome == outcomeSkipped {
		m.skipped.Inc()
	}
}

func (m *keeping) all() []prometheus.Collector {
	return []prometheus.Collector{m.trimmed, m.archived, m.bytes, m.skipped, m.failures, m.last}
}
