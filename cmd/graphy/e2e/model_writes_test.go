package e2e

import (
	"slices"
)

// body is the entity that a create or an upsert gives, without stamps.
func body(r request) members {
	entity, _ := unstampedEntity(r.payload).(members)
	return entity
}

// stamped returns the entity as it is written now; over is what it takes the place of, nil if nothing.
func (d *deciding) stamped(entity, over members) members {
	entity = copyMembers(entity)
	entity["createdAt"], entity["updatedAt"] = float64(d.now), float64(d.now)
	if over != nil {
		entity["createdAt"] = over["createdAt"]
	}
	return entity
}

func (d *deciding) create(r request, key string) (any, string) {
	current, entity := d.world[key], body(r)
	if current != nil {
		by := d.takenBy(key)
		if by == nil {
			return nil, "already-exists"
		}
		if code := d.checkEnds(key, entity); code != "" {
			return nil, code
		}
		return d.crossing(r, key, entity, by), ""
	}
	if code := d.checkEnds(key, entity); code != "" {
		return nil, code
	}
	if isEdge(key) && !d.world.hasEnds(entity) {
		d.lostEnd(key, nil, entity)
		return nil, ""
	}
	if by := d.takenBy(key); by == nil || d.settleWhole(r, key, d.stamped(entity, nil), "LAST_WRITE_WINS", by) {
		d.put(key, d.stamped(entity, nil))
	}
	return plain(copyMembers(d.world[key])), ""
}

// checkEnds refuses an edge to a node that is missing, unless others deleted that since the base.
func (d *deciding) checkEnds(key string, edge members) string {
	for _, end := range []string{"source", "target"} {
		if id, ok := edge[end].(string); ok && isEdge(key) && !d.world.hasNode(id) && d.takenBy("node/"+id) == nil {
			return "node-not-found"
		}
	}
	return ""
}

// missingEnd returns the newest event that took a missing node of an edge.
func (d *deciding) missingEnd(edge members) *deed {
	var newest *deed
	for _, end := range []string{"source", "target"} {
		if id, ok := edge[end].(string); ok && !d.world.hasNode(id) {
			if by := d.takenBy("node/" + id); newest == nil || by.version > newest.version {
				newest = by
			}
		}
	}
	return newest
}

// lostEnd notes that an edge is not written because others deleted a node at its end.
func (d *deciding) lostEnd(key string, server, client members) {
	d.note(clash{key: key, strategy: "SERVER_WINS", resolution: "server", base: plain(d.baseWorld()[key]), server: plain(server),
		client: client, written: plain(server), by: d.missingEnd(client)})
}

// crossing is a create, or an upsert, of what others created since the base.
func (d *deciding) crossing(r request, key string, entity members, by *deed) any {
	current := d.world[key]
	if same(unstampedEntity(current), entity) {
		return copyMembers(current)
	}
	if isEdge(key) && !d.world.hasEnds(entity) {
		d.lostEnd(key, current, entity)
		return copyMembers(current)
	}
	if d.settleWhole(r, key, d.stamped(entity, current), "SERVER_WINS", by) {
		d.put(key, d.stamped(entity, current))
	}
	return copyMembers(d.world[key])
}

func (d *deciding) update(r request, key string, patch members) (any, string) {
	current := d.world[key]
	if current == nil {
		by := d.takenBy(key)
		if by == nil {
			return nil, notFound(key)
		}
		if code := d.checkEnds(key, patch); code != "" {
			return nil, code
		}
		last := by.lastValue(key)
		client := mergePatched(last, patch, nil)
		return plain(d.comeBack(r, key, client, last, by)), ""
	}
	if code := d.checkEnds(key, patch); code != "" {
		return nil, code
	}
	kept := members{}
	for _, path := range patchPaths(patch, nil) {
		value := valueAt(patch, path)
		if won, value := d.settle(r, key, path, value); won {
			kept = withPatchAt(kept, path, value)
		}
	}
	d.change(key, mergePatched(current, kept, nil))
	return copyMembers(d.world[key]), ""
}

// change writes what an entity comes to, unless that is what it is.
func (d *deciding) change(key string, next members) {
	current := d.world[key]
	if same(unstampedEntity(next), unstampedEntity(current)) {
		return
	}
	d.put(key, d.stamped(next, current))
}

// lastValue is what the entity was before the event deleted it.
func (d *deed) lastValue(key string) members {
	for _, w := range slices.Backward(d.writes) {
		if w.key == key && w.after == nil {
			return w.before
		}
	}
	return nil
}

// comeBack is an update, or an upsert, of what others deleted since the base.
func (d *deciding) comeBack(r request, key string, client, last members, by *deed) members {
	if isEdge(key) && !d.world.hasEnds(client) {
		d.note(clash{key: key, strategy: "SERVER_WINS", resolution: "server", base: plain(d.baseWorld()[key]), client: client, by: by})
		return nil
	}
	if d.settleWhole(r, key, d.stamped(client, last), "SERVER_WINS", by) {
		d.put(key, d.stamped(client, last))
	}
	return copyMembers(d.world[key])
}

func (d *deciding) upsert(r request, key string) (any, string) {
	current, entity := d.world[key], body(r)
	if code := d.checkEnds(key, entity); code != "" {
		return nil, code
	}
	taken := d.takenBy(key)
	switch {
	case current == nil && taken != nil:
		return plain(d.comeBack(r, key, entity, taken.lastValue(key), taken)), ""
	case current == nil:
		return d.create(r, key)
	case taken != nil && d.baseWorld()[key] == nil:
		return d.crossing(r, key, entity, taken), ""
	}
	next := copyMembers(current)
	for _, path := range differences(unstampedEntity(current), entity, nil) {
		value := valueAt(entity, path)
		if won, value := d.settle(r, key, path, value); won {
			next = restoredAt(next, withPatchAt(members{}, path, value), path)
		}
	}
	d.change(key, next)
	return copyMembers(d.world[key]), ""
}

func (d *deciding) remove(r request, key string) (any, string) {
	current := d.world[key]
	kind, id := kindAndID(key)
	if current == nil {
		if d.takenBy(key) == nil {
			return nil, notFound(key)
		}
		return removal(kind, members{"id": id}, []any{}), ""
	}
	if by := d.touchedBy(key, nil); by != nil && !d.settleWhole(r, key, nil, "CLIENT_WINS", by) {
		return removal(kind, nil, []any{}), ""
	}
	edges := []any{}
	if kind == "node" {
		for _, edge := range d.world.edgesAt(id) {
			edges = append(edges, copyMembers(d.world[edge]))
			d.put(edge, nil)
		}
	}
	d.put(key, nil)
	return removal(kind, current, edges), ""
}

func removal(kind string, entity members, edges []any) any {
	if kind == "edge" {
		return members{"deletedEdge": plain(entity)}
	}
	return members{"deletedNode": plain(entity), "deletedEdges": edges}
}

func (d *deciding) moveViewport(r request) (any, string) {
	before := d.world.viewport()
	next := mergePatched(before, r.payload, nil)
	if same(before, next) {
		return before, ""
	}
	if by := d.touchedBy(viewportKey, nil); by != nil && !d.settleWhole(r, viewportKey, next, "CLIENT_WINS", by) {
		return before, ""
	}
	d.put(viewportKey, next)
	return next, ""
}
