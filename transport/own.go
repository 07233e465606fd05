package transport

import (
	"context"
	"time"

	"github.com/labstack/echo/v4"

	"graphy/projection"
	"graphy/transport/auth"
)

// ownPatience bounds how long a query waits for what this process itself has accepted.
const ownPatience = 250 * time.Millisecond

// seeOwn returns once the read models of graph, which stand at checkpoint, hold what this process has accepted, so that
// who writes and then reads here sees the write without asking for a version. It is a courtesy: what keeps the read
// models back shows in the read that follows.
func (s *Server) seeOwn(ctx context.Context, graph string, checkpoint projection.Checkpoint) (waited bool) {
	head := s.services.Commands.Head(graph)
	if head <= checkpoint.Version {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, ownPatience)
	defer cancel()
	return s.services.Await(ctx, graph, head) == nil
}

// openModelQuery is openGraphQuery for a query of the read models, which it lets catch up with this process.
func (s *Server) openModelQuery(c echo.Context, take ...func(*query)) (context.Context, context.CancelFunc, string, error) {
	ctx, cancel, graph, err := s.openGraphQuery(c, auth.Viewer, take...)
	if err != nil || s.services.Commands.Head(graph) == 0 {
		return ctx, cancel, graph, err
	}
	checkpoint, err := s.services.Models.Checkpoint(ctx, graph)
	if err != nil {
		cancel()
		return nil, nil, "", err
	}
	s.seeOwn(ctx, graph, checkpoint)
	return ctx, cancel, graph, nil
}
