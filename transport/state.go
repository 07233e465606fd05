package transport

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"graphy/eventstore"
	"graphy/projection"
	"graphy/transport/auth"
)

var (
	revalidate = []string{"no-cache"}
	cacheHit   = []string{"HIT"}
	cacheMiss  = []string{"MISS"}
)

// getState answers the state of a graph, once its read model has reached minVersion, or 304 to who has it already.
func (s *Server) getState(c echo.Context) error {
	r := c.Request()
	graph, err := idParam(c, "graphId")
	if err != nil {
		return err
	}
	q := parseQuery(r.URL.RawQuery)
	if q.has("at") {
		return s.getStateAt(c, graph, q)
	}
	atLeast := q.version("minVersion")
	patience := q.millis("timeout", 2*time.Second, 10*time.Second)
	if _, err := s.enter(r, q, graph, auth.Viewer); err != nil {
		return err
	}
	if err := q.done(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.opts.ReadLimit)
	defer cancel()
	checkpoint, err := s.services.Models.Checkpoint(ctx, graph)
	if err != nil {
		return err
	}
	if checkpoint.Version < atLeast {
		if checkpoint, err = s.awaitCheckpoint(r.Context(), graph, atLeast, patience); err != nil {
			return err
		}
		cancel()
		ctx, cancel = context.WithTimeout(r.Context(), s.opts.ReadLimit)
		defer cancel()
	}
	if s.seeOwn(ctx, graph, checkpoint) {
		if checkpoint, err = s.services.Models.Checkpoint(ctx, graph); err != nil {
			return err
		}
	}
	if answerUnchanged(c, checkpoint.Position) {
		return nil
	}
	state, hit, err := s.states.at(ctx, graph, checkpoint.Position)
	if err != nil {
		return err
	}
	return writeState(c, state, hit)
}

// answerUnchanged answers 304 to who has the state at position already. It sets the headers that any answer with the
// state has.
func answerUnchanged(c echo.Context, position eventstore.Position) bool {
	header := c.Response().Header()
	header["Vary"] = varyEncoding
	header["Cache-Control"] = revalidate
	tag := entityTag(position)
	if !matchesTag(c.Request().Header["If-None-Match"], tag) {
		return false
	}
	header["Etag"] = []string{tag}
	header["X-Cache"] = cacheHit
	_ = c.NoContent(http.StatusNotModified) // has no body, so nothing to fail with
	return true
}

func writeState(c echo.Context, state *encodedState, hit bool) error {
	header := c.Response().Header()
	header["X-Cache"] = cacheMiss
	if hit {
		header["X-Cache"] = cacheHit
	}
	if len(state.JSON) < worthCompressing || !acceptsGzip(c.Request().Header) {
		header["Etag"] = []string{state.ETag}
		return writeJSON(c, http.StatusOK, state.JSON)
	}
	header["Etag"] = []string{compressedTag(state.ETag)}
	header["Content-Encoding"] = gzipEncoding
	return writeJSON(c, http.StatusOK, state.Gzip())
}

// awaitCheckpoint waits for the read models of graph to reach version and returns where they stand then.
func (s *Server) awaitCheckpoint(ctx context.Context, graph string, version eventstore.Version, patience time.Duration) (projection.Checkpoint, error) {
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := s.services.Await(waiting, graph, version); err != nil {
		if errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, eventstore.ErrUnavailable) && ctx.Err() == nil {
			return projection.Checkpoint{}, refuse(projectionBehind, "the read model has not reached version %d within %d ms", version, patience.Milliseconds())
		}
		return projection.Checkpoint{}, err
	}
	asking, cancel := context.WithTimeout(ctx, s.opts.ReadLimit)
	defer cancel()
	checkpoint, err := s.services.Models.Checkpoint(asking, graph)
	if err == nil && checkpoint.Version < version { // the graph was deleted meanwhile
		err = refuse(projectionBehind, "the read model is at version %d, not %d", checkpoint.Version, version)
	}
	return checkpoint, err
}

// compressedTag is the tag of the compressed form: strong tags differ where bytes do.
func compressedTag(tag string) string { return strings.TrimSuffix(tag, `"`) + `-gzip"` }

// matchesTag tells whether an If-None-Match header (RFC 9110: a list, "*", tags weak or strong) names tag or its
// compressed form.
func matchesTag(lines []string, tag string) bool {
	for _, line := range lines {
		for candidate := range strings.SplitSeq(line, ",") { // our tags hold no comma
			candidate = strings.TrimSpace(candidate)
			if candidate == "*" {
				return true
			}
			candidate = strings.TrimPrefix(candidate, "W/")
			if candidate == tag || candidate == compressedTag(tag) {
				return true
			}
		}
	}
	return false
}
