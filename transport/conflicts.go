package transport

import (
	"slices"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/labstack/echo/v4"

	"graphy/command"
	"graphy/projection"
	"graphy/transport/auth"
)

// getConflicts answers the conflicts that were left to people, in the order in which they arose: all, or those of one
// status.
func (s *Server) getConflicts(c echo.Context) error {
	status := ""
	ctx, cancel, graph, err := s.openModelQuery(c, func(q *query) { status = q.choice("status", "open", "resolved") })
	if err != nil {
		return err
	}
	defer cancel()
	records, err := s.services.Models.Conflicts(ctx, graph)
	if err != nil {
		return err
	}
	if status != "" {
		records = slices.DeleteFunc(records, func(record jsontext.Value) bool {
			return projection.Text(projection.Member(record, "status")) != status
		})
	}
	return writeList(c, "conflicts", records)
}

// postResolve settles an open conflict as a person has chosen.
func (s *Server) postResolve(c echo.Context) error {
	conflict, err := idParam(c, "conflictId")
	if err != nil {
		return err
	}
	request, err := s.readCommand(c, auth.Editor)
	if err != nil {
		return err
	}
	return s.carryOut(c, request, func(body []byte, identity command.Identity) (*command.Command, error) {
		return s.parser.ParseResolve(body, conflict, identity)
	})
}
