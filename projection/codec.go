package projection

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"unsafe"

	"github.com/go-json-experiment/json/jsontext"

	"graphy/eventstore"
)

// AppendJSON appends the event's JSON form, compact and on one line, to dst.
func (e *Event) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"version":`...)
	dst = strconv.AppendUint(dst, uint64(e.Version), 10)
	dst = appendText(dst, "commandType", e.CommandType)
	dst = appendText(dst, "operationId", e.OperationID)
	dst = appendText(dst, "userId", e.UserID)
	dst = appendText(dst, "clientId", e.ClientID)
	dst = appendNumber(dst, "timestamp", e.Timestamp)
	if e.WrittenAt != e.Timestamp {
		dst = appendNumber(dst, "writtenAt", e.WrittenAt)
	}
	if e.GestureID != "" {
		dst = appendText(dst, "gestureId", e.GestureID)
	}
	dst = appendText(dst, "request", e.Request)
	if len(e.Operations) > 0 {
		dst = append(dst, `,"operations":[`...)
		for i := range e.Operations {
			dst = e.Operations[i].appendJSON(dst, i > 0)
		}
		dst = append(dst, ']')
	}
	if e.Conflict != nil {
		dst = appendRaw(dst, "conflict", e.Conflict)
	}
	dst = e.appendSpecial(dst)
	dst = append(dst, `,"changes":`...)
	dst = AppendChanges(dst, e.Changes)
	dst = appendText(dst, "checksum", e.Checksum)
	return append(dst, '}')
}

// appendSpecial appends what only undo, redo, restore, resolve, policy and skip events bear.
func (e *Event) appendSpecial(dst []byte) []byte {
	dst = appendVersions(dst, "undoes", e.Undoes)
	dst = appendVersions(dst, "redoes", e.Redoes)
	if e.Skipped != nil {
		dst = appendRaw(dst, "skipped", e.Skipped)
	}
	if e.IsRestore {
		dst = appendNumber(dst, "restored", int64(e.Restored))
	}
	if e.Policy != nil {
		dst = appendRaw(dst, "policy", e.Policy)
	}
	if e.Resolves != nil {
		dst = append(dst, `,"resolves":{"conflictId":`...)
		dst = appendQuoted(dst, e.Resolves.ConflictID)
		dst = append(appendText(dst, "choice", e.Resolves.Choice), '}')
	}
	if e.Reopens != "" {
		dst = appendText(dst, "reopens", e.Reopens)
	}
	if e.Skips != nil {
		dst = appendRaw(dst, "skips", e.Skips)
	}
	return dst
}

// AppendChanges appends the JSON array of changes, as events hold it.
func AppendChanges(dst []byte, changes []Change) []byte {
	dst = append(dst, '[')
	for i := range changes {
		dst = changes[i].appendJSON(dst, i > 0)
	}
	return append(dst, ']')
}

func appendVersions(dst []byte, name string, versions []eventstore.Version) []byte {
	if len(versions) == 0 {
		return dst
	}
	dst = append(appendName(dst, name), '[')
	for i, version := range versions {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendUint(dst, uint64(version), 10)
	}
	return append(dst, ']')
}

func (r *OperationRecord) appendJSON(dst []byte, comma bool) []byte {
	if comma {
		dst = append(dst, ',')
	}
	dst = append(dst, `{"type":`...)
	dst = appendQuoted(dst, r.Type)
	if r.OperationID != "" {
		dst = appendText(dst, "operationId", r.OperationID)
	}
	dst = appendText(dst, "request", r.Request)
	dst = appendText(dst, "kind", string(r.Kind))
	dst = appendText(dst, "id", r.ID)
	dst = appendNumber(dst, "changes", int64(r.Changes))
	return append(dst, '}')
}

func (c *Change) appendJSON(dst []byte, comma bool) []byte {
	if comma {
		dst = append(dst, ',')
	}
	dst = append(dst, `{"op":"`...)
	dst = append(dst, c.Op...)
	dst = append(dst, `","kind":"`...)
	dst = append(dst, c.Kind...)
	dst = append(dst, '"')
	dst = appendText(dst, "id", c.ID)
	switch c.Op {
	case Put:
		dst = appendRaw(dst, "value", c.Value)
	case Patch:
		dst = appendRaw(dst, "set", c.Set)
	}
	if c.Was != nil {
		dst = appendRaw(dst, "was", c.Was)
	}
	return append(dst, '}')
}

func appendName(dst []byte, name string) []byte {
	return append(append(append(dst, ',', '"'), name...), '"', ':')
}

func appendText(dst []byte, name, text string) []byte {
	return appendQuoted(appendName(dst, name), text)
}

func appendRaw(dst []byte, name string, value []byte) []byte {
	return append(appendName(dst, name), value...)
}

func appendNumber(dst []byte, name string, number int64) []byte {
	return strconv.AppendInt(appendName(dst, name), number, 10)
}

// appendQuoted appends text as a JSON string; ids and names of ours need no escaping, users' names may.
func appendQuoted(dst []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c == '"' || c == '\\' || c >= 0x7F {
			dst, _ = jsontext.AppendQuote(dst, text) // fails for invalid UTF-8 alone, and then has replaced it
			return dst
		}
	}
	return append(append(append(dst, '"'), text...), '"')
}

// ErrEvent matches events that cannot be decoded or do not fit the graph they are applied to.
var ErrEvent = errors.New("projection: invalid event")

// DecodeEvent decodes an event's JSON form. The event shares memory with data, which must not change any more, and
// takes the values as they stand: log entries are JSON that this package has written. Unknown fields are passed over:
// they are additions of a newer version. Its errors are ErrEvent.
func DecodeEvent(data []byte) (event Event, err error) {
	var d decoder
	changes := false
	c := objectCursor(data)
	for c.next() {
		changes = changes || string(c.name) == "changes"
		d.field(&event, c.name, c.value)
	}
	d.end(&c)
	switch {
	case d.err != nil:
		return Event{}, fmt.Errorf("%w: version %d: %w", ErrEvent, event.Version, d.err)
	case event.Version == 0 || event.CommandType == "" || event.OperationID == "" || event.Checksum == "" || !changes:
		return Event{}, fmt.Errorf("%w: version, commandType, operationId, changes or checksum is missing", ErrEvent)
	}
	if event.WrittenAt == 0 {
		event.WrittenAt = event.Timestamp
	}
	return event, nil
}

// decoder keeps the first error, so that the fields read as a list.
type decoder struct{ err error }

func (d *decoder) field(event *Event, name []byte, value jsontext.Value) {
	switch string(name) {
	case "version":
		event.Version = eventstore.Version(d.number(value))
	case "commandType":
		event.CommandType = d.text(value)
	case "operationId":
		event.OperationID = d.text(value)
	case "userId":
		event.UserID = d.text(value)
	case "clientId":
		event.ClientID = d.text(value)
	case "timestamp":
		event.Timestamp = d.number(value)
	case "writtenAt":
		event.WrittenAt = d.number(value)
	case "gestureId":
		event.GestureID = d.text(value)
	case "request":
		event.Request = d.text(value)
	case "operations":
		event.Operations = d.operations(value)
	case "conflict":
		event.Conflict = value
	case "changes":
		event.Changes = d.changes(value)
	case "checksum":
		event.Checksum = d.text(value)
	default:
		d.special(event, name, value)
	}
}

// special decodes what only undo, redo, restore, resolve, policy and skip events bear.
func (d *decoder) special(event *Event, name []byte, value jsontext.Value) {
	switch string(name) {
	case "undoes":
		event.Undoes = d.versions(value)
	case "redoes":
		event.Redoes = d.versions(value)
	case "skipped":
		event.Skipped = value
	case "restored":
		event.Restored, event.IsRestore = eventstore.Version(d.number(value)), true
	case "policy":
		event.Policy = value
	case "resolves":
		event.Resolves = &Resolution{}
		c := objectCursor(value)
		for c.next() {
			switch string(c.name) {
			case "conflictId":
				event.Resolves.ConflictID = d.text(c.value)
			case "choice":
				event.Resolves.Choice = d.text(c.value)
			}
		}
		d.end(&c)
	case "reopens":
		event.Reopens = d.text(value)
	case "skips":
		event.Skips = value
	}
}

func (d *decoder) versions(array jsontext.Value) (versions []eventstore.Version) {
	c := arrayCursor(array)
	for c.next() {
		versions = append(versions, eventstore.Version(d.number(c.value)))
	}
	d.end(&c)
	return versions
}

func (d *decoder) operations(array jsontext.Value) (records []OperationRecord) {
	c := arrayCursor(array)
	for c.next() {
		records = append(records, d.operation(c.value))
	}
	d.end(&c)
	return records
}

func (d *decoder) operation(object jsontext.Value) (record OperationRecord) {
	c := objectCursor(object)
	for c.next() {
		switch string(c.name) {
		case "operationId":
			record.OperationID = d.text(c.value)
		case "type":
			record.Type = d.text(c.value)
		case "request":
			record.Request = d.text(c.value)
		case "kind":
			record.Kind = Kind(d.text(c.value))
		case "id":
			record.ID = d.text(c.value)
		case "changes":
			record.Changes = int(d.number(c.value))
		}
	}
	d.end(&c)
	return record
}

func (d *decoder) changes(array jsontext.Value) (changes []Change) {
	c := arrayCursor(array)
	for c.next() {
		changes = append(changes, d.change(c.value))
	}
	d.end(&c)
	return changes
}

func (d *decoder) change(object jsontext.Value) (change Change) {
	c := objectCursor(object)
	for c.next() {
		switch string(c.name) {
		case "op":
			change.Op = Op(d.text(c.value))
		case "kind":
			change.Kind = Kind(d.text(c.value))
		case "id":
			change.ID = d.text(c.value)
		case "value":
			change.Value = c.value
		case "set":
			change.Set = c.value
		case "was":
			change.Was = c.value
		}
	}
	d.end(&c)
	if err := change.check(); err != nil {
		d.fail(err)
	}
	return change
}

// check holds a change against the shape that its op demands.
func (c *Change) check() error {
	known := c.Kind == Node || c.Kind == Edge || (c.Kind == Viewport && c.ID == ViewportID)
	switch {
	case !known || c.ID == "":
		return fmt.Errorf("change of %q %q", c.Kind, c.ID)
	case c.Op == Put && c.Value.Kind() == '{' && (c.Was == nil || c.Was.Kind() == '{'),
		c.Op == Patch && c.Set.Kind() == '{' && c.Was.Kind() == '{',
		c.Op == Delete && c.Was.Kind() == '{':
		return nil
	}
	return fmt.Errorf("op %q of %s %q lacks a value", c.Op, c.Kind, c.ID)
}

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
}

// end takes over the error of a cursor that has come to its end.
func (d *decoder) end(c *cursor) {
	if c.err != nil {
		d.fail(c.err)
	}
}

// text decodes a JSON string, sharing memory with it where it has no escapes: what an entry holds never changes.
func (d *decoder) text(value jsontext.Value) string {
	if len(value) < 2 || value[0] != '"' {
		d.fail(fmt.Errorf("%.32q is not a string", value))
		return ""
	}
	text := value[1 : len(value)-1]
	if bytes.IndexByte(text, '\\') >= 0 {
		return unquote(text)
	}
	return unsafe.String(unsafe.SliceData(text), len(text))
}

func (d *decoder) number(value jsontext.Value) int64 {
	if len(value) == 0 || len(value) > 18 {
		d.fail(fmt.Errorf("%.32q is not a whole number", value))
		return 0
	}
	number := int64(0)
	for _, digit := range value {
		if digit < '0' || digit > '9' {
			d.fail(fmt.Errorf("%.32q is not a whole number", value))
			return 0
		}
		number = 10*number + int64(digit-'0')
	}
	return number
}
