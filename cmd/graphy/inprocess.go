package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"sync"
	"time"
)

// inProcessServer is the address of a handler in the process: nobody dials it.
const inProcessServer = "http://localhost"

// inProcess carries requests to a handler in the same process, as a connection would: what the handler writes can be
// read at once, and it waits while nobody reads; closing the body of an answer, or the end of the request's context,
// cancels the handler's. Nothing is kept but what one Write holds. It is safe for concurrent use.
type inProcess struct {
	handler http.Handler
	serving sync.WaitGroup
}

// wait returns when no handler runs any more. Nobody may send requests then.
func (t *inProcess) wait() { t.serving.Wait() }

// RoundTrip implements http.RoundTripper.
func (t *inProcess) RoundTrip(request *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(request.Context())
	reader, writer := io.Pipe()
	w := &pipedAnswer{ctx: ctx, header: http.Header{}, pipe: writer, begun: make(chan struct{})}
	stop := context.AfterFunc(ctx, func() { _ = writer.CloseWithError(ctx.Err()) })
	t.serving.Go(func() {
		defer cancel()
		defer stop()
		w.end(t.serve(w, served(request, ctx)))
	})
	select {
	case <-w.begun:
	case <-ctx.Done():
		select { // the handler's end cancels too
		case <-w.begun:
		default:
			return nil, ctx.Err()
		}
	}
	if w.failure != nil {
		return nil, w.failure
	}
	return &http.Response{
		Status: fmt.Sprintf("%d %s", w.status, http.StatusText(w.status)), StatusCode: w.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: w.sent, ContentLength: -1, Request: request,
		Body: &pipedBody{reader, cancel},
	}, nil
}

// served returns the request as a server sees it.
func served(request *http.Request, ctx context.Context) *http.Request {
	r := request.Clone(ctx)
	r.RequestURI = r.URL.RequestURI()
	r.RemoteAddr = "127.0.0.1:0"
	r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/1.1", 1, 1
	if r.Host == "" {
		r.Host = r.URL.Host
	}
	if r.Body == nil {
		r.Body = http.NoBody
	}
	return r
}

// serve calls the handler, and returns what it panicked with.
func (t *inProcess) serve(w http.ResponseWriter, r *http.Request) (err error) {
	defer r.Body.Close()
	defer func() {
		switch reason := recover(); reason {
		case nil:
		case http.ErrAbortHandler:
			err = io.ErrUnexpectedEOF
		default:
			err = &panicError{fmt.Sprintf("%s %s panicked: %v\n%s", r.Method, r.URL.Path, reason, debug.Stack())}
		}
	}()
	t.handler.ServeHTTP(w, r)
	return nil
}

// panicError is a mistake in the handler.
type panicError struct{ text string }

func (e *panicError) Error() string { return e.text }

// pipedAnswer is the http.ResponseWriter of a request in the process. It belongs to the handler's goroutine until begun
// is closed; what is read of it then is never written again.
type pipedAnswer struct {
	ctx    context.Context // of the request
	header http.Header     // the handler's
	pipe   *io.PipeWriter
	begun  chan struct{} // closed when status and sent, or failure, are set
	wrote  bool

	status  int
	sent    http.Header // as it was when the answer began
	failure error       // there was none
}

func (w *pipedAnswer) Header() http.Header { return w.header }

func (w *pipedAnswer) WriteHeader(status int) {
	if w.wrote || status < 200 {
		return
	}
	w.wrote, w.status, w.sent = true, status, w.header.Clone()
	close(w.begun)
}

func (w *pipedAnswer) Write(content []byte) (int, error) {
	if err := w.ctx.Err(); err != nil { // the pipe is told only a moment later
		return 0, err
	}
	w.WriteHeader(http.StatusOK)
	return w.pipe.Write(content)
}

// Flush and FlushError begin the answer: there is nothing else that waits.
func (w *pipedAnswer) Flush() { w.WriteHeader(http.StatusOK) }

func (w *pipedAnswer) FlushError() error {
	w.Flush()
	return nil
}

// A pipe has no deadlines to keep, and both its directions are open.
func (w *pipedAnswer) SetReadDeadline(time.Time) error  { return nil }
func (w *pipedAnswer) SetWriteDeadline(time.Time) error { return nil }
func (w *pipedAnswer) EnableFullDuplex() error          { return nil }

// end ends the answer: with an error if the handler failed or was cancelled, since what came is then not all.
func (w *pipedAnswer) end(failure error) {
	err := cmp.Or(failure, w.ctx.Err())
	if !w.wrote && err != nil {
		w.failure = err
		w.wrote = true
		close(w.begun)
	}
	w.WriteHeader(http.StatusOK)
	_ = w.pipe.CloseWithError(err)
}

// pipedBody is the body of an answer.
type pipedBody struct {
	*io.PipeReader
	cancel context.CancelFunc
}

// Close tells the handler that nobody reads on.
func (b *pipedBody) Close() error {
	b.cancel()
	return b.CloseWithError(errors.New("nobody reads the answer any more"))
}
