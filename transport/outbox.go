package transport

import (
	"context"
	"slices"
	"sync"

	"graphy/eventstore"
)

const (
	readFrames = 2048      // replies, and
	readBytes  = 2 << 20   // their bytes; over either the client is not listened to until there is room,
	roomBytes  = 256 << 10 // which is below this, with no sync and no page of the log on its way
	mostBytes  = 16 << 20  // of replies; over it the client is cut off
	pongsMost  = 16        // control frames that wait; it is enough to answer the newest pings
	keptFrames = 64        // capacity of an empty queue that is kept
)

// outbox is what is on its way to one client alone: replies to what it sent, the sync or the page of the log that
// brings it nearer to the present, and news of no consequence. Events are not in it: they lie in the hub's ring, and
// the client's cursor says how far it has come there.
//
// While there is something to write, one goroutine writes it, see flush. No method blocks, except awaitRoom.
type outbox struct {
	write func() // takes and writes until take reports that there is nothing more

	mu       sync.Mutex    // after a hub's crowd, before its mu
	flushing bool          // write is at work
	closed   bool          // takes nothing any more
	flushed  chan struct{} // closed when write ends; nil if nobody waits
	room     chan struct{} // closed when there is room; nil if nobody waits

	controls [][]byte // control frames, the first byte their opcode
	replies  [][]byte
	size     int      // bytes of replies
	sync     *bulk    // the next sync
	page     [][]byte // frames behind it
	offers   [][]byte
	offered  int    // bytes of offers
	ending   []byte // close payload that goes behind all of them

	progress
}

// start has what is there written. It is called with mu held.
func (o *outbox) start() {
	if !o.flushing {
		o.flushing = true
		go o.write()
	}
}

// wake has the client sent what is new for it.
func (o *outbox) wake() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.synced && !o.held && !o.closed {
		o.start()
	}
}

// reply adds a frame for this client alone. It reports false if the client takes too little of what it is sent.
func (o *outbox) reply(frame []byte) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return true
	}
	o.replies = append(o.replies, frame)
	o.size += len(frame)
	o.start()
	return o.size <= mostBytes
}

// offer adds frames that may get lost, all or none. It reports false if they are, because the client has enough to do
// with what may not, or with those offered before: newer ones may be offered later.
func (o *outbox) offer(frames ...[]byte) bool {
	size := 0
	for _, frame := range frames {
		size += len(frame)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed || o.held && o.synced || o.size > roomBytes || o.offered > 0 {
		return false
	}
	o.offers = append(o.offers, frames...)
	o.offered += size
	o.start()
	return true
}

// control adds a control frame.
func (o *outbox) control(opcode byte, payload []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.closed && len(o.controls) < pongsMost {
		o.controls = append(o.controls, append([]byte{opcode}, payload...))
		o.start()
	}
}

// take fills w with what is to be written next. If there is nothing the goroutine that asks is to end: it reports false,
// or, the last time, that the connection is to be closed.
func (o *outbox) take(w *wire, h *hub) (todo, last bool) {
	w.reset()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tellRoom()
	for _, frame := range o.controls {
		w.control(frame[0], frame[1:])
	}
	o.controls = nil
	o.takeReplies(w)
	if o.sync != nil {
		w.bulk(o.sync)
		o.sync = nil
	}
	count, _ := w.fill(o.page)
	o.page = o.page[count:] // it is shared
	if len(o.page) == 0 && o.synced && !o.held && !o.closed {
		o.takeEvents(w, h)
	}
	if len(o.page) == 0 && o.synced {
		count, size := w.fill(o.offers)
		o.offers, o.offered = slices.Delete(o.offers, 0, count), o.offered-size
	}
	if w.empty() {
		if o.ending == nil {
			o.stop()
			return false, false
		}
		w.control(closeFrame, o.ending)
		o.ending = nil
		last = true
	}
	w.end()
	return true, last
}

func (o *outbox) takeReplies(w *wire) {
	count, size := w.fill(o.replies)
	o.size -= size
	if count == len(o.replies) && count > keptFrames {
		o.replies = nil
		return
	}
	o.replies = slices.Delete(o.replies, 0, count)
}

// stop notes that nobody writes any more. It is called with mu held.
func (o *outbox) stop() {
	o.flushing = false
	o.tellRoom()
	if o.flushed != nil {
		close(o.flushed)
		o.flushed = nil
	}
}

func (o *outbox) hasRoom() bool { return o.sync == nil && len(o.page) == 0 && o.size <= roomBytes }

func (o *outbox) tellRoom() {
	if o.room != nil && o.hasRoom() {
		close(o.room)
		o.room = nil
	}
}

// backlog returns the cursor, and how many bytes wait to be written beside the events behind it.
func (o *outbox) backlog() (at eventstore.Position, queued int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, frame := range o.page {
		queued += len(frame)
	}
	return o.at, queued + o.size + o.offered
}

// isCongested tells whether so much is on its way that no more may be asked for.
func (o *outbox) isCongested() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.replies) > readFrames || o.size > readBytes
}

// awaitRoom waits until most is written, and reports whether that came to be before ctx was done. A client that takes
// nothing at all meets the write deadline, which ends the session and its ctx.
func (o *outbox) awaitRoom(ctx context.Context) bool {
	for {
		o.mu.Lock()
		if o.hasRoom() {
			o.mu.Unlock()
			return ctx.Err() == nil
		}
		if o.room == nil {
			o.room = make(chan struct{})
		}
		room := o.room
		o.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
			return false
		}
	}
}

// finish sends a close frame behind what is queued, or in its place, and takes nothing any more.
func (o *outbox) finish(payload []byte, dropQueue bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return
	}
	o.closed = true
	if dropQueue {
		o.forget()
	}
	o.ending = payload
	o.start()
}

// drop forgets everything: the connection is gone.
func (o *outbox) drop() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed, o.ending = true, nil
	o.forget()
}

func (o *outbox) forget() {
	if o.sync != nil || len(o.page) > 0 { // the cursor has passed them
		o.synced = false
	}
	o.controls, o.replies, o.size, o.sync, o.page, o.offers, o.offered = nil, nil, 0, nil, nil, nil, 0
}

// written returns a channel that is closed when nothing is left to write.
func (o *outbox) written() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.flushed != nil {
		return o.flushed
	}
	flushed := make(chan struct{})
	if o.flushing {
		o.flushed = flushed
	} else {
		close(flushed)
	}
	return flushed
}
