package transport

import (
	"bytes"
	"encoding/binary"
	"errors"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"graphy/command"
)

const (
	presenceFormat  = 1         // of messages; others are not understood
	presenceMost    = 16 << 10  // bytes of what one client says
	presencePart    = 64 << 10  // about the size of a message, at which another one is begun
	presenceLongest = 256 << 10 // over it a message is not looked at
	nameMost        = 128       // bytes of a name of a user, client or place
)

// presenceMessage tells other processes of the clients at one place.
type presenceMessage struct {
	place   string
	number  uint64 // 1 is the place's first message
	asks    bool   // the place wants to be told of all clients of the others
	first   bool   // this message and what follows up to the last
	last    bool   // tell of all clients of the place
	entries []presenceEntry
}

type presenceEntry struct {
	key  presenceKey
	at   uint64
	data []byte // nil: the client is gone
}

// Flags of a message.
const (
	flagAsks = 1 << iota
	flagFirst
	flagLast
)

// append encodes the message: the format, flags, place, number, and the entries, each user, client, at, and data, which
// is empty for one that is gone. Numbers and lengths are varints.
func (m *presenceMessage) append(dst []byte) []byte {
	flags := byte(0)
	for flag, set := range map[byte]bool{flagAsks: m.asks, flagFirst: m.first, flagLast: m.last} {
		if set {
			flags |= flag
		}
	}
	dst = append(dst, presenceFormat, flags)
	dst = appendCounted(dst, m.place)
	dst = binary.AppendUvarint(dst, m.number)
	for _, e := range m.entries {
		dst = appendCounted(appendCounted(dst, e.key.user), e.key.client)
		dst = binary.AppendUvarint(dst, e.at)
		dst = appendCounted(dst, e.data)
	}
	return dst
}

func appendCounted[Text ~string | ~[]byte](dst []byte, text Text) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(text))), text...)
}

// size is about how long the entry is when it is encoded.
func (e *presenceEntry) size() int { return len(e.key.user) + len(e.key.client) + len(e.data) + 16 }

var errPresence = errors.New("transport: not a message of presence")

// decodePresence decodes a message, whose data it keeps. What it accepts can be shown to clients as it is.
func decodePresence(message []byte) (*presenceMessage, error) {
	if len(message) < 2 || len(message) > presenceLongest || message[0] != presenceFormat || message[1] > flagAsks|flagFirst|flagLast {
		return nil, errPresence
	}
	flags := message[1]
	r := countedReader{rest: message[2:]}
	m := &presenceMessage{asks: flags&flagAsks != 0, first: flags&flagFirst != 0, last: flags&flagLast != 0}
	m.place = string(r.text(nameMost))
	m.number = r.number()
	for !r.bad && len(r.rest) > 0 {
		e := presenceEntry{key: presenceKey{user: string(r.text(nameMost)), client: string(r.text(nameMost))}}
		e.at = r.number()
		e.data = r.text(presenceMost)
		if len(e.data) == 0 {
			e.data = nil
		}
		r.bad = r.bad || !e.sound()
		m.entries = append(m.entries, e)
	}
	if r.bad || m.place == "" || m.number == 0 {
		return nil, errPresence
	}
	return m, nil
}

func (e *presenceEntry) sound() bool {
	return e.key.user != "" && utf8.ValidString(e.key.user) && command.CheckID(e.key.client, "") == nil &&
		(e.data == nil || bytes.IndexByte(e.data, '\n') < 0 && jsontext.Value(e.data).IsValid())
}

// countedReader takes a message apart. Once something is wrong it is bad, and gives nothing any more.
type countedReader struct {
	rest []byte
	bad  bool
}

func (r *countedReader) number() uint64 {
	number, size := binary.Uvarint(r.rest)
	if r.bad || size <= 0 {
		r.bad = true
		return 0
	}
	r.rest = r.rest[size:]
	return number
}

func (r *countedReader) text(most int) []byte {
	count := r.number()
	if r.bad || count > uint64(most) || count > uint64(len(r.rest)) {
		r.bad = true
		return nil
	}
	text := r.rest[:count:count]
	r.rest = r.rest[count:]
	return text
}
