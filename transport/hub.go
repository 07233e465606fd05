package transport

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/singleflight"

	"graphy/eventstore"
)

// hub follows the log of one graph for all who want to hear of it in this process. Each event is encoded once and kept
// in a ring, the only queue there is: whoever follows has a cursor of its own and pulls what comes after it, at its own
// pace. A cursor either stands on the ring's history, or before it, or is told that it diverged; so none ever sees a
// hole or a double (I4).
type hub struct {
	sockets *sockets
	graph   string
	ctx     context.Context
	stop    context.CancelFunc
	ready   chan struct{} // closed when the hub knows where the log stands, or has failed
	pages   pages
	states  hubStates
	chases  singleflight.Group // see advance

	started bool // it knows where it stands; owned by run
	users   int  // who hold it; guarded by sockets.mu

	mu     sync.Mutex // the innermost of all
	err    error      // why it has ended; wraps ErrBroken
	ring   ring
	waking bool          // a goroutine is about to wake the sessions
	news   chan struct{} // see changed; nil if nobody asked

	crowd    sync.RWMutex // before a session's mu
	sessions map[*session]struct{}
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
		case errors.Is(err, eventstore.ErrTrimmed): // it was slower than the trimming, and goes on at the head
			h.started = false
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

// follow takes in what comes after the hub's position, which it asks the log for at first and after a reset. It
// reports whether anything came.
func (h *hub) follow() (progress bool, err error) {
	if !h.started {
		head, err := h.sockets.server.services.Live.Head(h.ctx, h.graph)
		if err != nil {
			return false, err
		}
		h.begin(head)
	}
	at := h.position()
	for event, err := range h.sockets.server.services.Live.Tail(h.ctx, h.graph, at.Version) {
		if err != nil {
			return progress, err
		}
		// The numbers alone do not tell: a log that lost its end in a failover gives them out again.
		if event.Version != at.Version+1 || eventstore.NextHash(at.Hash, event.Data) != event.Hash || !h.publish(event) {
			return progress, errDiverged
		}
		at = event.Position()
		progress = true
	}
	return progress, h.ctx.Err()
}

// begin sets where the hub stands. Cursors that have seen another history find themselves diverged.
func (h *hub) begin(at eventstore.Position) {
	h.mu.Lock()
	h.ring.restart(at)
	h.started = true
	h.announce()
	h.mu.Unlock()
	h.pages.forget()
	h.states.forget()
	select {
	case <-h.ready:
	default:
		close(h.ready)
	}
}

// publish adds an event whose hash was verified, unless it is there already. It reports false if it does not follow.
func (h *hub) publish(event eventstore.Event) bool {
	at := event.Position()
	h.mu.Lock()
	defer h.mu.Unlock()
	head := h.ring.head()
	if at.Version <= head.Version {
		known, ok := h.ring.position(at.Version)
		return !ok || known == at
	}
	if at.Version != head.Version+1 {
		return false
	}
	h.ring.push(at, stateUpdate(event))
	h.announce()
	return true
}

// announce tells all who follow that there is something. It is called with mu held. The sessions are woken by a
// goroutine: it runs when this one has nothing more to take in, so events that come together leave together.
func (h *hub) announce() {
	if h.news != nil {
		close(h.news)
		h.news = nil
	}
	if !h.waking {
		h.waking = true
		go h.wake()
	}
}

func (h *hub) wake() {
	h.mu.Lock()
	h.waking = false
	h.mu.Unlock()
	h.crowd.RLock()
	defer h.crowd.RUnlock()
	for s := range h.sessions {
		s.wake()
	}
}

// advance brings the hub to version, which the log is known to have, if the Tail has not yet.
func (h *hub) advance(ctx context.Context, version eventstore.Version) error {
	for tries := 0; h.position().Version < version; tries++ {
		answer := h.chases.DoChan("", func() (_ any, err error) {
			defer recovered("follow the log", &err)
			return nil, h.chase()
		})
		select {
		case result := <-answer:
			if result.Err != nil {
				return result.Err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
		if tries > 0 && !pause(ctx, tries) {
			return ctx.Err()
		}
	}
	return nil
}

// chase takes in the next events of the log without waiting for the Tail.
func (h *hub) chase() error {
	ctx, cancel := context.WithTimeout(h.ctx, h.sockets.server.opts.ReadLimit)
	defer cancel()
	at := h.position()
	h.sockets.metrics.reads.Inc()
	events, err := h.sockets.server.services.Live.Read(ctx, h.graph, at.Version, pageEvents)
	switch {
	case errors.Is(err, eventstore.ErrTrimmed):
		return errDiverged
	case err != nil:
		return err
	case len(events) == 0:
		return errBehind
	case eventstore.VerifyChain(h.graph, at, events) != nil:
		return errDiverged
	}
	for _, event := range events {
		if !h.publish(event) {
			return errDiverged
		}
	}
	return nil
}

// fail ends the hub and its sessions: the graph's history is damaged, and what follows cannot be trusted.
func (h *hub) fail(err error) {
	h.sockets.server.logger.Error("graph cannot be followed", zap.String("graphId", h.graph), zap.Error(err))
	h.sockets.abandon(h)
	h.mu.Lock()
	h.err = err
	h.announce()
	h.mu.Unlock()
	select {
	case <-h.ready:
	default:
		close(h.ready)
	}
	h.crowd.RLock()
	defer h.crowd.RUnlock()
	for s := range h.sessions {
		s.endUnreadable(err)
	}
}

// wait waits until the hub knows where the log stands. Its error wraps ErrBroken once the hub has failed.
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

// endAt returns the bytes of all frames up to and with version, and of all.
func (h *hub) endAt(version eventstore.Version) (at, end uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ring.endAt(version), h.ring.end()
}

// enter has s woken when there is something for it.
func (h *hub) enter(s *session) {
	h.crowd.Lock()
	defer h.crowd.Unlock()
	h.sessions[s] = struct{}{}
}

// leave ends what the hub does for s.
func (h *hub) leave(s *session) {
	h.crowd.Lock()
	delete(h.sessions, s)
	h.crowd.Unlock()
	h.sockets.release(h)
}

// tidy lets go of what nobody has needed for a while.
func (h *hub) tidy(now time.Time) {
	h.pages.trim(now)
	h.states.trim(now)
	h.mu.Lock()
	defer h.mu.Unlock()
	if end := h.ring.end(); end == h.ring.tidied {
		h.ring.trim(idleRingBytes)
	} else {
		h.ring.tidied = end
	}
}
