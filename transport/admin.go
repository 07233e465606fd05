package transport

import (
	"context"
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"
	"go.uber.org/zap"

	"graphy/command"
	"graphy/transport/auth"
)

const adminPath = basePath + "/admin"

// routeAdmin adds what operators may do. Each route goes through the one gate, with the claim admin, and puts down what
// was done, or refused.
func (s *Server) routeAdmin(e *echo.Echo) {
	r := adminRouter{s, e}
	r.handle(http.MethodGet, "/graphs", "", s.adminGraphs)
	r.handle(http.MethodGet, "/graphs/:graphId", "", s.adminGraph)
	r.handle(http.MethodDelete, "/graphs/:graphId", "graph deleted", s.adminDelete)
	r.handle(http.MethodGet, "/graphs/:graphId/log", "log read", s.adminLog)
	r.handle(http.MethodGet, "/graphs/:graphId/log/diff", "log compared", s.adminDiff)
	r.handle(http.MethodGet, "/deadletters", "", s.adminLetters)
	r.handle(http.MethodGet, "/deadletters/:id", "dead letter read", s.adminLetter)
	r.handle(http.MethodPost, "/deadletters/:id/retry", "dead letter retried", s.adminRetry)
	r.handle(http.MethodPost, "/deadletters/:id/discard", "dead letter discarded", s.adminDiscard)
	r.handle(http.MethodGet, "/conflicts", "conflicts read", s.adminConflicts)
	r.handle(http.MethodGet, "/sessions", "sessions read", s.adminSessions)
	r.handle(http.MethodDelete, "/sessions/:clientId", "client kicked", s.adminKick)
	r.handle(http.MethodGet, "/doctor", "", s.adminDoctor)
	r.handle(http.MethodGet, "/config", "", s.adminConfig)
	r.handle(http.MethodPost, "/tokens", "token made", s.adminToken)
	r.handle(http.MethodPost, "/seed", "graph seeded", s.adminSeed)
	s.routeUpkeep(r)
}

// adminRouter adds routes under adminPath.
type adminRouter struct {
	server *Server
	echo   *echo.Echo
}

// handle routes to handler. With what, each call is put down under that name, with its outcome.
func (r adminRouter) handle(method, path, what string, handler func(*act) error) {
	r.server.handle(r.echo, method, adminPath+path, func(c echo.Context) error {
		return r.server.admitAct(c, what, handler)
	})
}

// act is a request of an operator who was let in.
type act struct {
	caller
	server  *Server
	context echo.Context
	request *http.Request
	q       *query
	graph   string      // that it is on; "" for none, or several
	fields  []zap.Field // for the audit: what else there is to know
	failure error       // that the answer tells of in its last line
}

// admitAct lets an operator in and has their request answered.
func (s *Server) admitAct(c echo.Context, what string, handler func(*act) error) error {
	a := &act{server: s, context: c, request: c.Request(), q: parseQuery(c.Request().URL.RawQuery)}
	who, err := s.enterOperator(a.request, a.q)
	if err != nil {
		return err
	}
	a.caller = who
	if c.Param("graphId") != "" {
		a.graph, err = idParam(c, "graphId")
	}
	if err == nil {
		err = forOperators(handler(a))
	}
	if what != "" {
		a.putDown(what, err)
	}
	if errors.Is(err, errBrokenOff) {
		panic(http.ErrAbortHandler) // so that nobody takes half an answer for a whole one
	}
	return err
}

// errBrokenOff says that an answer was begun that cannot be ended.
var errBrokenOff = errors.New("transport: the answer breaks off")

// putDown writes what was done, or refused, into the audit.
func (a *act) putDown(what string, err error) {
	fields := append(a.fields, zap.String("outcome", "done"))
	if a.failure != nil {
		err = a.failure
	}
	switch code := problemOf(err).code; {
	case err == nil:
	case a.request.Context().Err() != nil || errors.Is(err, context.Canceled) || errors.Is(err, errGone) || errors.Is(err, errLeaving):
		fields = append(a.fields, zap.String("outcome", "cancelled"))
	case code == command.Internal || code == command.Unavailable || code == command.OutcomeUnknown:
		fields = append(a.fields, zap.String("outcome", "failed"), zap.String("code", string(code)))
	default:
		fields = append(a.fields, zap.String("outcome", "refused"), zap.String("code", string(code)))
	}
	a.server.audit.act(what, &a.caller, a.graph, fields...)
}

// note has the audit say more.
func (a *act) note(fields ...zap.Field) { a.fields = append(a.fields, fields...) }

// brief returns the context of an act that is answered at once, if its parameters were all taken.
func (a *act) brief() (context.Context, context.CancelFunc, error) {
	if err := a.q.done(); err != nil {
		return nil, func() {}, err
	}
	ctx, cancel := context.WithTimeout(a.request.Context(), a.server.opts.PastLimit)
	return ctx, cancel, nil
}

// operatorKey is where a request of a caller inside the process says who that is. Nothing that comes over a network can
// set it.
type operatorKey struct{}

// Operator returns the operators' endpoints for a caller inside the process, who is user and needs no token. A request
// goes on for as long as its context does; a handler that has to break off an answer panics with http.ErrAbortHandler.
func (s *Server) Operator(user string) http.Handler {
	principal := auth.Everybody(user)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.admin.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), operatorKey{}, principal)))
	})
}

// enterOperator lets in who may use the operators' endpoints.
func (s *Server) enterOperator(r *http.Request, q *query) (caller, error) {
	if principal, inside := r.Context().Value(operatorKey{}).(*auth.Principal); inside {
		who := caller{principal: *principal}
		who.UserID = principal.User
		return who, q.refuseTokens()
	}
	who, err := s.enter(r, q, "", auth.None)
	if err == nil && !who.principal.Admin {
		err = refuse(forbidden, "this needs a token with the claim admin")
		s.audit.denied(&who, "", err)
	}
	return who, err
}
