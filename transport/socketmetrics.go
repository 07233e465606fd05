package transport

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// socketMetrics count what the WebSocket half does.
type socketMetrics struct {
	sessions prometheus.Gauge
	hubs     prometheus.Gauge
	lagging  prometheus.Counter
	closes   *prometheus.CounterVec
	gather   gatherCounts
}

func newSocketMetrics(registry *prometheus.Registry) socketMetrics {
	counter := func(name, help string) prometheus.Counter {
		return register(registry, prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help}))
	}
	gauge := func(name, help string) prometheus.Gauge {
		return register(registry, prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help}))
	}
	return socketMetrics{
		sessions: gauge("graphy_websocket_sessions", "Open connections."),
		hubs:     gauge("graphy_websocket_hubs", "Graphs followed for them."),
		lagging:  counter("graphy_websocket_lagging_total", "Times a session was too slow for live frames and was caught up later."),
		closes: register(registry, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "graphy_websocket_closes_total", Help: "Connections closed by the server, by close code.",
		}, []string{"code"})),
		gather: gatherCounts{
			writes:  counter("graphy_websocket_writes_total", "Frames written."),
			flushes: counter("graphy_websocket_flushes_total", "System calls that carried them."),
			bytes:   counter("graphy_websocket_bytes_total", "Bytes in them."),
		},
	}
}

func (m *socketMetrics) closed(code int) { m.closes.WithLabelValues(strconv.Itoa(code)).Inc() }
