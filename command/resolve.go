package command

import (
	"bytes"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"graphy/projection"
)

// This file decides what a person's word on an open conflict writes.

// resolve writes what was chosen for the paths that a conflict's record leaves open.
func (d *decider) resolve(c *Command, record jsontext.Value) *Error {
	w := &write{kind: projection.Kind(projection.Text(projection.Member(record, "kind"))), id: projection.Text(projection.Member(record, "id"))}
	chosen, err := c.resolve.chosen(record)
	if err != nil || c.resolve.choice == choiceServer {
		return err
	}
	current := d.graph.Value(w.kind, w.id)
	if w.kind == projection.Viewport {
		current = d.graph.ViewportValue()
	}
	value := current
	if value == nil {
		return &Error{Code: EntityGone, Detail: "the " + string(w.kind) + " " + strconv.Quote(w.id) + " is gone: only the server's side can be chosen"}
	}
	for i := range chosen {
		if value, err = chosen[i].write(d.limits, w, value); err != nil {
			return err
		}
		if value == nil {
			_, err := d.delete(c, w.kind, w.id)
			return err
		}
	}
	return d.rewrite(c, w, current, value)
}

// chosenPath is a path that gets a value; nil takes away what is there.
type chosenPath struct {
	path  string
	value jsontext.Value
	given bool // by the person, rather than by the client that lost
}

// chosen returns what each open path is to get. It refuses values for paths that are not open.
func (r *resolve) chosen(record jsontext.Value) ([]chosenPath, *Error) {
	var chosen []chosenPath
	open := map[string]bool{}
	for path := range projection.Elements(projection.Member(record, "paths")) {
		name := projection.Text(projection.Member(path, "path"))
		open[name] = true
		value, given := r.values[name]
		switch {
		case r.choice == choiceClient:
			value = projection.Member(path, "client")
		case !given:
			continue
		}
		if value.Kind() == 'n' {
			value = nil
		}
		chosen = append(chosen, chosenPath{name, value, given})
	}
	for name := range r.values {
		if !open[name] {
			return nil, invalid("/values/"+escapePointer(name), "is no open path of this conflict")
		}
	}
	return chosen, nil
}

// write returns an entity with the path's value; nil if the entity is to be deleted. It refuses a value that a person gave
// and that may not stand there.
func (p *chosenPath) write(limits *Limits, w *write, entity jsontext.Value) (jsontext.Value, *Error) {
	at := "/values/" + escapePointer(p.path)
	steps, _ := pointerSteps(p.path)
	if len(steps) == 0 {
		return p.writeWhole(limits, w, entity, at)
	}
	entity = withPath(entity, steps, p.value)
	if !p.given {
		return entity, nil
	}
	property := member(entity, steps[0])
	if property == nil {
		property = null
	}
	if err := limits.checkUpdate(w.kind, steps[0], property); err != nil {
		return nil, err.under(at)
	}
	if nesting(entity) > limits.Depth {
		return nil, invalid(at, "nested deeper than %d levels", limits.Depth)
	}
	return entity, nil
}

func (p *chosenPath) writeWhole(limits *Limits, w *write, entity jsontext.Value, at string) (jsontext.Value, *Error) {
	read := Command{limits: limits}
	switch {
	case !p.given:
		return p.value, nil
	case p.value == nil && w.kind != projection.Viewport:
		return nil, nil
	case p.value.Kind() != '{':
		return nil, invalid(at, "must be a whole %s", w.kind)
	case w.kind == projection.Viewport:
		return projection.Overlay(entity, p.value), read.readViewport(p.value, at)
	}
	if err := read.readEntity(replace, w.kind, p.value, at); err != nil {
		return nil, err
	}
	if read.write.id != "" && read.write.id != w.id {
		return nil, invalid(at+"/id", "the id may not change")
	}
	return read.write.value, nil
}

// rewrite writes an entity's new value, with its own id and stamps.
func (d *decider) rewrite(c *Command, w *write, current, value jsontext.Value) *Error {
	kept := current
	if w.kind != projection.Viewport {
		value, kept = projection.Overlay(withoutStamps(value), idMember(w.id)), withoutStamps(current)
	}
	if bytes.Equal(value, kept) {
		return nil
	}
	if w.kind != projection.Viewport {
		value = d.stamped(value, current)
	}
	if w.kind == projection.Edge {
		if err := d.checkChosenEnds(c, value); err != nil {
			return err
		}
	}
	if err := d.limits.checkSize(value, ""); err != nil {
		return err
	}
	var net projection.Net
	net.Entity(w.kind, w.id, d.graph.Value(w.kind, w.id), value)
	for _, change := range net.Changes() {
		if err := d.write(c, change); err != nil {
			return err
		}
	}
	return nil
}

// checkChosenEnds refuses an edge that would lack a node at an end: a node that a person named, or one that is gone since
// the client that lost did.
func (d *decider) checkChosenEnds(c *Command, edge jsontext.Value) *Error {
	for _, end := range edgeEnds {
		node := projection.Text(projection.Member(edge, end))
		if d.graph.Has(projection.Node, node) {
			continue
		}
		pointer := "/values/~1" + end
		switch {
		case c.resolve.values["/"+end] != nil:
		case c.resolve.values[""] != nil:
			pointer = "/values//" + end
		default:
			return &Error{Code: EntityGone, Detail: "the node " + strconv.Quote(node) + " at an end of the edge is gone"}
		}
		return refuse(NodeNotFound, pointer, "there is no node %q", node)
	}
	return nil
}
