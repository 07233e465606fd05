package transport

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/gorilla/websocket"

	"graphy/transport/auth"
)

// bearerPrefix marks the subprotocol that is a token.
const bearerPrefix = "bearer."

// credential is what a caller proves with who they are: a token, a ticket, or neither.
type credential struct{ token, ticket string }

// finder finds the credential of a request.
type finder func(*http.Request, *query) (credential, error)

// errManyTokens refuses a request whose tokens might speak for different users.
var errManyTokens = refuse(unauthenticated, "give one token, in one way")

// tokenOfHeader finds a token in Authorization, for the scheme Bearer in any case. Other schemes are not ours, but those
// of a proxy on the way.
func tokenOfHeader(r *http.Request, _ *query) (credential, error) {
	values := r.Header["Authorization"]
	if len(values) == 0 {
		return credential{}, nil
	}
	if len(values) > 1 {
		return credential{}, errManyTokens
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return credential{}, nil
	}
	return credential{token: strings.TrimSpace(token)}, nil
}

// credentialOfStream finds a token in Authorization or among the subprotocols of a WebSocket, or a ticket in the query.
func (s *Server) credentialOfStream(r *http.Request, q *query) (credential, error) {
	given, err := tokenOfHeader(r, q)
	if err != nil {
		return credential{}, err
	}
	protocols := websocket.Subprotocols(r)
	for _, protocol := range protocols {
		token, ok := strings.CutPrefix(protocol, bearerPrefix)
		switch {
		case !ok:
		case given.token != "":
			return credential{}, errManyTokens
		case !slices.Contains(protocols, subprotocol):
			return credential{}, refuse(invalidQuery, "subprotocol %s<token> goes with %s, which is the one that the server picks: offer both",
				bearerPrefix, subprotocol)
		default:
			given.token = token
		}
	}
	if s.services.Tickets == nil || !q.has("ticket") {
		return given, nil
	}
	ticket, _ := q.take("ticket")
	if given.token != "" {
		return credential{}, errManyTokens
	}
	return credential{ticket: ticket}, nil
}

// errTokenInQuery refuses a token where logs and histories of browsers keep it. It does not quote it.
var errTokenInQuery = refuse(invalidQuery, "a token has no place in a query: send it as \"Authorization: Bearer <token>\", "+
	"as WebSocket subprotocols %q, \"%s<token>\", or get a ticket for ticket= from POST %s/tickets", subprotocol, bearerPrefix, basePath)

// tokenNames are parameters that other servers take tokens in.
var tokenNames = []string{"access_token", "token", "jwt", "bearer", "id_token", "authorization"}

// refuseTokens returns an error if one of the parameters is a token, or would be.
func (q *query) refuseTokens() error {
	for i, name := range q.names {
		if slices.Contains(tokenNames, strings.ToLower(name)) || looksLikeToken(q.values[i]) {
			return errTokenInQuery
		}
	}
	return nil
}

// looksLikeToken tells whether text has the form of a JWT: three parts, of which the first is a JSON object in base64.
func looksLikeToken(text string) bool {
	return strings.HasPrefix(text, "eyJ") && strings.Count(text, ".") == 2
}

var (
	challenge      = []string{"Bearer"}
	challengeAgain = []string{`Bearer error="invalid_token"`}
)

// challengeOf says what a 401 asks for: a token, or a better one (RFC 6750).
func challengeOf(err error) []string {
	if errors.Is(err, auth.ErrInvalid) || errors.Is(err, auth.ErrExpired) {
		return challengeAgain
	}
	return challenge
}
