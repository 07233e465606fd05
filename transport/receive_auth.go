package transport

import (
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"graphy/command"
	"graphy/transport/auth"
)

// closeTokenExpired ends a session whose token has ended and which brought no new one.
const closeTokenExpired = 4005

// closeOf returns the code to close the socket of one who was not let in with, 0 if err is to be told as a problem: a
// browser sees nothing of that, but it is for those who write clients.
func closeOf(err error) int {
	switch problemOf(err).code {
	case unauthenticated:
		return closeBadToken
	case forbidden:
		return closeForbidden
	case command.Unavailable:
		return websocket.CloseTryAgainLater
	}
	return 0
}

func reasonOf(code int) string {
	switch code {
	case closeBadToken:
		return "bad token"
	case closeForbidden:
		return "forbidden"
	}
	return "who is calling cannot be checked for now"
}

// standing is what a session may do, and until when.
type standing struct {
	address   netip.Addr
	principal atomic.Pointer[auth.Principal] // by the newest token

	// Guarded by expiries.mu.
	ends  time.Time // when to look next
	place int       // among the expiries, from 1; 0: it is not there
}

// stand notes as whom the session was let in.
func (s *session) stand(who *caller) {
	s.identity = who.Identity
	s.address = who.address
	principal := who.principal // and no more of who is kept for as long as the session
	s.principal.Store(&principal)
}

// caller returns the session's user as the sender of a request.
func (s *session) caller() *caller {
	return &caller{Identity: s.identity, principal: *s.principal.Load(), address: s.address}
}

// may returns nil if the session's user has the role on its graph, by the newest token.
func (s *session) may(need auth.Role) error {
	principal := s.principal.Load()
	if hasEnded(principal) {
		return auth.ErrExpired
	}
	return mayDo(principal, s.graph, need)
}

// hasEnded tells whether the time of a principal is over.
func hasEnded(principal *auth.Principal) bool {
	return !principal.Expires.IsZero() && !time.Now().Before(principal.Expires)
}

// denies refuses a command of one who may not send any, and tells whether it did. It is not put down among the operations:
// its id may be that of somebody else's command.
func (s *session) denies(parsed *command.Command, malformed error) bool {
	err := s.may(auth.Editor)
	if err == nil {
		return false
	}
	s.sockets.server.audit.denied(s.caller(), s.graph, err)
	targets := func() []command.Target { return nil }
	if malformed != nil {
		s.refuseCommand(operationOf(malformed), err, targets)
		return true
	}
	if s.may(auth.Viewer) == nil {
		targets = parsed.Targets
	}
	s.refuseCommand(parsed.OperationID, err, targets)
	return true
}

// authenticate takes a new token in the place of the one that the session goes by. It counts at once, whether it
// allows more or less; one that is not good here changes nothing.
func (s *session) authenticate(frame []byte) {
	var request struct {
		Type  string `json:"type"`
		Token string `json:"token"`
	}
	if err := decodeFrame(frame, &request, strictly); err != nil {
		s.sendError(err)
		return
	}
	server := s.sockets.server
	if server.opts.Development {
		return // nobody goes by a token
	}
	principal, err := server.verify(s.ctx, request.Token)
	if err == nil {
		err = s.accepts(principal)
	}
	if err != nil {
		server.audit.denied(s.caller(), s.graph, err)
		s.sendError(err)
		return
	}
	s.principal.Store(principal)
	s.sockets.expiries.set(s, principal.Expires)
}

// accepts returns nil if the session can go on with principal.
func (s *session) accepts(principal *auth.Principal) error {
	if principal.User != s.identity.UserID {
		return refuse(forbidden, "the token is another user's: open another connection")
	}
	if hasEnded(principal) { // within the leeway of a new connection
		return auth.ErrExpired
	}
	return mayDo(principal, s.graph, auth.Viewer)
}
