package projection

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Net composes the changes of a run of events into the net change of each entity. The zero value is ready. It needs no
// state: what events hold of the values before them is enough. Its memory is bounded by the entities touched, however
// many events touch them: it keeps nothing of an event's data but copies.
type Net struct {
	entities map[entityKey]*netEntity
}

// netEntity is how one entity came from was to now: its whole values, nil for not there, or, as long as nothing but
// patches has touched it, the members that they replaced, null for absent.
type netEntity struct {
	whole    bool
	was, now jsontext.Value
}

// Add goes on with changes, in order, as an event holds them.
func (n *Net) Add(changes []Change) {
	for i := range changes {
		change := &changes[i]
		switch change.Op {
		case Patch:
			n.patch(change)
		default:
			entity, known := n.touch(change.Kind, change.ID)
			entity.write(known, change.Was.Clone(), change.Value.Clone())
		}
	}
}

// Entity goes on with a change of one entity, both of whose whole values are known; nil is not there. The values are
// kept, not copied. A viewport that was set does not go away: it becomes what one that was never set counts as.
func (n *Net) Entity(kind Kind, id string, before, after jsontext.Value) {
	if kind == Viewport && before != nil && after == nil {
		after = jsontext.Value(DefaultViewport)
	}
	entity, known := n.touch(kind, id)
	entity.write(known, before, after)
}

// touch returns what is known of an entity, and whether anything was.
func (n *Net) touch(kind Kind, id string) (entity *netEntity, known bool) {
	key := entityKey{kind, id}
	if entity = n.entities[key]; entity != nil {
		return entity, true
	}
	if n.entities == nil {
		n.entities = map[entityKey]*netEntity{}
	}
	entity = &netEntity{}
	// The texts may be part of an event's data, and would keep all of that in memory.
	n.entities[entityKey{Kind(strings.Clone(string(kind))), strings.Clone(id)}] = entity
	return entity, false
}

// write goes on with a change of whole values.
func (e *netEntity) write(known bool, before, after jsontext.Value) {
	switch {
	case !known:
		e.was = before
	case !e.whole: // before is where the patches led to
		e.was = Overlay(before, e.was)
	}
	e.whole, e.now = true, after
}

func (n *Net) patch(change *Change) {
	entity, known := n.touch(change.Kind, change.ID)
	switch {
	case !known:
		entity.now, entity.was = change.Set.Clone(), change.Was.Clone()
	case entity.whole:
		entity.now = Overlay(entity.now, change.Set)
	default:
		entity.now, entity.was = composePatches(entity.now, entity.was, change.Set, change.Was)
	}
}

// composePatches returns the set and was of one patch that does what two do: the newest values of set, the oldest of was,
// without the members that end as they began.
func composePatches(set, was, nextSet, nextWas jsontext.Value) (composedSet, composedWas jsontext.Value) {
	now, before := laidOver(set, nextSet), laidOver(nextWas, was)
	composedSet, composedWas = append(make(jsontext.Value, 0, len(now)), '{'), append(make(jsontext.Value, 0, len(before)), '{')
	for m := mergeMembers(before, now); m.next(); {
		if !bytes.Equal(m.left, m.right) {
			composedSet = appendMember(composedSet, 0, m.name, orNull(m.right))
			composedWas = appendMember(composedWas, 0, m.name, orNull(m.left))
		}
	}
	return append(composedSet, '}'), append(composedWas, '}')
}

// laidOver is Overlay where null is a value like any other.
func laidOver(object, over jsontext.Value) jsontext.Value {
	laid := append(make(jsontext.Value, 0, len(object)+len(over)), '{')
	for m := mergeMembers(object, over); m.next(); {
		value := m.left
		if m.right != nil {
			value = m.right
		}
		laid = appendMember(laid, 0, m.name, value)
	}
	return append(laid, '}')
}

// Changes returns the net changes, at most one of each entity, none of one that ended as it began. They apply in this
// order to the state from before the run: edges deleted, nodes written, edges written, nodes deleted, viewport; each
// group in order of the ids. The changes share memory with the Net.
func (n *Net) Changes() []Change {
	changes := make([]Change, 0, len(n.entities))
	for key, entity := range n.entities {
		if change, changed := entity.change(key); changed {
			changes = append(changes, change)
		}
	}
	slices.SortFunc(changes, func(a, b Change) int {
		return cmp.Or(cmp.Compare(netRank(&a), netRank(&b)), strings.Compare(a.ID, b.ID))
	})
	return changes
}

// change returns an entity's net change, and whether there is one. Something that was there before and after is patched
// if that takes fewer bytes than the two whole values; whatever patches alone have touched is patched, since its whole
// values are not known.
func (e *netEntity) change(key entityKey) (change Change, changed bool) {
	change = Change{Kind: key.kind, ID: key.id, Was: e.was}
	switch {
	case !e.whole:
		change.Op, change.Set = Patch, e.now
		return change, len(e.now) > len(`{}`)
	case e.now == nil:
		change.Op = Delete
		return change, e.was != nil
	}
	change.Op, change.Value = Put, e.now
	if e.was == nil {
		return change, true
	}
	set, was := Difference(e.was, e.now)
	if len(set)+len(was) < len(e.now)+len(e.was) {
		change.Op, change.Value, change.Set, change.Was = Patch, nil, set, was
	}
	return change, set != nil
}

// netRank is a change's place in an order in which no edge ever lacks a node.
func netRank(change *Change) int {
	switch {
	case change.Kind == Edge && change.Op == Delete:
		return 0
	case change.Kind == Node && change.Op != Delete:
		return 1
	case change.Kind == Edge:
		return 2
	case change.Kind == Node:
		return 3
	}
	return 4
}

// Diff returns the net changes that lead from the entities of one graph to those of another, as Net.Changes does. They
// share memory with the graphs.
func Diff(before, after *Graph) []Change {
	var n Net
	for id, node := range before.nodes {
		n.compare(Node, id, node.Value, after.nodes[id].Value)
	}
	for id, node := range after.nodes {
		if !before.Has(Node, id) {
			n.Entity(Node, id, nil, node.Value)
		}
	}
	for id, e := range before.edges {
		n.compare(Edge, id, e.Value, after.edges[id].Value)
	}
	for id, e := range after.edges {
		if !before.Has(Edge, id) {
			n.Entity(Edge, id, nil, e.Value)
		}
	}
	n.compare(Viewport, ViewportID, before.viewport.Value, after.viewport.Value)
	return n.Changes()
}

// compare is Entity for a change that may be none.
func (n *Net) compare(kind Kind, id string, before, after jsontext.Value) {
	if !bytes.Equal(before, after) {
		n.Entity(kind, id, before, after)
	}
}
