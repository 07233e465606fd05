package command

import (
	"github.com/go-json-experiment/json/jsontext"

	"graphy/projection"
)

// This file reads the payload of each type of command into a write.

// stamps are the properties that the server sets; a client's are passed over.
const (
	createdAt = "createdAt"
	updatedAt = "updatedAt"
)

// payloadReader reads the payload of one type of command, which stands at a pointer, into the command.
type payloadReader func(c *Command, payload jsontext.Value, at string) *Error

// parsePayload fingerprints the request and reads the payload of a command whose body stands at c.pointer.
func (c *Command) parsePayload(read payloadReader) *Error {
	at := c.pointer + "/payload"
	switch {
	case c.Payload == nil:
		return invalid(at, "is missing")
	case c.Payload.Kind() != '{':
		return invalid(at, "must be an object")
	}
	c.Request = fingerprint(c.Type, c.Payload)
	return read(c, c.Payload, at)
}

// reader is the table of commands: a new one is a line here and a reader below. It is nil for an unknown type.
func reader(commandType string) payloadReader {
	type value = jsontext.Value
	switch commandType {
	case CreateNode:
		return func(c *Command, p value, at string) *Error { return c.readEntity(create, projection.Node, p, at) }
	case CreateEdge:
		return func(c *Command, p value, at string) *Error { return c.readEntity(create, projection.Edge, p, at) }
	case UpdateNode:
		return func(c *Command, p value, at string) *Error { return c.readUpdates(projection.Node, "nodeId", p, at) }
	case UpdateEdge:
		return func(c *Command, p value, at string) *Error { return c.readUpdates(projection.Edge, "edgeId", p, at) }
	case UpdateNodePosition:
		return func(c *Command, p value, at string) *Error { return c.readProperty("position", p, at) }
	case UpdateNodeTitle:
		return func(c *Command, p value, at string) *Error { return c.readProperty("title", p, at) }
	case DeleteNode:
		return func(c *Command, p value, at string) *Error { return c.readRemoval(projection.Node, "nodeId", p, at) }
	case DeleteEdge:
		return func(c *Command, p value, at string) *Error { return c.readRemoval(projection.Edge, "edgeId", p, at) }
	case UpdateViewport:
		return (*Command).readViewport
	case BatchUpdate:
		return (*Command).readBatchUpdate
	case Restore:
		return (*Command).readRestore
	}
	return nil
}

// readEntity reads a whole node or edge, as CREATE_… and the upserts of BATCH_UPDATE carry it.
func (c *Command) readEntity(action action, kind projection.Kind, entity jsontext.Value, at string) *Error {
	c.write = write{action: action, kind: kind}
	if err := checkTree(entity, at, c.limits.Depth); err != nil {
		return err
	}
	kept := jsontext.Value{'{'}
	for name, value := range projection.Members(entity) {
		key := string(name)
		if key == createdAt || key == updatedAt || value.Kind() == 'n' {
			continue
		}
		if key == "id" {
			id, err := idValue(value)
			if err != nil {
				return err.under(at + "/id")
			}
			c.write.id = id
			continue
		}
		if err := c.limits.checkProperty(kind, key, value); err != nil {
			return err.under(at + "/" + key)
		}
		kept = appendMember(kept, name, value)
	}
	c.write.value = append(kept, '}')
	if kind == projection.Edge {
		for _, end := range []string{"source", "target"} {
			if projection.Member(c.write.value, end) == nil {
				return invalid(at+"/"+end, "is missing: an edge has two ends")
			}
		}
	}
	return c.limits.checkSize(c.write.value, at)
}

// readUpdates reads {nodeId|edgeId, updates}.
func (c *Command) readUpdates(kind projection.Kind, idName string, payload jsontext.Value, at string) *Error {
	id, updates, err := readFields(payload, at, idName, "updates")
	if err != nil {
		return err
	}
	c.write = write{action: update, kind: kind}
	if c.write.id, err = idValue(id); err != nil {
		return err.under(at + "/" + idName)
	}
	at += "/updates"
	if updates.Kind() != '{' {
		return invalid(at, "must be an object (a JSON Merge Patch)")
	}
	if err := checkTree(updates, at, c.limits.Depth); err != nil {
		return err
	}
	kept := jsontext.Value{'{'}
	for name, value := range projection.Members(updates) {
		switch key := string(name); key {
		case createdAt, updatedAt:
			continue
		case "id":
			if value.Kind() != '"' || projection.Text(value) != c.write.id {
				return invalid(at+"/id", "the id may not change")
			}
			continue
		default:
			if err := c.limits.checkUpdate(kind, key, value); err != nil {
				return err.under(at + "/" + key)
			}
		}
		kept = appendMember(kept, name, value)
	}
	c.write.value = append(kept, '}')
	return c.limits.checkSize(c.write.value, at)
}

