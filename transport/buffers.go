package transport

import "sync"

// buffer is memory for one answer, used again for later ones.
type buffer struct{ bytes []byte }

// keepBuffer is the largest capacity that is kept: a rare huge answer is not to stay in memory for ever.
const keepBuffer = 1 << 20

var buffers = sync.Pool{New: func() any { return &buffer{bytes: make([]byte, 0, 4096)} }}

// borrow returns an empty buffer; giveBack it when its bytes are no longer looked at.
func borrow() *buffer { return buffers.Get().(*buffer) }

func giveBack(b *buffer) {
	if cap(b.bytes) <= keepBuffer {
		b.bytes = b.bytes[:0]
		buffers.Put(b)
	}
}
