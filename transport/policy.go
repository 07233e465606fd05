package transport

import (
	"net/http"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/labstack/echo/v4"
	"go.uber.org/zap"

	"graphy/transport/auth"
)

// getPolicy answers the graph's own conflict policy: what it sets over the deployment's and the defaults.
func (s *Server) getPolicy(c echo.Context) error {
	ctx, cancel, graph, err := s.openModelQuery(c)
	if err != nil {
		return err
	}
	defer cancel()
	checkpoint, err := s.services.Models.Checkpoint(ctx, graph)
	if err != nil {
		return err
	}
	return writePolicy(c, http.StatusOK, checkpoint.Policy)
}

// putPolicy replaces the graph's conflict policy and answers it as it now stands.
func (s *Server) putPolicy(c echo.Context) error {
	request, err := s.readCommand(c, auth.Owner)
	if err != nil {
		return err
	}
	cmd, err := s.parser.ParsePolicy(request.body, request.Identity)
	if err != nil {
		s.services.Commands.Refused(request.graph, request.Identity, err)
		return err
	}
	if err := s.chargeCommand(c, &request, 1); err != nil {
		return err
	}
	outcome, status, err := s.settle(c.Request().Context(), request, cmd)
	if err != nil {
		return err
	}
	if !cmd.DryRun {
		s.audit.act("policy set", &request.caller, request.graph, zap.Uint64("version", uint64(outcome.Version)))
	}
	if !request.wait { // the policy holds for whatever comes behind it in the log: there is nothing to wait for
		status = http.StatusOK
	}
	return writePolicy(c, status, outcome.Result)
}

// writePolicy answers with a policy, nil if there is none.
func writePolicy(c echo.Context, status int, policy jsontext.Value) error {
	if policy == nil {
		policy = jsontext.Value(`{}`)
	}
	return writeJSON(c, status, policy)
}
