package transport

import (
	"cmp"
	"net/http"
	"unicode"
	"unicode/utf8"

	"graphy/command"
)

// anonymous is who calls in development mode without a name.
const anonymous = "anonymous"

// identify says who sends r, from its headers and its query: the one place that decides it. Outside development mode
// nobody is let in, since this server has no other way yet to tell who somebody is.
func (s *Server) identify(r *http.Request, q *query) (command.Identity, error) {
	if !s.opts.Development {
		return command.Identity{}, refuse(unauthenticated, "a bearer token is needed")
	}
	named, _ := q.take("userId")
	identity := command.Identity{UserID: cmp.Or(r.Header.Get("X-User-Id"), named, anonymous)}
	if !isUserID(identity.UserID) {
		return identity, refuse(command.InvalidID, "a user id is 1 to 128 bytes of printable UTF-8")
	}
	if client := r.Header.Get("X-Client-Id"); client != "" {
		if err := command.CheckID(client, ""); err != nil {
			return identity, err
		}
		identity.ClientID = client
	}
	return identity, nil
}

func isUserID(user string) bool {
	if user == "" || len(user) > 128 || !utf8.ValidString(user) {
		return false
	}
	for _, r := range user {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}
