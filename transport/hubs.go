package transport

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"
)

var errClosed = errors.New("transport: the server is closing")

// hold returns the hub of a graph, started if there was none. It is given back by release.
func (w *sockets) hold(graph string) (*hub, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	h := w.hubs[graph]
	if h == nil {
		if w.ended {
			return nil, errClosed
		}
		h = &hub{sockets: w, graph: graph, ready: make(chan struct{}), sessions: map[*session]struct{}{}}
		h.ctx, h.stop = context.WithCancel(w.ctx)
		w.hubs[graph] = h
		w.metrics.hubs.Inc()
		w.work.Go(h.run)
	}
	h.users++
	return h, nil
}

// release gives a hub back. The last to do so leaves it to end after a while, in which a client that reloads its page
// finds it still there.
func (w *sockets) release(h *hub) {
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

// abandon takes a failed hub out of use: the next who wants one begins a new one.
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

// tidy lets go of what hubs keep and nobody has needed for a while.
func (w *sockets) tidy(now time.Time) {
	w.mu.Lock()
	hubs := slices.Collect(maps.Values(w.hubs))
	w.mu.Unlock()
	for _, h := range hubs {
		h.tidy(now)
	}
}
