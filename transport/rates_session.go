package transport

import (
	"context"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"go.uber.org/zap"

	"graphy/command"
	"graphy/transport/limit"
)

const (
	closeRate   = 4006            // ends a connection that goes on over its rate
	lastAnswers = 2 * time.Second // for commands under way before that
)

// What a connection may do beside its commands. Who is refused more often than that does not heed refusals.
var (
	presenceRate = limit.Policy{Rate: 50, Burst: 100}
	refusalRate  = limit.Policy{Rate: 10, Burst: 100}
)

// pace is how fast frames of a connection come. It belongs to the connection's read loop.
type pace struct{ frames, presence, refusals limit.Bucket }

// isInRate counts a frame and, if it is a command, a command of its user. It answers what is over a rate, but for presence,
// which is dropped without a word, and reports false: nothing else is done with such a frame.
func (s *session) isInRate(kind string, frame []byte) bool {
	r := s.sockets.server.rates
	now := r.now()
	if r.frames.IsOff() {
		return !isCommandFrame(kind) || s.mayCommand(frame, now)
	}
	wait := s.pace.frames.Take(r.frames, now, 1)
	switch {
	case wait > 0 && kind == "presence":
		r.limited.WithLabelValues("presence").Inc()
		s.strike(now)
		return false
	case wait > 0:
		r.limited.WithLabelValues("connection").Inc()
		s.refuseRate(operationOfFrame(kind, frame), "connection", refuse(rateLimited,
			"a connection sends at most %g frames a second: try again in %v", r.frames.Rate, wait.Round(time.Millisecond)), now)
		return false
	case kind == "presence":
		if s.pace.presence.Take(presenceRate, now, 1) > 0 {
			r.limited.WithLabelValues("presence").Inc()
			return false
		}
		return true
	}
	return !isCommandFrame(kind) || s.mayCommand(frame, now)
}

// mayCommand takes from the user's rate what any command costs, before it is parsed.
func (s *session) mayCommand(frame []byte, now time.Duration) bool {
	user := s.sockets.server.rates.user
	decision := user.decide(s.ctx, s.identity.UserID, 1)
	if !decision.OK {
		s.refuseRate(operationOfFrame("command", frame), user.kind, user.refusal(decision.Wait), now)
	}
	return decision.OK
}

// isOverRate takes what a command costs beyond that: of the user for each further operation, and of the graph. It
// answers one that is over a rate, and reports it.
func (s *session) isOverRate(cmd *command.Command) bool {
	r := s.sockets.server.rates
	cost := costOf(cmd)
	over, decision := r.user, r.user.top(s.ctx, s.identity.UserID, 1, cost)
	if decision.OK {
		over, decision = r.graph, r.graph.decide(s.ctx, s.graph, cost)
	}
	if !decision.OK {
		s.refuseRate(cmd.OperationID, over.kind, over.refusal(decision.Wait), r.now())
	}
	return !decision.OK
}

// refuseRate answers a frame that is over a rate, and ends a connection that goes on.
func (s *session) refuseRate(operation, limit string, err error, now time.Duration) {
	s.sockets.server.audit.refused("limited", s.caller(), s.graph, rateLimited, zap.String("limit", limit))
	s.refuseCommand(operation, err, nil)
	s.strike(now)
}

// strike counts a frame over the rate, and ends a connection with too many of them once its commands under way are
// answered. It waits on the read loop, so nothing more is listened to meanwhile.
func (s *session) strike(now time.Duration) {
	if s.pace.refusals.Take(refusalRate, now, 1) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(s.ctx, lastAnswers)
	defer cancel()
	_ = await(ctx, func() bool { return s.inFlight.Load() == 0 })
	s.end(closeRate, "over the rate")
}

// isCommandFrame tells whether frames of a kind change the graph.
func isCommandFrame(kind string) bool { return kind == "command" || kind == "undo" || kind == "redo" }

// operationOfFrame returns the operation that a frame names, where frames of its kind do, without a look at the rest.
func operationOfFrame(kind string, frame []byte) string {
	if !isCommandFrame(kind) {
		return ""
	}
	var named struct {
		OperationID string         `json:"operationId"`
		Data        jsontext.Value `json:"data"`
	}
	if decodeFrame(frame, &named) != nil {
		return ""
	}
	if named.OperationID == "" && len(named.Data) > 0 && named.Data.Kind() == '{' && decodeFrame(named.Data, &named) != nil {
		return ""
	}
	if command.CheckID(named.OperationID, "") != nil {
		return ""
	}
	return named.OperationID
}