// readProperty reads {nodeId, NAME}, a merge patch of one property.
func (c *Command) readProperty(property string, payload jsontext.Value, at string) *Error {
	id, value, err := readFields(payload, at, "nodeId", property)
	if err != nil {
		return err
	}
	c.write = write{action: update, kind: projection.Node}
	if c.write.id, err = idValue(id); err != nil {
		return err.under(at + "/nodeId")
	}
	if err := c.limits.checkProperty(projection.Node, property, value); err != nil {
		return err.under(at + "/" + property)
	}
	if property == "position" {
		for name := range projection.Members(value) {
			if string(name) != "x" && string(name) != "y" {
				return unknownField(at+"/position", name)
			}
		}
	}
	patch := append(make(jsontext.Value, 0, len(property)+len(value)+len(`{"":}`)), '{')
	c.write.value = append(appendMember(patch, []byte(property), value), '}')
	return nil
}

// readRemoval reads {nodeId} or {edgeId}.
func (c *Command) readRemoval(kind projection.Kind, idName string, payload jsontext.Value, at string) *Error {
	id, _, err := readFields(payload, at, idName, "")
	if err != nil {
		return err
	}
	c.write = write{action: remove, kind: kind}
	if c.write.id, err = idValue(id); err != nil {
		return err.under(at + "/" + idName)
	}
	return nil
}

// readViewport reads {x?, y?, zoom?}.
func (c *Command) readViewport(payload jsontext.Value, at string) *Error {
	for name, value := range projection.Members(payload) {
		switch string(name) {
		case "x", "y":
			if value.Kind() != '0' {
				return invalid(at+"/"+string(name), "must be a number")
			}
		case "zoom":
			if value.Kind() != '0' || value[0] == '-' || string(value) == "0" {
				return invalid(at+"/zoom", "must be a number above 0")
			}
		default:
			return unknownField(at, name)
		}
	}
	c.write = write{action: update, kind: projection.Viewport, id: projection.ViewportID, value: payload}
	return nil
}

// readFields reads an object of exactly two members, or of one if second is "".
func readFields(object jsontext.Value, at, first, second string) (a, b jsontext.Value, err *Error) {
	for name, value := range projection.Members(object) {
		switch {
		case string(name) == first:
			a = value
		case second != "" && string(name) == second:
			b = value
		default:
			return nil, nil, unknownField(at, name)
		}
	}
	switch {
	case a == nil:
		return nil, nil, invalid(at+"/"+first, "is missing")
	case b == nil && second != "":
		return nil, nil, invalid(at+"/"+second, "is missing")
	}
	return a, b, nil
}

// checkUpdate checks one member of a merge patch, where null removes.
func (l *Limits) checkUpdate(kind projection.Kind, name string, value jsontext.Value) *Error {
	if value.Kind() == 'n' {
		if kind == projection.Edge && (name == "source" || name == "target") {
			return invalid("", "an edge has two ends")
		}
		return nil
	}
	return l.checkProperty(kind, name, value)
}

// checkProperty checks the properties that mean something to the server; all others are the user's. Its refusal points
// from the property.
func (l *Limits) checkProperty(kind projection.Kind, name string, value jsontext.Value) *Error {
	switch {
	case kind == projection.Edge && (name == "source" || name == "target"):
		_, err := idValue(value)
		return err
	case kind == projection.Node && (name == "title" || name == "type"):
		if value.Kind() != '"' {
			return invalid("", "must be a string")
		}
		if name == "title" && len(projection.Text(value)) > l.Title {
			return refuse(TooLarge, "", "a title has at most %d bytes", l.Title)
		}
	case kind == projection.Node && name == "position":
		if value.Kind() != '{' {
			return invalid("", "must be an object with the numbers x and y")
		}
		for _, axis := range [...]string{"x", "y"} {
			if number := projection.Member(value, axis); number == nil || number.Kind() != '0' {
				return invalid("/"+axis, "must be a number")
			}
		}
	}
	return nil
}

func (l *Limits) checkSize(value jsontext.Value, at string) *Error {
	if len(value) > l.Entity {
		return refuse(TooLarge, at, "an entity has at most %d bytes", l.Entity)
	}
	return nil
}

func appendMember(object jsontext.Value, name, value []byte) jsontext.Value {
	if len(object) > 1 {
		object = append(object, ',')
	}
	object = append(append(append(object, '"'), name...), '"', ':')
	return append(object, value...)
}
