package transport

import (
	"context"
	"errors"

	"github.com/labstack/echo/v4"

	"graphy/eventstore"
	"graphy/projection"
	"graphy/transport/auth"
)

// getStateAt answers the state of a graph at a version of its past, at=, with the headers that the current one has.
func (s *Server) getStateAt(c echo.Context, graph string, q *query) error {
	r := c.Request()
	version := q.version("at")
	for _, name := range []string{"minVersion", "timeout"} {
		if q.has(name) {
			q.fail("query parameter %q does not go with \"at\"", name)
		}
	}
	if _, err := s.enter(r, q, graph, auth.Viewer); err != nil {
		return err
	}
	if err := q.done(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.opts.PastLimit)
	defer cancel()
	var position eventstore.Position
	known := version == 0
	if !known {
		var err error
		if position, known, err = s.positionAt(ctx, graph, version); err != nil {
			return err
		}
	}
	if known && answerUnchanged(c, position) {
		return nil
	}
	state, hit, err := s.stateAt(ctx, graph, version, position)
	if err != nil || answerUnchanged(c, state.Position) {
		return err
	}
	return writeState(c, state, hit)
}

// stateAt returns the state of graph at a version, and whether it was kept ready. It is kept by its position, so that
// what is kept of a graph that was deleted is never taken for one of its next life; a position that is not known is zero.
func (s *Server) stateAt(ctx context.Context, graph string, version eventstore.Version, position eventstore.Position) (*encodedState, bool, error) {
	if state, ok := s.states.past(graph, position); ok {
		return state, true, nil
	}
	leave, err := s.enterPast(ctx)
	if err != nil {
		return nil, false, err
	}
	defer leave()
	if state, ok := s.states.past(graph, position); ok { // somebody has made it while this one waited
		return state, true, nil
	}
	loaded, err := s.graphAt(ctx, graph, version)
	if err != nil {
		return nil, false, err
	}
	return s.states.keepPast(loaded), false, nil
}

// positionAt returns the position of a version in the log; not known if the log no longer reaches back to it. A version
// that it has not come to is refused.
func (s *Server) positionAt(ctx context.Context, graph string, version eventstore.Version) (at eventstore.Position, known bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.opts.ReadLimit)
	defer cancel()
	oldest := max(version, 1) // the event that has to be there
	page, err := s.services.Log.Read(ctx, graph, oldest-1, 1)
	switch {
	case errors.Is(err, eventstore.ErrTrimmed):
		return at, false, nil
	case err != nil:
		return at, false, err
	case version == 0:
		return at, true, nil
	case len(page) > 0:
		return page[0].Position(), true, nil
	}
	head, err := s.services.Log.Head(ctx, graph)
	if err != nil {
		return at, false, err
	}
	return at, false, refuseAhead(graph, version, head.Version)
}

func refuseAhead(graph string, version, head eventstore.Version) error {
	return refuse(invalidQuery, "graph %q has no version %d yet, its current one is %d", graph, version, head)
}

// graphAt returns a graph as it was at a version, from the nearest snapshot and the log.
func (s *Server) graphAt(ctx context.Context, graph string, version eventstore.Version) (loaded *projection.Graph, err error) {
	err = steadily(func() (err error) {
		loaded, err = projection.At(ctx, s.services.Log, s.services.Snapshots, graph, version)
		return err
	})
	switch {
	case errors.Is(err, projection.ErrTrimmed):
		return nil, refuseTrimmed(err)
	case errors.Is(err, projection.ErrAhead): // deleted since the version was seen
		return nil, refuse(invalidQuery, "graph %q has no version %d any more", graph, version)
	}
	return loaded, err
}
