package embedded

import (
	"bytes"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"graphy/eventstore"
)

func TestRecordsComeBackAsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRecord(t)
		encoded := r.appendTo(nil)
		if len(encoded) > r.encodedSize() {
			t.Fatalf("encoded to %d bytes, encodedSize says %d", len(encoded), r.encodedSize())
		}
		got, rest, err := decodeRecord(append(encoded, "rest"...))
		if err != nil || string(rest) != "rest" || !reflect.DeepEqual(got, r) {
			t.Fatalf("got %+v, %q, %v, want %+v", got, rest, err, r)
		}
		for n := range encoded {
			if _, _, err := decodeRecord(encoded[:n]); err == nil {
				t.Errorf("the first %d of %d bytes were taken for a record", n, len(encoded))
			}
		}
	})
}

func drawRecord(t *rapid.T) record {
	r := record{kind: kind(rapid.IntRange(int(kindAppend), int(kindIndex)).Draw(t, "kind")), stream: rapid.String().Draw(t, "stream")}
	version := func(name string) eventstore.Version {
		return eventstore.Version(rapid.Uint64Range(0, 1<<53).Draw(t, name))
	}
	position := func() eventstore.Position {
		return eventstore.Position{Version: version("version"), Hash: eventstore.Hash(rapid.String().Draw(t, "hash"))}
	}
	list := func(name string) (list []indexed) {
		for range rapid.IntRange(0, 3).Draw(t, name) {
			list = append(list, indexed{rapid.String().Draw(t, "operation"), version("version")})
		}
		return list
	}
	switch r.kind {
	case kindAppend:
		r.expected = version("expected")
		for i := range rapid.IntRange(1, 5).Draw(t, "events") {
			r.events = append(r.events, eventstore.Event{
				Version:    r.expected + eventstore.Version(i) + 1,
				Data:       rapid.SliceOf(rapid.Byte()).Draw(t, "data"),
				Hash:       eventstore.Hash(rapid.String().Draw(t, "hash")),
				Operations: rapid.SliceOfN(rapid.String(), 1, 3).Draw(t, "operations"),
			})
		}
	case kindBase:
		r.position, r.data = position(), rapid.SliceOf(rapid.Byte()).Draw(t, "data")
	case kindTrim:
		r.position = position()
	case kindRename:
		r.target = rapid.String().Draw(t, "target")
	case kindIndex:
		r.add, r.remove = list("add"), list("remove")
	}
	return r
}

func TestDecodeRecordRefuses(t *testing.T) {
	whole := record{kind: kindAppend, stream: "g", events: chain(eventstore.Position{}, "g", 2)}.appendTo(nil)
	for n := range whole {
		if _, _, err := decodeRecord(whole[:n]); err == nil {
			t.Errorf("the first %d of %d bytes were taken for a record", n, len(whole))
		}
	}
	tests := map[string]string{
		"unknown kind":                 "\x07\x01g",
		"kind zero":                    "\x00\x01g",
		"base without data":            "\x03\x01g\x01\x00",
		"trim without hash":            "\x04\x01g\x01",
		"rename to nothing":            "\x05\x01g",
		"more to index than bytes":     "\x06\x01g\xff\xff\xff\xff\x01\x00",
		"no events":                    "\x01\x01g\x00\x00",
		"more events than bytes":       "\x01\x01g\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
		"number longer than need be":   "\x02\x81\x00g",
		"number that never ends":       "\x02\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
		"text longer than the record":  "\x02\x05g",
		"more operations than follows": "\x01\x01g\x00\x01\x00\x00\x09",
	}
	for name, input := range tests {
		if r, _, err := decodeRecord([]byte(input)); err == nil {
			t.Errorf("%s: got %+v, want an error", name, r)
		}
	}
}

func FuzzDecodeRecord(f *testing.F) {
	f.Add(record{kind: kindDelete, stream: "g"}.appendTo(nil))
	f.Add(record{kind: kindAppend, stream: "g", expected: 7, events: chain(eventstore.Position{Version: 7}, "g", 2)}.appendTo(nil))
	f.Add(record{kind: kindBase, stream: "g", position: eventstore.Position{Version: 7, Hash: "h"}, data: []byte("state")}.appendTo(nil))
	f.Add(record{kind: kindTrim, stream: "g", position: eventstore.Position{Version: 7, Hash: "h"}}.appendTo(nil))
	f.Add(record{kind: kindRename, stream: "g", target: "h"}.appendTo(nil))
	f.Add(record{kind: kindIndex, stream: "g", add: []indexed{{"a", 1}}, remove: []indexed{{"b", 2}, {"c", 300}}}.appendTo(nil))
	f.Fuzz(func(t *testing.T, input []byte) {
		r, rest, err := decodeRecord(input)
		if err != nil {
			return
		}
		if again := append(r.appendTo(nil), rest...); !bytes.Equal(again, input) {
			t.Errorf("%x was decoded to %+v, which is encoded as %x", input, r, again)
		}
	})
}

// FuzzFrames reads arbitrary bytes as frames: what is read must be what a writer of these payloads would have
// written, and looking for a frame behind damage must find none that the reader does not accept.
func FuzzFrames(f *testing.F) {
	frame := append(beginFrame(0), "payload"...)
	endFrame(frame)
	f.Add(frame)
	f.Add(append(append([]byte("damage"), frame...), frame...))
	f.Fuzz(func(t *testing.T, input []byte) {
		size := int64(len(input))
		reader := frameReader{source: bytes.NewReader(input), size: size}
		var written []byte
		for {
			payload, err := reader.next()
			if err != nil {
				break
			}
			frame := append(beginFrame(0), payload...)
			endFrame(frame)
			written = append(written, frame...)
		}
		if !bytes.HasPrefix(input, written) || int64(len(written)) != reader.offset {
			t.Errorf("read %d bytes of frames %x from %x", reader.offset, written, input)
		}
		at, err := findFrame(bytes.NewReader(input), reader.offset, size)
		if err != nil || at >= 0 && at == reader.offset {
			t.Errorf("found a frame at %d, %v, where reading stopped at %d", at, err, reader.offset)
		}
	})
}
