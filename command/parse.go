package command

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/cespare/xxhash/v2"
	"github.com/go-json-experiment/json/jsontext"

	"graphy/eventstore"
	"graphy/projection"
)

// Parse reads the body of POST …/command. Its error is an *Error that names the operation where the body does.
func Parse(body []byte, identity Identity) (*Command, error) {
	object, err := canonicalObject(body)
	if err != nil {
		return nil, err
	}
	return parseCommand(object, "", identity, false)
}

// ParseFrame reads a WebSocket frame of type command, in both of its shapes: {"type":"command","command":TYPE, …} and
// {"type":"command","data":{body}}. Its error is an *Error that names the operation where the frame does.
func ParseFrame(frame []byte, identity Identity) (*Command, error) {
	object, err := canonicalObject(frame)
	if err != nil {
		return nil, err
	}
	data := projection.Member(object, "data")
	if data == nil {
		return parseCommand(object, "", identity, true)
	}
	for name := range projection.Members(object) {
		if string(name) != "type" && string(name) != "data" {
			return nil, named(unknownField("", name), object)
		}
	}
	if data.Kind() != '{' {
		return nil, named(invalid("/data", "must be an object"), object)
	}
	return parseCommand(data, "/data", identity, false)
}

// parseCommand reads a canonical body that stands at pointer. In a frame the member "type" is the frame's and
// "command" the command's type.
func parseCommand(object jsontext.Value, pointer string, identity Identity, frame bool) (*Command, error) {
	c := &Command{Identity: identity, pointer: pointer}
	for name, value := range projection.Members(object) {
		var err *Error
		switch key := string(name); {
		case frame && key == "type":
		case frame && key == "command":
			if c.Type, err = typeName(value); err != nil {
				err = err.under(pointer + "/command")
			}
		case frame && key == "data":
			err = unknownField(pointer, name)
		case key == "payload":
			c.Payload = value
		default:
			err = c.field(key, value, pointer)
		}
		if err != nil {
			return nil, named(err, object)
		}
	}
	typeMember := "type"
	if frame {
		typeMember = "command"
	}
	if err := c.complete(typeMember); err != nil {
		return nil, named(err, object)
	}
	return c, nil
}

// field reads a member that commands and batches share.
func (c *Command) field(name string, value jsontext.Value, pointer string) (err *Error) {
	switch name {
	case "operationId":
		c.OperationID, err = idValue(value)
	case "type":
		c.Type, err = typeName(value)
	case "clientVersion":
		var base int64
		base, err = wholeNumber(value)
		c.Base, c.HasBase = eventstore.Version(base), true
	case "clientId":
		var client string
		if client, err = idValue(value); err == nil && !c.Fixed {
			c.ClientID = client
		}
	case "timestamp":
		c.Timestamp, err = wholeNumber(value)
	case "gestureId":
		c.GestureID, err = idValue(value)
	case "strategy":
		if c.Strategy, err = text(value); err == nil && !isStrategy(c.Strategy) {
			err = invalid("", "the conflict strategy %.40q does not exist", c.Strategy)
		}
	case "hash":
		var hash string
		hash, err = text(value)
		c.BaseHash, c.HasBaseHash = eventstore.Hash(hash), true
	case "dryRun":
		switch value.Kind() {
		case 'f':
		case 't':
			err = invalid("", "dry runs are not supported yet")
		default:
			err = invalid("", "must be true or false")
		}
	default:
		return unknownField(pointer, []byte(name))
	}
	if err != nil {
		return err.under(pointer + "/" + name)
	}
	return nil
}

// complete checks the command as a whole and reads its payload. typeMember is the member that holds its type.
func (c *Command) complete(typeMember string) *Error {
	read := reader(c.Type)
	switch {
	case c.HasBaseHash && !c.HasBase:
		return invalid(c.fieldPointer("hash"), "goes with clientVersion, which is missing")
	case c.Type == "":
		return invalid(c.fieldPointer(typeMember), "the type of the command is missing")
	case read == nil:
		return refuse(UnknownCommand, c.fieldPointer(typeMember), "there is no command %.64q", c.Type)
	}
	return c.parsePayload(read)
}

