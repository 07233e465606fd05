package command

import "github.com/prometheus/client_golang/prometheus"

// Metrics counts what a Processor does.
type Metrics struct {
	commands    *prometheus.CounterVec // by outcome
	accepted    prometheus.Counter
	duplicates  prometheus.Counter
	batch       prometheus.Histogram
	overloaded  prometheus.Counter
	conflicts   prometheus.Counter
	regressions prometheus.Counter
	sessions    prometheus.Gauge
}

// NewMetrics returns Metrics registered with registerer, nil for nobody.
func NewMetrics(registerer prometheus.Registerer) *Metrics {
	m := &Metrics{
		commands: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "graphy_commands_total",
			Help: "Commands answered, by outcome: accepted, duplicate, or the code of the refusal."}, []string{"outcome"}),
		batch: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "graphy_append_events",
			Help: "Events appended by one call (group commit).", Buckets: prometheus.ExponentialBuckets(1, 2, 10)}),
		overloaded: prometheus.NewCounter(prometheus.CounterOpts{Name: "graphy_commands_overloaded_total",
			Help: "Submissions refused because the graph's queue was full."}),
		conflicts: prometheus.NewCounter(prometheus.CounterOpts{Name: "graphy_append_conflicts_total",
			Help: "Appends that lost the race against another process and were decided again."}),
		regressions: prometheus.NewCounter(prometheus.CounterOpts{Name: "graphy_log_regressions_total",
			Help: "Logs that were found to have gone back, or to be of another history at the same version, and not deleted by this process."}),
		sessions: prometheus.NewGauge(prometheus.GaugeOpts{Name: "graphy_sessions",
			Help: "Graphs held in memory for deciding commands."}),
	}
	m.accepted, m.duplicates = m.commands.WithLabelValues("accepted"), m.commands.WithLabelValues("duplicate")
	if registerer != nil {
		registerer.MustRegister(m.commands, m.batch, m.overloaded, m.conflicts, m.regressions, m.sessions)
	}
	return m
}
