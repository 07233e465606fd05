package command

import (
	"github.com/go-json-experiment/json/jsontext"

	"graphy/projection"
)

// This file decides what is about something that others have deleted since: the entity itself, or a node of an edge.

// causedByOthers returns the event of another client because of which an entity is, or is not, there; nil if it is so for
// another reason.
func (d *decider) causedByOthers(kind projection.Kind, id string) *record {
	if len(d.since) == 0 {
		return nil
	}
	own := record{Event: projection.Event{Changes: d.changes}}
	if own.movesExistence(kind, id) {
		return nil // an operation before this one
	}
	if cause := d.since.existence(kind, id); cause != nil && cause.ClientID != d.client {
		return cause
	}
	return nil
}

// updateDeleted settles the update of something that others have deleted since. Where the client wins, it comes back with
// its last value and the change on it.
func (d *decider) updateDeleted(c *Command, w *write) (jsontext.Value, *Error) {
	by := d.causedByOthers(w.kind, w.id)
	if by == nil {
		return nil, d.missing(c, w)
	}
	if _, err := d.goneEnds(c, w); err != nil {
		return nil, err
	}
	last := by.lastValue(w.kind, w.id)
	return d.comeBack(c, w, by, last, projection.MergePatch(last, w.value, isWhole))
}

// comeBack settles whether value is written, of what by has deleted and was last before.
func (d *decider) comeBack(c *Command, w *write, by *record, last, value jsontext.Value) (jsontext.Value, *Error) {
	how := deletedSince
	if w.kind == projection.Edge && !d.hasEnds(value) {
		how = endGone
	}
	value = d.stamped(value, last)
	if d.settleWhole(how, w, by, d.atBase(w, nil, nil), nil, value) != toClient {
		return null, nil
	}
	return value, d.place(c, w, value, nil)
}

// goneEnd returns the event by which others have deleted the node that an edge, or a merge patch of one, has at an end; nil
// if it is there. It refuses a node that is missing for any other reason (I8).
func (d *decider) goneEnd(c *Command, edge jsontext.Value, end string) (*record, *Error) {
	value := projection.Member(edge, end)
	if value == nil {
		return nil, nil // a patch that leaves it
	}
	node := projection.Text(value)
	if d.graph.Has(projection.Node, node) {
		return nil, nil
	}
	gone := d.causedByOthers(projection.Node, node)
	if gone == nil {
		return nil, refuse(NodeNotFound, c.valuePointer()+"/"+end, "there is no node %q", node)
	}
	return gone, nil
}

// goneEnds is goneEnd for both ends that a write gives an edge: the newer event. Nodes have none.
func (d *decider) goneEnds(c *Command, w *write) (newest *record, err *Error) {
	if w.kind != projection.Edge {
		return nil, nil
	}
	for _, end := range edgeEnds {
		gone, err := d.goneEnd(c, w.value, end)
		if err != nil {
			return nil, err
		}
		if gone != nil && (newest == nil || gone.Version > newest.Version) {
			newest = gone
		}
	}
	return newest, nil
}

// hasEnds tells whether both nodes of an edge are there.
func (d *decider) hasEnds(edge jsontext.Value) bool {
	for _, end := range edgeEnds {
		if !d.graph.Has(projection.Node, projection.Text(projection.Member(edge, end))) {
			return false
		}
	}
	return true
}

// isEnd tells whether a path is an end of an edge.
func isEnd(kind projection.Kind, steps []string) bool {
	return kind == projection.Edge && len(steps) == 1 && (steps[0] == edgeEnds[0] || steps[0] == edgeEnds[1])
}
