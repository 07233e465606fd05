package transport

import (
	"net/http"
	"net/netip"

	"github.com/labstack/echo/v4"
	"go.uber.org/zap"

	"graphy/command"
	"graphy/transport/limit"
)

// Each request costs its address. Past the check of token and role, a command costs its user, before its body is read: so
// do those that are refused for what they say, are dry runs, or were done before. A batch costs its user and graph as much
// as it has operations, and nothing if that is over the rate. A command that is over a rate was not looked at, and nothing is known of its operation id: it may
// come again under the same. Over HTTP, who may not do something costs the address alone; on a WebSocket, where
// each frame costs its connection, the user too.

// limitAddresses refuses requests of addresses that send too many.
func (s *Server) limitAddresses(next http.Handler) http.Handler {
	address := s.rates.address
	if address == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		client := s.addressOf(r)
		if client.IsLoopback() && !s.rates.loopback {
			next.ServeHTTP(w, r)
			return
		}
		decision := address.decide(r.Context(), keyOf(client), 1)
		if !decision.OK {
			s.writeProblem(w, r, problemOf(s.overRate(w.Header(), address, decision, &caller{address: client}, "")))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// keyOf is the key of an address. Whoever has one of IPv6 has its whole network, so that counts as one.
func keyOf(address netip.Addr) string {
	if address.Is6() {
		if network, err := address.Prefix(64); err == nil {
			return network.String()
		}
	}
	return address.String()
}

// overRate puts down that somebody is over a rate, says in the answer's headers when to try again, and returns the error.
func (s *Server) overRate(header http.Header, over *rate, d limit.Decision, who *caller, graph string) error {
	over.tell(header, d)
	header["Retry-After"] = []string{seconds(d.Wait)}
	s.audit.refused("limited", who, graph, rateLimited, zap.String("limit", over.kind))
	return over.refusal(d.Wait)
}

// chargeRequest takes from the user's rate what any command costs. It comes before the body is read.
func (s *Server) chargeRequest(c echo.Context, who *caller, graph string) error {
	user := s.rates.user
	return s.settleRate(c, user, user.decide(c.Request().Context(), who.UserID, 1), who, graph)
}

// chargeCommand takes what a command costs beyond that, once it is known: of the user for its further operations, and of
// the graph.
func (s *Server) chargeCommand(c echo.Context, request *commandRequest, operations int) error {
	ctx, user, graph := c.Request().Context(), s.rates.user, s.rates.graph
	if operations > 1 {
		decision := user.top(ctx, request.UserID, 1, operations)
		if err := s.settleRate(c, user, decision, &request.caller, request.graph); err != nil {
			return err
		}
	}
	if decision := graph.decide(ctx, request.graph, operations); !decision.OK {
		return s.overRate(c.Response().Header(), graph, decision, &request.caller, request.graph)
	}
	return nil
}

// settleRate tells in the answer how much of the user's rate is left, or returns the error.
func (s *Server) settleRate(c echo.Context, user *rate, d limit.Decision, who *caller, graph string) error {
	if user == nil {
		return nil
	}
	header := c.Response().Header()
	delete(header, "Ratelimit") // said of a lower cost
	delete(header, "Ratelimit-Policy")
	if !d.OK {
		return s.overRate(header, user, d, who, graph)
	}
	user.tell(header, d)
	return nil
}

// costOf is how much a command costs.
func costOf(cmd *command.Command) int { return max(1, len(cmd.Operations)) }
