package transport

import (
	"context"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
)

// readyLimit bounds the look at what the process depends on.
const readyLimit = 2 * time.Second

func (s *Server) routeHealth(e *echo.Echo) {
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		e.Add(method, "/healthz", getHealth)
		e.Add(method, "/readyz", s.getReadiness)
	}
}

const welcome = `Graphy, the backend of collaborative graph editors.

  GET  /api/v2/graphs                      the graphs
  GET  /api/v2/graphs/{graphId}/state      one graph
  GET  /api/v2/graphs/{graphId}/changes    what happened to it
  POST /api/v2/graphs/{graphId}/command    change it
  POST /api/v2/graphs/{graphId}/undo       take your last step back
  WS   /api/v2/graphs/{graphId}/subscribe  see it change
  GET  /readyz                             how the server is
  GET  /docs                               all of it (for programs: /openapi.json)
`

// getWelcome is for who opens the server's address in a browser.
func getWelcome(c echo.Context) error { return c.String(http.StatusOK, welcome) }

// getHealth says that the process lives, whatever it depends on.
func getHealth(c echo.Context) error {
	return writeJSON(c, http.StatusOK, []byte(`{"status":"ok"}`))
}

// getReadiness says whether to send requests here: 200, or 503 with the reasons in words.
func (s *Server) getReadiness(c echo.Context) error {
	ctx, cancel := context.WithTimeout(c.Request().Context(), readyLimit)
	defer cancel()
	readiness := s.services.Ready(ctx)
	if s.serving.Err() != nil {
		readiness.OK = false
		readiness.Reasons = append([]string{"the server is shutting down"}, readiness.Reasons...)
	}
	status, body := http.StatusOK, []byte(`{"status":"ready"`)
	if !readiness.OK {
		status, body = http.StatusServiceUnavailable, []byte(`{"status":"not ready"`)
		c.Response().Header()["Retry-After"] = retryAfter
	}
	body = appendStrings(appendName(body, "reasons"), readiness.Reasons)
	body = appendStrings(appendName(body, "warnings"), readiness.Warnings)
	return writeJSON(c, status, append(body, '}'))
}

func appendStrings(dst []byte, texts []string) []byte {
	dst = append(dst, '[')
	for i, text := range texts {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, text)
	}
	return append(dst, ']')
}
