package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

// errDisorder is a version that came out of order, twice, or after a hole: no load excuses it.
var errDisorder = errors.New("versions out of order")

// errSkipped is a client that was given a sync in the place of updates, since it could not keep up.
var errSkipped = errors.New("a client fell behind and was given a sync")

// client is one of a crowd: it hears all that happens on a graph, checks that every version comes once and in order, and
// notes how old each is by the time in its operation id.
type client struct {
	conn   *wsConn
	mover  *mover // makes what it sends
	counts period

	synced    bool
	base      int64        // the version it came to
	at        atomic.Int64 // the version it has
	updates   int64        // that came within the time that counts
	presences int64        // likewise
	latencies []time.Duration
}

// period is the time that counts.
type period struct{ from, to time.Time }

func (p period) holds(at time.Time) bool { return !at.Before(p.from) && at.Before(p.to) }

// greet reads until the client knows where it stands.
func (c *client) greet() error {
	for !c.synced {
		if err := c.hearFrame(); err != nil {
			return err
		}
	}
	return nil
}

// listen hears until the connection ends; a connection that ends is an error.
func (c *client) listen() error {
	for {
		if err := c.hearFrame(); err != nil {
			return err
		}
	}
}

func (c *client) hearFrame() error {
	frame, err := c.conn.next()
	if err != nil {
		return err
	}
	now := time.Now()
	for len(frame) > 0 {
		line := frame
		if end := bytes.IndexByte(frame, '\n'); end >= 0 {
			line, frame = frame[:end], frame[end+1:]
		} else {
			frame = nil
		}
		if err := c.hear(line, now); err != nil {
			return err
		}
	}
	return nil
}

var (
	syncMessage     = []byte(`{"type":"sync"`)
	presenceMessage = []byte(`{"type":"presence"`)
	revertMessage   = []byte(`{"type":"revert"`)
	errorMessage    = []byte(`{"type":"error"`)
)

func (c *client) hear(line []byte, now time.Time) error {
	switch {
	case bytes.HasPrefix(line, stateUpdate):
		return c.hearUpdate(line, now)
	case bytes.HasPrefix(line, presenceMessage):
		if c.counts.holds(now) {
			c.presences++
		}
	case bytes.HasPrefix(line, syncMessage):
		if c.synced {
			return fmt.Errorf("%w: %.120s", errSkipped, line)
		}
		c.synced = true
		return c.begin(line)
	case bytes.HasPrefix(line, revertMessage), bytes.HasPrefix(line, errorMessage):
		return fmt.Errorf("a message was refused: %.300s", line)
	}
	return nil
}

// begin takes the first sync.
func (c *client) begin(line []byte) (err error) {
	c.base, err = versionOf(line)
	c.at.Store(c.base)
	return err
}

// hearUpdate counts what others have sent; one's own comes back no later.
func (c *client) hearUpdate(line []byte, now time.Time) error {
	version, err := versionOf(line)
	if err != nil || version != c.at.Load()+1 {
		return fmt.Errorf("%w: after %d came %.120s", errDisorder, c.at.Load(), line)
	}
	c.at.Store(version)
	if c.counts.holds(now) {
		c.updates++
	}
	if stamp, ok := stampOf(line); ok && stamp.source != c.mover.source && c.counts.holds(stamp.sent) {
		c.latencies = append(c.latencies, now.Sub(stamp.sent))
	}
	return nil
}

// command sends a move for each of the moments, in one write.
func (c *client) command(ctx context.Context, first time.Time, every time.Duration) (sent int64, err error) {
	return c.send(ctx, first, every, c.mover.frame)
}

// present sends a presence for each of the moments.
func (c *client) present(ctx context.Context, first time.Time, every time.Duration) error {
	at := 0
	_, err := c.send(ctx, first, every, func(dst []byte, _ time.Time) []byte {
		at++
		return fmt.Appendf(dst, `{"type":"presence","data":{"cursor":{"x":%d,"y":%d},"selection":["n%d"]}}`, at%4000, at%3000, at%c.mover.nodes)
	})
	return err
}

// send sends what next makes of each moment, from first to the end of the time that counts, and tells how many that were.
func (c *client) send(ctx context.Context, first time.Time, every time.Duration, next func(dst []byte, due time.Time) []byte) (sent int64, err error) {
	var message, out []byte
	for moments := range due(ctx, first, c.counts.to, every) {
		out = out[:0]
		for _, moment := range moments {
			message = next(message[:0], moment)
			out = appendFrame(out, opText, message)
		}
		if _, err := c.conn.conn.Write(out); err != nil {
			return sent, err
		}
		sent += int64(len(moments))
	}
	return sent, nil
}

// reserve makes room for so many latencies, so that none is made while the load is on.
func (c *client) reserve(count int) { c.latencies = slices.Grow(c.latencies, count) }
