package seed

import (
	"fmt"
	"slices"
)

// fewest and most are how many nodes there are about.
const (
	fewest = 8
	most   = 150
)

// open begins the history: what is settled by people, and a first sketch.
func (m *maker) open() {
	m.add(m.users[0], Policy, "", object{"/data/status": "MANUAL", "/data/tags": "MERGE"})
	m.sketch(m.users[0])
	m.sketch(m.users[1])
}

// scene adds something that happens: a few steps that belong together.
func (m *maker) scene() {
	if len(m.alive) < fewest {
		m.sketch(m.user())
		return
	}
	scenes := []struct {
		weight int
		play   func()
	}{
		{6, m.drag}, {4, m.retitle}, {4, m.edit}, {3, m.connect}, {2, m.relabel}, {2, m.pan}, {2, m.race},
		{2, m.mergeTitles}, {2, m.mergeTags}, {2, m.disagree}, {3, m.undoRedo}, {1, m.edited}, {1, m.mishap},
		{3, func() { m.sketch(m.user()) }}, {2, m.remove},
	}
	if len(m.alive) > most {
		scenes[13].weight, scenes[14].weight = 0, 12
	}
	sum := 0
	for _, s := range scenes {
		sum += s.weight
	}
	at := m.rand.IntN(sum)
	for _, s := range scenes {
		if at -= s.weight; at < 0 {
			s.play()
			return
		}
	}
}

// sketch draws a few nodes and what joins them, in one batch.
func (m *maker) sketch(user string) {
	x, y := float64(m.rand.IntN(2000)), float64(m.rand.IntN(1200))
	var operations []object
	var drawn []string
	if len(m.alive) > 0 {
		drawn = append(drawn, m.node())
	}
	for range 3 + m.rand.IntN(4) {
		m.nodeIDs++
		id := fmt.Sprintf("n%d", m.nodeIDs)
		operations = append(operations, object{"type": "CREATE_NODE", "payload": object{
			"id": id, "title": m.title(), "type": pick(m, kinds),
			"position": object{"x": x + float64(m.rand.IntN(300)), "y": y + float64(m.rand.IntN(300))},
			"data":     object{"status": "todo", "tags": []string{pick(m, tags)}, "estimate": 1 + m.rand.IntN(8)},
		}})
		if len(drawn) > 0 {
			m.edgeIDs++
			edgeID, from := fmt.Sprintf("e%d", m.edgeIDs), pick(m, drawn)
			operations = append(operations, object{"type": "CREATE_EDGE", "payload": object{"id": edgeID, "source": from, "target": id}})
			m.edges[edgeID] = edge{from, id}
		}
		drawn = append(drawn, id)
		m.alive = append(m.alive, id)
	}
	m.add(user, Batch, "", operations)
}

// drag moves a node by one gesture: many events, one step to undo.
func (m *maker) drag() {
	user, node := m.user(), m.node()
	m.gestures++
	gesture := fmt.Sprintf("%s-gesture-%d", m.run, m.gestures)
	x, y := m.rand.IntN(2000), m.rand.IntN(1200)
	for range 3 + m.rand.IntN(8) {
		x, y = x+m.rand.IntN(40)-15, y+m.rand.IntN(40)-15
		m.move(user, node, x, y).Gesture = gesture
	}
}

func (m *maker) move(user, node string, x, y int) *Step {
	return m.add(user, Command, "UPDATE_NODE_POSITION", object{"nodeId": node, "position": object{"x": x, "y": y}})
}

// race has two users move one node from where both saw it: the later one stays.
func (m *maker) race() {
	one, other := m.pair()
	node, base := m.node(), m.newest()
	m.move(one, node, m.rand.IntN(2000), m.rand.IntN(1200)).Base = base
	m.move(other, node, m.rand.IntN(2000), m.rand.IntN(1200)).Base = base
}

func (m *maker) retitle() { m.titled(m.user(), m.node(), m.title()) }

func (m *maker) titled(user, node, title string) *Step {
	return m.add(user, Command, "UPDATE_NODE_TITLE", object{"nodeId": node, "title": title})
}

// mergeTitles has two users add words to one title at once; both stay.
func (m *maker) mergeTitles() {
	one, other := m.pair()
	node, title := m.node(), m.title()
	m.titled(one, node, title)
	base := m.newest()
	m.titled(one, node, pick(m, firsts)+" "+title).Base = base
	m.titled(other, node, title+" "+pick(m, lasts)).Base = base
}

func (m *maker) updated(user, node string, data object) *Step {
	return m.add(user, Command, "UPDATE_NODE", object{"nodeId": node, "updates": object{"data": data}})
}

func (m *maker) edit() {
	m.updated(m.user(), m.node(), object{"status": pick(m, statuses), "estimate": 1 + m.rand.IntN(13)})
}

// mergeTags has two users tag one node at once; it gets both tags.
func (m *maker) mergeTags() {
	one, other := m.pair()
	node, had := m.node(), []string{pick(m, tags)}
	m.updated(one, node, object{"tags": had})
	base := m.newest()
	m.updated(one, node, object{"tags": append(slices.Clone(had), "urgent")}).Base = base
	m.updated(other, node, object{"tags": append(slices.Clone(had), "later")}).Base = base
}

// disagree has two users set one status at once, which a person has to settle; often one does.
func (m *maker) disagree() {
	one, other := m.pair()
	node := m.node()
	m.updated(one, node, object{"status": "todo"})
	base := m.newest()
	m.updated(one, node, object{"status": "doing"}).Base = base
	m.updated(other, node, object{"status": "done"}).Base = base
	opened := m.newest()
	if m.chance(3) {
		return
	}
	if m.chance(2) {
		m.pan()
	}
	settled := m.add(m.user(), Resolve, "", nil)
	if settled.Target, settled.Choice = opened, pick(m, []string{"client", "server", "values"}); settled.Choice == "values" {
		settled.Payload = encode(object{"/data/status": "doing"})
	}
}
