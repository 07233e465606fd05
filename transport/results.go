package transport

import (
	"net/http"

	"github.com/labstack/echo/v4"
	"go.uber.org/zap"

	"graphy/command"
	"graphy/transport/auth"
)

// appendResults appends the answer to a batch that is not atomic.
func (s *Server) appendResults(dst []byte, graph string, results []command.Result) []byte {
	dst = append(dst, `{"results":[`...)
	estimate := s.lag.estimate()
	for i := range results {
		if i > 0 {
			dst = append(dst, ',')
		}
		if err := results[i].Err; err != nil {
			s.logInternal(err, "operation of a batch failed", zap.String("graphId", graph))
			dst = appendRefused(dst, err)
		} else {
			dst = appendOutcome(dst, &results[i].Outcome, estimate)
		}
	}
	return append(dst, ']', '}')
}

func appendRefused(dst []byte, err error) []byte {
	problem := problemOf(err)
	dst = append(dst, '{')
	if problem.operationID != "" {
		dst = append(appendString(append(dst, `"operationId":`...), problem.operationID), ',')
	}
	return append(problem.append(append(dst, `"accepted":false,"error":`...)), '}')
}

// getOperation answers what became of an operation, of one graph or, without one in the path, the newest of its id.
func (s *Server) getOperation(c echo.Context) error {
	graph := ""
	if c.Param("graphId") != "" {
		id, err := idParam(c, "graphId")
		if err != nil {
			return err
		}
		graph = id
	}
	id, err := idParam(c, "operationId")
	if err != nil {
		return err
	}
	who, ctx, cancel, err := s.openQueryAs(c, graph, auth.Viewer)
	if err != nil {
		return err
	}
	defer cancel()
	operation, err := s.services.Commands.Operation(ctx, graph, id)
	if err != nil {
		return err
	}
	if mayDo(&who.principal, operation.GraphID, auth.Viewer) != nil { // as if there were none
		return &command.Error{Code: command.NotFound, Detail: "there is no such operation", OperationID: id}
	}
	buffer := borrow()
	defer giveBack(buffer)
	buffer.bytes = appendOperation(buffer.bytes, &operation)
	return writeJSON(c, http.StatusOK, buffer.bytes)
}

func appendOperation(dst []byte, operation *command.Operation) []byte {
	dst = append(dst, `{"operationId":`...)
	dst = appendString(dst, operation.OperationID)
	dst = appendText(dst, "graphId", operation.GraphID)
	dst = appendText(dst, "type", operation.Type)
	dst = appendText(dst, "status", operation.Status)
	if operation.Version > 0 {
		dst = appendNumber(dst, "version", int64(operation.Version))
	}
	if operation.Result != nil {
		dst = append(appendName(dst, "result"), operation.Result...)
	}
	if operation.Err != nil {
		refusal := *operation.Err
		refusal.OperationID = operation.OperationID
		dst = problemOf(&refusal).append(appendName(dst, "error"))
	}
	dst = appendNumber(dst, "retries", 0) // a decision is made once; what is retried underneath is not the operation
	dst = appendNumber(dst, "createdAt", operation.CreatedAt)
	if operation.CompletedAt > 0 {
		dst = appendNumber(dst, "completedAt", operation.CompletedAt)
	}
	return append(dst, '}')
}
