package e2e

import (
	"maps"
	"slices"
	"strings"
)

// inverting takes a step back: from its newest event to its oldest, what each did to each entity.
type inverting struct {
	*deciding
	versions []int
	values   world              // what the entities of the step are to be; nil: not there
	left     map[string][]steps // paths that were not taken back
	skipped  []skip
	moot     map[string]bool // ends that lack a node because it goes by the same undo: whether they are reported is open
}

// moment is what one event did to one entity, nil before or after: not there.
type moment struct {
	version       int
	before, after members
}

func (m moment) existence() bool { return (m.before == nil) != (m.after == nil) }

// moments are what has happened to an entity from the step's first event on.
func (v *inverting) moments(key string) []moment {
	var all []moment
	for _, d := range v.m.log[v.versions[0]-1:] {
		one := moment{version: d.version}
		found := false
		for _, w := range d.writes {
			if w.key != key {
				continue
			}
			if !found {
				one.before, found = w.before, true
			}
			one.after = w.after
		}
		if found && !same(one.before, one.after) {
			all = append(all, one)
		}
	}
	return all
}

func (m moment) touches(key string, path steps) bool {
	return written{key, m.before, m.after}.touches(path)
}

func (v *inverting) mine(version int) bool { return slices.Contains(v.versions, version) }

// invert takes the step of these events back in the world of d, and returns what it left alone.
func (d *deciding) invert(versions []int) []skip {
	v := &inverting{deciding: d, versions: versions, values: world{}, left: map[string][]steps{}, moot: map[string]bool{}}
	for _, version := range versions {
		for _, w := range d.m.at(version).writes {
			v.values[w.key] = copyMembers(d.world[w.key])
		}
	}
	for key := range v.values {
		v.invertEntity(key)
	}
	v.keepNodes()
	v.keepEnds()
	v.stampAll()
	v.write()
	d.moot = v.moot
	return v.skipped
}

func (v *inverting) invertEntity(key string) {
	all := v.moments(key)
	for i, m := range slices.Backward(all) {
		switch {
		case !v.mine(m.version):
		case m.existence() || key == viewportKey:
			v.back(key, all, i, nil)
		case v.values[key] == nil:
			v.backOfGone(key, all, i)
		default:
			for _, path := range changedPaths(m.before, m.after, nil) {
				v.back(key, all, i, path)
			}
		}
	}
}

// back writes what was at a path before the i-th moment, unless others have written there since. Where somebody wrote
// between this and a later moment of the step, that is left as the later one found it.
func (v *inverting) back(key string, all []moment, i int, path steps) {
	var other *deed
	between := false
	for _, later := range all[i+1:] {
		switch {
		case !later.touches(key, path):
		case v.mine(later.version):
			if between || slices.ContainsFunc(v.left[key], func(left steps) bool { return related(left, path) }) {
				v.left[key] = append(v.left[key], path)
				return
			}
			if len(path) == 0 && key != viewportKey && !later.existence() {
				continue // it wrote a part of what it had made: others may have written the rest since
			}
			v.set(key, all[i].before, path)
			return
		default:
			between = true
			if event := v.m.at(later.version); event.user != v.request.user {
				other = event
			}
		}
	}
	if other == nil || v.request.force {
		v.set(key, all[i].before, path)
	} else {
		v.left[key] = append(v.left[key], path)
		if !same(valueAt(plain(v.values[key]), path), valueAt(plain(all[i].before), path)) {
			v.skip(key, path, other)
		}
	}
}

// skip reports a path that is left as others have written it; by nobody's doing but the step's own it is none.
func (v *inverting) skip(key string, path steps, by *deed) {
	if by != nil {
		v.skipped = append(v.skipped, skip{key, path.pointer(), by})
	}
}

func (v *inverting) set(key string, before members, path steps) {
	if len(path) == 0 {
		v.values[key] = copyMembers(before)
		return
	}
	v.values[key] = restoredAt(v.values[key], before, path)
}

// backOfGone is for a change of what another user has deleted since: by force it comes back.
func (v *inverting) backOfGone(key string, all []moment, i int) {
	for j := len(all) - 1; j > i; j-- {
		event := v.m.at(all[j].version)
		if !all[j].existence() || all[j].after != nil {
			continue
		}
		if v.mine(event.version) || event.user == v.request.user {
			return
		}
		if v.request.force {
			v.values[key] = copyMembers(all[j].before)
		}
		for _, path := range changedPaths(all[i].before, all[i].after, nil) {
			if v.request.force {
				v.back(key, all, i, path)
				continue
			}
			v.left[key] = append(v.left[key], path)
			v.skip(key, path, event)
		}
		return
	}
}

// otherSince returns the newest event of another user since the step's first that touches an entity.
func (v *inverting) otherSince(key string, version int) *deed {
	for _, event := range slices.Backward(v.m.log[version:]) {
		if event.user != v.request.user && event.touches(key, nil) {
			return event
		}
	}
	return nil
}

