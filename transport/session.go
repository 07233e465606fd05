package transport

import (
	"context"
	"errors"
	"runtime/debug"
	"sync/atomic"

	"github.com/gorilla/websocket"
	"github.com/olahol/melody"
	"go.uber.org/zap"

	"graphy/command"
	"graphy/eventstore"
)

// session is one connection: who it is, where it stands in the graph's history, and what is on its way to it.
//
// One goroutine of its own listens, for as long as the connection lasts. Others come and go: flush while there is
// something to write, catchUp while the client is to be brought nearer to the present.
type session struct {
	sockets  *sockets
	graph    string
	identity command.Identity
	named    bool // the client chose its id, so it may come back
	first    ask  // what it had when it came
	batch    bool // frames may be joined, each on a line

	unwelcome int  // close code for one who may not be here, 0 for all others
	hub       *hub // nil until it joins
	ctx       context.Context
	cancel    context.CancelFunc

	inFlight atomic.Int64 // commands that wait for their answer
	over     atomic.Bool  // nothing is sent or taken any more
	polite   atomic.Bool  // the client said good-bye
	deaf     atomic.Bool  // it is not listened to for now
	kicked   atomic.Bool  // by an operator: it is not to be continued

	answered func() // lets go of the request that it came with
	ws       *melody.Session
	line     line
	outbox
	standing
	membership
	pace pace
}

// begin is called when the connection is open, and returns when it is closed.
func (s *session) begin(ws *melody.Session) {
	defer s.recoverPanic()
	s.ws, ws.Request = ws, nil // which holds much
	s.line.told = s.overheard
	s.line.heard.Store(s.sockets.clock.Load())
	s.answered()
	if code, reason := s.sockets.admit(s); code != 0 {
		s.end(code, reason)
	} else if err := s.join(); err != nil {
		s.endUnreadable(err)
	} else {
		s.sockets.expiries.set(s, s.principal.Load().Expires)
	}
	s.listen() // nothing that the client sends is looked at before its sync is on the way
}

// join sends the first sync and lets the events through that follow it.
func (s *session) join() error {
	ctx, cancel := context.WithTimeout(s.ctx, s.sockets.limits.join)
	defer cancel()
	h, err := s.sockets.hold(s.graph)
	if err != nil {
		return err
	}
	s.mu.Lock() // whoever ends the session meanwhile has it flushed
	s.hub = h
	s.mu.Unlock()
	h.enter(s)
	if err := h.wait(ctx); err != nil {
		return err
	}
	if err := s.tell(ctx, s.comeBack(ctx)); err != nil {
		return err
	}
	s.resume()
	s.sockets.clients.enter(s)
	s.sockets.presences.enter(s)
	return nil
}

// end sends a close frame behind what is on its way. Nothing is sent or taken afterwards.
func (s *session) end(code int, reason string) {
	s.endWith(code, melody.FormatCloseMessage(code, reason), code == closeTooSlow)
}

func (s *session) endWith(code int, payload []byte, dropQueue bool) {
	if s.over.Swap(true) {
		return
	}
	s.sockets.metrics.closed(code)
	s.finish(payload, dropQueue)
	s.cancel()
}

// endUnreadable ends a session whose graph cannot be read.
func (s *session) endUnreadable(err error) {
	if errors.Is(err, eventstore.ErrBroken) {
		s.end(websocket.CloseInternalServerErr, "the graph's history is damaged")
		return
	}
	s.end(websocket.CloseTryAgainLater, "the graph cannot be read for now")
}

// disconnected is called once, when the connection is closed.
func (s *session) disconnected() {
	s.over.Store(true)
	s.cancel()
	if s.hub != nil {
		s.hub.leave(s)
		s.sockets.presences.leave(s)
		s.sockets.clients.leave(s)
	}
	s.drop()
	s.sockets.expiries.forget(s)
	s.sockets.forget(s)
}

// cut ends the connection at once.
func (s *session) cut() {
	s.over.Store(true)
	s.cancel()
	if s.line.Conn != nil {
		_ = s.line.Conn.Close()
	}
}

// recoverPanic is deferred by each goroutine of a session: none of them takes the process along.
func (s *session) recoverPanic() {
	if cause := recover(); cause != nil {
		s.sockets.server.logger.Error("panic in a websocket session", zap.String("graphId", s.graph),
			zap.Any("panic", cause), zap.ByteString("stack", debug.Stack()))
		s.lost()
	}
}

// key says which client of whom, on which graph, this is.
func (s *session) key() clientKey {
	return clientKey{graph: s.graph, user: s.identity.UserID, client: s.identity.ClientID}
}
