package transport

import (
	"context"
	"strconv"

	"github.com/labstack/echo/v4"

	"graphy/eventstore"
	"graphy/projection"
	"graphy/transport/auth"
)

// versions are two versions of a graph.
type versions struct{ from, to eventstore.Version }

// getDiff answers the net change from one version of a graph to a later one.
func (s *Server) getDiff(c echo.Context) error {
	r := c.Request()
	graph, err := idParam(c, "graphId")
	if err != nil {
		return err
	}
	q := parseQuery(r.URL.RawQuery)
	between, toHead := q.between()
	if _, err := s.enter(r, q, graph, auth.Viewer); err != nil {
		return err
	}
	if err := q.done(); err != nil {
		return err
	}
	return s.answerDiff(c, graph, between, toHead)
}

// between takes two versions, and whether the later one is the head, since it is not given.
func (q *query) between() (between versions, toHead bool) {
	toHead = !q.has("to")
	between = versions{from: q.version("from"), to: q.version("to")}
	if !toHead && between.from > between.to {
		q.fail("query parameter \"from\" is %d, above \"to\", which is %d", between.from, between.to)
	}
	return between, toHead
}

func (s *Server) answerDiff(c echo.Context, graph string, between versions, toHead bool) error {
	ctx, cancel := context.WithTimeout(c.Request().Context(), s.opts.PastLimit)
	defer cancel()
	leave, err := s.enterPast(ctx)
	if err != nil {
		return err
	}
	defer leave()
	var changes []projection.Change
	err = steadily(func() (err error) {
		if between, err = s.within(ctx, graph, between, toHead); err == nil {
			changes, err = s.diff(ctx, graph, between)
		}
		return err
	})
	if err != nil {
		return err
	}
	buffer := borrow()
	defer giveBack(buffer)
	body := strconv.AppendUint(append(buffer.bytes, `{"from":`...), uint64(between.from), 10)
	body = appendNumber(body, "to", int64(between.to))
	body = projection.AppendChanges(appendName(body, "changes"), changes)
	buffer.bytes = append(body, '}')
	return writeCompressible(c, buffer.bytes)
}

// within returns between, to the head where that is asked for, or a refusal if the log has not come that far.
func (s *Server) within(ctx context.Context, graph string, between versions, toHead bool) (versions, error) {
	head, err := s.services.Log.Head(ctx, graph)
	if err != nil {
		return between, err
	}
	if toHead {
		between.to = head.Version
	}
	if highest := max(between.from, between.to); highest > head.Version {
		return between, refuseAhead(graph, highest, head.Version)
	}
	return between, nil
}

// statesCost is about how many events are read and composed in the time that two states take to be read and compared.
const statesCost = 5000

// diff returns the net change between two versions: that of the events between them or, where those are many or the log
// no longer has them, the difference of the two states, as far as snapshots give them.
func (s *Server) diff(ctx context.Context, graph string, between versions) ([]projection.Change, error) {
	start, known, err := s.positionAt(ctx, graph, between.from)
	if err != nil {
		return nil, err
	}
	if known && !s.nearSnapshots(ctx, graph, between) {
		r := run{graph: graph, at: start}
		err := r.readTo(ctx, s.services.Log, between.to)
		return r.net.Changes(), err
	}
	before, err := s.graphAt(ctx, graph, between.from)
	if err != nil {
		return nil, err
	}
	after, err := s.graphAt(ctx, graph, between.to)
	if err != nil {
		return nil, err
	}
	return projection.Diff(before, after), nil
}

// nearSnapshots tells whether it takes less to read both states from their snapshots on than the events between them. What
// it cannot find out it takes for false.
func (s *Server) nearSnapshots(ctx context.Context, graph string, between versions) bool {
	apart := between.to - between.from
	if s.services.Snapshots == nil || apart <= statesCost {
		return false
	}
	events := eventstore.Version(statesCost)
	for _, version := range []eventstore.Version{between.from, between.to} {
		snapshot, err := s.services.Snapshots.NearestPosition(ctx, graph, version)
		if err != nil {
			return false
		}
		events += version - snapshot.Version
	}
	return events < apart
}
