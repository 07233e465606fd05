package transport

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"

	"graphy/command"
)

// longActs is how many long acts are at work at a time.
const longActs = 8

// errLeaving ends what is under way when the server drains.
var errLeaving = refuse(command.Unavailable, "the server is going away: what is done is done, the same again does the rest")

var ndjsonType = []string{"application/x-ndjson"}

// answer answers with value as JSON.
func (a *act) answer(value any) error {
	body, err := json.Marshal(value, json.Deterministic(true))
	if err != nil {
		return err
	}
	return writeCompressible(a.context, body)
}

// long returns the context of an act that takes its time, which ends with the request and when the server drains; the
// caller calls leave at the end. It is refused where too many are at work.
func (a *act) long() (ctx context.Context, leave func(), err error) {
	s := a.server
	select {
	case s.acts <- struct{}{}:
	default:
		a.context.Response().Header()["Retry-After"] = retryLong
		return nil, nil, refuse(rateLimited, "%d long acts are at work already: wait for one to end", longActs)
	}
	ctx, cancel := context.WithCancelCause(a.request.Context())
	released := context.AfterFunc(s.serving, func() { cancel(errLeaving) })
	return ctx, func() {
		released()
		cancel(nil)
		<-s.acts
	}, nil
}

var retryLong = []string{"5"} // seconds

// becauseOf returns err, or in the place of a mere context.Canceled why ctx was cancelled.
func becauseOf(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); errors.Is(err, context.Canceled) && cause != nil {
		return cause
	}
	return err
}

// longAnswer writes an answer that takes its time: pieces, each sent at once, and each with a time limit of its own in the
// place of the server's for a whole answer. It is for one goroutine.
type longAnswer struct {
	w        http.ResponseWriter
	control  *http.ResponseController
	patience time.Duration // for a client to take a piece
	begun    bool
}

func (a *act) newLongAnswer() *longAnswer {
	out := &longAnswer{w: a.context.Response(), control: http.NewResponseController(a.context.Response()), patience: a.server.sockets.limits.write}
	_ = out.control.SetWriteDeadline(time.Time{}) // who answers inside the process has none, and needs none
	return out
}

// begin sends the headers: until then the answer may still be a problem.
func (l *longAnswer) begin(contentType []string) {
	header := l.w.Header()
	header["Content-Type"] = contentType
	header["X-Accel-Buffering"] = unbuffered
	header["Vary"] = varyAccept
	l.w.WriteHeader(http.StatusOK)
	l.begun = true
}

// Write implements io.Writer.
func (l *longAnswer) Write(piece []byte) (int, error) {
	_ = l.control.SetWriteDeadline(time.Now().Add(l.patience))
	n, err := l.w.Write(piece)
	_ = l.control.SetWriteDeadline(time.Time{})
	return n, goneIf(err)
}

// flush has what was written sent.
func (l *longAnswer) flush() error {
	_ = l.control.SetWriteDeadline(time.Now().Add(l.patience))
	err := l.control.Flush()
	_ = l.control.SetWriteDeadline(time.Time{})
	return goneIf(err)
}

// goneIf returns the failure of a write as what it means.
func goneIf(err error) error {
	if err == nil || errors.Is(err, http.ErrNotSupported) {
		return nil
	}
	return fmt.Errorf("%w: %w", errGone, err)
}
