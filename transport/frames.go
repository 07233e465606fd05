package transport

import (
	"bytes"
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

// appendFrameChange appends the change that a state_update frame carries.
func appendFrameChange(dst, frame []byte) []byte {
	return append(append(dst, '{'), frame[len(stateUpdatePrefix):]...)
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

// withState returns the frame with a whole state.
func (f *syncFrame) withState(state []byte) []byte {
	frame := f.append(make([]byte, 0, len(state)+512))
	frame = append(append(frame, `,"state":`...), state...)
	return append(frame, '}')
}

// withChanges returns the frame with what happened since; without changes it has no such member.
func (f *syncFrame) withChanges(updates [][]byte) []byte {
	size := 512
	for _, update := range updates {
		size += len(update)
	}
	frame := f.append(make([]byte, 0, size))
	for i, update := range updates {
		if i == 0 {
			frame = append(frame, `,"changes":[`...)
		} else {
			frame = append(frame, ',')
		}
		frame = appendFrameChange(frame, update)
	}
	if len(updates) > 0 {
		frame = append(frame, ']')
	}
	return append(frame, '}')
}

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
