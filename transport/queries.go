package transport

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/labstack/echo/v4"

	"graphy/command"
	"graphy/projection"
	"graphy/transport/auth"
)

// openGraphQuery is openQuery for a query about the graph in the path.
func (s *Server) openGraphQuery(c echo.Context, need auth.Role, take ...func(*query)) (context.Context, context.CancelFunc, string, error) {
	graph, err := idParam(c, "graphId")
	if err != nil {
		return nil, nil, "", err
	}
	ctx, cancel, err := s.openQuery(c, graph, need, take...)
	return ctx, cancel, graph, err
}

func (s *Server) getNodes(c echo.Context) error { return s.getEntities(c, projection.Node, "nodes") }
func (s *Server) getEdges(c echo.Context) error { return s.getEntities(c, projection.Edge, "edges") }

func (s *Server) getEntities(c echo.Context, kind projection.Kind, name string) error {
	ctx, cancel, graph, err := s.openModelQuery(c)
	if err != nil {
		return err
	}
	defer cancel()
	values, err := s.services.Models.Entities(ctx, graph, kind)
	if err != nil {
		return err
	}
	return writeList(c, name, values)
}

func writeList(c echo.Context, name string, values []jsontext.Value) error {
	buffer := borrow()
	defer giveBack(buffer)
	buffer.bytes = append(append(append(buffer.bytes, `{"`...), name...), `":`...)
	buffer.bytes = append(appendArray(buffer.bytes, values), '}')
	return writeCompressible(c, buffer.bytes)
}

func (s *Server) getNode(c echo.Context) error { return s.getEntity(c, projection.Node, "nodeId") }
func (s *Server) getEdge(c echo.Context) error { return s.getEntity(c, projection.Edge, "edgeId") }

func (s *Server) getEntity(c echo.Context, kind projection.Kind, param string) error {
	id, err := idParam(c, param)
	if err != nil {
		return err
	}
	ctx, cancel, graph, err := s.openModelQuery(c)
	if err != nil {
		return err
	}
	defer cancel()
	value, err := s.services.Models.Entity(ctx, graph, kind, id)
	if err != nil {
		return err
	}
	if value == nil {
		return refuse(command.NotFound, "graph %q has no %s %q", graph, kind, id)
	}
	return writeCompressible(c, value)
}

// getIncident answers the edges at a node.
func (s *Server) getIncident(c echo.Context) error {
	node, err := idParam(c, "nodeId")
	if err != nil {
		return err
	}
	ctx, cancel, graph, err := s.openModelQuery(c)
	if err != nil {
		return err
	}
	defer cancel()
	edges, found, err := s.services.Models.Incident(ctx, graph, node)
	if err != nil {
		return err
	}
	if !found {
		return refuse(command.NotFound, "graph %q has no node %q", graph, node)
	}
	return writeList(c, "edges", edges)
}

func (s *Server) getStats(c echo.Context) error {
	ctx, cancel, graph, err := s.openModelQuery(c)
	if err != nil {
		return err
	}
	defer cancel()
	stats, err := s.services.Models.Stats(ctx, graph)
	if err != nil {
		return err
	}
	buffer := borrow()
	defer giveBack(buffer)
	buffer.bytes = appendStats(buffer.bytes, &stats)
	return writeJSON(c, http.StatusOK, buffer.bytes)
}

func appendStats(dst []byte, stats *projection.Stats) []byte {
	dst = strconv.AppendUint(append(dst, `{"version":`...), uint64(stats.Version), 10)
	dst = appendNumber(dst, "nodes", int64(stats.Nodes))
	dst = appendNumber(dst, "edges", int64(stats.Edges))
	dst = appendNumber(dst, "events", stats.Events)
	dst = append(appendName(dst, "byType"), '{')
	for i, name := range slices.Sorted(maps.Keys(stats.ByType)) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendString(dst, name), ':')
		dst = strconv.AppendInt(dst, stats.ByType[name], 10)
	}
	progress := float64(stats.Completed) / float64(max(stats.Nodes, 1))
	dst = strconv.AppendFloat(appendName(append(dst, '}'), "progress"), progress, 'g', -1, 64)
	return append(dst, '}')
}

// deleteGraph removes a graph with all that is kept of it.
func (s *Server) deleteGraph(c echo.Context) error {
	graph, err := idParam(c, "graphId")
	if err != nil {
		return err
	}
	who, ctx, cancel, err := s.openQueryAs(c, graph, auth.Owner)
	if err != nil {
		return err
	}
	defer cancel()
	if err := s.chargeRequest(c, &who, graph); err != nil {
		return err
	}
	if err := s.services.Commands.Delete(ctx, graph); err != nil {
		return err
	}
	s.audit.act("graph deleted", &who, graph)
	s.states.forget(graph)
	s.tails.kept.Invalidate(graph)
	return c.NoContent(http.StatusNoContent)
}
