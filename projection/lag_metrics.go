package projection

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// lagMetrics are what a LagWatch tells, as of its last look.
var lagMetrics = []struct {
	desc  *prometheus.Desc
	value func(*lagLook) float64
}{
	{lagDesc("lag_events", "Events that are not in the read models yet, of all graphs looked at."),
		func(l *lagLook) float64 { return float64(l.events) }},
	{lagDesc("lag_events_max", "Events that are not in the read models yet, of the graph that has most."),
		func(l *lagLook) float64 { return float64(l.mostEvents) }},
	{lagDesc("lag_seconds", "Age of the oldest event of each graph that is not in its read models yet, added up."),
		func(l *lagLook) float64 { return l.age.Seconds() }},
	{lagDesc("lag_seconds_max", "Age of the oldest event that is not in its graph's read models yet."),
		func(l *lagLook) float64 { return l.mostAge.Seconds() }},
	{lagDesc("lag_graphs", "Graphs whose read models are behind their log."),
		func(l *lagLook) float64 { return float64(l.behind) }},
	{lagDesc("lag_watched_graphs", "Graphs looked at: those that are active or have dead letters."),
		func(l *lagLook) float64 { return float64(l.graphs) }},
	{lagDesc("parked_graphs", "Graphs that are projected no further, in any process."),
		func(l *lagLook) float64 { return float64(l.parked) }},
	{lagDesc("deadletters_open", "Dead letters that nobody has dealt with."),
		func(l *lagLook) float64 { return float64(l.open) }},
	{lagDesc("lag_looked_timestamp_seconds", "When lag was last looked at, Unix time."),
		func(l *lagLook) float64 { return float64(l.at.UnixMilli()) / float64(time.Second/time.Millisecond) }},
}

func lagDesc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("graphy_"+name, help, nil, nil)
}

var _ prometheus.Collector = (*LagWatch)(nil)

// Describe implements prometheus.Collector.
func (w *LagWatch) Describe(descriptions chan<- *prometheus.Desc) {
	for _, metric := range lagMetrics {
		descriptions <- metric.desc
	}
}

// Collect implements prometheus.Collector. Before the first look there is nothing to tell.
func (w *LagWatch) Collect(values chan<- prometheus.Metric) {
	w.mu.Lock()
	last := w.last
	w.mu.Unlock()
	if last.at.IsZero() {
		return
	}
	for _, metric := range lagMetrics {
		values <- prometheus.MustNewConstMetric(metric.desc, prometheus.GaugeValue, metric.value(&last))
	}
}
