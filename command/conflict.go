package command

import (
	"bytes"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"graphy/projection"
)

// A command conflicts on a path if an event after its base, from another client, changed that path, one above it or
// one below it, and the two would not leave the same value. Today the incoming value wins everywhere.

// clientWins is the one strategy there is: the incoming value is written.
const clientWins = "CLIENT_WINS"

// conflictPath is one path on which a command conflicts, and how that was settled.
type conflictPath struct {
	kind       projection.Kind
	id         string
	path       string // JSON Pointer inside the entity, "" for all of it
	strategy   string
	resolution string
	base       jsontext.Value // nil in all four: not there
	server     jsontext.Value
	client     jsontext.Value
	written    jsontext.Value
	by         *record // the newest event that it conflicts with
}

// conflict notes the paths on which a write that turns current into value (nil: removes it) conflicts.
func (d *decider) conflict(c *Command, w *write, current, value jsontext.Value) {
	others := d.since.others(w.kind, w.id, d.client)
	if len(others) == 0 {
		return
	}
	note := func(path string, steps []string) {
		server, client := lookup(current, steps), lookup(value, steps)
		if bytes.Equal(server, client) {
			return
		}
		for i := len(others) - 1; i >= 0; i-- {
			if others[i].touches(w.kind, w.id, steps) {
				d.conflicts = append(d.conflicts, conflictPath{kind: w.kind, id: w.id, path: path,
					strategy: clientWins, resolution: "client", base: lookup(d.since.valueBefore(w.kind, w.id, current), steps),
					server: server, client: client, written: client, by: others[i]})
				return
			}
		}
	}
	if w.action != update || w.kind == projection.Viewport {
		note("", nil)
		return
	}
	walkLeaves(w.value, "", nil, note)
}

// walkLeaves visits the leaf paths of a merge patch: what it says about a property, unless that is an object, whose
// properties it then says it about.
func walkLeaves(patch jsontext.Value, path string, steps []string, visit func(path string, steps []string)) {
	for name, value := range projection.Members(patch) {
		step := projection.Name(name)
		at, below := path+"/"+escapePointer(step), append(steps[:len(steps):len(steps)], step)
		if value.Kind() == '{' && len(value) > 2 && !(len(steps) == 0 && isWhole(name)) {
			walkLeaves(value, at, below, visit)
			continue
		}
		visit(at, below)
	}
}

// lookup returns what stands at a path below value, nil if nothing does.
func lookup(value jsontext.Value, steps []string) jsontext.Value {
	for _, step := range steps {
		if len(value) == 0 || value[0] != '{' {
			return nil
		}
		value = member(value, step)
	}
	return value
}

func member(object jsontext.Value, name string) jsontext.Value {
	for key, value := range projection.Members(object) {
		if string(key) == name || projection.Name(key) == name {
			return value
		}
	}
	return nil
}

// others returns the events of other clients that touch an entity.
func (h history) others(kind projection.Kind, id, client string) history {
	var found history
	for _, event := range h {
		if event.ClientID != client && event.touches(kind, id, nil) {
			found = append(found, event)
		}
	}
	return found
}

// touches tells whether the event changed the path, one above it or one below it in an entity.
func (r *record) touches(kind projection.Kind, id string, steps []string) bool {
	for i := range r.Changes {
		change := &r.Changes[i]
		if change.Kind != kind || change.ID != id {
			continue
		}
		before, after := change.Was, change.Value
		if change.Op == projection.Patch {
			after = change.Set
		}
		if before == nil || after == nil || differs(before, after, steps) {
			return true
		}
	}
	return false
}

// differs tells whether a change from before to after (nil or null: not there) changed a path, one above it or one below
// it. That an object appeared changes only what it holds: two clients may each put a property of theirs into it.
func differs(before, after jsontext.Value, steps []string) bool {
	switch {
	case bytes.Equal(before, after):
		return false
	case len(steps) == 0 || !isObject(after):
		return true
	case len(before) == 0 || before.Kind() == 'n':
		return differs(nil, member(after, steps[0]), steps[1:])
	case !isObject(before):
		return true
	}
	return differs(member(before, steps[0]), member(after, steps[0]), steps[1:])
}

func isObject(value jsontext.Value) bool { return len(value) > 0 && value[0] == '{' }

// valueBefore returns what an entity was before the events of h, given what it is after them; nil if it was not.
func (h history) valueBefore(kind projection.Kind, id string, value jsontext.Value) jsontext.Value {
	for i := len(h) - 1; i >= 0; i-- {
		changes := h[i].Changes
		for j := len(changes) - 1; j >= 0; j-- {
			change := &changes[j]
			if change.Kind != kind || change.ID != id {
				continue
			}
			switch {
			case change.Op != projection.Patch:
				value = change.Was
			case value != nil:
				value = projection.Overlay(value, change.Was)
			}
		}
	}
	return value
}

// appendConflict appends the conflict's JSON form (API.md) to dst.
func appendConflict(dst []byte, paths []conflictPath) []byte {
	dst = append(dst, `{"resolution":"client","paths":[`...)
	for i, p := range paths {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"kind":"`...)
		dst = append(dst, p.kind...)
		dst = append(dst, `","id":`...)
		dst = append(dst, quoted(p.id)...)
		dst = append(dst, `,"path":`...)
		dst = append(dst, quoted(p.path)...)
		dst = append(dst, `,"strategy":"`...)
		dst = append(dst, p.strategy...)
		dst = append(dst, `","resolution":"`...)
		dst = append(dst, p.resolution...)
		dst = append(dst, '"')
		dst = appendOrNull(dst, "base", p.base)
		dst = appendOrNull(dst, "server", p.server)
		dst = appendOrNull(dst, "client", p.client)
		dst = appendOrNull(dst, "written", p.written)
		dst = append(dst, `,"by":{"userId":`...)
		dst = append(dst, quoted(p.by.UserID)...)
		dst = append(dst, `,"clientId":`...)
		dst = append(dst, quoted(p.by.ClientID)...)
		dst = append(dst, `,"version":`...)
		dst = strconv.AppendUint(dst, uint64(p.by.Version), 10)
		dst = append(dst, `}}`...)
	}
	return append(dst, "]}"...)
}

func appendOrNull(dst []byte, name string, value jsontext.Value) []byte {
	dst = append(append(append(dst, `,"`...), name...), `":`...)
	if value == nil {
		return append(dst, "null"...)
	}
	return append(dst, value...)
}
