package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// The reference model: the rules of commands, conflicts, undo and the past in the plainest form, over whole copies of
// the state at every version. Nothing is kept up to date; whatever is asked is worked out from the log anew.

// world is the entities at one version: "node/a", "edge/e", "viewport/viewport" → entity.
type world map[string]members

const viewportKey = "viewport/viewport"

func (w world) copied() world {
	copied := world{}
	for key, entity := range w {
		copied[key] = copyMembers(entity)
	}
	return copied
}

// viewport is never missing, though it may never have been set.
func (w world) viewport() members {
	if w[viewportKey] == nil {
		return members{"x": 0.0, "y": 0.0, "zoom": 1.0}
	}
	return w[viewportKey]
}

func (w world) hasNode(id any) bool {
	name, _ := id.(string)
	return w["node/"+name] != nil
}

func (w world) hasEnds(edge members) bool {
	return w.hasNode(edge["source"]) && w.hasNode(edge["target"])
}

// edgesAt are the keys of the edges at a node, sorted.
func (w world) edgesAt(node string) []string {
	var keys []string
	for _, key := range slices.Sorted(maps.Keys(w)) {
		if strings.HasPrefix(key, "edge/") && isAt(w[key], node) {
			keys = append(keys, key)
		}
	}
	return keys
}

func isAt(edge members, node string) bool {
	return edge != nil && (edge["source"] == node || edge["target"] == node)
}

func kindAndID(key string) (kind, id string) {
	kind, id, _ = strings.Cut(key, "/")
	return kind, id
}

// differsFrom says how a replica differs from the world, "" if it does not.
func (w world) differsFrom(r *replica) string {
	found := world{}
	for id, node := range r.nodes {
		found["node/"+id] = node
	}
	for id, edge := range r.edges {
		found["edge/"+id] = edge
	}
	found[viewportKey] = world{viewportKey: r.viewport}.viewport()
	expected := maps.Clone(w)
	expected[viewportKey] = w.viewport()
	for _, key := range slices.Sorted(maps.Keys(expected)) {
		if !same(expected[key], found[key]) {
			return fmt.Sprintf("%s: the model has %s, the server %s", key, canonical(plain(expected[key])), canonical(plain(found[key])))
		}
	}
	for key, entity := range found {
		if expected[key] == nil {
			return fmt.Sprintf("%s: the model has none, the server %s", key, canonical(plain(entity)))
		}
	}
	return ""
}

// written is one write of one entity; nil before or after: not there.
type written struct {
	key           string
	before, after members
}

// deed is an event of the model.
type deed struct {
	version                                int
	kind, operation, user, client, gesture string
	timestamp, writtenAt                   int64
	writes                                 []written
	paths                                  []clash
	results                                any
	undoes, redoes                         []int
	skipped                                []skip
	partial                                bool            // it skipped something
	moot                                   map[string]bool // entity and path that may be among the skipped, or not
	restored                               int
	policy                                 map[string]string // SET_POLICY: all of it
	resolves, choice, reopens              string
}

// touches tells whether the event changed a path, one above or one below it, or made or ended the entity.
func (d *deed) touches(key string, path steps) bool {
	for _, w := range d.writes {
		if w.key == key && w.touches(path) {
			return true
		}
	}
	return false
}

func (w written) touches(path steps) bool {
	if w.before == nil || w.after == nil || w.key == viewportKey {
		return !same(w.before, w.after)
	}
	if len(path) == 0 {
		return len(changedPaths(w.before, w.after, nil)) > 0
	}
	return changedAt(w.before, w.after, path)
}

// changedAt tells whether a path, one above it or one below it was changed. An object that is new changes only what it
// holds.
func changedAt(before, after any, path steps) bool {
	if same(before, after) {
		return false
	}
	old, wasObject := before.(members)
	now, isObject := after.(members)
	if len(path) == 0 || !isObject || !wasObject && before != nil {
		return true
	}
	return changedAt(old[path[0]], now[path[0]], path[1:])
}

// beginsOrEnds tells whether the write made or ended the entity.
func (w written) beginsOrEnds() bool { return (w.before == nil) != (w.after == nil) }

// model is a graph's history.
type model struct {
	log    []*deed // version v at v-1
	worlds []world // at version v

	// The rules leave open whether undo keeps a node that the step created for the sake of an edge that the user hung on
	// it, and others wrote since the step began, but not there. cautious says it does; doubted notes that it matters.
	cautious, doubted bool
}

func newModel() *model { return &model{worlds: []world{{}}} }

func (m *model) head() int { return len(m.log) }

func (m *model) at(version int) *deed { return m.log[version-1] }

// commit puts an event at the end of the history.
func (m *model) commit(d *deed) {
	next := m.worlds[m.head()].copied()
	for _, w := range d.writes {
		if next[w.key] = copyMembers(w.after); w.after == nil {
			delete(next, w.key)
		}
	}
	m.log = append(m.log, d)
	m.worlds = append(m.worlds, next)
}

// asOf is the history up to a version.
func (m *model) asOf(version int) *model {
	return &model{log: m.log[:version:version], worlds: m.worlds[: version+1 : version+1], cautious: m.cautious}
}

// policy is the graph's policy: the newest that was set.
func (m *model) policy() map[string]string {
	for _, d := range slices.Backward(m.log) {
		if d.policy != nil {
			return d.policy
		}
	}
	return nil
}

// openConflict is what the log says of a conflict.
type openConflict struct {
	id, key string
	paths   []clash // the open ones
	open    bool
}

// conflicts are all conflicts that were ever left open, in order.
func (m *model) conflicts() []*openConflict {
	var all []*openConflict
	byID := map[string]*openConflict{}
	for _, d := range m.log {
		for _, path := range d.paths {
			if path.conflict == "" {
				continue
			}
			if byID[path.conflict] == nil {
				byID[path.conflict] = &openConflict{id: path.conflict, key: path.key, open: true}
				all = append(all, byID[path.conflict])
			}
			byID[path.conflict].paths = append(byID[path.conflict].paths, path)
		}
		if d.resolves != "" {
			byID[d.resolves].open = false
		}
		if d.reopens != "" {
			byID[d.reopens].open = true
		}
	}
	return all
}
