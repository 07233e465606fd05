package transport

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"go.uber.org/zap"

	"graphy/eventstore"
)

// hub follows the log of one graph for all sessions on it in this process: each event is encoded once, kept in a ring
// for those who catch up, and handed to those who are live. A session is live only while it stands exactly where the
// hub stands, so none ever sees a hole or a double (I4).
type hub struct {
	sockets *sockets
	graph   string
	ctx     context.Context
	stop    context.CancelFunc
	ready   chan struct{} // closed when the hub knows where the log stands, or has failed

	started bool // it knows where it stands; owned by run
	users   int  // sessions that hold it; guarded by sockets.mu

	mu       sync.Mutex
	err      error // why it has ended; wraps ErrBroken
	ring     ring
	sessions map[*session]struct{}
	live     map[*session]struct{}
}

// errDiverged says that the log holds another history than the one followed so far.
var errDiverged = fmt.Errorf("transport: the log has another history: %w", eventstore.ErrReset)

// run follows the log until ctx is done or the log is broken.
func (h *hub) run() {
	for tries := 0; ; tries++ {
		progress, err := h.follow()
		if progress {
			tries = 0
		}
		switch {
		case h.ctx.Err() != nil:
			return
		case errors.Is(err, eventstore.ErrBroken):
			h.fail(err)
			return
		case errors.Is(err, eventstore.ErrReset):
			h.sockets.server.logger.Info("graph was reset", zap.String("graphId", h.graph))
			h.started = false
		case tries == 0:
			h.sockets.server.logger.Warn("graph cannot be followed for now", zap.String("graphId", h.graph), zap.Error(err))
		}
		if tries > 0 && !pause(h.ctx, tries) {
			return
		}
	}
}

// follow hands on what comes after the hub's position, which it asks the log for at first and after a reset. It
// reports whether anything came.
func (h *hub) follow() (progress bool, err error) {
	if !h.started {
		head, err := h.sockets.server.services.Log.Head(h.ctx, h.graph)
		if err != nil {
			return false, err
		}
		h.begin(head)
	}
	at := h.position()
	for event, err := range h.sockets.server.services.Log.Tail(h.ctx, h.graph, at.Version) {
		if err != nil {
			return progress, err
		}
		// The numbers alone do not tell: a log that lost its end in a failover gives them out again.
		if event.Version != at.Version+1 || eventstore.NextHash(at.Hash, event.Data) != event.Hash {
			return progress, errDiverged
		}
		at = event.Position()
		h.publish(at, stateUpdate(event))
		progress = true
	}
	return progress, h.ctx.Err()
}

// begin sets where the hub stands. If it stood elsewhere before, its sessions have seen another history and are given a
// state.
func (h *hub) begin(at eventstore.Position) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ring.restart(at)
	h.started = true
	select {
	case <-h.ready:
		for s := range h.sessions {
			h.interrupt(s, ask{status: reset})
		}
	default:
		close(h.ready)
	}
}

// publish hands the frame that leads to at to every live session.
func (h *hub) publish(at eventstore.Position, frame []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	previous := h.ring.head()
	h.ring.push(at, frame)
	for s := range h.live {
		if instead, ok := s.deliver(previous, at, frame); !ok {
			h.sockets.metrics.lagging.Inc()
			h.interrupt(s, instead)
		}
	}
}

// interrupt takes s off the live ones: it is to get an answer to a before it goes on. It is called with mu held.
func (h *hub) interrupt(s *session, a ask) {
	delete(h.live, s)
	s.asks = append(s.asks, a)
	if !s.catching {
		s.catching = h.sockets.spawn(s.catchUp)
	}
}

// fail ends the hub and its sessions: the graph's history is damaged, and what follows cannot be trusted.
func (h *hub) fail(err error) {
	h.sockets.server.logger.Error("graph cannot be followed", zap.String("graphId", h.graph), zap.Error(err))
	h.sockets.abandon(h)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.err = err
	for s := range h.sessions {
		s.endUnreadable(err)
	}
	select {
	case <-h.ready:
	default:
		close(h.ready)
	}
}

// wait waits until the hub knows where the log stands.
func (h *hub) wait(ctx context.Context) error {
	select {
	case <-h.ready:
	case <-ctx.Done():
		return ctx.Err()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.err
}

// position returns where the hub stands.
func (h *hub) position() eventstore.Position {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ring.head()
}

// positionOf returns the position of a version that the hub has seen lately.
func (h *hub) positionOf(version eventstore.Version) (eventstore.Position, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ring.position(version)
}

// enter counts s among the hub's sessions; it is told of resets from now on.
func (h *hub) enter(s *session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sessions[s] = struct{}{}
}

// resume makes a session live that has had its sync, or lets it catch up first.
func (h *hub) resume(s *session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(s.asks) == 0 && h.isLevel(s) {
		s.catching = false
		h.live[s] = struct{}{}
		return
	}
	s.catching = h.sockets.spawn(s.catchUp)
}

// isLevel tells whether s stands where the hub stands, or has read ahead of it. It is called with mu held.
func (h *hub) isLevel(s *session) bool {
	at, head := s.position(), h.ring.head()
	return at == head || at.Version > head.Version
}

// demand has s answered a before it goes on. It reports false if too many such demands wait already.
func (h *hub) demand(s *session, a ask) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(s.asks) >= asksMost {
		return false
	}
	h.interrupt(s, a)
	return true
}

// leave ends what the hub does for s.
func (h *hub) leave(s *session) {
	h.mu.Lock()
	delete(h.sessions, s)
	delete(h.live, s)
	h.mu.Unlock()
	h.sockets.unfollow(h)
}