var strategies = [...]string{"CLIENT_WINS", "SERVER_WINS", "LAST_WRITE_WINS", "MERGE", "MANUAL"}

func isStrategy(name string) bool {
	for _, strategy := range strategies {
		if name == strategy {
			return true
		}
	}
	return false
}

// ParseBatch reads the body of POST …/batch: one command of type Batch if it is atomic, else one for each operation,
// nil where that operation is refused already, with the refusal in errs at the same index.
func ParseBatch(body []byte, identity Identity) (atomic *Command, commands []*Command, errs []error, err error) {
	object, err := canonicalObject(body)
	if err != nil {
		return nil, nil, nil, err
	}
	batch := &Command{Identity: identity, Type: Batch}
	var operations jsontext.Value
	whole := false
	for name, value := range projection.Members(object) {
		var err *Error
		switch key := string(name); key {
		case "operations":
			operations = value
		case "atomic":
			whole = value.Kind() == 't'
			if !whole && value.Kind() != 'f' {
				err = invalid("/atomic", "must be true or false")
			}
		case "type":
			err = unknownField("", name)
		default:
			err = batch.field(key, value, "")
		}
		if err != nil {
			return nil, nil, nil, named(err, object)
		}
	}
	if batch.HasBaseHash && !batch.HasBase {
		return nil, nil, nil, named(invalid("/hash", "goes with clientVersion, which is missing"), object)
	}
	list, refusal := operationList(operations, "/operations")
	if refusal != nil {
		return nil, nil, nil, named(refusal, object)
	}
	if whole {
		if refusal := batch.parseAtomic(list); refusal != nil {
			return nil, nil, nil, named(refusal, object)
		}
		return batch, nil, nil, nil
	}
	commands, errs = batch.parseEach(list)
	return nil, commands, errs, nil
}

// operationList splits the array of a batch, whose size is bounded.
func operationList(operations jsontext.Value, pointer string) ([]jsontext.Value, *Error) {
	if operations == nil {
		return nil, invalid(pointer, "is missing")
	}
	if operations.Kind() != '[' {
		return nil, invalid(pointer, "must be an array")
	}
	var list []jsontext.Value
	for element := range projection.Elements(operations) {
		if len(list) == MaxOperations {
			return nil, refuse(TooLarge, pointer, "a batch holds at most %d operations", MaxOperations)
		}
		list = append(list, element)
	}
	if len(list) == 0 {
		return nil, invalid(pointer, "a batch holds at least one operation")
	}
	return list, nil
}

// parseAtomic reads the operations of an atomic batch; one bad operation refuses all.
func (c *Command) parseAtomic(list []jsontext.Value) *Error {
	c.Operations = make([]Command, len(list))
	seen := map[string]int{}
	for i, element := range list {
		operation := &c.Operations[i]
		if err := operation.parsePart(element, fmt.Sprintf("/operations/%d", i), "operationId", "strategy"); err != nil {
			return err
		}
		if id := operation.OperationID; id != "" {
			if first, twice := seen[id]; twice || id == c.OperationID {
				return refuse(OperationIDReused, operation.pointer+"/operationId", "the operation id %q stands in this batch already (operation %d)", id, first)
			}
			seen[id] = i
		}
	}
	c.fingerprintParts()
	return nil
}

// parsePart reads one operation of an atomic batch or a BATCH_UPDATE, which takes type, payload and the fields of
// extra.
func (c *Command) parsePart(element jsontext.Value, pointer string, extra ...string) *Error {
	c.pointer = pointer
	if element.Kind() != '{' {
		return invalid(pointer, "must be an object")
	}
	for name, value := range projection.Members(element) {
		var err *Error
		switch key := string(name); {
		case key == "payload":
			c.Payload = value
		case key == "type", contains(extra, key):
			err = c.field(key, value, pointer)
		default:
			err = unknownField(pointer, name)
		}
		if err != nil {
			return err
		}
	}
	if isBatchType(c.Type) {
		return invalid(pointer+"/type", "a batch holds no %s", c.Type)
	}
	return c.complete("type")
}

