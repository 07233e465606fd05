package command

import (
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"graphy/projection"
)

// readBatchUpdate reads {operations:[{type,payload}…]} or the upserts {nodes:{id:node…}, edges:[…], viewport:{…}}.
func (c *Command) readBatchUpdate(payload jsontext.Value, at string) *Error {
	if operations := projection.Member(payload, "operations"); operations != nil {
		for name := range projection.Members(payload) {
			if string(name) != "operations" {
				return unknownField(at, name)
			}
		}
		list, err := operationList(operations, at+"/operations", c.limits.Operations)
		if err != nil {
			return err
		}
		c.Operations = make([]Command, len(list))
		for i, element := range list {
			c.Operations[i].limits = c.limits
			if err := c.Operations[i].parsePart(element, fmt.Sprintf("%s/operations/%d", at, i)); err != nil {
				return err
			}
		}
		return nil
	}
	return c.readUpserts(payload, at)
}

func (c *Command) readUpserts(payload jsontext.Value, at string) *Error {
	var nodes, edges, viewport jsontext.Value
	for name, value := range projection.Members(payload) {
		switch string(name) {
		case "nodes":
			nodes = value
		case "edges":
			edges = value
		case "viewport":
			viewport = value
		default:
			return unknownField(at, name)
		}
	}
	if err := c.readNodeUpserts(nodes, at+"/nodes"); err != nil {
		return err
	}
	if err := c.readEdgeUpserts(edges, at+"/edges"); err != nil {
		return err
	}
	if viewport != nil {
		if viewport.Kind() != '{' {
			return invalid(at+"/viewport", "must be an object")
		}
		part := Command{Type: BatchUpdate, pointer: at + "/viewport"}
		if err := part.readViewport(viewport, part.pointer); err != nil {
			return err
		}
		c.Operations = append(c.Operations, part)
	}
	switch {
	case len(c.Operations) == 0:
		return invalid(at, "a batch holds at least one operation")
	case len(c.Operations) > c.limits.Operations:
		return refuse(TooLarge, at, "a batch holds at most %d operations", c.limits.Operations)
	}
	for i := range c.Operations {
		part := &c.Operations[i]
		part.Request = fingerprint(part.Type, part.write.value)
	}
	return nil
}

func (c *Command) readNodeUpserts(nodes jsontext.Value, at string) *Error {
	if nodes == nil {
		return nil
	}
	if nodes.Kind() != '{' {
		return invalid(at, "must be an object of nodes by their ids")
	}
	for name, node := range projection.Members(nodes) {
		id := projection.Name(name)
		part := Command{Type: BatchUpdate, limits: c.limits, pointer: at + "/" + escapePointer(id)}
		if reason := idFault(id); reason != "" {
			return refuse(InvalidID, part.pointer, "the id %s", reason)
		}
		if node.Kind() != '{' {
			return invalid(part.pointer, "must be a node")
		}
		if err := part.readEntity(replace, projection.Node, node, part.pointer); err != nil {
			return err
		}
		if part.write.id != "" && part.write.id != id {
			return invalid(part.pointer+"/id", "is not the id that the node stands under")
		}
		part.write.id = id
		c.Operations = append(c.Operations, part)
	}
	return nil
}

func (c *Command) readEdgeUpserts(edges jsontext.Value, at string) *Error {
	if edges == nil {
		return nil
	}
	if edges.Kind() != '[' {
		return invalid(at, "must be an array of edges")
	}
	index := 0
	for edge := range projection.Elements(edges) {
		part := Command{Type: BatchUpdate, limits: c.limits, pointer: fmt.Sprintf("%s/%d", at, index)}
		index++
		if edge.Kind() != '{' {
			return invalid(part.pointer, "must be an edge")
		}
		if err := part.readEntity(replace, projection.Edge, edge, part.pointer); err != nil {
			return err
		}
		c.Operations = append(c.Operations, part)
	}
	return nil
}
