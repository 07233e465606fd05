package transport

import (
	"encoding/binary"
	"slices"
	"sync"
)

// Of a WebSocket frame's first byte (RFC 6455, 5.2).
const (
	finalBit      = 0x80
	compressedBit = 0x40 // RFC 7692, 6
	textFrame     = 0x1
	closeFrame    = 0x8
	pingFrame     = 0x9
)

const (
	wireBytes  = 64 << 10 // that are gathered for one write
	largeFrame = 16 << 10 // from here on a frame is written from where it lies, not copied
)

// wire gathers the bytes of one write to a client: whole WebSocket frames. A server's are not masked, so a frame is two
// to ten bytes of header and then what all clients get alike.
type wire struct {
	joined bool // frames go into one message, each on a line

	bytes  []byte // what was copied
	body   int    // joined: where the payload of the message at the end of bytes begins; 0 if there is none
	spans  []span // bytes, and what lies elsewhere, in order
	cut    int    // where the bytes begin that are in no span yet
	size   int    // of frames
	frames int    // and messages
}

// span is a part of what is written: a stretch of wire.bytes, or memory that others share.
type span struct {
	from, to int
	shared   []byte
}

var wires = sync.Pool{New: func() any { return new(wire) }}

// reset empties w.
func (w *wire) reset() {
	clear(w.spans)
	*w = wire{joined: w.joined, bytes: w.bytes[:0], spans: w.spans[:0]}
}

// room returns how many bytes more may be gathered; a frame that is larger still goes in if it is above 0.
func (w *wire) room() int { return max(0, wireBytes-w.size) }

func (w *wire) empty() bool { return len(w.bytes) == 0 }

// text adds a frame.
func (w *wire) text(frame []byte) {
	w.frames++
	w.size += len(frame)
	switch {
	case len(frame) >= largeFrame:
		w.endMessage()
		w.bytes = appendHeader(w.bytes, finalBit|textFrame, len(frame))
		w.share(frame)
	case !w.joined:
		w.bytes = append(appendHeader(w.bytes, finalBit|textFrame, len(frame)), frame...)
	case w.body == 0:
		w.bytes = append(w.bytes, 0, 0, 0, 0) // for the header
		w.body = len(w.bytes)
		w.bytes = append(w.bytes, frame...)
	default:
		w.bytes = append(append(w.bytes, '\n'), frame...)
	}
}

// fill adds frames, oldest first, while there is room. It returns how many, and their bytes.
func (w *wire) fill(frames [][]byte) (count, size int) {
	for ; count < len(frames) && w.room() > 0; count++ {
		w.text(frames[count])
		size += len(frames[count])
	}
	return count, size
}

// bulk adds a large message, which takes none of the room.
func (w *wire) bulk(m *bulk) {
	w.endMessage()
	w.frames++
	first := byte(finalBit | textFrame)
	if m.compressed {
		first |= compressedBit
	}
	w.bytes = appendHeader(w.bytes, first, m.size)
	for _, part := range m.parts {
		if len(part) < largeFrame {
			w.bytes = append(w.bytes, part...)
		} else {
			w.share(part)
		}
	}
}

// control adds a control frame.
func (w *wire) control(opcode byte, payload []byte) {
	w.endMessage()
	w.bytes = append(appendHeader(w.bytes, finalBit|opcode, len(payload)), payload...)
}

// share puts memory that is not copied behind the bytes.
func (w *wire) share(data []byte) {
	w.spans = append(w.spans, span{from: w.cut, to: len(w.bytes)}, span{shared: data})
	w.cut = len(w.bytes)
}

// endMessage ends the message that lines were joined in: its header is written now that its length is known, into
// the four bytes that were left for it, or as many as it needs: the shortest form is a must.
func (w *wire) endMessage() {
	if w.body == 0 {
		return
	}
	var header [10]byte
	written := appendHeader(header[:0], finalBit|textFrame, len(w.bytes)-w.body)
	if start := w.body - 4; len(written) == 4 {
		copy(w.bytes[start:], written)
	} else {
		w.bytes = slices.Replace(w.bytes, start, w.body, written...)
	}
	w.body = 0
}

// end ends what was gathered: the spans are all of it then.
func (w *wire) end() {
	w.endMessage()
	if w.cut < len(w.bytes) {
		w.spans = append(w.spans, span{from: w.cut, to: len(w.bytes)})
		w.cut = len(w.bytes)
	}
}

// part returns the memory of a span.
func (w *wire) part(s span) []byte {
	if s.shared != nil {
		return s.shared
	}
	return w.bytes[s.from:s.to]
}

func appendHeader(dst []byte, first byte, size int) []byte {
	switch {
	case size < 126:
		return append(dst, first, byte(size))
	case size < 1<<16:
		return binary.BigEndian.AppendUint16(append(dst, first, 126), uint16(size))
	}
	return binary.BigEndian.AppendUint64(append(dst, first, 127), uint64(size))
}

// bulk is a large text message in parts, most of them shared with other sessions and never written to.
type bulk struct {
	parts      [][]byte
	size       int
	compressed bool
}

func newBulk(parts ...[]byte) *bulk {
	m := &bulk{parts: parts}
	for _, part := range parts {
		m.size += len(part)
	}
	return m
}
