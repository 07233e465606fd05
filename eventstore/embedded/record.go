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

	// The kinds of format 2. A base or a trim that finds no stream begins one, which stands at its position.
	kindBase   kind = 3 // the state at one of the stream's positions, in the place of the base before
	kindTrim   kind = 4 // the events up to a position are gone, with their operations
	kindRename kind = 5 // the stream takes the place of another one
	kindIndex  kind = 6 // operations are added to the index, and taken out of it
)

// A record is one change of one stream. Its encoding is
//
//	kind      1 byte
//	stream    text
//	and of an append
//	expected  number, the version the events follow
//	events    number, then for each: data text, hash text, operations number, each of them text
//	of a base
//	position  version number, hash text
//	data      text
//	of a trim
//	position  version number, hash text: of the last event that is gone
//	of a rename
//	target    text
//	of an index
//	add       number, then for each: operation text, version number
//	remove    the same
//
// where a number is a uvarint in its shortest form, and a text a number of bytes and the bytes.
type record struct {
	kind   kind
	stream string

	expected eventstore.Version
	events   []eventstore.Event

	position eventstore.Position
	data     []byte

	target string

	add, remove []indexed
}

// indexed is one operation of an index.
type indexed struct {
	operation string
	version   eventstore.Version
}

var errRecord = errors.New("malformed record")

// format is the oldest format of journals that has records of this kind.
func (k kind) format() uint32 {
	if k <= kindDelete {
		return 1
	}
	return 2
}

func (r record) appendTo(b []byte) []byte {
	b = append(b, byte(r.kind))
	b = appendText(b, r.stream)
	switch r.kind {
	case kindAppend:
		b = binary.AppendUvarint(b, uint64(r.expected))
		b = binary.AppendUvarint(b, uint64(len(r.events)))
		for _, event := range r.events {
			b = appendEvent(b, event)
		}
	case kindBase:
		b = appendText(appendPosition(b, r.position), r.data)
	case kindTrim:
		b = appendPosition(b, r.position)
	case kindRename:
		b = appendText(b, r.target)
	case kindIndex:
		b = appendIndexed(appendIndexed(b, r.add), r.remove)
	}
	return b
}

func appendEvent(b []byte, event eventstore.Event) []byte {
	b = appendText(b, event.Data)
	b = appendText(b, event.Hash)
	b = binary.AppendUvarint(b, uint64(len(event.Operations)))
	for _, id := range event.Operations {
		b = appendText(b, id)
	}
	return b
}

func appendPosition(b []byte, position eventstore.Position) []byte {
	return appendText(binary.AppendUvarint(b, uint64(position.Version)), position.Hash)
}

func appendIndexed(b []byte, list []indexed) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, one := range list {
		b = binary.AppendUvarint(appendText(b, one.operation), uint64(one.version))
	}
	return b
}

func appendText[T ~string | ~[]byte](b []byte, text T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// encodedSize is an upper bound of what appendTo appends.
func (r record) encodedSize() int {
	size := 1 + len(r.stream) + len(r.position.Hash) + len(r.data) + len(r.target) + 6*binary.MaxVarintLen64
	for _, event := range r.events {
		size += eventSize(event)
	}
	for _, list := range [][]indexed{r.add, r.remove} {
		for _, one := range list {
			size += len(one.operation) + 2*binary.MaxVarintLen64
		}
	}
	return size
}

func eventSize(event eventstore.Event) int {
	size := len(event.Data) + len(event.Hash) + 3*binary.MaxVarintLen64
	for _, id := range event.Operations {
		size += len(id) + binary.MaxVarintLen64
	}
	return size
}

// decodeRecord reads the record at the start of b and returns what follows it. The data of events and bases are parts
// of b.
func decodeRecord(b []byte) (record, []byte, error) {
	d := decoder{rest: b}
	r := record{kind: kind(d.byte()), stream: string(d.text())}
	switch r.kind {
	case kindAppend:
		r.expected = eventstore.Version(d.number())
		r.events = make([]eventstore.Event, 0, d.count(3)) // an event takes three bytes at least
		for range cap(r.events) {
			r.events = append(r.events, d.event(r.expected+eventstore.Version(len(r.events))+1))
		}
		if len(r.events) == 0 {
			d.failed = true
		}
	case kindDelete:
	case kindBase:
		r.position, r.data = d.position(), d.text()
	case kindTrim:
		r.position = d.position()
	case kindRename:
		r.target = string(d.text())
	case kindIndex:
		r.add, r.remove = d.indexed(), d.indexed()
	default:
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

func (d *decoder) position() eventstore.Position {
	return eventstore.Position{Version: eventstore.Version(d.number()), Hash: eventstore.Hash(d.text())}
}

func (d *decoder) indexed() []indexed {
	n := d.count(2)
	if n == 0 {
		return nil
	}
	list := make([]indexed, n)
	for i := range list {
		list[i] = indexed{string(d.text()), eventstore.Version(d.number())}
	}
	return list
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
