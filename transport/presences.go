package transport

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// presences are the presence of every graph with sessions in this process.
type presences struct {
	sockets *sockets
	metrics presenceMetrics

	mu   sync.Mutex // before a presence's
	open map[string]*presence
}

// presenceMetrics count frames with presence.
type presenceMetrics struct{ received, sent, dropped prometheus.Counter }

func newPresences(w *sockets, registry *prometheus.Registry) *presences {
	counter := func(name, help string) prometheus.Counter {
		return register(registry, prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help}))
	}
	return &presences{sockets: w, open: map[string]*presence{}, metrics: presenceMetrics{
		received: counter("graphy_presence_received_total", "Presence frames that clients sent."),
		sent:     counter("graphy_presence_sent_total", "Presence frames handed to connections."),
		dropped:  counter("graphy_presence_dropped_total", "Presence frames that a slow connection did not take; it is told what counts by then later."),
	}}
}

// enter shows to s, which has had its sync, who is present on its graph.
func (w *presences) enter(s *session) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.open[s.graph]
	if p == nil {
		p = newPresence(w, s.graph)
		w.open[s.graph] = p
		p.listen()
	}
	s.present = p
	p.enter(s, presenceKey{user: s.identity.UserID, client: s.identity.ClientID})
}

// show passes on what the client of s says of itself.
func (w *presences) show(s *session, data []byte) {
	w.metrics.received.Inc()
	s.present.show(s, data)
}

// leave undoes enter, if there was one.
func (w *presences) leave(s *session) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if p := s.present; p != nil && p.leave(s) {
		delete(w.open, s.graph)
		p.close()
	}
}
