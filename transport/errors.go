package transport

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"
	"go.uber.org/zap"

	"graphy/command"
	"graphy/eventstore"
	"graphy/projection"
	"graphy/transport/auth"
)

// The codes of API.md's table that only the transport gives.
const (
	invalidQuery         command.Code = "invalid-query"
	unauthenticated      command.Code = "unauthenticated"
	forbidden            command.Code = "forbidden"
	methodNotAllowed     command.Code = "method-not-allowed"
	unsupportedMediaType command.Code = "unsupported-media-type"
	rateLimited          command.Code = "rate-limited"
	projectionBehind     command.Code = "projection-behind"
	conflictLost         command.Code = "conflict-lost" // in a revert alone: the command is accepted
)

// statuses is the one table from a code to its HTTP status and title.
var statuses = map[command.Code]struct {
	status int
	title  string
}{
	command.MalformedJSON:     {http.StatusBadRequest, "The body is not valid JSON"},
	command.InvalidID:         {http.StatusBadRequest, "An id is invalid"},
	invalidQuery:              {http.StatusBadRequest, "The query is invalid"},
	unauthenticated:           {http.StatusUnauthorized, "Who is calling is not known"},
	forbidden:                 {http.StatusForbidden, "This is not allowed"},
	command.NotFound:          {http.StatusNotFound, "There is no such thing"},
	methodNotAllowed:          {http.StatusMethodNotAllowed, "The method is not allowed here"},
	command.HistoryTrimmed:    {http.StatusGone, "The log no longer reaches back that far"},
	command.ClientAhead:       {http.StatusConflict, "The client is ahead of the server"},
	command.HistoryMismatch:   {http.StatusConflict, "The client's history is not the server's"},
	command.AlreadyExists:     {http.StatusConflict, "The id is taken"},
	command.NothingToUndo:     {http.StatusConflict, "There is nothing to undo"},
	command.NothingToRedo:     {http.StatusConflict, "There is nothing to redo"},
	command.AlreadyResolved:   {http.StatusConflict, "The conflict is resolved already"},
	command.EntityGone:        {http.StatusConflict, "What the conflict is about is gone"},
	notPossible:               {http.StatusConflict, "Things are not in the state for this"},
	conflictLost:              {http.StatusConflict, "Others have written there too"},
	command.TooLarge:          {http.StatusRequestEntityTooLarge, "Something is too large"},
	unsupportedMediaType:      {http.StatusUnsupportedMediaType, "The body is not application/json"},
	command.UnknownCommand:    {http.StatusUnprocessableEntity, "There is no such command"},
	command.InvalidPayload:    {http.StatusUnprocessableEntity, "The command is invalid"},
	command.NodeNotFound:      {http.StatusUnprocessableEntity, "There is no such node"},
	command.EdgeNotFound:      {http.StatusUnprocessableEntity, "There is no such edge"},
	command.OperationIDReused: {http.StatusUnprocessableEntity, "The operation id was used for something else"},
	rateLimited:               {http.StatusTooManyRequests, "This comes too fast"},
	command.Unavailable:       {http.StatusServiceUnavailable, "The service cannot answer for now"},
	command.OutcomeUnknown:    {http.StatusGatewayTimeout, "It may or may not have been accepted"},
	projectionBehind:          {http.StatusGatewayTimeout, "The read model has not come that far"},
	command.Internal:          {http.StatusInternalServerError, "The server failed"},
}

// refuse returns a refusal that names what was given.
func refuse(code command.Code, format string, args ...any) error {
	return &command.Error{Code: code, Detail: fmt.Sprintf(format, args...)}
}

// refuseField is refuse for a part of the body.
func refuseField(pointer, format string, args ...any) error {
	detail := fmt.Sprintf(format, args...)
	return &command.Error{Code: command.InvalidPayload, Detail: pointer + ": " + detail,
		Fields: []command.FieldError{{Pointer: pointer, Detail: detail}}}
}

// problem is a problem document (RFC 9457) to be.
type problem struct {
	status      int
	code        command.Code
	title       string
	detail      string
	operationID string
	fields      []command.FieldError
	challenge   []string // of a 401: what would let the caller in
}

