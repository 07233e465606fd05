package transport

import (
	"bufio"
	"cmp"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	gatherLimit  = 256 << 10        // bytes that wait for the network; over it Write blocks
	flushLimit   = 64 << 10         // bytes of one system call
	kernelBuffer = 128 << 10        // bytes that wait in the kernel; what is behind them, as pings are, comes late
	lingerTime   = time.Second      // Close: for the last bytes to go out, and again for the peer to hang up
	lingerBytes  = 4 << 20          // Close: what it reads and throws away meanwhile
	mostPatience = 30 * time.Second // for one system call where no deadline is set
)

// gatherConn is a net.Conn whose Write puts bytes into a bounded buffer; a goroutine that lives while there is
// something to write sends it on. The first bytes leave at once; while the kernel is busy with them the next frames
// gather and leave together, so under load one system call carries many frames and without load none waits.
//
// The time until a write deadline is taken as patience: each system call (of at most 64 KiB) has so long, so that a
// slow peer can have a large frame, and one that takes nothing is found as early as ever. While something is in the
// buffer patience can grow, not shrink. A failed write is sticky: every later Write returns its error. Close sends what
// is left and lets the peer read it.
type gatherConn struct {
	net.Conn
	counts gatherCounts
	broken atomic.Bool // the peer is gone: reading failed

	mu       sync.Mutex
	moved    sync.Cond // the buffer has room again, or flushing ended
	pending  []byte
	flushing bool
	closed   bool
	err      error
	patience time.Duration // 0: none given
}

// gatherCounts tell how well gathering works, over all connections of a process.
type gatherCounts struct{ writes, flushes, bytes prometheus.Counter }

var gatherBuffers = sync.Pool{New: func() any { return new(make([]byte, 0, 8<<10)) }}

func newGatherConn(conn net.Conn, counts gatherCounts) *gatherConn {
	c := &gatherConn{Conn: conn, counts: counts}
	c.moved.L = &c.mu
	return c
}

// Write takes p as soon as the buffer has room for it, in parts if it is larger.
func (c *gatherConn) Write(p []byte) (n int, err error) {
	c.counts.writes.Inc()
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		for c.err == nil && !c.closed && len(c.pending) >= gatherLimit {
			c.moved.Wait() // ends at the latest when the write under way meets its deadline
		}
		switch {
		case c.err != nil:
			return n, c.err
		case c.closed:
			return n, net.ErrClosed
		}
		part := p[n:min(len(p), n+gatherLimit-len(c.pending))]
		if c.pending == nil {
			c.pending = *gatherBuffers.Get().(*[]byte)
		}
		c.pending = append(c.pending, part...)
		n += len(part)
		if !c.flushing {
			c.flushing = true
			go c.flush()
		}
		if n == len(p) {
			return n, nil
		}
	}
}

// flush writes until the buffer is empty or a write fails.
func (c *gatherConn) flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.err == nil && len(c.pending) > 0 {
		batch := c.pending
		c.pending = nil
		c.moved.Broadcast()
		for part := range slices.Chunk(batch, flushLimit) {
			if c.err = c.send(part); c.err != nil {
				c.pending = nil
				break
			}
		}
		batch = batch[:0]
		gatherBuffers.Put(&batch)
	}
	c.flushing = false
	c.moved.Broadcast()
}

// send writes part without holding mu. The deadline is set while it is held, so that it cannot undo the one of Close.
func (c *gatherConn) send(part []byte) error {
	if !c.closed {
		_ = c.Conn.SetWriteDeadline(time.Now().Add(cmp.Or(c.patience, mostPatience)))
	}
	c.mu.Unlock()
	defer c.mu.Lock()
	c.counts.flushes.Inc()
	c.counts.bytes.Add(float64(len(part)))
	_, err := c.Conn.Write(part)
	return err
}

// SetWriteDeadline sets how long, from now, the peer may take nothing; the zero time sets a default.
func (c *gatherConn) SetWriteDeadline(t time.Time) error {
	patience := time.Duration(0)
	if !t.IsZero() {
		patience = max(time.Until(t), 1)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.flushing || patience > c.patience {
		c.patience = patience
	}
	return nil
}

// SetDeadline sets the deadlines of both directions.
func (c *gatherConn) SetDeadline(t time.Time) error {
	_ = c.SetWriteDeadline(t)
	return c.Conn.SetReadDeadline(t)
}

// Read reads from the connection and notes when that is over.
func (c *gatherConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil {
		c.broken.Store(true)
	}
	return n, err
}

// Close sends what is left, for a second at most, and waits about as long for the peer to hang up first: closed with
// unread bytes in its receive buffer the kernel would answer with a reset, and the peer lose the last frames.
func (c *gatherConn) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return net.ErrClosed
	}
	c.closed = true
	_ = c.Conn.SetWriteDeadline(time.Now().Add(lingerTime))
	c.moved.Broadcast()
	for c.flushing {
		c.moved.Wait()
	}
	sent := c.err == nil
	c.mu.Unlock()
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok && sent && !c.broken.Load() && half.CloseWrite() == nil {
		_ = c.Conn.SetReadDeadline(time.Now().Add(lingerTime))
		_, _ = io.CopyN(io.Discard, c.Conn, lingerBytes)
	}
	return c.Conn.Close()
}

// abort ends the connection at once.
func (c *gatherConn) abort() {
	c.broken.Store(true)
	c.Conn.Close()
}

// gatherWriter is a http.ResponseWriter whose Hijack returns a gatherConn.
type gatherWriter struct {
	http.ResponseWriter
	counts gatherCounts
}

// Hijack takes over the connection. What the returned buffers hold of it is empty: the peer has not spoken yet.
func (w gatherWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffers, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(kernelBuffer) // a refusal leaves the default, which works too
	}
	return newGatherConn(conn, w.counts), buffers, nil
}
