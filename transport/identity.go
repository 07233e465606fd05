package transport

import (
	"cmp"
	"context"
	"net/http"

	"graphy/command"
	"graphy/transport/auth"
)

// anonymous is who calls in development mode without a name.
const anonymous = "anonymous"

// identify says who sends r, from its headers and its query: the one place that decides it. Outside development mode
// only a token or a ticket counts: X-User-Id is a header like any other, and userId a parameter that is not known.
func (s *Server) identify(r *http.Request, q *query, graph string, find finder) (caller, error) {
	who := caller{address: s.addressOf(r)}
	if client := r.Header.Get("X-Client-Id"); client != "" {
		if err := command.CheckID(client, ""); err != nil {
			return who, err
		}
		who.ClientID = client
	}
	if err := q.refuseTokens(); err != nil {
		return who, err
	}
	given, err := find(r, q)
	if err != nil {
		return who, err
	}
	principal, err := s.principalOf(r, q, graph, given)
	if err != nil {
		return who, err
	}
	who.principal, who.UserID = principal, principal.User
	return who, nil
}

// principalOf returns who the credential speaks for. In development mode everybody is who they say they are, whatever
// token they bring; a ticket counts as a name.
func (s *Server) principalOf(r *http.Request, q *query, graph string, given credential) (auth.Principal, error) {
	switch {
	case given.ticket != "":
		principal, err := s.redeem(r.Context(), given.ticket, graph)
		if err != nil || !s.opts.Development {
			return principal, err
		}
		return s.developer(r, q, principal.User)
	case s.opts.Development:
		return s.developer(r, q, anonymous)
	case given.token == "":
		return auth.Principal{}, refuse(unauthenticated, "a bearer token is needed")
	}
	principal, err := s.verify(r.Context(), given.token)
	if err != nil {
		return auth.Principal{}, err
	}
	return *principal, nil
}

// verify returns who a token speaks for.
func (s *Server) verify(ctx context.Context, token string) (*auth.Principal, error) {
	if s.opts.Verifier == nil {
		return nil, auth.ErrInvalid
	}
	return s.opts.Verifier.Verify(ctx, token)
}

// everybody is the principal of development mode, but for the name.
var everybody = *auth.Everybody(anonymous)

// developer is who calls in development mode: somebody on this machine, and not the page of a stranger that a browser on
// it shows.
func (s *Server) developer(r *http.Request, q *query, unnamed string) (auth.Principal, error) {
	if len(s.opts.Origins) == 0 && isForeignName(r.Host) {
		return auth.Principal{}, refuse(forbidden, "in development mode this server is called localhost, not %.200q, "+
			"unless it is told the origins of its pages", r.Host)
	}
	named, _ := q.take("userId")
	user := cmp.Or(r.Header.Get("X-User-Id"), named, unnamed)
	if !auth.IsUser(user) {
		return auth.Principal{}, refuse(command.InvalidID, "a user id is 1 to 128 bytes of printable UTF-8")
	}
	principal := everybody
	principal.User = user
	return principal, nil
}