// keepNodes leaves nodes that the step created but on which an edge hangs that others have written and that stays.
func (v *inverting) keepNodes() {
	for _, key := range slices.Sorted(maps.Keys(v.values)) {
		kind, id := kindAndID(key)
		if kind != "node" || v.values[key] != nil || v.world[key] == nil || v.request.force {
			continue
		}
		for _, edge := range v.world.edgesAt(id) {
			if value, planned := v.values[edge]; planned && !isAt(value, id) {
				continue
			}
			by := v.hungBy(edge, id, v.firstOf(key))
			if early := v.otherSince(edge, v.versions[0]); by == nil && early != nil {
				v.m.doubted = true
				if v.m.cautious {
					by = early
				}
			}
			if by != nil {
				v.values[key] = copyMembers(v.world[key])
				v.skip(key, nil, by)
				break
			}
		}
	}
}

// hungBy returns the newest event of another user after a version that hung an edge on a node, or wrote to it there.
func (v *inverting) hungBy(edge, node string, version int) *deed {
	for _, event := range slices.Backward(v.m.log[version:]) {
		if event.user != v.request.user && slices.ContainsFunc(event.writes, func(w written) bool { return w.key == edge && isAt(w.after, node) }) {
			return event
		}
	}
	return nil
}

// firstOf returns the step's first version that wrote an entity.
func (v *inverting) firstOf(key string) int {
	for _, version := range v.versions {
		if slices.ContainsFunc(v.m.at(version).writes, func(w written) bool { return w.key == key }) {
			return version
		}
	}
	return 0
}

// keepEnds leaves ends of edges, or edges that are not there, whose nodes will not be there.
func (v *inverting) keepEnds() {
	willHave := func(id any) bool {
		key := "node/" + id.(string)
		if value, planned := v.values[key]; planned {
			return value != nil
		}
		return v.world[key] != nil
	}
	for _, key := range slices.Sorted(maps.Keys(v.values)) {
		current := v.world[key]
		for _, end := range []string{"source", "target"} {
			value := v.values[key]
			if !isEdge(key) || value == nil || willHave(value[end]) {
				continue
			}
			path := steps{end}
			if current == nil {
				path = nil
			}
			node := "node/" + value[end].(string)
			if v.world[node] == nil {
				v.skip(key, path, v.ended(node))
			} else {
				v.moot[key+path.pointer()] = true
			}
			v.left[key] = append(v.left[key], path)
			if current == nil || !willHave(current[end]) {
				v.values[key] = nil
			} else {
				value[end] = current[end]
			}
		}
	}
}

// ended returns the newest event since the step's first that deleted an entity.
func (v *inverting) ended(key string) *deed {
	for _, event := range slices.Backward(v.m.log[v.versions[0]:]) {
		if slices.ContainsFunc(event.writes, func(w written) bool { return w.key == key && w.after == nil }) {
			return event
		}
	}
	return nil
}

// stampAll puts the times of the last updates back, or now where others have written since.
func (v *inverting) stampAll() {
	for key, value := range v.values {
		if value == nil || key == viewportKey {
			continue
		}
		first := v.firstOf(key)
		since := v.otherWrote(key, first)
		nothing := v.world[key] != nil && len(changedPaths(v.world[key], value, nil)) == 0
		switch before := v.m.worlds[first-1][key]; {
		case nothing && (since || v.skips(key)):
			v.values[key] = copyMembers(v.world[key])
		case since:
			value["updatedAt"] = float64(v.now)
		case before != nil:
			value["updatedAt"] = before["updatedAt"]
		}
	}
}

// otherWrote tells whether another user has written to an entity after a version, be it only the time of its last update.
func (v *inverting) otherWrote(key string, version int) bool {
	return slices.ContainsFunc(v.m.log[version:], func(d *deed) bool {
		return d.user != v.request.user && slices.ContainsFunc(d.writes, func(w written) bool { return w.key == key })
	})
}

// skips tells whether something of an entity was left as others have written it.
func (v *inverting) skips(key string) bool {
	return v.moot[key] || v.moot[key+"/source"] || v.moot[key+"/target"] || slices.ContainsFunc(v.skipped, func(s skip) bool { return s.key == key })
}

// write writes the values in an order in which they apply: nodes that are there, edges, nodes that go with their edges.
func (v *inverting) write() {
	keys := slices.Sorted(maps.Keys(v.values))
	put := func(prefix string, gone bool) {
		for _, key := range keys {
			value := v.values[key]
			if !strings.HasPrefix(key, prefix) || (value == nil) != gone || same(value, v.world[key]) {
				continue
			}
			if kind, id := kindAndID(key); gone && kind == "node" {
				for _, edge := range v.world.edgesAt(id) {
					v.put(edge, nil)
				}
			}
			v.put(key, value)
		}
	}
	put("viewport/", false)
	put("viewport/", true)
	put("edge/", true)
	put("node/", false)
	put("edge/", false)
	put("node/", true)
}