// problemOf is the table from error to problem. What it does not know is internal, and says nothing of itself.
func problemOf(err error) problem {
	var refusal *command.Error
	var routing *echo.HTTPError
	switch {
	case errors.As(err, &refusal):
	case errors.As(err, &routing):
		refusal = refusalOfRouter(routing)
	case errors.Is(err, auth.ErrExpired):
		refusal = &command.Error{Code: unauthenticated, Detail: "the token has expired: get a new one"}
	case errors.Is(err, auth.ErrInvalid):
		refusal = &command.Error{Code: unauthenticated, Detail: "the token is not one that is believed here"}
	case errors.Is(err, auth.ErrUnavailable):
		refusal = &command.Error{Code: command.Unavailable, Detail: "tokens cannot be checked for now; try again soon"}
	case errors.Is(err, eventstore.ErrUnknown):
		refusal = &command.Error{Code: command.OutcomeUnknown, Detail: "no answer came from the store in time"}
	case errors.Is(err, projection.ErrStalled):
		refusal = &command.Error{Code: projectionBehind, Detail: "the projection of this graph has stopped and needs an operator"}
	case errors.Is(err, eventstore.ErrTrimmed):
		refusal = refuseTrimmed(err)
	case errors.Is(err, eventstore.ErrBroken):
		refusal = &command.Error{Code: command.Unavailable, Detail: "this graph is stopped: its log is damaged and needs an operator"}
	case errors.Is(err, eventstore.ErrUnavailable), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		refusal = &command.Error{Code: command.Unavailable, Detail: "the store is out of reach; try again soon"}
	default:
		refusal = &command.Error{Code: command.Internal}
	}
	known, ok := statuses[refusal.Code]
	if !ok || refusal.Code == command.Internal {
		known = statuses[command.Internal]
		return problem{status: known.status, code: command.Internal, title: known.title,
			detail: "the cause is in the server's log", operationID: refusal.OperationID}
	}
	return problem{status: known.status, code: refusal.Code, title: known.title, detail: refusal.Detail,
		operationID: refusal.OperationID, fields: refusal.Fields, challenge: challengeOf(err)}
}

func refusalOfRouter(err *echo.HTTPError) *command.Error {
	switch err.Code {
	case http.StatusNotFound:
		return &command.Error{Code: command.NotFound, Detail: "there is no such route"}
	case http.StatusMethodNotAllowed:
		return &command.Error{Code: methodNotAllowed, Detail: "the Allow header lists the methods of this route"}
	}
	return &command.Error{Code: command.Internal}
}

// append appends the problem as a JSON object.
func (p problem) append(dst []byte) []byte {
	return p.appendMembers(append(dst, '{'))
}

// appendMembers is append without the opening brace.
func (p problem) appendMembers(dst []byte) []byte {
	dst = append(append(append(dst, `"type":"/problems/`...), p.code...), '"')
	dst = appendText(dst, "title", p.title)
	dst = appendNumber(dst, "status", int64(p.status))
	dst = appendText(dst, "detail", p.detail)
	dst = appendText(dst, "code", string(p.code))
	if p.operationID != "" {
		dst = appendText(dst, "operationId", p.operationID)
	}
	if len(p.fields) == 0 {
		return append(dst, '}')
	}
	dst = append(appendName(dst, "errors"), '[')
	for i, field := range p.fields {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(append(dst, `{"pointer":`...), field.Pointer)
		dst = append(appendText(dst, "detail", field.Detail), '}')
	}
	return append(dst, ']', '}')
}

// logInternal logs an error that clients are told nothing of; the others are the clients' own affair. Whoever turns
// an error into an answer calls it, once.
func (s *Server) logInternal(err error, what string, fields ...zap.Field) {
	if problemOf(err).code == command.Internal || errors.Is(err, eventstore.ErrBroken) {
		s.logger.Error(what, append(fields, zap.Error(err), zap.NamedError("cause", errors.Unwrap(err)))...)
	}
}

// writeError answers a request whose handler failed.
func (s *Server) writeError(err error, c echo.Context) {
	r := c.Request()
	if c.Response().Committed {
		s.logger.Debug("answer broke off", zap.String("path", r.URL.Path), zap.Error(err))
		return
	}
	s.logInternal(err, "request failed", zap.String("method", r.Method), zap.String("path", r.URL.Path),
		zap.String("graphId", c.Param("graphId")))
	s.writeProblem(c.Response(), r, problemOf(err))
}

// writeProblem answers with a problem.
func (s *Server) writeProblem(w http.ResponseWriter, r *http.Request, p problem) {
	header := w.Header()
	header["Content-Type"] = problemType
	header["Cache-Control"] = noStore
	switch p.status {
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		if header["Retry-After"] == nil { // where nobody knows better
			header["Retry-After"] = retryAfter
		}
	case http.StatusUnauthorized:
		header["Www-Authenticate"] = p.challenge
	}
	buffer := borrow()
	defer giveBack(buffer)
	buffer.bytes = p.append(buffer.bytes)
	_ = sendBody(w, r, p.status, buffer.bytes) // fails if the client is gone, who then needs no answer
}

var retryAfter = []string{"1"} // seconds
