package command

import (
	"github.com/go-json-experiment/json/jsontext"

	"graphy/projection"
)

// This file decides deletions.

// remove deletes an entity, a node with its edges. What others have deleted since the base is deleted already: that
// is no refusal, and no change.
func (d *decider) remove(c *Command, w *write, current jsontext.Value) (jsontext.Value, *Error) {
	if current == nil {
		if d.causedByOthers(w.kind, w.id) == nil {
			return nil, d.missing(c, w)
		}
		return removalResult(w.kind, bareEntity(w.id), nil), nil
	}
	if by := d.since.others(w.kind, w.id, d.client).last(); by != nil {
		if d.settleWhole(removing, w, by, d.atBase(w, nil, current), current, nil) != toClient {
			return removalResult(w.kind, null, nil), nil
		}
	}
	edges, err := d.delete(c, w.kind, w.id)
	return removalResult(w.kind, current, edges), err
}

// delete writes the deletion of an entity, and returns the edges that go with a node.
func (d *decider) delete(c *Command, kind projection.Kind, id string) (edges []jsontext.Value, err *Error) {
	if kind == projection.Node {
		for _, id := range d.graph.Incident(id) {
			edge := d.graph.Value(projection.Edge, id)
			edges = append(edges, edge)
			if err := d.write(c, projection.Change{Op: projection.Delete, Kind: projection.Edge, ID: id, Was: edge}); err != nil {
				return nil, err
			}
		}
	}
	return edges, d.write(c, projection.Change{Op: projection.Delete, Kind: kind, ID: id, Was: d.graph.Value(kind, id)})
}

// bareEntity stands in a result for an entity of which nothing but the id is left.
func bareEntity(id string) jsontext.Value { return idMember(id) }

// removalResult is the result of DELETE_NODE or DELETE_EDGE.
func removalResult(kind projection.Kind, entity jsontext.Value, edges []jsontext.Value) jsontext.Value {
	if kind == projection.Edge {
		return append(appendMember(jsontext.Value{'{'}, []byte("deletedEdge"), entity), '}')
	}
	result := appendMember(jsontext.Value{'{'}, []byte("deletedNode"), entity)
	result = append(result, `,"deletedEdges":[`...)
	for i, edge := range edges {
		if i > 0 {
			result = append(result, ',')
		}
		result = append(result, edge...)
	}
	return append(result, "]}"...)
}
