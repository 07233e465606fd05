package transport

import (
	"context"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

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
	stream  bool          // Server-Sent Events
	who     caller
	user    string
	expires time.Time // of what let the user in; zero: never
}

func (s *Server) readChangesRequest(c echo.Context) (changesRequest, error) {
	r := c.Request()
	graph, err := idParam(c, "graphId")
	if err != nil {
		return changesRequest{}, err
	}
	q := parseQuery(r.URL.RawQuery)
	request := changesRequest{graph: graph, since: q.version("since")}
	if hash, ok := q.take("hash"); ok {
		request.hash, request.hasHash = eventstore.Hash(hash), true
	}
	if wantsEventStream(r.Header) {
		request.forStream(q, r.Header)
	}
	request.limit = q.count("limit", defaultChanges, maxChanges)
	if q.has("wait") {
		request.wait = q.millis("wait", 0, maxWait)
	}
	if request.squash = q.flag("squash"); request.squash && request.wait > 0 {
		q.fail("query parameters \"squash\" and \"wait\" do not go together: poll without squash from the version that it leads to")
	}
	who, err := s.enterChanges(r, q, request)
	if err != nil {
		return request, err
	}
	request.who, request.user, request.expires = who, who.UserID, who.principal.Expires
	return request, q.done()
}

// enterChanges lets in who may read the graph. A ticket is for what a browser can set no header for.
func (s *Server) enterChanges(r *http.Request, q *query, request changesRequest) (caller, error) {
	if request.stream {
		return s.enterStream(r, q, request.graph)
	}
	return s.enter(r, q, request.graph, auth.Viewer)
}

// getChanges answers what happened after a version, straight from the log, at once or, with wait=, when something has;
// or, in a stream, all that happens from then on.
func (s *Server) getChanges(c echo.Context) error {
	request, err := s.readChangesRequest(c)
	switch {
	case err != nil:
		return err
	case request.squash:
		return s.getSquashed(c, request)
	case request.stream:
		return s.getStream(c, request)
	}
	read := s.readDelta
	if request.wait > 0 {
		read = s.awaitDelta
	}
	d, err := read(c.Request().Context(), request)
	if err != nil {
		return err
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

// appendFullUpdate appends the answer to a client that cannot be brought up to date by changes: the state in their
// place. The state may be behind the log's head; the client goes on from there.
func (s *Server) appendFullUpdate(ctx context.Context, dst []byte, graph string, d delta) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, s.opts.ReadLimit)
	defer cancel()
	state, _, err := s.states.get(ctx, graph)
	if err != nil {
		return dst, err
	}
	dst = append(append(append(dst, `{"status":"`...), d.status...), `","changes":[`...)
	dst = append(append(appendFullUpdateHead(dst, state.Position), state.JSON...), '}', ']')
	d.last = state.Position
	d.current = max(d.current, state.Version)
	return d.appendEnd(dst), nil
}

// appendFullUpdateHead appends the entry of a state at a position, up to the state.
func appendFullUpdateHead(dst []byte, at eventstore.Position) []byte {
	dst = appendNumber(append(dst, `{"type":"FULL_UPDATE"`...), "version", int64(at.Version))
	return appendName(appendText(dst, "hash", string(at.Hash)), "data")
}
