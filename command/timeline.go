package command

import (
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"graphy/eventstore"
	"graphy/projection"
)

// timeline is what happened, from its first event on, to the entities that a step is about: the step's own events and all
// others that touched one of them, created or deleted a node at an end of their edges, or hung an edge on their nodes.
type timeline struct {
	step    []eventstore.Version // ascending
	events  history
	targets map[Target]bool // what the step changed
	around  map[Target]bool // ends of its edges, and edges that were hung on its nodes
}

func newTimeline(step []eventstore.Version) *timeline {
	return &timeline{step: step, targets: map[Target]bool{}, around: map[Target]bool{}}
}

func (t *timeline) mine(version eventstore.Version) bool {
	_, found := slices.BinarySearch(t.step, version)
	return found
}

// add takes the next event into account.
func (t *timeline) add(event *record) {
	mine, relevant := t.mine(event.Version), false
	for i := range event.Changes {
		change := &event.Changes[i]
		target := Target{change.Kind, change.ID}
		if mine {
			t.targets[target] = true
		}
		relevant = relevant || mine || t.targets[target] || t.around[target]
		if change.Kind != projection.Edge {
			continue
		}
		for _, node := range changeEnds(change) {
			switch end := (Target{projection.Node, node}); {
			case t.targets[target]:
				t.around[end] = true // who deletes it now is why the edge cannot have it
			case t.targets[end]:
				t.around[target], relevant = true, true
			}
		}
	}
	if relevant {
		t.events = append(t.events, event)
	}
}

// changeEnds returns the nodes that a change of an edge is about.
func changeEnds(change *projection.Change) []string {
	var nodes []string
	for _, value := range []jsontext.Value{change.Value, change.Set, change.Was} {
		for _, end := range edgeEnds {
			if node := projection.Text(projection.Member(value, end)); node != "" {
				nodes = append(nodes, node)
			}
		}
	}
	return nodes
}

// moment is one event's effect on one entity: its whole values before and after; nil: not there.
type moment struct {
	event         *record
	mine          bool // of the step
	before, after jsontext.Value
}

// moments returns what happened to an entity that is current now, oldest first.
func (t *timeline) moments(target Target, current jsontext.Value) []moment {
	var list []moment
	value := current
	for _, event := range slices.Backward(t.events) {
		if event.changes(target) {
			before := event.before(target.Kind, target.ID, value)
			list = append(list, moment{event: event, mine: t.mine(event.Version), before: before, after: value})
			value = before
		}
	}
	slices.Reverse(list)
	return list
}

// changes tells whether the event changed anything of an entity, be it the time of its last update alone.
func (r *record) changes(target Target) bool {
	return slices.ContainsFunc(r.Changes, func(c projection.Change) bool { return c.Kind == target.Kind && c.ID == target.ID })
}

// movesExistence tells whether the entity came or went.
func (m *moment) movesExistence() bool { return (m.before == nil) != (m.after == nil) }

// touches tells whether anything was changed. The time of the last update counts for nothing.
func (m *moment) touches() bool { return !sameButStamp(m.before, m.after) }

// sameButStamp tells whether two values are the same but for the time of the last update.
func sameButStamp(a, b jsontext.Value) bool {
	return same(a, b) || a != nil && b != nil && same(withPath(a, []string{updatedAt}, nil), withPath(b, []string{updatedAt}, nil))
}
