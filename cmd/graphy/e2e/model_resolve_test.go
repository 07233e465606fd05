package e2e

import (
	"maps"
	"slices"
)

// resolve settles an open conflict: payload {conflictId, choice, values}.
func (d *deciding) resolve(made *deed) string {
	all := d.m.conflicts()
	at := slices.IndexFunc(all, func(c *openConflict) bool { return c.id == d.request.conflict })
	if at < 0 {
		return "not-found"
	}
	conflict := all[at]
	choice, _ := d.request.payload["choice"].(string)
	values, _ := d.request.payload["values"].(members)
	for pointer := range values {
		if !slices.ContainsFunc(conflict.paths, func(c clash) bool { return c.path == pointer }) {
			return "invalid-payload"
		}
	}
	if !conflict.open {
		return "already-resolved"
	}
	made.resolves, made.choice = conflict.id, choice
	if choice == "server" {
		return ""
	}
	current := d.world[conflict.key]
	if conflict.key == viewportKey {
		current = d.world.viewport()
	}
	if current == nil {
		return "entity-gone"
	}
	next := copyMembers(current)
	for _, path := range conflict.paths {
		if next == nil {
			break // the client deleted it
		}
		value, given := values[path.path]
		if choice == "client" {
			value, given = path.client, true
		}
		switch {
		case !given:
		case path.path == "":
			next, _ = unstampedEntity(value).(members)
		default:
			next = restoredAt(next, withPatchAt(members{}, parsePointer(path.path), value), parsePointer(path.path))
		}
	}
	switch {
	case conflict.key == viewportKey:
		if !same(next, current) {
			d.put(viewportKey, next)
		}
	case next == nil:
		_, _ = d.remove(request{}, conflict.key)
		d.paths = nil
	case isEdge(conflict.key) && !d.world.hasEnds(next):
		return "entity-gone" // an edge is never written without both its nodes
	default:
		d.change(conflict.key, next)
	}
	return ""
}

// restore takes the state back to what it was at a version: payload {version}.
func (d *deciding) restore(made *deed) string {
	made.restored = int(d.request.payload["version"].(float64))
	made.results = members{"restored": float64(made.restored)}
	if made.restored > d.m.head() {
		return "client-ahead"
	}
	target := d.m.worlds[made.restored]
	keys := maps.Clone(d.world)
	maps.Copy(keys, target)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		was, will := d.world[key], target[key]
		if key == viewportKey {
			was, will = d.world.viewport(), target.viewport()
		}
		if !same(was, will) {
			d.put(key, target[key])
		}
	}
	return ""
}
