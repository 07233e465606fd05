package transport

import (
	"net/http"
	"sync"

	"go.uber.org/zap"
)

// accept makes a WebSocket of a request, for the session to live on. It returns as soon as the request is answered: the
// goroutine that serves it has buffers and a stack which ten thousand idle connections can do without.
func (w *sockets) accept(writer http.ResponseWriter, r *http.Request, s *session) {
	answered := make(chan struct{})
	s.answered = sync.OnceFunc(func() { close(answered) })
	go func() {
		defer s.cancel()
		defer s.answered()
		defer s.recoverPanic()
		err := w.melody.HandleRequestWithKeys(&hijacker{writer, &s.line}, r, map[string]any{sessionKey: s})
		if err != nil { // the Upgrader has answered, or there is nobody left to answer
			w.server.logger.Debug("no websocket", zap.String("graphId", s.graph), zap.Error(err))
		}
	}()
	<-answered
}
