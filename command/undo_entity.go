package command

import (
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"graphy/projection"
)

// entityInverse takes a step's changes of one entity back, moment by moment.
type entityInverse struct {
	*inverse
	target  Target
	moments []moment
	current jsontext.Value  // what the entity is
	value   jsontext.Value  // what it is to be; nil: not there
	kept    map[string]bool // paths that were not taken back, and, false, those above them
	left    bool            // something is left as others have written it
}

// invertEntity takes the step's changes of one entity back, the newest first.
func (v *inverse) invertEntity(target Target) *entityInverse {
	current := v.graph.Value(target.Kind, target.ID)
	e := &entityInverse{inverse: v, target: target, moments: v.moments(target, current), current: current, value: current,
		kept: map[string]bool{}}
	var since touched
	for i := len(e.moments) - 1; i >= 0; i-- {
		m := &e.moments[i]
		if m.mine {
			e.invert(i, &since)
		}
		if m.touches() {
			since.add(touch{m, m.before, m.after})
		}
	}
	return e
}

// invert takes the i-th moment back, which is the step's.
func (e *entityInverse) invert(i int, since *touched) {
	m := &e.moments[i]
	switch {
	case m.movesExistence() || e.target.Kind == projection.Viewport:
		e.value = e.takeBack("", m.before, e.value, since)
	case e.value == nil:
		e.invertGone(i, since)
	default:
		e.value = e.walk("", nil, m.before, m.after, e.value, since)
	}
}

// invertGone takes back a change of what was deleted since. By force it comes back, with its last value.
func (e *entityInverse) invertGone(i int, since *touched) {
	m := &e.moments[i]
	for j := len(e.moments) - 1; j > i; j-- {
		last := &e.moments[j]
		if last.after != nil || !last.movesExistence() {
			continue
		}
		switch {
		case last.mine || last.event.UserID == e.user:
		case !e.force:
			eachLeaf("", nil, m.before, m.after, func(path string) { e.leave(path, last.event) })
		default:
			e.value = e.walk("", nil, m.before, m.after, last.before, since)
		}
		return
	}
}

// walk takes back what differs below a path between before and after, and returns what then stands there instead of now. It
// goes through the members of all of them once.
func (e *entityInverse) walk(path string, steps []string, before, after, now jsontext.Value, since *touched) jsontext.Value {
	names := jsontext.Value{'{'}
	var changes [][2]jsontext.Value
	for name, sides := range changedMembers(steps, before, after) {
		names, changes = appendMember(names, name, []byte("0")), append(changes, sides)
	}
	object := now
	if !isObject(now) {
		object = jsontext.Value("{}")
	}
	result := append(make(jsontext.Value, 0, len(object)+len(before)), '{')
	for name, sides := range projection.SideBySide(object, append(names, '}')) {
		value := sides[0]
		if sides[1] != nil {
			value = e.walkMember(path, steps, name, changes[0], value, since)
			changes = changes[1:]
		}
		if value != nil {
			result = appendMember(result, name, value)
		}
	}
	if result = append(result, '}'); len(result) == 2 && !isObject(now) {
		return now
	}
	return result
}

// walkMember takes a change of one member back, as a whole or in parts, and returns what then stands there instead of now.
func (e *entityInverse) walkMember(path string, steps []string, name []byte, sides [2]jsontext.Value, now jsontext.Value, since *touched) jsontext.Value {
	at, stepsAt := below(path, steps, name)
	since = since.below(steps, name)
	if since.others == 0 || !splits(sides[0], sides[1]) || isWholeAt(steps, name) {
		return e.takeBack(at, sides[0], now, since)
	}
	value := e.walk(at, stepsAt, sides[0], sides[1], now, since)
	if sides[0] == nil && string(value) == "{}" && !same(value, now) {
		return nil // there was no object before the step put something into it
	}
	return value
}

// takeBack returns what is to stand at a path instead of now: before, unless others have written there since. Where the
// step itself wrote there again, and somebody else in between, what the newer of the two found is left.
func (e *entityInverse) takeBack(path string, before, now jsontext.Value, since *touched) jsontext.Value {
	var other *record
	between := false
	for _, later := range slices.Backward(since.by) {
		switch {
		case !later.mine:
			between = true
			if later.event.UserID != e.user {
				other = later.event
			}
		case between || e.isKept(path):
			e.keep(path)
			return now
		case path == "" && e.target.Kind != projection.Viewport && !later.movesExistence():
			// The step wrote a part of what it had made: others may have written the rest since.
		default:
			return before
		}
	}
	switch {
	case other == nil || e.force:
		return before
	case same(now, before):
		e.keep(path) // others have taken it back already
	default:
		e.leave(path, other)
	}
	return now
}

// leave leaves a path as another user has written it.
func (e *entityInverse) leave(path string, by *record) {
	e.left = true
	e.keep(path)
	e.skip(e.target, path, by)
}

func (e *entityInverse) keep(path string) {
	e.kept[path] = true
	for above := range pathsAbove(path) {
		if !e.kept[above] {
			e.kept[above] = false // it is named, so that isKept finds that something below it is
		}
	}
}

// isKept tells whether the path, one above it or one below it was not taken back.
func (e *entityInverse) isKept(path string) bool {
	if _, kept := e.kept[path]; kept {
		return true
	}
	for above := range pathsAbove(path) {
		if e.kept[above] {
			return true
		}
	}
	return false
}

func pathsAbove(path string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for path != "" {
			path = path[:strings.LastIndexByte(path, '/')]
			if !yield(path) {
				return
			}
		}
	}
}

// stamp gives the value the time of its last update: what it was before the step, or now if others have written to the
// entity since. What nothing was taken back of keeps the time that it has.
func (e *entityInverse) stamp() {
	if e.value == nil || e.target.Kind == projection.Viewport {
		return
	}
	first := slices.IndexFunc(e.moments, func(m moment) bool { return m.mine })
	since := slices.ContainsFunc(e.moments[first:], func(m moment) bool { return m.event.UserID != e.user })
	before := projection.Member(e.moments[first].before, updatedAt)
	switch {
	case (since || e.left) && sameButStamp(e.value, e.current):
		e.value = e.current
	case since:
		e.value = withPath(e.value, []string{updatedAt}, strconv.AppendInt(nil, e.now, 10))
	case before != nil:
		e.value = withPath(e.value, []string{updatedAt}, before)
	}
}
