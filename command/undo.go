package command

import (
	"bytes"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"graphy/projection"
)

// inverse is what takes a step back: the values that its entities get, and what is left as others have written it.
type inverse struct {
	*timeline
	graph *projection.Graph
	user  string
	force bool
	now   int64

	order    []Target
	entities map[Target]*entityInverse // of the step
	skipped  []skippedPath
	reported map[pathOf]bool
}

// skippedPath is a path that undo leaves alone, because of an event of another user.
type skippedPath struct {
	pathOf
	by *record
}

type pathOf struct {
	Target
	path string
}

// invert works out how to take back the step of a timeline that reaches up to graph. It changes nothing.
func invert(graph *projection.Graph, t *timeline, user string, force bool, now int64) *inverse {
	v := &inverse{timeline: t, graph: graph, user: user, force: force, now: now, entities: map[Target]*entityInverse{},
		reported: map[pathOf]bool{}}
	v.order = slices.SortedFunc(maps.Keys(t.targets), Target.compare)
	for _, target := range v.order {
		v.entities[target] = v.invertEntity(target)
	}
	v.keepHungNodes()
	v.dropLooseEdges()
	for _, target := range v.order {
		v.entities[target].stamp()
	}
	return v
}

// changes returns the net changes, in an order in which they apply; none if there is nothing to take back.
func (v *inverse) changes() []projection.Change {
	var net projection.Net
	for _, target := range v.order {
		e := v.entities[target]
		if same(e.value, e.current) {
			continue
		}
		net.Entity(target.Kind, target.ID, e.current, e.value)
		if target.Kind == projection.Node && e.value == nil {
			v.cascade(&net, target.ID)
		}
	}
	return net.Changes()
}

// cascade deletes the edges that go with a node and are not the step's own.
func (v *inverse) cascade(net *projection.Net, node string) {
	for _, id := range v.graph.Incident(node) {
		if v.entities[Target{projection.Edge, id}] == nil {
			net.Entity(projection.Edge, id, v.graph.Value(projection.Edge, id), nil)
		}
	}
}

// keepHungNodes leaves nodes alone that the step created, but on which an edge hangs that others have written and that
// would stay.
func (v *inverse) keepHungNodes() {
	for _, target := range v.order {
		e := v.entities[target]
		if target.Kind != projection.Node || e.value != nil || e.current == nil || v.force {
			continue
		}
		for _, id := range v.graph.Incident(target.ID) {
			edge := Target{projection.Edge, id}
			if planned := v.entities[edge]; planned != nil && !isAt(planned.value, target.ID) {
				continue
			}
			if by := v.writtenByOthers(edge); by != nil {
				e.value = e.current
				v.skip(target, "", by)
				break
			}
		}
	}
}

// isAt tells whether an edge (nil: none) hangs on a node.
func isAt(edge jsontext.Value, node string) bool {
	for _, end := range edgeEnds {
		if projection.Text(projection.Member(edge, end)) == node {
			return true
		}
	}
	return false
}

// writtenByOthers returns the newest event of another user that touched an entity, nil if there is none.
func (v *inverse) writtenByOthers(target Target) *record {
	for _, m := range slices.Backward(v.moments(target, v.graph.Value(target.Kind, target.ID))) {
		if m.event.UserID != v.user && m.touches() {
			return m.event
		}
	}
	return nil
}

// dropLooseEdges gives up edges that would lack a node at an end.
func (v *inverse) dropLooseEdges() {
	for _, target := range v.order {
		e := v.entities[target]
		for _, end := range edgeEnds {
			if target.Kind != projection.Edge || e.value == nil {
				break
			}
			node := projection.Text(projection.Member(e.value, end))
			if v.willHave(node) {
				continue
			}
			e.left = true
			v.skip(target, pathOfEnd(e.current, end), v.deletionOf(node))
			if stays := projection.Member(e.current, end); stays != nil && v.willHave(projection.Text(stays)) {
				e.value = withPath(e.value, []string{end}, stays)
			} else {
				e.value = nil
			}
		}
	}
}

// pathOfEnd is what is skipped of an edge that cannot get its node back: the end, or all of an edge that is not there.
func pathOfEnd(current jsontext.Value, end string) string {
	if current == nil {
		return ""
	}
	return "/" + end
}

// willHave tells whether a node is there when the step is taken back.
func (v *inverse) willHave(node string) bool {
	if planned := v.entities[Target{projection.Node, node}]; planned != nil {
		return planned.value != nil
	}
	return v.graph.Has(projection.Node, node)
}

// deletionOf returns the newest event that deleted a node.
func (v *inverse) deletionOf(node string) *record {
	for _, event := range slices.Backward(v.events) {
		deletes := func(c projection.Change) bool {
			return c.Op == projection.Delete && c.Kind == projection.Node && c.ID == node
		}
		if slices.ContainsFunc(event.Changes, deletes) {
			return event
		}
	}
	return nil
}

// skip reports a path as left alone, once, by the newest event that it is left for.
func (v *inverse) skip(target Target, path string, by *record) {
	at := pathOf{target, path}
	if by == nil || v.reported[at] {
		return
	}
	v.reported[at] = true
	v.skipped = append(v.skipped, skippedPath{at, by})
}

// skippedJSON returns the array of what was skipped (API.md, undo); nil for nothing.
func (v *inverse) skippedJSON() jsontext.Value {
	if len(v.skipped) == 0 {
		return nil
	}
	array := jsontext.Value{'['}
	for i, s := range v.skipped {
		if i > 0 {
			array = append(array, ',')
		}
		array = append(append(array, `{"kind":`...), quoted(string(s.Kind))...)
		array = append(append(array, `,"id":`...), quoted(s.ID)...)
		array = append(append(array, `,"path":`...), quoted(s.path)...)
		array = append(append(array, `,"by":{"userId":`...), quoted(s.by.UserID)...)
		array = strconv.AppendUint(append(array, `,"version":`...), uint64(s.by.Version), 10)
		array = append(array, `}}`...)
	}
	return append(array, ']')
}

// same tells whether two values (nil: not there) are the same.
func same(a, b jsontext.Value) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }

func (t Target) compare(other Target) int {
	if t.Kind != other.Kind {
		return strings.Compare(string(other.Kind), string(t.Kind)) // viewport, node, edge
	}
	return strings.Compare(t.ID, other.ID)
}
