package command

import (
	"bytes"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"graphy/projection"
)

// decision is what deciding a command gives: the event's changes, already applied to the graph, and what its answer
// holds.
type decision struct {
	changes    []projection.Change
	operations []projection.OperationRecord // of a batch
	conflicts  []conflictPath
	result     jsontext.Value
}

// decide decides command on graph, which stands at the head, as of now (Unix ms), with what happened since the
// command's base. On success graph holds the changes, its position not moved; on refusal it is as before. It is
// deterministic: clock and ids come in with its arguments.
func decide(graph *projection.Graph, since history, command *Command, now int64) (decision, *Error) {
	d := decider{graph: graph, since: since, client: command.ClientID, now: now}
	if command.Operations == nil {
		result, err := d.operate(command)
		if err != nil {
			graph.RevertChanges(d.changes)
			return decision{}, err
		}
		return decision{changes: d.changes, conflicts: d.conflicts, result: result}, nil
	}
	operations := make([]projection.OperationRecord, len(command.Operations))
	results := append(make(jsontext.Value, 0, 256), `{"results":[`...)
	for i := range command.Operations {
		part := &command.Operations[i]
		before := len(d.changes)
		result, err := d.operate(part)
		if err != nil {
			graph.RevertChanges(d.changes)
			return decision{}, err
		}
		if i > 0 {
			results = append(results, ',')
		}
		results = append(results, result...)
		operations[i] = projection.OperationRecord{OperationID: part.OperationID, Type: part.Type, Request: part.Request,
			Kind: part.write.kind, ID: part.write.id, Changes: len(d.changes) - before}
	}
	return decision{changes: d.changes, operations: operations, conflicts: d.conflicts, result: append(results, "]}"...)}, nil
}

// decider holds what the operations of one command share.
type decider struct {
	graph  *projection.Graph
	since  history
	client string
	now    int64

	changes   []projection.Change
	conflicts []conflictPath
}

// operate decides one operation and returns its result.
func (d *decider) operate(c *Command) (jsontext.Value, *Error) {
	w := &c.write
	switch w.action {
	case create, replace:
		return d.put(c, w)
	case update:
		return d.update(c, w)
	default:
		return d.remove(c, w)
	}
}

// put creates an entity, or replaces one that exists.
func (d *decider) put(c *Command, w *write) (jsontext.Value, *Error) {
	current := d.graph.Value(w.kind, w.id)
	if current != nil && w.action == create {
		return nil, refuse(AlreadyExists, c.idPointer(), "there is a %s %q already", w.kind, w.id)
	}
	if err := d.checkRoom(c, w, current); err != nil {
		return nil, err
	}
	if w.kind == projection.Edge {
		if err := d.checkEnds(c, w.value); err != nil {
			return nil, err
		}
	}
	stamped := d.number(createdAt, d.now)
	if current != nil {
		if kept := projection.Member(current, createdAt); kept != nil {
			stamped = appendMember(jsontext.Value{'{'}, []byte(createdAt), kept)
		}
	}
	stamped = append(appendMember(stamped, []byte("id"), quoted(w.id)), '}')
	value := projection.Overlay(w.value, stamped)
	if current != nil {
		if bytes.Equal(projection.Overlay(current, []byte(`{"updatedAt":null}`)), value) {
			return current, nil
		}
	}
	value = projection.Overlay(value, append(d.number(updatedAt, d.now), '}'))
	if err := checkSize(value, c.valuePointer()); err != nil {
		return nil, err
	}
	d.conflict(c, w, current, value)
	return value, d.write(c, projection.Change{Op: projection.Put, Kind: w.kind, ID: w.id, Value: value, Was: current})
}

// update applies a merge patch.
func (d *decider) update(c *Command, w *write) (jsontext.Value, *Error) {
	current := d.graph.Value(w.kind, w.id)
	if w.kind == projection.Viewport {
		return d.updateViewport(c, w, current)
	}
	if current == nil {
		return nil, d.missing(c, w)
	}
	set, was := projection.Resolve(current, w.value, isWhole)
	if set == nil {
		return current, nil
	}
	if len(d.since) > 0 {
		d.conflict(c, w, current, projection.Overlay(current, set))
	}
	if w.kind == projection.Edge {
		if err := d.checkEnds(c, set); err != nil {
			return nil, err
		}
	}
	var digits [20]byte
	now := strconv.AppendInt(digits[:0], d.now, 10)
	if before := projection.Member(current, updatedAt); !bytes.Equal(before, now) {
		if before == nil {
			before = jsontext.Value("null")
		}
		set, was = projection.With(set, updatedAt, now), projection.With(was, updatedAt, before)
	}
	if len(current)+len(set) > MaxEntity {
		if err := checkSize(projection.Overlay(current, set), c.valuePointer()); err != nil {
			return nil, err
		}
	}
	err := d.write(c, projection.Change{Op: projection.Patch, Kind: w.kind, ID: w.id, Set: set, Was: was})
	return d.graph.Value(w.kind, w.id), err
}

