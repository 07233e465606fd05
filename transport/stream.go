package transport

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"graphy/eventstore"
)

// readAgain is about how long a stream waits after the stores were out of reach.
const readAgain = 500 * time.Millisecond

// stream is an answer to changes by Server-Sent Events: one client's place in a graph's history. It holds nothing for
// the client but that place: what comes next is pulled from the hub, or from the log behind it, once the client has
// taken what came before. It belongs to the goroutine of its request.
type stream struct {
	server *Server
	hub    *hub
	out    *eventWriter
	listed *openStream
	at     eventstore.Position // where the events sent lead to
	lost   bool                // at is not on the log's history: a state comes next
	resets int                 // since the last change
}

// getStream answers with a stream, which ends when the client leaves or takes nothing any more, when what let it in
// ends, and when the server drains. EventSource gives up for good on any status but 200, and after an end it comes back
// by itself; so a server that drains lets it in, to tell it when to come back.
func (s *Server) getStream(c echo.Context, request changesRequest) error {
	ctx, cancel := request.lifetime(c.Request().Context())
	defer cancel()
	defer context.AfterFunc(s.serving, cancel)()
	defer context.AfterFunc(s.sockets.ctx, cancel)()
	out := newEventWriter(c.Response(), s.sockets.limits.write)
	defer out.close()
	defer context.AfterFunc(ctx, out.hurry)()
	switch {
	case c.Request().Method == http.MethodHead:
		out.begin()
		return nil
	case s.serving.Err() != nil:
		out.begin()
		return out.retry()
	}
	st := &stream{server: s, out: out}
	leave, err := st.open(ctx, request)
	if err != nil {
		return err
	}
	defer leave()
	st.listed, leave = s.streams.enter(request.graph, request.who, st.hub, cancel)
	defer leave()
	st.listed.reached(st.at)
	out.begin()
	if err := out.retry(); err != nil {
		return err
	}
	if err := st.run(ctx); err != nil {
		return err
	}
	return out.retry()
}

// lifetime bounds ctx by what let the client in.
func (r *changesRequest) lifetime(ctx context.Context) (context.Context, context.CancelFunc) {
	if r.expires.IsZero() {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, r.expires)
}

// open counts the client in, holds the graph's hub and finds out where the client stands.
func (st *stream) open(ctx context.Context, request changesRequest) (leave func(), err error) {
	s := st.server
	if err := s.connections.enter(request.graph, request.user); err != nil {
		return nil, err
	}
	s.metrics.streams.Inc()
	leave = func() {
		if st.hub != nil {
			s.sockets.release(st.hub)
		}
		s.metrics.streams.Dec()
		s.connections.leave(request.graph, request.user)
	}
	if st.hub, err = s.holdHub(ctx, request.graph); err == nil {
		err = st.locate(ctx, request)
	}
	if err != nil {
		leave()
	}
	return leave, err
}

// locate finds out whether the log has the client's version, and whether it is of the same history.
func (st *stream) locate(ctx context.Context, request changesRequest) error {
	ctx, cancel := context.WithTimeout(ctx, st.server.opts.ReadLimit)
	defer cancel()
	for tries := 0; ; tries++ {
		at, status, err := st.hub.place(ctx, request.since)
		if err == nil {
			st.at, st.lost = at, status != "" || request.hasHash && request.hash != at.Hash
			return nil
		}
		if !errors.Is(err, eventstore.ErrReset) && !errors.Is(err, eventstore.ErrUnavailable) || !pause(ctx, tries) {
			return fmt.Errorf("find version %d of %q: %w: %w", request.since, request.graph, eventstore.ErrUnavailable, err)
		}
	}
}

// run sends what there is as fast as the client takes it, and waits for more, until ctx is done.
func (st *stream) run(ctx context.Context) error {
	beat := time.NewTicker(st.server.opts.Beat)
	defer beat.Stop()
	for ctx.Err() == nil {
		changed := st.hub.changed()
		sent, err := st.step(ctx)
		var again <-chan time.Time
		switch {
		case sent:
			continue
		case errors.Is(err, errGone), errors.Is(err, eventstore.ErrBroken):
			return err
		case err != nil:
			again = time.After(readAgain/2 + rand.N(readAgain))
		}
		select {
		case <-changed:
		case <-again:
		case <-beat.C:
			if err := st.out.comment(); err != nil {
				return err
			}
		case <-ctx.Done():
		}
	}
	return nil
}

// step sends what comes next, if there is something already. An error that is not errGone is the stores'.
func (st *stream) step(ctx context.Context) (sent bool, err error) {
	if err := st.hub.wait(ctx); err != nil { // it has failed since
		return false, err
	}
	frames, to, err := st.next(ctx)
	if errors.Is(err, eventstore.ErrReset) {
		return st.reset(ctx)
	}
	if err != nil || len(frames) == 0 {
		return false, err
	}
	if err := st.out.changes(st.at.Version+1, frames); err != nil {
		return false, err
	}
	st.at, st.resets = to, 0
	st.listed.reached(to)
	return true, nil
}

// next returns what follows, from the hub or from the log before it. It fails with ErrReset if the client's history is
// not the log's.
func (st *stream) next(ctx context.Context) (frames [][]byte, to eventstore.Position, err error) {
	if st.lost {
		return nil, st.at, errDiverged
	}
	next := st.hub.pull(st.at, streamFrames, streamPiece)
	switch next.verdict {
	case diverged:
		return nil, st.at, errDiverged
	case beyond:
		return st.hub.page(ctx, st.at)
	}
	return next.frames, next.to, nil
}

// reset sends a state, from which the client goes on. One that was sent several without a change between them waits: the
// graph is deleted again and again, or its read model is another one than its log.
func (st *stream) reset(ctx context.Context) (sent bool, err error) {
	if st.resets++; st.resets > resetsMost {
		st.resets = 0
		return false, errDiverged
	}
	state, err := st.hub.state(ctx, 0)
	if err != nil {
		return false, err
	}
	if err := st.out.reset(state); err != nil {
		return false, err
	}
	st.at, st.lost = state.Position, false
	st.listed.reached(st.at)
	return true, nil
}
