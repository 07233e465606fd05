package command

import (
	"encoding/binary"
	"encoding/hex"
	"strings"

	"github.com/cespare/xxhash/v2"
	"github.com/go-json-experiment/json/jsontext"

	"graphy/eventstore"
	"graphy/projection"
)

// Parser reads requests into commands, and refuses those whose form is wrong or that hold too much. It is safe for
// concurrent use; the zero value is not ready, use NewParser.
type Parser struct{ limits Limits }

// NewParser returns a Parser under limits.
func NewParser(limits Limits) *Parser {
	limits.setDefaults()
	return &Parser{limits}
}

// Parse reads the body of POST …/command. Its error is an *Error that names the operation where the body does.
func (p *Parser) Parse(body []byte, identity Identity) (*Command, error) {
	object, err := canonicalObject(body, p.limits.Depth)
	if err != nil {
		return nil, err
	}
	return p.parseCommand(object, "", identity, false)
}

// ParseFrame reads a WebSocket frame of type command, in both of its shapes: {"type":"command","command":TYPE, …} and
// {"type":"command","data":{body}}. Its error is an *Error that names the operation where the frame does.
func (p *Parser) ParseFrame(frame []byte, identity Identity) (*Command, error) {
	object, err := canonicalObject(frame, p.limits.Depth)
	if err != nil {
		return nil, err
	}
	data := projection.Member(object, "data")
	if data == nil {
		return p.parseCommand(object, "", identity, true)
	}
	for name := range projection.Members(object) {
		if string(name) != "type" && string(name) != "data" {
			return nil, named(unknownField("", name), object)
		}
	}
	if data.Kind() != '{' {
		return nil, named(invalid("/data", "must be an object"), object)
	}
	return p.parseCommand(data, "/data", identity, false)
}

// parseCommand reads a canonical body that stands at pointer. In a frame the member "type" is the frame's and
// "command" the command's type.
func (p *Parser) parseCommand(object jsontext.Value, pointer string, identity Identity, frame bool) (*Command, error) {
	c := &Command{Identity: identity, pointer: pointer, limits: &p.limits}
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
		c.Timestamp = max(c.Timestamp, 1) // 0 is a clock that stands at its epoch, not one that was not given
	case "gestureId":
		c.GestureID, err = idValue(value)
	case "strategy":
		c.Strategy, err = strategyName(value)
	case "hash":
		var hash string
		hash, err = text(value)
		c.BaseHash, c.HasBaseHash = eventstore.Hash(hash), true
	case "dryRun":
		c.DryRun, err = boolean(value)
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

// boolean reads true or false out of a body.
func boolean(value jsontext.Value) (bool, *Error) {
	switch value.Kind() {
	case 't':
		return true, nil
	case 'f':
		return false, nil
	}
	return false, invalid("", "must be true or false")
}

// typeName reads the type of a command; the one that most are of costs no memory.
func typeName(value jsontext.Value) (string, *Error) {
	if string(value) == `"`+UpdateNodePosition+`"` {
		return UpdateNodePosition, nil
	}
	return text(value)
}

func unknownField(pointer string, name []byte) *Error {
	decoded := projection.Name(name)
	return invalid(pointer+"/"+escapePointer(decoded), "the field %.64q is unknown here", decoded)
}

// named gives a refusal the operation id and the type of its body, where there are valid ones.
func named(err *Error, object jsontext.Value) error {
	if err.OperationID == "" {
		err.Type = projection.Text(projection.Member(object, "type"))
		err.dry = projection.Member(object, "dryRun").Kind() == 't'
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
