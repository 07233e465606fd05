package transport

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/gorilla/websocket"
)

const (
	drainSpread  = 2 * time.Second // over which many sessions are closed, so that they do not come back all at once
	drainEach    = 2 * time.Millisecond
	retryAfter0  = 250 * time.Millisecond  // a client that is sent away comes back after that,
	retrySpread  = 2 * time.Second         // or later by up to that
	lastGoodbyes = 2500 * time.Millisecond // run: for close frames to go out
	pollEach     = 5 * time.Millisecond
)

// admit counts a session in, or says with what code to close it.
func (w *sockets) admit(s *session) (code int, reason string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case s.unwelcome != 0:
		return s.unwelcome, reasonOf(s.unwelcome)
	case w.draining || w.ended:
		return websocket.CloseServiceRestart, "the server is going away"
	}
	if err := w.server.connections.enter(s.graph, s.identity.UserID); err != nil {
		return websocket.CloseTryAgainLater, problemOf(err).detail
	}
	w.sessions[s] = struct{}{}
	w.metrics.sessions.Inc()
	return 0, ""
}

// forget counts a session out.
func (w *sockets) forget(s *session) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, counted := w.sessions[s]; counted {
		delete(w.sessions, s)
		w.server.connections.leave(s.graph, s.identity.UserID)
		w.metrics.sessions.Dec()
	}
}

func (w *sockets) open() []*session {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Collect(maps.Keys(w.sessions))
}

func (w *sockets) isDraining() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.draining
}

// drain tells every client to come back soon, lets the commands under way be answered, and closes the sessions, not
// all at once. It returns when they are gone, or with ctx's error.
func (w *sockets) drain(ctx context.Context) error {
	w.mu.Lock()
	w.draining = true
	w.mu.Unlock()
	for _, s := range w.open() {
		s.send(goingAwayFrame((retryAfter0 + rand.N(retrySpread)).Milliseconds()))
	}
	answered := func() bool {
		return !slices.ContainsFunc(w.open(), func(s *session) bool { return s.inFlight.Load() > 0 })
	}
	_ = await(ctx, answered) // and if they are not, the clients have to go all the same
	sessions := w.open()
	spread := min(time.Duration(len(sessions))*drainEach, drainSpread)
	for _, s := range sessions {
		if ctx.Err() == nil && spread > 0 {
			_ = await(ctx, after(rand.N(2*spread/time.Duration(len(sessions)))))
		}
		s.end(websocket.CloseServiceRestart, "the server is going away")
	}
	return await(ctx, func() bool { return len(w.open()) == 0 })
}

// run keeps the WebSocket half going until ctx is done, and then ends what is left of it.
func (w *sockets) run(ctx context.Context) error {
	w.work.Go(func() { w.clients.run(w.ctx) })
	w.keep(ctx)
	w.mu.Lock()
	w.ended = true
	w.mu.Unlock()
	for _, s := range w.open() {
		s.end(websocket.CloseServiceRestart, "the server is going away")
	}
	goodbye, cancel := context.WithTimeout(context.Background(), lastGoodbyes)
	defer cancel()
	gone := func() bool { return len(w.open()) == 0 }
	if await(goodbye, gone) != nil {
		for _, s := range w.open() {
			s.cut()
		}
	}
	w.stop()
	w.work.Wait()
	return ctx.Err()
}

// await looks every few milliseconds whether a condition has come to be.
func await(ctx context.Context, condition func() bool) error {
	ticker := time.NewTicker(pollEach)
	defer ticker.Stop()
	for !condition() {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func after(wait time.Duration) func() bool {
	end := time.Now().Add(wait)
	return func() bool { return !time.Now().Before(end) }
}
