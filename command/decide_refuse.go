package command

import "graphy/projection"

// This file refuses what cannot be decided, and points at the part of the body that is why.

func (d *decider) missing(c *Command, w *write) *Error {
	if w.kind == projection.Edge {
		return refuse(EdgeNotFound, c.idPointer(), "there is no edge %q", w.id)
	}
	return refuse(NodeNotFound, c.idPointer(), "there is no node %q", w.id)
}

// checkRoom refuses what would take the graph over its limit.
func (d *decider) checkRoom(c *Command, w *write) *Error {
	switch {
	case w.kind == projection.Node && d.graph.Len(projection.Node) >= d.limits.Nodes:
		return refuse(TooLarge, c.valuePointer(), "a graph has at most %d nodes", d.limits.Nodes)
	case w.kind == projection.Edge && d.graph.Len(projection.Edge) >= d.limits.Edges:
		return refuse(TooLarge, c.valuePointer(), "a graph has at most %d edges", d.limits.Edges)
	}
	return nil
}

// idPointer points at the id that the command names.
func (c *Command) idPointer() string {
	switch {
	case c.Payload == nil:
		return c.pointer
	case c.write.action == create || c.write.action == replace:
		return c.pointer + "/payload/id"
	case c.write.kind == projection.Edge:
		return c.pointer + "/payload/edgeId"
	}
	return c.pointer + "/payload/nodeId"
}

// valuePointer points at the entity, or the merge patch, that the command carries.
func (c *Command) valuePointer() string {
	switch {
	case c.Payload == nil:
		return c.pointer
	case c.Type == UpdateNode || c.Type == UpdateEdge:
		return c.pointer + "/payload/updates"
	}
	return c.pointer + "/payload"
}
