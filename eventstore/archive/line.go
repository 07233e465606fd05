package archive

import (
	"bytes"
	"encoding/base64"
	"fmt"

	"github.com/go-json-experiment/json"

	"graphy/eventstore"
)

// An archive is JSON Lines. The line of an event is what clients get in changes: its data, byte for byte, with the hash
// at the end. Data that are no object on one line, which nobody writes but a damaged log may hold, stand there as
// {"base64":"…","hash":"…"}.
const (
	lineHash   = `,"hash":"`
	lineEnd    = `"}`
	lineBase64 = `{"base64":"`
	hashBytes  = 32 // digits
	hashTail   = len(lineHash) + hashBytes + len(lineEnd)
)

// maxLine bounds a line, and so an event: Redis has no longer values. A base stands in a line too.
const (
	maxLine = 512 << 20
	maxBase = maxLine/4*3 - 4096
)

// appendEvent appends the line of event, whose hash has to have its 32 digits.
func appendEvent(dst []byte, event *eventstore.Event) []byte {
	if data := event.Data; isPlain(data) {
		dst = append(dst, data[:len(data)-1]...)
	} else {
		dst = append(base64.StdEncoding.AppendEncode(append(dst, lineBase64...), data), '"')
	}
	dst = append(append(dst, lineHash...), event.Hash...)
	return append(dst, lineEnd+"\n"...)
}

func isPlain(data []byte) bool {
	last := len(data) - 1
	return last > 0 && data[0] == '{' && data[last] == '}' && bytes.IndexByte(data, '\n') < 0 &&
		!bytes.HasPrefix(data, []byte(lineBase64))
}

// cutEvent takes the line of an event apart, and writes into it; false if it is none.
func cutEvent(line []byte) (data, hash []byte, ok bool) {
	cut := len(line) - hashTail
	if cut < 1 || string(line[cut:cut+len(lineHash)]) != lineHash || string(line[len(line)-len(lineEnd):]) != lineEnd {
		return nil, nil, false
	}
	hash = line[cut+len(lineHash) : len(line)-len(lineEnd)]
	if line[cut] = '}'; !bytes.HasPrefix(line, []byte(lineBase64)) {
		return line[:cut+1], hash, true
	}
	text := bytes.TrimSuffix(line[len(lineBase64):cut], []byte{'"'})
	data, err := base64.StdEncoding.Strict().AppendDecode(nil, text)
	return data, hash, err == nil
}

// header is the first line of a file, and the one before the events of a graph.
type header struct {
	Archive int                  `json:"archive,omitzero"` // the version of the format, in the first line
	Created int64                `json:"created,omitzero"` // of a file, Unix ms
	GraphID string               `json:"graphId,omitzero"`
	From    *eventstore.Position `json:"from,omitzero"`
	To      *eventstore.Position `json:"to,omitzero"` // where it is known beforehand
	Base    []byte               `json:"base,omitzero"`
}

// format is the version of the format that is written, and the only one that is read.
const format = 1

// end is the line after the events of a graph. Where it fits, all of the graph is as it was written: the events chain to
// To, and Begin is a hash of the line before them.
type end struct {
	To     eventstore.Position `json:"to"`
	Events int64               `json:"events"`
	Begin  eventstore.Hash     `json:"begin"`
}

// Manifest says what is in a file. It is its last line.
type Manifest struct {
	Created int64   `json:"created"` // Unix ms
	Graphs  []Entry `json:"graphs"`
}

// Entry is one graph of a Manifest.
type Entry struct {
	GraphID string              `json:"graphId"`
	From    eventstore.Position `json:"from"` // of its base; version 0 for none
	To      eventstore.Position `json:"to"`
	Events  int64               `json:"events"`
}

type manifestLine struct {
	Manifest Manifest `json:"manifest"`
}

// appendLine appends a line that is no event's.
func appendLine(dst []byte, value any) ([]byte, error) {
	text, err := json.Marshal(value)
	return append(append(dst, text...), '\n'), err
}

// parseLine reads a line that is no event's into value. Its error is ErrDamaged.
func parseLine(line []byte, value any) error {
	if err := json.Unmarshal(line, value, json.RejectUnknownMembers(true)); err != nil {
		return damaged("line %.80q: %w", line, err)
	}
	return nil
}

// checkGraph tells whether id can be one of a graph.
func checkGraph(id string) error {
	dots := 0
	for i := range len(id) {
		switch c := id[i]; {
		case isLower(c), c >= 'A' && c <= 'Z', c == '_', c == '~', c == ':', c == '@', c == '-':
		case c == '.':
			dots++
		default:
			return fmt.Errorf("%.140q is no id of a graph", id)
		}
	}
	if len(id) > 128 || dots == len(id) { // which an empty one is, too
		return fmt.Errorf("%.140q is no id of a graph", id)
	}
	return nil
}

func isLower(c byte) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' }

// checkPosition tells whether at can be one: 32 digits of a hash from version 1 on.
func checkPosition(at eventstore.Position) error {
	if at == (eventstore.Position{}) {
		return nil
	}
	ok := at.Version > 0 && at.Version <= maxVersion && len(at.Hash) == hashBytes
	for i := 0; ok && i < len(at.Hash); i++ {
		ok = at.Hash[i] >= 'a' && at.Hash[i] <= 'f' || at.Hash[i] >= '0' && at.Hash[i] <= '9'
	}
	if !ok {
		return fmt.Errorf("there is no version %d with hash %.64q", at.Version, at.Hash)
	}
	return nil
}

const maxVersion = 1 << 53 // JSON numbers are exact up to it
