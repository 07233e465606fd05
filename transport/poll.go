package transport

import (
	"context"

	"graphy/command"
)

// awaitDelta answers with what happened after the client's version, as soon as there is something; with nothing when its
// time, or that of its token, is over, or the server drains. All who wait for a graph share its hub, so that what happens
// is read once.
func (s *Server) awaitDelta(ctx context.Context, request changesRequest) (delta, error) {
	if !s.sockets.follows(request.graph) { // who is behind is answered without a hub
		if d, err := s.readDelta(ctx, request); err != nil || d.status != inSync {
			return d, err
		}
	}
	h, err := s.holdHub(ctx, request.graph)
	if err != nil {
		return delta{}, err
	}
	defer s.sockets.release(h)
	changed := h.changed()
	d, err := s.recentDelta(ctx, h, request)
	if err != nil || d.status != inSync {
		return d, err
	}
	leave, err := s.enterPoll(request)
	if err != nil {
		return d, err
	}
	defer leave()
	// From now on the client's history is known: if the graph is deleted and begun anew, it is told.
	request.hash, request.hasHash = d.last.Hash, true
	waiting, cancel := context.WithTimeout(ctx, request.wait)
	defer cancel()
	allowed, cancel := request.lifetime(ctx)
	defer cancel()
	for err == nil && d.status == inSync {
		select {
		case <-changed:
			changed = h.changed()
			d, err = s.recentDelta(ctx, h, request)
		case <-s.serving.Done():
			return d, nil
		case <-allowed.Done():
			return d, nil
		case <-waiting.Done():
			return s.readDelta(ctx, request) // the hub may be behind the log
		}
	}
	return d, err
}

// enterPoll counts in a request that waits, until leave is called.
func (s *Server) enterPoll(request changesRequest) (leave func(), err error) {
	if s.polls.Add(1) > int64(s.opts.LongPolls) {
		s.polls.Add(-1)
		return nil, refuse(command.Unavailable, "too many requests wait for changes already")
	}
	if err := s.connections.enter(request.graph, request.user); err != nil {
		s.polls.Add(-1)
		return nil, err
	}
	s.metrics.waiting.Inc()
	return func() {
		s.metrics.waiting.Dec()
		s.connections.leave(request.graph, request.user)
		s.polls.Add(-1)
	}, nil
}

// holdHub returns the hub of a graph once it knows where the log stands. Whoever holds it releases it.
func (s *Server) holdHub(ctx context.Context, graph string) (*hub, error) {
	h, err := s.sockets.hold(graph)
	if err != nil {
		return nil, refuse(command.Unavailable, "the server is going away")
	}
	ctx, cancel := context.WithTimeout(ctx, s.opts.ReadLimit)
	defer cancel()
	if err := h.wait(ctx); err != nil {
		s.sockets.release(h)
		return nil, err
	}
	return h, nil
}

// follows tells whether there is a hub of graph.
func (w *sockets) follows(graph string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.hubs[graph] != nil
}

// recentDelta is readDelta out of what the hub remembers. Where that does not reach, or the client's history is another
// one, the log is asked.
func (s *Server) recentDelta(ctx context.Context, h *hub, request changesRequest) (delta, error) {
	from, known := h.positionOf(request.since)
	if !known || request.hasHash && request.hash != from.Hash {
		return s.readDelta(ctx, request)
	}
	next := h.pull(from, request.limit, ringBytes)
	if next.verdict != more && next.verdict != level {
		return s.readDelta(ctx, request)
	}
	d := delta{status: inSync, from: from, last: from, current: from.Version}
	if len(next.frames) > 0 {
		d.status, d.updates, d.last = behind, next.frames, next.to
		d.current = max(next.to.Version, h.position().Version)
	}
	return d, nil
}

// appendChangeOf appends the change that a state_update frame carries.
func appendChangeOf(dst, frame []byte) []byte {
	return append(append(dst, '{'), frame[len(stateUpdatePrefix):]...)
}
