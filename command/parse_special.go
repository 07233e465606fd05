package command

import (
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"graphy/eventstore"
	"graphy/projection"
)

// This file reads the requests that have a form of their own: undo, redo, resolutions and policies.

// ParseUndo reads the body of POST …/undo, {operationId?, clientId?, force?, dryRun?}, which may be empty.
func (p *Parser) ParseUndo(body []byte, identity Identity) (*Command, error) {
	return p.parseUndo(Undo, body, identity, false)
}

// ParseRedo reads the body of POST …/redo, as ParseUndo does.
func (p *Parser) ParseRedo(body []byte, identity Identity) (*Command, error) {
	return p.parseUndo(Redo, body, identity, false)
}

// ParseUndoFrame reads a WebSocket frame of type undo or redo.
func (p *Parser) ParseUndoFrame(frame []byte, identity Identity) (*Command, error) {
	return p.parseUndo("", frame, identity, true)
}

func (p *Parser) parseUndo(commandType string, body []byte, identity Identity, frame bool) (*Command, error) {
	if len(body) == 0 {
		body = []byte("{}")
	}
	object, err := canonicalObject(body, p.limits.Depth)
	if err != nil {
		return nil, err
	}
	if frame {
		commandType = strings.ToUpper(projection.Text(projection.Member(object, "type")))
	}
	c := &Command{Identity: identity, Type: commandType, Payload: jsontext.Value("{}")}
	for name, value := range projection.Members(object) {
		var err *Error
		switch key := string(name); {
		case frame && key == "type":
		case key == "force":
			if c.force, err = boolean(value); err != nil {
				err = err.under("/force")
			} else if c.force {
				c.Payload = jsontext.Value(`{"force":true}`)
			}
		case key == "operationId", key == "clientId", key == "dryRun":
			err = c.field(key, value, "")
		default:
			err = unknownField("", name)
		}
		if err != nil {
			err.Type = commandType
			return nil, c.named(err, object)
		}
	}
	c.Request = fingerprint(c.Type, c.Payload)
	return c, nil
}

// named is the package's named, for a command whose type its body does not tell.
func (c *Command) named(err *Error, object jsontext.Value) error {
	_ = named(err, object)
	err.Type = c.Type
	return err
}

// ParseResolve reads the body of POST …/conflicts/{conflictId}/resolve, {choice, values?, operationId?, clientId?,
// dryRun?}.
func (p *Parser) ParseResolve(body []byte, conflictID string, identity Identity) (*Command, error) {
	object, err := canonicalObject(body, p.limits.Depth)
	if err != nil {
		return nil, err
	}
	c := &Command{Identity: identity, Type: Resolve, resolve: resolve{conflictID: conflictID}}
	payload := append(appendMember(jsontext.Value{'{'}, []byte("conflictId"), quoted(conflictID)), '}')
	for name, value := range projection.Members(object) {
		var err *Error
		switch key := string(name); key {
		case "choice":
			c.resolve.choice, err = choice(value)
			payload = projection.With(payload, key, value)
		case "values":
			c.resolve.values, err = pathValues(value, p.limits.Depth)
			payload = projection.With(payload, key, value)
		case "operationId", "clientId", "dryRun":
			err = c.field(key, value, "")
		default:
			err = unknownField("", name)
		}
		if err != nil {
			return nil, c.named(err, object)
		}
	}
	switch {
	case c.resolve.choice == "":
		return nil, c.named(invalid("/choice", "is missing"), object)
	case c.resolve.choice == choiceValues && len(c.resolve.values) == 0:
		return nil, c.named(invalid("/values", "is missing, or empty: it says what to write, by path"), object)
	case c.resolve.choice != choiceValues && c.resolve.values != nil:
		return nil, c.named(invalid("/values", "goes with the choice %q", choiceValues), object)
	}
	c.Payload, c.Request = payload, fingerprint(Resolve, payload)
	return c, nil
}

func choice(value jsontext.Value) (string, *Error) {
	switch name := projection.Text(value); name {
	case choiceClient, choiceServer, choiceValues:
		return name, nil
	}
	return "", invalid("/choice", "must be %q, %q or %q", choiceClient, choiceServer, choiceValues)
}

// pathValues reads an object of path → value, each value at most depth levels deep.
func pathValues(object jsontext.Value, depth int) (map[string]jsontext.Value, *Error) {
	if object.Kind() != '{' {
		return nil, invalid("/values", "must be an object of path → value")
	}
	if err := checkTree(object, "/values", depth+1); err != nil {
		return nil, err
	}
	values := map[string]jsontext.Value{}
	for name, value := range projection.Members(object) {
		values[projection.Name(name)] = value
	}
	return values, nil
}

// ParsePolicy reads the body of PUT …/policy: an object of path pattern → strategy.
func (p *Parser) ParsePolicy(body []byte, identity Identity) (*Command, error) {
	object, err := canonicalObject(body, p.limits.Depth)
	if err != nil {
		return nil, err
	}
	if _, err := readPolicy(object); err != nil {
		return nil, err
	}
	return &Command{Identity: identity, Type: SetPolicy, Payload: object, Request: fingerprint(SetPolicy, object)}, nil
}

// readRestore reads {version}.
func (c *Command) readRestore(payload jsontext.Value, at string) *Error {
	version, _, err := readFields(payload, at, "version", "")
	if err != nil {
		return err
	}
	number, err := wholeNumber(version)
	if err != nil {
		return err.under(at + "/version")
	}
	c.version = eventstore.Version(number)
	return nil
}
