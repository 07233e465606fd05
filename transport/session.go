package transport

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/gorilla/websocket"
	"github.com/olahol/melody"
	"go.uber.org/zap"

	"graphy/command"
	"graphy/eventstore"
)

// session is one connection: who it is, where it stands in the graph's history, and what is on its way to it.
//
// It is live while the hub hands it each event as it comes, and catching up otherwise: at first, when it asked for a
// sync, and when it was too slow for live. Then one goroutine of its own (catchUp) sends it what it lacks.
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

	// Guarded by hub.mu.
	catching bool
	asks     []ask

	outbox
}

// begin is called when the connection is open; reading from it starts when it returns. So nothing that the client
// sends is looked at before its sync is on the way.
func (s *session) begin(ws *melody.Session) {
	s.ws = ws
	if code, reason := s.sockets.admit(s); code != 0 {
		s.end(code, reason)
		return
	}
	if err := s.join(); err != nil {
		s.endUnreadable(err)
	}
}

// join sends the first sync and lets the session catch up with what happened meanwhile.
func (s *session) join() error {
	ctx, cancel := context.WithTimeout(s.ctx, s.sockets.limits.join)
	defer cancel()
	s.catching = true // until resume, nobody else sends to it
	h, err := s.sockets.follow(s)
	if err != nil {
		return err
	}
	if err := h.wait(ctx); err != nil {
		return err
	}
	question := s.first
	if last, back := s.sockets.left.take(s.key()); back {
		question.reconnected = true
		if !question.known {
			question = ask{known: true, claimed: true, version: last.Version, hash: last.Hash, hashed: true, reconnected: true}
		}
	}
	answer, err := s.answer(ctx, question)
	if err != nil {
		return err
	}
	s.restart(answer)
	h.resume(s)
	return nil
}

// end sends a close frame behind what is on its way. Nothing is sent or taken afterwards.
func (s *session) end(code int, reason string) {
	if s.over.Swap(true) {
		return
	}
	s.sockets.metrics.closed(code)
	s.outbox.finish(melody.FormatCloseMessage(code, reason), code == closeTooSlow)
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

// failed is told of errors by melody: reading has ended, or a write failed; the connection is closed next. Closing
// here would come back here.
func (s *session) failed(err error) {
	if errors.Is(err, melody.ErrWriteClosed) {
		return // it was closed between two looks
	}
	if errors.Is(err, melody.ErrMessageBufferFull) { // the outbox hands over no more than fits
		s.sockets.server.logger.Error("websocket frame lost", zap.String("graphId", s.graph))
	}
	var closed *websocket.CloseError
	if errors.As(err, &closed) && closed.Code != websocket.CloseAbnormalClosure {
		s.polite.Store(true)
	}
	s.over.Store(true)
	s.cancel()
}

// disconnected is called once, when the connection is closed.
func (s *session) disconnected() {
	s.over.Store(true)
	s.cancel()
	if s.hub != nil {
		s.hub.leave(s)
		s.remember()
	}
	s.outbox.drop()
	s.sockets.forget(s)
}

// abort cuts the connection.
func (s *session) abort() {
	if conn, ok := s.ws.WebsocketConnection().NetConn().(*gatherConn); ok {
		conn.abort()
	}
}

// key says which client of whom, on which graph, this is.
func (s *session) key() clientKey {
	return clientKey{graph: s.graph, user: s.identity.UserID, client: s.identity.ClientID}
}

// remember keeps what the client is known to have, for the case that it comes back.
func (s *session) remember() {
	if !s.named {
		return
	}
	if has, ok := s.known(s.polite.Load()); ok {
		s.sockets.left.put(s.key(), has, s.sockets.limits.remember)
	}
}
