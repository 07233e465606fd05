package embedded

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// A frame is what one fsync makes durable: the records of one group commit, so after a crash either all of them are
// there or none. Only the last frame of a file can be torn, because a frame is written when the one before it is
// durable; so a bad frame with a good one anywhere behind it is not a torn write but damage.
//
//	marker  4 bytes, which valid UTF-8 never holds
//	length  4 bytes, little endian: of the payload
//	sum     4 bytes, little endian: CRC-32C of length and payload
//	payload records
const (
	frameMarker = "\xffGJ\xfe"
	frameHeader = len(frameMarker) + 8
	maxPayload  = 1 << 30
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// beginFrame returns a buffer with room for the header, to append records to.
func beginFrame(size int) []byte {
	return append(make([]byte, 0, frameHeader+size), frameMarker+"\x00\x00\x00\x00\x00\x00\x00\x00"...)
}

// endFrame fills in the header of a frame begun with beginFrame.
func endFrame(frame []byte) {
	length, payload := frame[len(frameMarker):len(frameMarker)+4], frame[frameHeader:]
	binary.LittleEndian.PutUint32(length, uint32(len(payload)))
	binary.LittleEndian.PutUint32(frame[len(frameMarker)+4:], frameSum(length, payload))
}

func frameSum(length, payload []byte) uint32 {
	return crc32.Update(crc32.Checksum(length, castagnoli), castagnoli, payload)
}

// badFrame is why the bytes at offset are no frame: torn or damaged.
type badFrame struct {
	offset int64
	reason string
}

func (e *badFrame) Error() string { return fmt.Sprintf("offset %d: %s", e.offset, e.reason) }

// A frameReader reads frames one after another.
type frameReader struct {
	source  io.Reader
	offset  int64 // of the next frame
	size    int64 // of the file
	payload []byte
}

// next returns the payload of the next frame, valid until the call after, or io.EOF at the end of the file, or a
// *badFrame. Any other error is one of reading.
func (r *frameReader) next() ([]byte, error) {
	if r.offset == r.size {
		return nil, io.EOF
	}
	if r.size-r.offset < int64(frameHeader) {
		return nil, &badFrame{r.offset, "incomplete frame header"}
	}
	var header [frameHeader]byte
	if _, err := io.ReadFull(r.source, header[:]); err != nil {
		return nil, noEOF(err)
	}
	if string(header[:len(frameMarker)]) != frameMarker {
		return nil, &badFrame{r.offset, "no frame marker"}
	}
	length, sum := frameLengthAndSum(header)
	if length > maxPayload || length > r.size-r.offset-int64(frameHeader) {
		return nil, &badFrame{r.offset, fmt.Sprintf("frame of %d bytes does not end inside the file", length)}
	}
	if int64(cap(r.payload)) < length {
		r.payload = make([]byte, length, length+length/4)
	}
	r.payload = r.payload[:length]
	if _, err := io.ReadFull(r.source, r.payload); err != nil {
		return nil, noEOF(err)
	}
	if frameSum(header[len(frameMarker):len(frameMarker)+4], r.payload) != sum {
		return nil, &badFrame{r.offset, "wrong checksum"}
	}
	r.offset += int64(frameHeader) + length
	return r.payload, nil
}

func frameLengthAndSum(header [frameHeader]byte) (length int64, sum uint32) {
	return int64(binary.LittleEndian.Uint32(header[len(frameMarker):])),
		binary.LittleEndian.Uint32(header[len(frameMarker)+4:])
}

// noEOF keeps a file that is shorter than its size from looking like the regular end.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// findFrame returns the offset of the first whole frame that begins at or after offset from, or -1.
func findFrame(file io.ReaderAt, from, size int64) (int64, error) {
	window := make([]byte, 1<<20)
	for from < size {
		n, err := file.ReadAt(window[:min(int64(len(window)), size-from)], from)
		if err != nil && !errors.Is(err, io.EOF) {
			return -1, err
		}
		if n < len(frameMarker) {
			return -1, nil
		}
		at := bytes.Index(window[:n], []byte(frameMarker))
		if at < 0 {
			from += int64(n - len(frameMarker) + 1) // a marker may lie across two windows
			continue
		}
		from += int64(at)
		reader := frameReader{source: io.NewSectionReader(file, from, size-from), offset: from, size: size}
		_, err = reader.next()
		if err == nil {
			return from, nil
		}
		if bad := (*badFrame)(nil); !errors.As(err, &bad) {
			return -1, err
		}
		from++
	}
	return -1, nil
}
