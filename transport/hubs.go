package transport

import (
	"context"
	"errors"
	"time"
)

var errClosed = errors.New("transport: the server is closing")

// follow returns the hub of the session's graph, started if there was none, and enters the session there.
func (w *sockets) follow(s *session) (*hub, error) {
	w.mu.Lock()
	h := w.hubs[s.graph]
	if h == nil {
		if w.ended {
			w.mu.Unlock()
			return nil, errClosed
		}
		h = &hub{
			sockets: w, graph: s.graph, ready: make(chan struct{}),
			sessions: map[*session]struct{}{}, live: map[*session]struct{}{},
		}
		h.ctx, h.stop = context.WithCancel(w.ctx)
		w.hubs[s.graph] = h
		w.metrics.hubs.Inc()
		w.work.Go(h.run)
	}
	h.users++
	w.mu.Unlock()
	s.hub = h
	h.enter(s)
	return h, nil
}

// unfollow gives a hub back. The last to do so leaves it to end after a while, in which a client that reloads its page
// finds it still there.
func (w *sockets) unfollow(h *hub) {
	w.mu.Lock()
	defer w.mu.Unlock()
	h.users--
	if h.users == 0 {
		time.AfterFunc(w.limits.hubLinger, func() { w.endIdle(h) })
	}
}

func (w *sockets) endIdle(h *hub) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if h.users == 0 {
		h.stop()
		w.remove(h)
	}
}

// abandon takes a failed hub out of use: the next session begins a new one.
func (w *sockets) abandon(h *hub) {
	w.mu.Lock()
	defer w.mu.Unlock()
	h.stop()
	w.remove(h)
}

// remove is called with mu held.
func (w *sockets) remove(h *hub) {
	if w.hubs[h.graph] == h {
		delete(w.hubs, h.graph)
		w.metrics.hubs.Dec()
	}
}
