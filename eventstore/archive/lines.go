package archive

import (
	"bytes"
	"errors"
	"io"
)

// lines reads a text line by line. It needs as much memory as the longest of them.
type lines struct {
	source     io.Reader // nil: all of it is in buffer
	buffer     []byte
	start, end int // of what is not read yet
	ended      error
}

const lineBuffer = 512 << 10

func newLines(source io.Reader) *lines {
	return &lines{source: source, buffer: make([]byte, lineBuffer)}
}

// linesOf reads text, which is written into.
func linesOf(text []byte) *lines { return &lines{buffer: text, end: len(text), ended: io.EOF} }

// next returns the next line, without its end and valid until the next call. Its error is io.EOF after the last line,
// ErrDamaged in the middle of one, and else that of the source.
func (l *lines) next() ([]byte, error) {
	for searched := l.start; ; {
		if at := bytes.IndexByte(l.buffer[searched:l.end], '\n'); at >= 0 {
			line := l.buffer[l.start : searched+at]
			l.start = searched + at + 1
			return line, nil
		}
		if l.ended != nil {
			if errors.Is(l.ended, io.EOF) && l.start < l.end {
				return nil, damaged("the text ends in the middle of a line")
			}
			return nil, l.ended
		}
		searched = l.end
		if moved := l.makeRoom(); moved > 0 {
			searched -= moved
		}
		if l.end-l.start > maxLine {
			return nil, damaged("a line of more than %d bytes", maxLine)
		}
		n, err := l.source.Read(l.buffer[l.end:])
		l.end, l.ended = l.end+n, err
	}
}

// makeRoom makes room in the buffer, and returns how far what is in it has moved towards the front.
func (l *lines) makeRoom() (moved int) {
	moved = l.start
	switch kept := l.end - l.start; {
	case kept == 0 && len(l.buffer) > 8*lineBuffer: // a very long line has been read
		l.buffer = make([]byte, lineBuffer)
	case l.start > 0 && kept <= len(l.buffer)/2:
		copy(l.buffer, l.buffer[l.start:l.end])
	case l.end == len(l.buffer):
		l.buffer = append(make([]byte, 0, 2*len(l.buffer)), l.buffer[l.start:l.end]...)
		l.buffer = l.buffer[:cap(l.buffer)]
	default:
		return 0
	}
	l.start, l.end = 0, l.end-moved
	return moved
}

// close makes sure that all was read.
func (l *lines) close() error {
	_, err := l.next()
	switch {
	case err == nil:
		return damaged("something follows after the end")
	case errors.Is(err, io.EOF):
		return nil
	default:
		return err
	}
}
