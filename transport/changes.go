package transport

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"graphy/command"
	"graphy/eventstore"
	"graphy/transport/auth"
)

const (
	defaultChanges = 1000
	maxChanges     = 5000
	maxWait        = 30 * time.Second
)

// changesRequest is what a client that wants to catch up says of itself.
type changesRequest struct {
	graph   string
	since   eventstore.Version
	hash    eventstore.Hash // of since
	hasHash bool
	limit   int
	wait    time.Duration // 0: answer at once
	squash  bool          // one net change of each entity in the place of the events
}

func (s *Server) readChangesRequest(c echo.Context) (changesRequest, error) {
	r := c.Request()
	graph, err := idParam(c, "graphId")
	if err != nil {
		return changesRequest{}, err
	}
	q := parseQuery(r.URL.RawQuery)
	request := changesRequest{graph: graph, since: q.version("since"), limit: q.count("limit", defaultChanges, maxChanges)}
	if hash, ok := q.take("hash"); ok {
		request.hash, request.hasHash = eventstore.Hash(hash), true
	}
	if q.has("wait") {
		request.wait = q.millis("wait", 0, maxWait)
	}
	if request.squash = q.flag("squash"); request.squash && request.wait > 0 {
		q.fail("query parameters \"squash\" and \"wait\" do not go together: poll without squash from the version that it leads to")
	}
	if _, err := s.enter(r, q, graph, auth.Viewer); err != nil {
		return request, err
	}
	if err := q.done(); err != nil {
		return request, err
	}
	if wantsEventStream(r.Header) {
		return request, refuse(invalidQuery, "event streams are not supported here, poll with wait= or open a WebSocket")
	}
	return request, nil
}

// wantsEventStream tells whether the client takes nothing but Server-Sent Events.
func wantsEventStream(header http.Header) (only bool) {
	for _, line := range header["Accept"] {
		if strings.Contains(line, "*/*") || strings.Contains(line, "application/") {
			return false
		}
		only = only || strings.Contains(line, "text/event-stream")
	}
	return only
}

// getChanges answers what happened after a version, straight from the log, at once or, with wait=, when something has.
func (s *Server) getChanges(c echo.Context) error {
	request, err := s.readChangesRequest(c)
	if err != nil {
		return err
	}
	if request.squash {
		return s.getSquashed(c, request)
	}
	ctx := c.Request().Context()
	d, err := s.readDelta(ctx, request)
	if err != nil {
		return err
	}
	if d.status == inSync && request.wait > 0 {
		if d, err = s.awaitDelta(ctx, request, d); err != nil {
			return err
		}
	}
	return s.writeDelta(c, request, d)
}

// writeDelta answers with d.
func (s *Server) writeDelta(c echo.Context, request changesRequest, d delta) (err error) {
	buffer := borrow()
	defer giveBack(buffer)
	if d.status == conflicting || d.status == reset {
		buffer.bytes, err = s.appendFullUpdate(c.Request().Context(), buffer.bytes, request.graph, d)
		if err != nil {
			return err
		}
	} else {
		buffer.bytes = d.append(buffer.bytes)
	}
	return writeCompressible(c, buffer.bytes)
}

// readDelta is delta within the time that a query has.
func (s *Server) readDelta(ctx context.Context, request changesRequest) (delta, error) {
	ctx, cancel := context.WithTimeout(ctx, s.opts.ReadLimit)
	defer cancel()
	return readDelta(ctx, s.tails, request)
}

// awaitDelta waits for something to happen after what idle found, and returns idle if nothing does in time, or the
// server drains. The log's Tail is asked for what follows the version that was read, so no event can fall in between.
func (s *Server) awaitDelta(ctx context.Context, request changesRequest, idle delta) (delta, error) {
	if s.polls.Add(1) > int64(s.opts.LongPolls) {
		s.polls.Add(-1)
		return idle, refuse(command.Unavailable, "too many requests wait for changes already")
	}
	s.metrics.waiting.Inc()
	defer func() {
		s.polls.Add(-1)
		s.metrics.waiting.Dec()
	}()
	waiting, cancel := context.WithTimeout(ctx, request.wait)
	defer cancel()
	defer context.AfterFunc(s.serving, cancel)()
	for range s.services.Log.Tail(waiting, request.graph, request.since) { //nolint:errcheck // reading again tells which
		break // an event, a reset, or an error
	}
	if waiting.Err() != nil && ctx.Err() == nil {
		return idle, nil
	}
	return s.readDelta(ctx, request)
}

// appendFullUpdate appends the answer to a client that cannot be brought up to date by changes: the state in their
// place. The state may be behind the log's head; the client goes on from there.
func (s *Server) appendFullUpdate(ctx context.Context, dst []byte, graph string, d delta) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, s.opts.ReadLimit)
	defer cancel()
	state, _, err := s.states.get(ctx, graph)
	if err != nil {
		return dst, err
	}
	dst = append(append(append(dst, `{"status":"`...), d.status...), `","changes":[{"type":"FULL_UPDATE"`...)
	dst = appendNumber(dst, "version", int64(state.Version))
	dst = appendText(dst, "hash", string(state.Hash))
	dst = append(append(appendName(dst, "data"), state.JSON...), '}', ']')
	d.last = state.Position
	d.current = max(d.current, state.Version)
	return d.appendEnd(dst), nil
}
