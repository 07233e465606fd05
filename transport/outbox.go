package transport

import (
	"context"
	"sync"

	"github.com/olahol/melody"

	"graphy/eventstore"
)

const (
	handedWindow = 16 // messages in melody's buffer; it drops what does not fit, so it is handed no more
	closeReserve = 4  // room in it for close frames

	liveFrames, liveBytes = 512, 1 << 20   // on the way; over either nothing live is added
	roomFrames, roomBytes = 128, 256 << 10 // on the way; under both there is room for a sync or a page
	readFrames, readBytes = 2048, 2 << 20  // on the way; over either the client is not listened to until there is room
	mostBytes             = 16 << 20       // on the way beside a sync; over it the client is cut off
	joinedBytes           = 64 << 10       // of frames joined into one message
)

// outbox is what is on its way to one connection, in order, and how far into the graph's history it leads. Melody's
// own buffer drops what it cannot take; so frames wait here, where they are counted, and melody is handed a few at a
// time. Replies are bounded by the commands under way, live frames by liveFrames and liveBytes.
//
// Its methods never block, except awaitRoom.
type outbox struct {
	ws     *melody.Session
	batch  bool // frames may be joined, each on a line
	window int  // messages that melody may have at a time

	mu        sync.Mutex
	queue     [][]byte      // not handed to melody yet
	handed    []parcel      // in melody's hands, oldest first
	frames    int           // queued and handed
	bytes     int           // of them
	syncBytes int           // of the newest sync, until all is sent
	ending    []byte        // close payload that goes behind the queue
	closed    bool          // takes nothing any more
	room      chan struct{} // closed when there is room; nil if nobody waits

	at      eventstore.Position // where the frames lead to
	synced  bool                // at counts: a sync was sent
	has     eventstore.Position // what the client has by its own account,
	claims  bool                // when it asked for a sync,
	reports bool                // or since
}

// parcel is one message that melody has.
type parcel struct{ frames, bytes int }

// reply adds a frame for this client alone. It reports false if the client takes too little of what it is sent.
func (o *outbox) reply(frame []byte) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.add(frame)
	return o.bytes-o.syncBytes <= mostBytes
}

// add is called with mu held, as pump and the like are.
func (o *outbox) add(frame []byte) {
	if o.closed {
		return
	}
	o.queue = append(o.queue, frame)
	o.frames++
	o.bytes += len(frame)
	o.pump()
}

// pump hands melody what it has room for.
func (o *outbox) pump() {
	for len(o.handed) < o.window && len(o.queue) > 0 {
		message, count, size := o.queue[0], 1, len(o.queue[0])
		o.queue[0] = nil
		o.queue = o.queue[1:]
		if o.batch && len(o.queue) > 0 && size < joinedBytes {
			message, count, size = o.join(message)
		}
		o.handed = append(o.handed, parcel{count, size})
		_ = o.ws.Write(message) // fails only if the connection is closed, and then nobody misses it
	}
	if len(o.queue) == 0 && o.ending != nil {
		payload := o.ending
		o.ending = nil
		_ = o.ws.CloseWithMsg(payload)
	}
}

// join takes frames off the queue and puts them behind first, each on a line. The size is without line ends.
func (o *outbox) join(first []byte) (message []byte, count, size int) {
	count, size = 1, len(first)
	for count <= len(o.queue) && size+len(o.queue[count-1]) <= joinedBytes {
		size += len(o.queue[count-1])
		count++
	}
	message = append(make([]byte, 0, size+count), first...)
	for i, frame := range o.queue[:count-1] {
		message = append(append(message, '\n'), frame...)
		o.queue[i] = nil
	}
	o.queue = o.queue[count-1:]
	return message, count, size
}

// sent is told by melody that the oldest message it has is written.
func (o *outbox) sent([]byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.handed) == 0 {
		return
	}
	o.frames -= o.handed[0].frames
	o.bytes -= o.handed[0].bytes
	o.handed = append(o.handed[:0], o.handed[1:]...)
	if o.frames == 0 {
		o.syncBytes = 0
	}
	o.pump()
	if o.room != nil && o.hasRoom() {
		close(o.room)
		o.room = nil
	}
}

func (o *outbox) hasRoom() bool { return o.frames <= roomFrames && o.bytes <= roomBytes }

// isCongested tells whether so much is on its way that no more may be asked for.
func (o *outbox) isCongested() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.frames > readFrames || o.bytes-o.syncBytes > readBytes
}

// awaitRoom waits until most is sent, and reports whether that came to be before ctx was done. A client that takes
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
		o.queue = nil
	}
	o.ending = payload
	o.pump()
}

// drop forgets everything: the connection is gone.
func (o *outbox) drop() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed, o.queue, o.ending = true, nil, nil
}
