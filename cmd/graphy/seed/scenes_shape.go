package seed

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// connect draws an edge between two nodes.
func (m *maker) connect() {
	source, target := m.node(), m.node()
	m.edgeIDs++
	id := fmt.Sprintf("e%d", m.edgeIDs)
	m.edges[id] = edge{source, target}
	m.add(m.user(), Command, "CREATE_EDGE", object{"id": id, "source": source, "target": target, "label": pick(m, labels)})
}

// relabel names an edge.
func (m *maker) relabel() {
	if len(m.edges) == 0 {
		m.connect()
		return
	}
	id := pick(m, slices.Sorted(maps.Keys(m.edges)))
	m.add(m.user(), Command, "UPDATE_EDGE", object{"edgeId": id, "updates": object{"label": pick(m, labels), "weight": 1 + m.rand.IntN(9)}})
}

func (m *maker) pan() {
	m.add(m.user(), Command, "UPDATE_VIEWPORT",
		object{"x": m.rand.IntN(800) - 400, "y": m.rand.IntN(600) - 300, "zoom": 0.5 + float64(m.rand.IntN(16))/8})
}

// undoRedo has a user change something, take it back, and perhaps do it again after all.
func (m *maker) undoRedo() {
	user := m.user()
	if m.chance(2) { // a title that is like no other, for what changes nothing is no step to undo
		m.titled(user, m.node(), fmt.Sprintf("%s, draft %d", m.title(), len(m.steps)))
	} else {
		m.move(user, m.node(), m.rand.IntN(2000), m.rand.IntN(1200))
	}
	m.add(user, Undo, "", nil)
	if m.chance(2) {
		m.add(user, Redo, "", nil)
	}
}

// remove deletes a node with its edges, or an edge; sometimes it was a mistake.
func (m *maker) remove() {
	user := m.user()
	if len(m.edges) > 0 && m.chance(3) {
		id := pick(m, slices.Sorted(maps.Keys(m.edges)))
		delete(m.edges, id)
		m.add(user, Command, "DELETE_EDGE", object{"edgeId": id})
		return
	}
	node := m.node()
	m.add(user, Command, "DELETE_NODE", object{"nodeId": node})
	if m.chance(3) {
		m.add(user, Undo, "", nil)
		return
	}
	m.forget(node)
}

// forget notes that a node is gone, and its edges with it.
func (m *maker) forget(node string) {
	m.alive = slices.DeleteFunc(m.alive, func(id string) bool { return id == node })
	maps.DeleteFunc(m.edges, func(_ string, e edge) bool { return e.source == node || e.target == node })
}

// edited has a user edit what another has deleted meanwhile: it stays deleted.
func (m *maker) edited() {
	one, other := m.pair()
	node, base := m.node(), m.newest()
	m.add(one, Command, "DELETE_NODE", object{"nodeId": node}).Base = base
	m.titled(other, node, m.title()).Base = base
	m.forget(node)
}

// mishap has a user delete several nodes at once, and somebody go back to how it was before.
func (m *maker) mishap() {
	one, other := m.pair()
	before := m.newest()
	var operations []object
	for _, i := range m.rand.Perm(len(m.alive))[:3] {
		operations = append(operations, object{"type": "DELETE_NODE", "payload": object{"nodeId": m.alive[i]}})
	}
	m.add(one, Batch, "", operations)
	m.add(other, Restore, "", nil).Target = before
}

func (m *maker) title() string {
	return strings.Join([]string{pick(m, verbs), pick(m, adjectives), pick(m, things)}, " ")
}
