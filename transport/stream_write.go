package transport

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"graphy/eventstore"
)

// errGone says that the client of a stream has left, or takes too little of what it is sent.
var errGone = errors.New("transport: the client takes nothing any more")

var (
	eventStreamType = []string{"text/event-stream"}
	varyAccept      = []string{"Origin, Accept"}
	unbuffered      = []string{"no"}
)

const (
	retryLeast = time.Second     // a client that is cut off comes back after that,
	retryMore  = 2 * time.Second // or later by up to that, so that not all come at once

	streamFrames = 512         // events written at a time, of about
	streamPiece  = 64 << 10    // bytes, which a client has to take within the write limit,
	lastPiece    = time.Second // or this one, once the stream is to end
)

// eventWriter writes Server-Sent Events. The server's limits of one request do not bound it; instead each piece of what
// it writes has a time limit of its own.
type eventWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController

	mu    sync.Mutex
	limit time.Duration
	over  bool // w is not ours any more
}

func newEventWriter(w http.ResponseWriter, limit time.Duration) *eventWriter {
	return &eventWriter{w: w, control: http.NewResponseController(w), limit: limit}
}

// hurry leaves the client little time for what is being written: the stream is about to end. It is the one method for
// other goroutines.
func (e *eventWriter) hurry() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.limit = lastPiece; !e.over {
		e.allow()
	}
}

// close is called when the request is answered, after which others get what it was answered by.
func (e *eventWriter) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.over = true
}

// allow gives the next piece its time. It fails if the connection is gone, as Write then does. It is called with mu held.
func (e *eventWriter) allow() { _ = e.control.SetWriteDeadline(time.Now().Add(e.limit)) }

// begin sends the headers, which say to proxies that there is nothing to keep and nothing to wait for.
func (e *eventWriter) begin() {
	header := e.w.Header()
	header["Content-Type"] = eventStreamType
	header["Cache-Control"] = revalidate
	header["Vary"] = varyAccept
	header["X-Accel-Buffering"] = unbuffered
	e.w.WriteHeader(http.StatusOK)
}

// retry tells the client when to come back, should it be cut off.
func (e *eventWriter) retry() error {
	wait := retryLeast + rand.N(retryMore)
	return e.write([]byte("retry: " + strconv.FormatInt(wait.Milliseconds(), 10) + "\n\n"))
}

// comment sends what clients ignore.
func (e *eventWriter) comment() error { return e.write([]byte(":\n\n")) }

// changes sends state_update frames, of which the first is of version, as changes.
func (e *eventWriter) changes(version eventstore.Version, frames [][]byte) error {
	buffer := borrow()
	defer giveBack(buffer)
	for i, frame := range frames {
		if len(buffer.bytes) > 0 && len(buffer.bytes)+len(frame) > streamPiece {
			if err := e.write(buffer.bytes); err != nil {
				return err
			}
			buffer.bytes = buffer.bytes[:0]
		}
		buffer.bytes = appendEventHead(buffer.bytes, "change", version+eventstore.Version(i))
		buffer.bytes = append(appendChangeOf(buffer.bytes, frame), '\n', '\n')
	}
	return e.write(buffer.bytes)
}

// reset sends a state, in the form that it has in changes.
func (e *eventWriter) reset(state *encodedState) error {
	head := appendEventHead(nil, "reset", state.Version)
	return e.write(appendFullUpdateHead(head, state.Position), state.JSON, []byte("}\n\n"))
}

// appendEventHead appends an event up to its data, which is one line.
func appendEventHead(dst []byte, name string, id eventstore.Version) []byte {
	dst = strconv.AppendUint(append(dst, "id: "...), uint64(id), 10)
	return append(append(append(dst, "\nevent: "...), name...), "\ndata: "...)
}

// write sends parts, none of which is kept, as fast as the client takes them.
func (e *eventWriter) write(parts ...[]byte) error {
	for _, part := range parts {
		for piece := range slices.Chunk(part, streamPiece) {
			e.mu.Lock()
			e.allow()
			e.mu.Unlock()
			if _, err := e.w.Write(piece); err != nil {
				return fmt.Errorf("%w: %w", errGone, err)
			}
		}
	}
	if err := e.control.Flush(); err != nil {
		return fmt.Errorf("%w: %w", errGone, err)
	}
	return nil
}
