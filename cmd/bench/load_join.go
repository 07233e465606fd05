package main

import (
	"bytes"
	"compress/flate"
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/cespare/xxhash/v2"
	"golang.org/x/sync/errgroup"
)

// digest stands for a state: its length and its hash.
type digest struct {
	length int
	sum    uint64
}

func newDigest(state []byte) digest { return digest{len(state), xxhash.Sum64(state)} }

// joinAll has the joiners come at once, and returns how long it took until the last had all of its sync, and the bytes that
// one took. What came is compared with the state wanted: of compressed messages afterwards.
func joinAll(ctx context.Context, addr string, want digest, deflate bool) (took time.Duration, each int64, err error) {
	ctx, leave := context.WithCancel(ctx)
	defer leave()
	joining := errgroup.Group{}
	arrivals := make([]arrival, joiners)
	total := atomic.Int64{}
	begun := time.Now()
	for i := range arrivals {
		joining.Go(func() error {
			conn, err := dialWSWith(ctx, addr, subscribePath(joinGraph, false)+newMover(1).client, wsOptions{deflate: deflate})
			if err != nil {
				return err
			}
			if conn.deflate != deflate {
				return fmt.Errorf("asked for compression: %v; agreed to: %v", deflate, conn.deflate)
			}
			err = arrivals[i].read(conn)
			total.Add(arrivals[i].taken)
			return err
		})
	}
	if err := joining.Wait(); err != nil {
		return 0, 0, err
	}
	took = time.Since(begun)
	for i := range arrivals {
		if err := arrivals[i].check(want); err != nil {
			return 0, 0, err
		}
	}
	return took, total.Load() / joiners, nil
}

// arrival is the first message that a joiner gets. Of a compressed one the bytes are kept, of another its state's hash.
type arrival struct {
	taken    int64
	deflated []byte
	state    stateReader
}

// read takes the message.
func (a *arrival) read(conn *wsConn) error {
	_ = conn.conn.SetReadDeadline(time.Now().Add(4 * joinLimit))
	if !conn.deflate {
		_, err := conn.readMessage(&a.state)
		a.taken = int64(a.state.taken)
		return err
	}
	var kept bytes.Buffer
	deflated, err := conn.readMessage(&kept)
	a.taken = int64(kept.Len())
	if err == nil && !deflated {
		_, err = io.Copy(&a.state, &kept)
	} else {
		a.deflated = kept.Bytes()
	}
	return err
}

// endOfMessage is what RFC 7692 leaves off at the end of a message, and an empty last block.
const endOfMessage = "\x00\x00\xff\xff\x01\x00\x00\xff\xff"

// check says whether the message holds the state wanted.
func (a *arrival) check(want digest) error {
	if a.deflated != nil {
		inflated := flate.NewReader(io.MultiReader(bytes.NewReader(a.deflated), bytes.NewReader([]byte(endOfMessage))))
		if _, err := io.Copy(&a.state, inflated); err != nil {
			return fmt.Errorf("inflate a sync: %w", err)
		}
	}
	return a.state.check(want)
}

// stateReader hashes the state in a sync that is written to it.
type stateReader struct {
	head  []byte // up to the state, and a little more
	state *xxhash.Digest
	taken int
	last  [1]byte // the newest byte, kept back: in the end the sync's own closing brace
	held  bool    // there is one
}

var stateMember = []byte(`,"state":`)

func (r *stateReader) Write(part []byte) (int, error) {
	r.taken += len(part)
	if r.state != nil {
		r.hash(part)
		return len(part), nil
	}
	r.head = append(r.head, part...)
	if at := bytes.Index(r.head, stateMember); at >= 0 {
		rest := r.head[at+len(stateMember):]
		r.head = r.head[:at]
		r.state = xxhash.New()
		r.hash(rest)
	}
	return len(part), nil
}

// hash adds all but the newest byte, and the one held back before.
func (r *stateReader) hash(part []byte) {
	if len(part) == 0 {
		return
	}
	if r.held {
		_, _ = r.state.Write(r.last[:])
	}
	_, _ = r.state.Write(part[:len(part)-1])
	r.last[0], r.held = part[len(part)-1], true
}

func (r *stateReader) check(want digest) error {
	if r.state == nil || !bytes.HasPrefix(r.head, syncMessage) {
		return fmt.Errorf("no state came: %.200q", r.head)
	}
	got := digest{r.taken - len(r.head) - len(stateMember) - 1, r.state.Sum64()}
	if got != want {
		return fmt.Errorf("a state of %d bytes that is not the graph's of %d", got.length, want.length)
	}
	return nil
}
