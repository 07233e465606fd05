package embedded

import (
	"encoding/binary"
	"errors"
	"fmt"

	"graphy/eventstore"
)

// kind says what a record does to its stream.
type kind byte

const (
	kindAppend kind = 1 // events follow the stream's head
	kindDelete kind = 2 // the stream is gone and starts anew
)

// A record is one change of one stream. Its encoding is
//
//	kind      1 byte
//	stream    text
//	and of an append
//	expected  number, the version the events follow
//	events    number, then for each: data text, hash text, operations number, each of them text
//
// where a number is a uvarint in its shortest form, and a text a number of bytes and the bytes.
type record struct {
	kind     kind
	stream   string
	expected eventstore.Version
	events   []eventstore.Event
}

var errRecord = errors.New("malformed record")

func (r record) appendTo(b []byte) []byte {
	b = append(b, byte(r.kind))
	b = appendText(b, r.stream)
	if r.kind != kindAppend {
		return b
	}
	b = binary.AppendUvarint(b, uint64(r.expected))
	b = binary.AppendUvarint(b, uint64(len(r.events)))
	for _, event := range r.events {
		b = appendText(b, event.Data)
		b = appendText(b, event.Hash)
		b = binary.AppendUvarint(b, uint64(len(event.Operations)))
		for _, id := range event.Operations {
			b = appendText(b, id)
		}
	}
	return b
}

func appendText[T ~string | ~[]byte](b []byte, text T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// encodedSize is an upper bound of what appendTo appends.
func (r record) encodedSize() int {
	size := 1 + len(r.stream) + 3*binary.MaxVarintLen64
	for _, event := range r.events {
		size += len(event.Data) + len(event.Hash) + 3*binary.MaxVarintLen64
		for _, id := range event.Operations {
			size += len(id) + binary.MaxVarintLen64
		}
	}
	return size
}

// decodeRecord reads the record at the start of b and returns what follows it. The events' data are parts of b.
func decodeRecord(b []byte) (record, []byte, error) {
	d := decoder{rest: b}
	r := record{kind: kind(d.byte()), stream: string(d.text())}
	switch {
	case r.kind == kindAppend:
		r.expected = eventstore.Version(d.number())
		r.events = make([]eventstore.Event, 0, d.count(3)) // an event takes three bytes at least
		for range cap(r.events) {
			r.events = append(r.events, d.event(r.expected+eventstore.Version(len(r.events))+1))
		}
		if len(r.events) == 0 {
			d.failed = true
		}
	case r.kind != kindDelete:
		return record{}, nil, fmt.Errorf("%w: unknown kind %d", errRecord, r.kind)
	}
	if d.failed {
		return record{}, nil, errRecord
	}
	return r, d.rest, nil
}

// A decoder takes values off the front of rest. After the first failure it yields zero values.
type decoder struct {
	rest   []byte
	failed bool
}

func (d *decoder) event(version eventstore.Version) eventstore.Event {
	event := eventstore.Event{Version: version, Data: d.text(), Hash: eventstore.Hash(d.text())}
	if n := d.count(1); n > 0 {
		event.Operations = make([]string, n)
		for i := range event.Operations {
			event.Operations[i] = string(d.text())
		}
	}
	return event
}

func (d *decoder) byte() byte {
	if d.failed || len(d.rest) == 0 {
		d.failed = true
		return 0
	}
	b := d.rest[0]
	d.rest = d.rest[1:]
	return b
}

func (d *decoder) number() uint64 {
	value, n := binary.Uvarint(d.rest)
	if d.failed || n <= 0 || (n > 1 && d.rest[n-1] == 0) { // a last byte of zero: not the shortest form
		d.failed = true
		return 0
	}
	d.rest = d.rest[n:]
	return value
}

// count reads how many items follow, each of least bytes or more, so that a false count cannot ask for more memory
// than the record has.
func (d *decoder) count(least int) int {
	value := d.number()
	if value > uint64(len(d.rest)/least) {
		d.failed = true
		return 0
	}
	return int(value)
}

func (d *decoder) text() []byte {
	n := d.count(1)
	text := d.rest[:n:n]
	d.rest = d.rest[n:]
	return text
}
