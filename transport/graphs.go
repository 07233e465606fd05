package transport

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v4"

	"graphy/projection"
	"graphy/transport/auth"
)

const (
	defaultGraphs = 100
	maxGraphs     = 1000
)

// getGraphs lists the graphs that the caller may read, in the order of their ids, a page at a time; cursor is the last id of the page before.
func (s *Server) getGraphs(c echo.Context) error {
	r := c.Request()
	q := parseQuery(r.URL.RawQuery)
	limit := q.count("limit", defaultGraphs, maxGraphs)
	cursor := q.cursor("cursor")
	who, err := s.enter(r, q, "", auth.None)
	if err != nil {
		return err
	}
	if err := q.done(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.opts.ReadLimit)
	defer cancel()
	names, more, err := s.readable(ctx, &who.principal, cursor, limit)
	if err != nil {
		return err
	}
	cursor = ""
	if more {
		cursor = names[limit-1]
	}
	checkpoints, err := s.services.Models.Checkpoints(ctx, names)
	if err != nil {
		return err
	}
	buffer := borrow()
	defer giveBack(buffer)
	body := append(buffer.bytes, `{"graphs":[`...)
	first := true
	for i, name := range names {
		listed, err := s.isListed(ctx, name, checkpoints[i])
		if err != nil {
			return err
		}
		if listed {
			body = appendGraph(body, name, checkpoints[i], first)
			first = false
		}
	}
	body = append(body, ']')
	if cursor != "" {
		body = appendText(body, "cursor", cursor)
	}
	buffer.bytes = append(body, '}')
	return writeJSON(c, http.StatusOK, buffer.bytes)
}

// isListed tells graphs from names that were listed for a first event that never came. Those whose first event was
// folded need no second look.
func (s *Server) isListed(ctx context.Context, name string, checkpoint projection.Checkpoint) (bool, error) {
	if checkpoint.Version > 0 {
		return true, nil
	}
	head, err := s.services.Log.Head(ctx, name)
	return head.Version > 0, err
}

func appendGraph(dst []byte, name string, checkpoint projection.Checkpoint, first bool) []byte {
	if !first {
		dst = append(dst, ',')
	}
	dst = appendString(append(dst, `{"graphId":`...), name)
	dst = appendNumber(dst, "version", int64(checkpoint.Version))
	dst = appendNumber(dst, "nodes", int64(checkpoint.Nodes))
	dst = appendNumber(dst, "edges", int64(checkpoint.Edges))
	return append(appendNumber(dst, "lastModified", checkpoint.LastModified), '}')
}