// parseEach reads the operations of a non-atomic batch. What the batch says holds for each that does not say otherwise;
// its operation id gives ids to those without, so that the batch as a whole can be sent again.
func (c *Command) parseEach(list []jsontext.Value) (commands []*Command, errs []error) {
	commands, errs = make([]*Command, len(list)), make([]error, len(list))
	for i, element := range list {
		operation := &Command{Identity: c.Identity, HasBase: c.HasBase, Base: c.Base, Timestamp: c.Timestamp,
			BaseHash: c.BaseHash, HasBaseHash: c.HasBaseHash, Strategy: c.Strategy, GestureID: c.GestureID}
		err := operation.parseMember(element, fmt.Sprintf("/operations/%d", i))
		if err != nil {
			errs[i] = named(err, element)
			continue
		}
		if operation.OperationID == "" && c.OperationID != "" {
			operation.OperationID = derivedID(c.OperationID, i)
		}
		commands[i] = operation
	}
	return commands, errs
}

// parseMember reads one operation of a non-atomic batch.
func (c *Command) parseMember(element jsontext.Value, pointer string) *Error {
	if version := projection.Member(element, "clientVersion"); version != nil {
		c.HasBaseHash, c.BaseHash = false, "" // the batch's hash is of the batch's version
	}
	return c.parsePart(element, pointer, "operationId", "strategy", "clientVersion", "timestamp")
}

func derivedID(batch string, index int) string {
	id := fmt.Sprintf("%s.%d", batch, index)
	if len(id) > 128 {
		return fmt.Sprintf("%016x.%d", xxhash.Sum64String(batch), index)
	}
	return id
}

func isBatchType(name string) bool { return name == Batch || name == BatchUpdate || name == "RESTORE" }

func contains(names []string, name string) bool {
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}

// fingerprint returns the event's field request: eight hex digits that tell requests apart.
func fingerprint(commandType string, payload []byte) string {
	var buffer [512]byte
	text := append(append(append(buffer[:0], commandType...), '\n'), payload...)
	var low [4]byte
	binary.BigEndian.PutUint32(low[:], uint32(xxhash.Sum64(text)))
	var digits [8]byte
	hex.Encode(digits[:], low[:])
	return string(digits[:])
}

func (c *Command) fingerprintParts() {
	var parts strings.Builder
	for i := range c.Operations {
		parts.WriteString(c.Operations[i].Request)
	}
	c.Request = fingerprint(c.Type, []byte(parts.String()))
}

// text reads a string out of a body.
func text(value jsontext.Value) (string, *Error) {
	if value.Kind() != '"' {
		return "", invalid("", "must be a string")
	}
	return projection.Text(value), nil
}

// typeName reads the type of a command; the one that most are of costs no memory.
func typeName(value jsontext.Value) (string, *Error) {
	if string(value) == `"`+UpdateNodePosition+`"` {
		return UpdateNodePosition, nil
	}
	return text(value)
}

func unknownField(pointer string, name []byte) *Error {
	decoded := projection.Text(append(append([]byte{'"'}, name...), '"'))
	return invalid(pointer+"/"+escapePointer(decoded), "the field %.64q is unknown here", decoded)
}

// named gives a refusal the operation id and the type of its body, where there are valid ones.
func named(err *Error, object jsontext.Value) error {
	if err.OperationID == "" {
		err.Type = projection.Text(projection.Member(object, "type"))
		if inFrame := projection.Member(object, "command"); inFrame != nil {
			err.Type = projection.Text(inFrame)
		}
		if id := projection.Text(projection.Member(object, "operationId")); id != "" && idFault(id) == "" {
			err.OperationID = id
		} else if data := projection.Member(object, "data"); data != nil {
			return named(err, data)
		}
	}
	return err
}
