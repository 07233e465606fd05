package transport

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics count what the HTTP half does. Those of the WebSocket half stand with it.
type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	waiting  prometheus.Gauge
	streams  prometheus.Gauge
}

func newMetrics(registry *prometheus.Registry) *metrics {
	return &metrics{
		requests: register(registry, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "graphy_http_requests_total", Help: "Requests answered, by route and status.",
		}, []string{"method", "route", "status"})),
		seconds: register(registry, prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "graphy_http_request_seconds", Help: "Time from a request to its answer, waiting included, by route.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, 1, 3, 10, 30},
		}, []string{"method", "route"})),
		waiting: register(registry, prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "graphy_http_long_polls", Help: "Requests that wait for changes.",
		})),
		streams: register(registry, prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "graphy_http_streams", Help: "Server-Sent Events that are open.",
		})),
	}
}

// register adds a collector to the registry, or returns the one that is there: servers may share a registry.
func register[C prometheus.Collector](registry *prometheus.Registry, collector C) C {
	var taken prometheus.AlreadyRegisteredError
	if errors.As(registry.Register(collector), &taken) {
		if same, ok := taken.ExistingCollector.(C); ok {
			return same
		}
	}
	return collector
}

func (m *metrics) handler(registry *prometheus.Registry) http.Handler {
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
}

// routeMetrics are the metrics of one route, looked up once.
type routeMetrics struct {
	requests *prometheus.CounterVec
	seconds  prometheus.Observer
	common   [3]prometheus.Counter // of the statuses that matter for speed, see commonStatuses
}

var commonStatuses = [3]int{http.StatusOK, http.StatusAccepted, http.StatusNotModified}

func (m *metrics) route(method, path string) *routeMetrics {
	labels := prometheus.Labels{"method": method, "route": path}
	route := &routeMetrics{requests: m.requests.MustCurryWith(labels), seconds: m.seconds.With(labels)}
	for i, status := range commonStatuses {
		route.common[i] = route.requests.WithLabelValues(strconv.Itoa(status))
	}
	return route
}

func (r *routeMetrics) observe(status int, took time.Duration) {
	r.seconds.Observe(took.Seconds())
	for i, common := range commonStatuses {
		if status == common {
			r.common[i].Inc()
			return
		}
	}
	r.requests.WithLabelValues(strconv.Itoa(status)).Inc()
}
