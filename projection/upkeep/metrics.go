package upkeep

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	mismatches *prometheus.CounterVec // by kind
	rebuilding prometheus.Gauge
	verified   prometheus.Counter
}

func newMetrics() *metrics {
	return &metrics{
		mismatches: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "graphy_verify_mismatches_total",
			Help: "What verification found not to be as it should, by kind."}, []string{"kind"}),
		rebuilding: prometheus.NewGauge(prometheus.GaugeOpts{Name: "graphy_rebuilds_running", Help: "Graphs that are being rebuilt."}),
		verified:   prometheus.NewCounter(prometheus.CounterOpts{Name: "graphy_verify_events_total", Help: "Events verified."}),
	}
}

// Describe implements prometheus.Collector.
func (k *Keeper) Describe(descriptions chan<- *prometheus.Desc) {
	k.metrics.mismatches.Describe(descriptions)
	k.metrics.rebuilding.Describe(descriptions)
	k.metrics.verified.Describe(descriptions)
}

// Collect implements prometheus.Collector.
func (k *Keeper) Collect(values chan<- prometheus.Metric) {
	k.metrics.mismatches.Collect(values)
	k.metrics.rebuilding.Collect(values)
	k.metrics.verified.Collect(values)
}