// updateViewport lays the given parts over the viewport, which bears no stamps.
func (d *decider) updateViewport(c *Command, w *write, current jsontext.Value) (jsontext.Value, *Error) {
	before := d.graph.ViewportValue()
	value := projection.Overlay(before, w.value)
	d.conflict(c, w, before, value)
	if bytes.Equal(before, value) {
		return value, nil
	}
	change := projection.Change{Op: projection.Put, Kind: w.kind, ID: w.id, Value: value}
	if current != nil {
		change.Op, change.Value = projection.Patch, nil
		change.Set, change.Was = projection.Difference(before, value)
	}
	return value, d.write(c, change)
}

// remove deletes an entity, a node with its edges. What others have deleted since the base is deleted already: that
// is no refusal, and no change.
func (d *decider) remove(c *Command, w *write) (jsontext.Value, *Error) {
	current := d.graph.Value(w.kind, w.id)
	if current == nil {
		if !d.since.deleted(w.kind, w.id, d.client) {
			return nil, d.missing(c, w)
		}
		return removalResult(w.kind, bareEntity(w.id), nil), nil
	}
	d.conflict(c, w, current, nil)
	var edges []jsontext.Value
	if w.kind == projection.Node {
		for _, id := range d.graph.Incident(w.id) {
			edge := d.graph.Value(projection.Edge, id)
			edges = append(edges, edge)
			if err := d.write(c, projection.Change{Op: projection.Delete, Kind: projection.Edge, ID: id, Was: edge}); err != nil {
				return nil, err
			}
		}
	}
	return removalResult(w.kind, current, edges), d.write(c, projection.Change{Op: projection.Delete, Kind: w.kind, ID: w.id, Was: current})
}

// write applies a change to the graph and keeps it. That the graph refuses it would be a fault of ours.
func (d *decider) write(c *Command, change projection.Change) *Error {
	before := len(d.changes)
	d.changes = append(d.changes, change)
	if err := d.graph.ApplyChanges(d.changes[before:]); err != nil {
		d.changes = d.changes[:before]
		return &Error{Code: Internal, Detail: "the command could not be decided", OperationID: c.OperationID, cause: err}
	}
	return nil
}

func (d *decider) missing(c *Command, w *write) *Error {
	if w.kind == projection.Edge {
		return refuse(EdgeNotFound, c.idPointer(), "there is no edge %q", w.id)
	}
	return refuse(NodeNotFound, c.idPointer(), "there is no node %q", w.id)
}

// checkEnds refuses an edge, or the set of a patch of one, that lacks a node at an end (I8).
func (d *decider) checkEnds(c *Command, edge jsontext.Value) *Error {
	for _, end := range []string{"source", "target"} {
		value := projection.Member(edge, end)
		if value == nil {
			continue // as it was
		}
		id := projection.Text(value)
		if !d.graph.Has(projection.Node, id) {
			return refuse(NodeNotFound, c.valuePointer()+"/"+end, "there is no node %q", id)
		}
	}
	return nil
}

// checkRoom refuses what would take the graph or an entity over its limit.
func (d *decider) checkRoom(c *Command, w *write, current jsontext.Value) *Error {
	if current != nil {
		return nil
	}
	switch {
	case w.kind == projection.Node && d.graph.Len(projection.Node) >= MaxNodes:
		return refuse(TooLarge, c.valuePointer(), "a graph has at most %d nodes", MaxNodes)
	case w.kind == projection.Edge && d.graph.Len(projection.Edge) >= MaxEdges:
		return refuse(TooLarge, c.valuePointer(), "a graph has at most %d edges", MaxEdges)
	}
	return nil
}

// number begins an object with one member; the caller closes it.
func (d *decider) number(name string, value int64) jsontext.Value {
	object := make(jsontext.Value, 0, 64)
	object = append(append(append(object, '{', '"'), name...), '"', ':')
	return strconv.AppendInt(object, value, 10)
}

// isWhole names the properties that are one value each: half a position is nobody's.
func isWhole(name []byte) bool { return string(name) == "position" || string(name) == "size" }

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

// bareEntity stands in a result for an entity of which nothing but the id is left.
func bareEntity(id string) jsontext.Value {
	return append(appendMember(jsontext.Value{'{'}, []byte("id"), quoted(id)), '}')
}

// removalResult is the result of DELETE_NODE or DELETE_EDGE.
func removalResult(kind projection.Kind, entity jsontext.Value, edges []jsontext.Value) jsontext.Value {
	if kind == projection.Edge {
		return append(appendMember(jsontext.Value{'{'}, []byte("deletedEdge"), entity), '}')
	}
	list := append(bytes.Join(rawList(edges), []byte{','}), ']')
	result := appendMember(jsontext.Value{'{'}, []byte("deletedNode"), entity)
	return append(appendMember(result, []byte("deletedEdges"), append([]byte{'['}, list...)), '}')
}

func rawList(values []jsontext.Value) [][]byte {
	list := make([][]byte, len(values))
	for i, value := range values {
		list[i] = value
	}
	return list
}

func quoted(text string) jsontext.Value {
	value, _ := jsontext.AppendQuote(nil, text) // ids are ASCII
	return value
}
