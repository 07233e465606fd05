package transport

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	writeChunk   = 64 << 10    // bytes of one system call at most
	kernelBuffer = 128 << 10   // bytes that wait in the kernel; what is behind them comes late
	lingerTime   = time.Second // for the last bytes to go out, and again for the peer to hang up
	lingerBytes  = 4 << 20     // that are read and thrown away meanwhile
)

// line is the network connection under a WebSocket. The library reads from it, and writes the handshake; from then on
// the session's outbox alone writes, and what the library still has to say is handed to it (told).
//
// A write that makes no headway for the patience of the line fails. Patience goes for each system call of at most
// writeChunk bytes, so that a slow peer can have a large frame, and one that takes nothing is found as early as ever.
type line struct {
	net.Conn
	deflates bool          // the peer understands compressed messages
	told     func([]byte)  // gets frames that the library writes; nil during the handshake
	patience time.Duration // of a write
	counts   writeCounts
	clock    *atomic.Int64 // a time that is good enough,
	heard    atomic.Int64  // and when something came last

	mu       sync.Mutex
	deadline time.Time // of writes, as it is set
	leaving  bool      // it stays
}

// deflateOffer is how the handshake says that messages may be compressed.
var deflateOffer = []byte("Sec-WebSocket-Extensions: permessage-deflate")

// Write is the library's.
func (l *line) Write(p []byte) (int, error) {
	if l.told != nil {
		l.told(p)
		return len(p), nil
	}
	l.deflates = bytes.Contains(p, deflateOffer)
	return l.Conn.Write(p)
}

// SetWriteDeadline is the library's: it goes for the handshake only.
func (l *line) SetWriteDeadline(t time.Time) error {
	if l.told != nil {
		return nil
	}
	return l.Conn.SetWriteDeadline(t)
}

// Read is the library's.
func (l *line) Read(p []byte) (int, error) {
	n, err := l.Conn.Read(p)
	l.heard.Store(l.clock.Load())
	return n, err
}

// send writes what w has gathered.
func (l *line) send(w *wire) error {
	for _, span := range w.spans {
		for chunk := range slices.Chunk(w.part(span), writeChunk) {
			l.extend()
			if _, err := l.Conn.Write(chunk); err != nil {
				return err
			}
			l.counts.flushes.Inc()
			l.counts.bytes.Add(float64(len(chunk)))
		}
	}
	l.counts.frames.Add(float64(w.frames))
	return nil
}

// extend gives the next write its time, or most of it: to set a deadline costs something.
func (l *line) extend() {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.leaving && l.deadline.Sub(now) < l.patience-l.patience/8 {
		l.deadline = now.Add(l.patience)
		_ = l.Conn.SetWriteDeadline(l.deadline)
	}
}

// hurry leaves only so much time for what is still to be written.
func (l *line) hurry(left time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.leaving = true
	_ = l.Conn.SetWriteDeadline(time.Now().Add(left))
}

// expectEnd gives the peer some time to hang up. After it reading fails.
func (l *line) expectEnd(left time.Duration) {
	if half, ok := l.Conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	_ = l.Conn.SetReadDeadline(time.Now().Add(left))
}

// drain lets the peer hang up first: closed with unread bytes in its receive buffer the kernel would answer with a reset,
// and the peer lose the last frames.
func (l *line) drain() {
	l.expectEnd(lingerTime)
	_, _ = io.CopyN(io.Discard, l.Conn, lingerBytes)
}

// hijacker is a http.ResponseWriter whose Hijack wraps the connection.
type hijacker struct {
	http.ResponseWriter
	line *line
}

// Hijack takes over the connection. What the returned buffers hold of it is empty: the peer has not spoken yet.
func (h hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffers, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(kernelBuffer) // a refusal leaves the default, which works too
	}
	h.line.Conn = conn
	return h.line, buffers, nil
}

// isGone tells whether reading ended because the connection did.
func isGone(err error) bool {
	var network net.Error
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || errors.As(err, &network)
}
