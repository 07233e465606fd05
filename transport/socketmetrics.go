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
	reads    prometheus.Counter
	states   prometheus.Counter
	writes   writeCounts
}

// writeCounts tell how many frames leave together.
type writeCounts struct{ frames, flushes, bytes prometheus.Counter }

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
		lagging:  counter("graphy_websocket_lagging_total", "Times a session fell so far behind that it was given a state."),
		closes: register(registry, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "graphy_websocket_closes_total", Help: "Connections closed by the server, by close code.",
		}, []string{"code"})),
		reads:  counter("graphy_websocket_log_reads_total", "Reads of the log for those who joined late or fell behind."),
		states: counter("graphy_websocket_states_total", "States loaded for those who joined or fell far behind."),
		writes: writeCounts{
			frames:  counter("graphy_websocket_writes_total", "Frames written."),
			flushes: counter("graphy_websocket_flushes_total", "System calls that carried them."),
			bytes:   counter("graphy_websocket_bytes_total", "Bytes in them."),
		},
	}
}

func (m *socketMetrics) closed(code int) { m.closes.WithLabelValues(strconv.Itoa(code)).Inc() }
