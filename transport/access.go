package transport

import (
	"net/http"
	"net/netip"

	"graphy/command"
	"graphy/transport/auth"
)

// caller is who sent a request, and what they may do.
type caller struct {
	command.Identity
	principal auth.Principal
	address   netip.Addr // of the client; the zero one if it is not known
}

// enter lets in who sent r if they may do on graph what needs the role; without a graph, whoever they are. It takes
// what the query says of the sender. It is the one gate that every handler goes through.
func (s *Server) enter(r *http.Request, q *query, graph string, need auth.Role) (caller, error) {
	return s.admit(r, q, graph, need, tokenOfHeader)
}

// enterStream is enter for an answer that goes on for long, read by browsers, which can set no header there: the token
// may come as a subprotocol of the WebSocket, and a ticket may take its place.
func (s *Server) enterStream(r *http.Request, q *query, graph string) (caller, error) {
	return s.admit(r, q, graph, auth.Viewer, s.credentialOfStream)
}

func (s *Server) admit(r *http.Request, q *query, graph string, need auth.Role, find finder) (caller, error) {
	who, err := s.identify(r, q, graph, find)
	if err != nil {
		s.audit.denied(&who, graph, err)
		return who, err
	}
	return who, s.permit(&who, graph, need)
}

// permit returns nil if the caller has the role on graph, and puts it down if not.
func (s *Server) permit(who *caller, graph string, need auth.Role) error {
	err := who.may(graph, need)
	if err != nil {
		s.audit.denied(who, graph, err)
	}
	return err
}

// may returns nil if the caller has the role on graph. One who may not read it is told the same whether it exists or
// not.
func (c *caller) may(graph string, need auth.Role) error {
	if graph == "" {
		return nil
	}
	return mayDo(&c.principal, graph, need)
}

func mayDo(principal *auth.Principal, graph string, need auth.Role) error {
	if principal.Role(graph) < need {
		return refuse(forbidden, "you may not do this on graph %q", graph)
	}
	return nil
}
