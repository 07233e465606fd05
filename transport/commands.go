package transport

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"graphy/command"
	"graphy/eventstore"
	"graphy/transport/auth"
)

// commandRequest is what the routes that take commands have in common.
type commandRequest struct {
	caller
	graph string
	body  []byte
	wait  bool // answer when the read models hold it
}

// readCommand reads a request whose body is a command, from somebody who has the role.
func (s *Server) readCommand(c echo.Context, need auth.Role) (commandRequest, error) {
	request, err := s.openCommand(c, need)
	if err != nil {
		return request, err
	}
	request.body, err = s.readBody(c)
	return request, err
}

// openCommand reads all of a request but its body.
func (s *Server) openCommand(c echo.Context, need auth.Role) (commandRequest, error) {
	r := c.Request()
	graph, err := idParam(c, "graphId")
	if err != nil {
		return commandRequest{}, err
	}
	request := commandRequest{graph: graph, wait: prefersWait(r.Header)}
	q := parseQuery(r.URL.RawQuery)
	if request.caller, err = s.enter(r, q, graph, need); err != nil {
		return request, err
	}
	if err := s.chargeRequest(c, &request.caller, graph); err != nil {
		return request, err
	}
	if wait, ok := q.take("wait"); ok {
		request.wait = true
		if wait != command.StatusCompleted {
			q.fail(`query parameter "wait" is %.64q, not "completed"`, wait)
		}
	}
	return request, q.done()
}

// prefersWait tells whether a Prefer header (RFC 7240) asks for the finished result.
func prefersWait(header http.Header) bool {
	for _, line := range header["Prefer"] {
		for preference := range strings.SplitSeq(line, ",") {
			name, _, _ := strings.Cut(preference, ";")
			name, _, _ = strings.Cut(name, "=")
			if strings.EqualFold(strings.TrimSpace(name), "wait") {
				return true
			}
		}
	}
	return false
}

func (s *Server) postCommand(c echo.Context) error {
	request, err := s.readCommand(c, auth.Editor)
	if err != nil {
		return err
	}
	return s.carryOut(c, request, s.parser.Parse)
}

// carryOut parses the body of a request, does what it says, and answers.
func (s *Server) carryOut(c echo.Context, request commandRequest, parse func([]byte, command.Identity) (*command.Command, error)) error {
	cmd, err := parse(request.body, request.Identity)
	if err != nil {
		s.services.Commands.Refused(request.graph, request.Identity, err)
		return err
	}
	return s.do(c, request, cmd)
}

func (s *Server) postBatch(c echo.Context) error {
	request, err := s.readCommand(c, auth.Editor)
	if err != nil {
		return err
	}
	atomic, commands, refusals, err := s.parser.ParseBatch(request.body, request.Identity)
	switch {
	case err != nil:
		s.services.Commands.Refused(request.graph, request.Identity, err)
		return err
	case atomic != nil:
		return s.do(c, request, atomic)
	}
	return s.doEach(c, request, commands, refusals)
}

func (s *Server) do(c echo.Context, request commandRequest, cmd *command.Command) error {
	if err := s.chargeCommand(c, &request, costOf(cmd)); err != nil {
		return err
	}
	outcome, status, err := s.settle(c.Request().Context(), request, cmd)
	if err != nil {
		return err
	}
	buffer := borrow()
	defer giveBack(buffer)
	buffer.bytes = appendOutcome(buffer.bytes, &outcome, s.lag.estimate())
	return writeJSON(c, status, buffer.bytes)
}

// settle has a command carried out and returns its outcome with the status to answer: 202 as soon as the event is in
// the log, or 200 when it is in the read models too and that was asked for, or when it was a dry run.
func (s *Server) settle(ctx context.Context, request commandRequest, cmd *command.Command) (command.Outcome, int, error) {
	outcome, err := s.services.Commands.Do(ctx, request.graph, cmd)
	switch {
	case err != nil:
		return outcome, 0, err
	case cmd.DryRun:
		return outcome, http.StatusOK, nil
	case request.wait && s.awaitCompleted(ctx, request.graph, outcome.Version):
		complete(&outcome)
		return outcome, http.StatusOK, nil
	}
	return outcome, http.StatusAccepted, nil
}

// awaitCompleted waits for the read models to hold version, and tells whether they do.
func (s *Server) awaitCompleted(ctx context.Context, graph string, version eventstore.Version) bool {
	ctx, cancel := context.WithTimeout(ctx, s.opts.WaitLimit)
	defer cancel()
	start := time.Now()
	if s.services.Await(ctx, graph, version) != nil {
		return false // the command is in the log all the same
	}
	s.lag.observe(time.Since(start))
	return true
}

// complete moves an outcome on, now that the read models hold it. An open conflict stays one.
func complete(outcome *command.Outcome) {
	if outcome.Status == command.StatusProcessing {
		outcome.Status = command.StatusCompleted
	}
}

// doEach carries out a batch that is not atomic and answers for each operation in the order sent. refusals holds those
// that were refused for their form already and are nil in commands.
func (s *Server) doEach(c echo.Context, request commandRequest, commands []*command.Command, refusals []error) error {
	if err := s.chargeCommand(c, &request, len(commands)); err != nil {
		return err
	}
	ctx := c.Request().Context()
	results := s.services.Commands.DoEach(ctx, request.graph, commands)
	newest, dry := eventstore.Version(0), false
	for i := range results {
		if refusals[i] != nil {
			s.services.Commands.Refused(request.graph, request.Identity, refusals[i])
			results[i].Err = refusals[i]
		}
		newest = max(newest, results[i].Outcome.Version)
		dry = dry || commands[i] != nil && commands[i].DryRun // then all are
	}
	status := http.StatusAccepted
	switch {
	case dry:
		status = http.StatusOK
	case request.wait && s.awaitCompleted(ctx, request.graph, newest):
		status = http.StatusOK
		for i := range results {
			complete(&results[i].Outcome)
		}
	}
	buffer := borrow()
	defer giveBack(buffer)
	buffer.bytes = s.appendResults(buffer.bytes, request.graph, results)
	return writeJSON(c, status, buffer.bytes)
}
