package transport

import (
	"cmp"
	"errors"

	"go.uber.org/zap"

	"graphy/command"
)

// submit parses a frame and hands the command on. Its answer comes later, from another goroutine.
func (s *session) submit(frame []byte, parse func([]byte, command.Identity) (*command.Command, error)) {
	services := &s.sockets.server.services
	parsed, err := parse(frame, s.identity)
	switch {
	case s.denies(parsed, err):
	case err == nil && s.isOverRate(parsed):
	case err != nil:
		if services.Commands != nil {
			services.Commands.Refused(s.graph, s.identity, err)
		}
		s.refuseCommand(operationOf(err), err, func() []command.Target { return targetsOf(frame) })
	case services.Commands == nil || s.sockets.isDraining():
		s.refuseCommand(parsed.OperationID, refuse(command.Unavailable, "this server takes no commands now"), nil)
	case s.inFlight.Add(1) > int64(s.sockets.limits.inFlight):
		s.inFlight.Add(-1)
		s.refuseCommand(parsed.OperationID, refuse(command.Unavailable,
			"%d commands of this connection wait for their answer", s.sockets.limits.inFlight), nil)
	default:
		// A command that was sent is carried out even if its sender leaves at once.
		services.Commands.Submit(s.sockets.ctx, s.graph, parsed, func(outcome command.Outcome, err error) {
			defer s.inFlight.Add(-1)
			if err != nil {
				s.refuseCommand(cmp.Or(operationOf(err), parsed.OperationID), err, parsed.Targets)
				return
			}
			s.answerCommand(&outcome)
		})
	}
}

// answerCommand tells the sender, and nobody else, what became of an accepted command: the result and, the first time,
// what it conflicted with and the values to fall back to, in this order.
func (s *session) answerCommand(outcome *command.Outcome) {
	s.send(resultFrame(outcome, s.sockets.server.lag.estimate()))
	if outcome.Duplicate || outcome.DryRun {
		return
	}
	if outcome.Conflict != nil {
		s.send(conflictFrame(outcome))
	}
	if len(outcome.Reverted) > 0 {
		s.send(lostFrame(outcome))
	}
}

// resultFrame returns the answer to an accepted command.
func resultFrame(outcome *command.Outcome, estimate int64) []byte {
	frame := append(make([]byte, 0, 256+len(outcome.Result)+len(outcome.Conflict)), `{"type":"command_result",`...)
	return appendOutcomeMembers(frame, outcome, estimate)
}

// operationOf returns the operation that a refusal names.
func operationOf(err error) string {
	var refusal *command.Error
	if errors.As(err, &refusal) {
		return refusal.OperationID
	}
	return ""
}

// refuseCommand tells the sender, and nobody else, that a command was refused, with what the server has of the
// entities that it is about. It does not block: what has to be read is read by a goroutine. A command without an
// operation, which none of its sender's could be told from, is answered by an error.
func (s *session) refuseCommand(operation string, err error, targets func() []command.Target) {
	s.sockets.server.logInternal(err, "command failed", zap.String("graphId", s.graph), zap.String("operationId", operation))
	p := problemOf(err)
	if operation == "" {
		s.send(errorFrame(p))
		return
	}
	if !tellsState(p.code) || !s.lookUp(targets(), func(found []entity) { s.send(revertFrame(operation, p, found)) }) {
		s.send(revertFrame(operation, p, nil))
	}
}

// tellsState tells whether a refusal comes with values to fall back to: not if the stores are out of reach.
func tellsState(code command.Code) bool {
	return code != rateLimited && code != command.Unavailable && code != command.OutcomeUnknown && code != command.Internal
}

// lookUp reads entities on a goroutine, which counts as a command under way, and hands them to then. It reports false
// if there is nothing to read, or too much is read for this connection already.
func (s *session) lookUp(targets []command.Target, then func([]entity)) bool {
	if len(targets) == 0 {
		return false
	}
	started := s.inFlight.Add(1) <= int64(2*s.sockets.limits.inFlight) && s.sockets.spawn(func() {
		defer s.inFlight.Add(-1)
		then(s.entities(targets))
	})
	if !started {
		s.inFlight.Add(-1)
	}
	return started
}
