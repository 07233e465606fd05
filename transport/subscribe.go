package transport

import (
	"context"
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"
	"github.com/oklog/ulid/v2"

	"graphy/command"
	"graphy/eventstore"
)

// routeWebSocket adds the routes of the WebSocket.
func (s *Server) routeWebSocket(e *echo.Echo) {
	e.GET(basePath+"/graphs/:graphId/subscribe", func(c echo.Context) error {
		graph, err := idParam(c, "graphId")
		if err != nil {
			return err
		}
		return s.sockets.serve(c, graph, parseQuery(c.Request().URL.RawQuery))
	})
	e.GET("/ws", func(c echo.Context) error {
		q := parseQuery(c.Request().URL.RawQuery)
		graph, given := q.take("graphId")
		switch {
		case q.err != nil:
			return q.err
		case !given:
			return refuse(invalidQuery, `query parameter "graphId" is missing`)
		}
		if err := command.CheckID(graph, ""); err != nil {
			return err
		}
		return s.sockets.serve(c, graph, q)
	})
}

// serve answers a request to subscribe: with a problem, or with a session that lasts as long as the connection.
func (w *sockets) serve(c echo.Context, graph string, q *query) error {
	s, err := w.newSession(c.Request(), graph, q)
	if err != nil {
		return err
	}
	w.accept(c.Response(), c.Request(), s)
	return nil
}

// newSession reads who subscribes, and from where. Who may not is let in all the same, to be told by a close code: a
// browser sees nothing else.
func (w *sockets) newSession(r *http.Request, graph string, q *query) (*session, error) {
	s := &session{membership: membership{connection: ulid.Make().String()}, sockets: w, graph: graph,
		line: line{patience: w.limits.write, counts: w.metrics.writes, clock: &w.clock}}
	who, err := w.server.enterStream(r, q, graph)
	if err != nil {
		if s.unwelcome = closeOf(err); s.unwelcome == 0 {
			return nil, err
		}
	}
	s.stand(&who)
	if client, given := q.take("clientId"); given {
		if err := command.CheckID(client, ""); err != nil {
			return nil, err
		}
		s.identity.ClientID, s.named = client, true
	}
	if s.identity.ClientID == "" {
		s.identity.ClientID = ulid.Make().String()
	}
	s.identity.Fixed = true
	q.subscription(s)
	if err := q.done(); err != nil {
		return nil, err
	}
	s.ctx, s.cancel = context.WithCancel(w.ctx)
	s.held = true // until it has its sync
	s.write, s.chase = s.flush, func() { w.spawn(s.catchUp) }
	return s, nil
}

// subscription takes what the client has, and how it wants its frames.
func (q *query) subscription(s *session) {
	s.first.known = slices.Contains(q.names, "clientVersion")
	s.first.claimed = s.first.known
	s.first.version = q.version("clientVersion")
	if hash, given := q.take("hash"); given {
		s.first.hash, s.first.hashed = eventstore.Hash(hash), true
		if !s.first.known && hash != "" {
			q.fail(`query parameter "hash" is the one of "clientVersion", which is missing`)
		}
	}
	switch batch, given := q.take("batch"); {
	case given && batch == "true":
		s.batch = true
	case given && batch != "false":
		q.fail(`query parameter "batch" is %.64q, not true or false`, batch)
	}
}
