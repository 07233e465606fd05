package transport

import (
	"net/http"

	"graphy/command"
	"graphy/transport/auth"
)

// caller is who sent a request, and what they may do.
type caller struct {
	command.Identity
	principal *auth.Principal
}

// enter lets in who sent r if they may do on graph what needs the role; without a graph, whoever they are. It takes
// what the query says of the sender. It is the one gate that every handler goes through.
func (s *Server) enter(r *http.Request, q *query, graph string, need auth.Role) (caller, error) {
	identity, err := s.identify(r, q)
	if err != nil {
		return caller{}, err
	}
	who := caller{Identity: identity, principal: auth.Everybody(identity.UserID)}
	return who, who.may(graph, need)
}

// may returns nil if the caller has the role on graph. One who may not read it is told the same whether it exists or
// not.
func (c *caller) may(graph string, need auth.Role) error {
	if graph == "" || c.principal.Role(graph) >= need {
		return nil
	}
	return refuse(forbidden, "you may not do this on graph %q", graph)
}
