package transport

import (
	"errors"
	"net/http"
	"runtime/debug"

	"go.uber.org/zap"

	"graphy/command"
)

// protect goes around every request: it recovers panics, sets the headers that every answer has, and keeps out
// browsers of foreign origins.
func (s *Server) protect(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer s.recoverPanic(w, r)
		header := w.Header()
		s.setHeaders(header, r)
		if err := s.checkOrigin(r); err != nil {
			s.audit.denied(&caller{address: s.addressOf(r)}, "", err)
			s.writeProblem(w, r, problemOf(err))
			return
		}
		if origin := r.Header["Origin"]; len(origin) > 0 {
			header["Access-Control-Allow-Origin"] = origin
			header["Access-Control-Expose-Headers"] = exposedHeaders
			if isPreflight(r) {
				answerPreflight(w)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// recoverPanic turns a panic into a 500 if nothing was sent, else into a cut connection, so that nobody takes half an
// answer for a whole one.
func (s *Server) recoverPanic(w http.ResponseWriter, r *http.Request) {
	cause := recover()
	if cause == nil {
		return
	}
	if err, ok := cause.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(cause)
	}
	s.logger.Error("panic while serving a request", zap.Any("panic", cause),
		zap.String("method", r.Method), zap.String("path", r.URL.Path), zap.ByteString("stack", debug.Stack()))
	if w.Header()["Content-Length"] != nil || w.Header()["Content-Type"] != nil {
		panic(http.ErrAbortHandler) // an answer was begun
	}
	s.writeProblem(w, r, problemOf(refuse(command.Internal, "")))
}
