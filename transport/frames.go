package transport

import (
	"bytes"
	"encoding/binary"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"graphy/command"
	"graphy/eventstore"
)

const stateUpdatePrefix = `{"type":"state_update",`

// appendChange appends the change that clients get for event: its data with the hash spliced in at the end.
func appendChange(dst []byte, event eventstore.Event) []byte {
	return appendSpliced(dst, `{`, event)
}

// appendStateUpdate appends the frame that subscribers get for event.
func appendStateUpdate(dst []byte, event eventstore.Event) []byte {
	return appendSpliced(dst, stateUpdatePrefix, event)
}

func appendSpliced(dst []byte, prefix string, event eventstore.Event) []byte {
	dst = append(dst, prefix...)
	dst = append(dst, event.Data[1:len(event.Data)-1]...)
	dst = append(append(dst, `,"hash":"`...), event.Hash...)
	return append(dst, `"}`...)
}

// stateUpdate returns the frame for event in memory of its own, to be shared by all who get it.
func stateUpdate(event eventstore.Event) []byte {
	return appendStateUpdate(make([]byte, 0, len(stateUpdatePrefix)+len(event.Data)+len(event.Hash)+12), event)
}

// syncFrame is what a sync tells; body is `"changes":[…]`, `"state":{…}` or empty.
type syncFrame struct {
	status      deltaStatus
	at          eventstore.Position
	clientID    string
	reconnected bool
}

func (f *syncFrame) append(dst []byte) []byte {
	dst = append(append(dst, `{"type":"sync","status":"`...), f.status...)
	dst = strconv.AppendUint(append(dst, `","version":`...), uint64(f.at.Version), 10)
	dst = append(append(dst, `,"hash":"`...), f.at.Hash...)
	dst = append(append(dst, `","clientId":"`...), f.clientID...) // an id needs no escaping
	return strconv.AppendBool(append(dst, `","reconnected":`...), f.reconnected)
}

// withState returns the frame with a whole state, which is shared.
func (f *syncFrame) withState(state *encodedState) *bulk {
	return newBulk(append(f.append(nil), `,"state":`...), state.JSON, []byte{'}'})
}

// withDeflated is withState for those who understand compressed messages (RFC 7692): what is this client's own is
// stored as it is, and the state compressed once for all.
func (f *syncFrame) withDeflated(state *encodedState) *bulk {
	m := newBulk(appendStored(nil, append(f.append(nil), `,"state":`...)), state.Deflated(), appendStored(nil, []byte{'}'}), []byte{0})
	m.compressed = true
	return m
}

// appendStored appends data, less than 64 KiB, as a DEFLATE block that is not compressed (RFC 1951, 3.2.4). It begins
// and ends at a byte.
func appendStored(dst, data []byte) []byte {
	dst = binary.LittleEndian.AppendUint16(append(dst, 0), uint16(len(data)))
	return append(binary.LittleEndian.AppendUint16(dst, ^uint16(len(data))), data...)
}

// withChanges returns the frame with what happened since, which is shared; without changes it has no such member.
func (f *syncFrame) withChanges(updates [][]byte) *bulk {
	head := f.append(nil)
	if len(updates) == 0 {
		return newBulk(append(head, '}'))
	}
	parts := make([][]byte, 0, 2+2*len(updates))
	parts = append(parts, append(head, `,"changes":[{`...))
	for i, update := range updates {
		if i > 0 {
			parts = append(parts, betweenChanges)
		}
		parts = append(parts, update[len(stateUpdatePrefix):])
	}
	return newBulk(append(parts, endOfChanges)...)
}

var betweenChanges, endOfChanges = []byte(",{"), []byte("]}")

func heartbeatFrame(version eventstore.Version) []byte {
	return append(strconv.AppendUint([]byte(`{"type":"heartbeat","version":`), uint64(version), 10), '}')
}

func goingAwayFrame(retryAfterMillis int64) []byte {
	return append(strconv.AppendInt([]byte(`{"type":"going_away","retryAfter":`), retryAfterMillis, 10), '}')
}

func errorFrame(p problem) []byte {
	return append(p.append([]byte(`{"type":"error","error":`)), '}')
}

// conflictFrame tells on which paths an accepted command conflicted, and how that was settled: the members of the
// conflict behind the operation's.
func conflictFrame(outcome *command.Outcome) []byte {
	frame := append(make([]byte, 0, 128+len(outcome.Conflict)), `{"type":"conflict"`...)
	frame = appendText(frame, "operationId", outcome.OperationID)
	frame = appendNumber(frame, "version", int64(outcome.Version))
	return append(append(frame, ','), outcome.Conflict[1:]...)
}

// frameType returns the type of a client's frame, "" if it names none as a string. It looks no further than it must;
// who handles the frame validates it.
func frameType(frame []byte) string {
	rest, found := bytes.CutPrefix(frame, []byte(`{"type":"`))
	if found {
		if end := bytes.IndexAny(rest, `"\`); end >= 0 && rest[end] == '"' {
			return string(rest[:end])
		}
	}
	decoder := jsontext.NewDecoder(bytes.NewReader(frame))
	if token, err := decoder.ReadToken(); err != nil || token.Kind() != '{' {
		return ""
	}
	for decoder.PeekKind() == '"' {
		name, err := decoder.ReadToken()
		if err != nil {
			return ""
		}
		if name.String() != "type" {
			if decoder.SkipValue() != nil {
				return ""
			}
			continue
		}
		value, err := decoder.ReadToken()
		if err != nil || value.Kind() != '"' {
			return ""
		}
		return value.String()
	}
	return ""
}
