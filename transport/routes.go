package transport

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"graphy/transport/openapi"
)

const basePath = "/api/v2"

// routes returns the public routes of the roles that are on.
func (s *Server) routes() *echo.Echo {
	e := s.newEcho()
	s.routeHealth(e)
	routeDocs(e, openapi.Public)
	e.GET("/", getWelcome)
	if s.opts.API {
		s.post(e, "/graphs/:graphId/command", s.postCommand)
		s.post(e, "/graphs/:graphId/batch", s.postBatch)
		s.post(e, "/graphs/:graphId/undo", s.postUndo)
		s.post(e, "/graphs/:graphId/redo", s.postRedo)
		s.get(e, "/graphs/:graphId/conflicts", s.getConflicts)
		s.post(e, "/graphs/:graphId/conflicts/:conflictId/resolve", s.postResolve)
		s.get(e, "/graphs/:graphId/policy", s.getPolicy)
		s.handle(e, http.MethodPut, basePath+"/graphs/:graphId/policy", s.putPolicy)
		s.get(e, "/graphs/:graphId/operations/:operationId", s.getOperation)
		s.get(e, "/operations/:operationId", s.getOperation)
		if s.services.Tickets != nil {
			s.post(e, "/tickets", s.postTicket)
		}
		s.get(e, "/graphs", s.getGraphs)
		s.get(e, "/graphs/:graphId/state", s.getState)
		s.get(e, "/graphs/:graphId/changes", s.getChanges)
		s.get(e, "/graphs/:graphId/nodes", s.getNodes)
		s.get(e, "/graphs/:graphId/edges", s.getEdges)
		s.get(e, "/graphs/:graphId/nodes/:nodeId", s.getNode)
		s.get(e, "/graphs/:graphId/nodes/:nodeId/edges", s.getIncident)
		s.get(e, "/graphs/:graphId/edges/:edgeId", s.getEdge)
		s.get(e, "/graphs/:graphId/history", s.getHistory)
		s.get(e, "/graphs/:graphId/diff", s.getDiff)
		s.get(e, "/graphs/:graphId/stats", s.getStats)
		s.handle(e, http.MethodDelete, basePath+"/graphs/:graphId", s.deleteGraph)
	}
	if s.opts.Realtime {
		s.routeWebSocket(e)
	}
	return e
}

// adminRoutes returns the routes of the operators' listener.
func (s *Server) adminRoutes() *echo.Echo {
	e := s.newEcho()
	s.routeHealth(e)
	routeDocs(e, openapi.Operators)
	e.GET("/metrics", echo.WrapHandler(s.metrics.handler(s.opts.Registry)))
	s.routeAdmin(e)
	return e
}

func (s *Server) newEcho() *echo.Echo {
	e := echo.New()
	e.HTTPErrorHandler = s.writeError // of the router itself: no such route, no such method
	return e
}

func (s *Server) post(e *echo.Echo, path string, handler echo.HandlerFunc) {
	s.handle(e, http.MethodPost, basePath+path, handler)
}

func (s *Server) get(e *echo.Echo, path string, handler echo.HandlerFunc) {
	s.handle(e, http.MethodGet, basePath+path, handler)
	s.handle(e, http.MethodHead, basePath+path, handler)
}

// handle routes to handler, counts what it answers, and answers for it where it fails. It stands in the place of
// echo's middleware, which builds its chain anew for each request.
func (s *Server) handle(e *echo.Echo, method, path string, handler echo.HandlerFunc) {
	route := s.metrics.route(method, path)
	e.Add(method, path, func(c echo.Context) error {
		start := time.Now()
		if err := handler(c); err != nil {
			s.writeError(err, c)
		}
		route.observe(c.Response().Status, time.Since(start))
		return nil
	})
}
