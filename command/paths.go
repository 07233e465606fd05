package command

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"

	"graphy/projection"
)

// This file works on paths inside entities: the steps of a JSON Pointer, decoded.

// below returns path and steps of a member of what stands at path. The steps are in memory of their own.
func below(path string, steps []string, name []byte) (string, []string) {
	step := projection.Name(name)
	return path + "/" + escapePointer(step), append(steps[:len(steps):len(steps)], step)
}

// isWhole names the properties that are one value each: half a position is nobody's.
func isWhole(name []byte) bool { return string(name) == "position" || string(name) == "size" }

// isWholeAt tells whether a member of what stands at steps is one value of which there are no halves.
func isWholeAt(steps []string, name []byte) bool { return len(steps) == 0 && isWhole(name) }

// prune returns a merge patch with what keep says in the place of each leaf, and without those that it drops (nil). A leaf
// is what a patch says about a property, unless that is an object, whose properties it then says it about.
func prune(patch jsontext.Value, path string, steps []string, keep func(path string, steps []string, leaf jsontext.Value) jsontext.Value) jsontext.Value {
	pruned := append(make(jsontext.Value, 0, len(patch)), '{')
	for name, value := range projection.Members(patch) {
		at, stepsAt := below(path, steps, name)
		if isObject(value) && len(value) > 2 && !isWholeAt(steps, name) {
			value = prune(value, at, stepsAt, keep)
			if len(value) == 2 {
				continue // nothing is left of it
			}
		} else if value = keep(at, stepsAt, value); value == nil {
			continue
		}
		pruned = appendMember(pruned, name, value)
	}
	return append(pruned, '}')
}

// walkDifferences visits the leaf paths in which two entities differ.
func walkDifferences(a, b jsontext.Value, path string, steps []string, visit func(path string, steps []string, a, b jsontext.Value)) {
	for name, sides := range projection.SideBySide(a, b) {
		if bytes.Equal(sides[0], sides[1]) {
			continue
		}
		at, stepsAt := below(path, steps, name)
		if isObject(sides[0]) && isObject(sides[1]) && !isWholeAt(steps, name) {
			walkDifferences(sides[0], sides[1], at, stepsAt, visit)
			continue
		}
		visit(at, stepsAt, sides[0], sides[1])
	}
}

// lookup returns what stands at a path below value, nil if nothing does.
func lookup(value jsontext.Value, steps []string) jsontext.Value {
	for _, step := range steps {
		if !isObject(value) {
			return nil
		}
		value = member(value, step)
	}
	return value
}

// member is projection.Member for any name, which need not stand in the object as it is.
func member(object jsontext.Value, name string) jsontext.Value {
	for key, value := range projection.Members(object) {
		if plain := bytes.IndexByte(key, '\\') < 0; plain && string(key) == name || !plain && projection.Name(key) == name {
			return value
		}
	}
	return nil
}

// withPath returns value with to at a path below it, in memory of its own; nil takes away what is there. Objects on the
// way that are missing are made, unless there is nothing to put into them.
func withPath(value jsontext.Value, steps []string, to jsontext.Value) jsontext.Value {
	if len(steps) == 0 {
		return to
	}
	if !isObject(value) {
		if to == nil {
			return value
		}
		value = jsontext.Value("{}")
	}
	set := appendMember(jsontext.Value{'{'}, unquoted(steps[0]), []byte("0"))
	changed := append(make(jsontext.Value, 0, len(value)+len(to)+len(set)), '{')
	for name, sides := range projection.SideBySide(value, append(set, '}')) {
		side := sides[0]
		if sides[1] != nil {
			side = withPath(side, steps[1:], to)
		}
		if side != nil {
			changed = appendMember(changed, name, side)
		}
	}
	return append(changed, '}')
}

// quoted returns a text as canonical JSON. What is not UTF-8 in it is replaced.
func quoted(text string) jsontext.Value {
	value, _ := jsontext.AppendQuote(nil, text)
	return value
}

// unquoted returns a name as it stands between the quotes of canonical JSON.
func unquoted(name string) []byte {
	q := quoted(name)
	return q[1 : len(q)-1]
}

// differs tells whether a change from before to after (nil or null: not there) changed a path, one above it or one below
// it. That an object appeared changes only what it holds: two clients may each put a property of theirs into it.
func differs(before, after jsontext.Value, steps []string) bool {
	switch {
	case bytes.Equal(before, after):
		return false
	case len(steps) == 0 || !isObject(after):
		return true
	case isAbsent(before):
		return differs(nil, member(after, steps[0]), steps[1:])
	case !isObject(before):
		return true
	}
	return differs(member(before, steps[0]), member(after, steps[0]), steps[1:])
}

// isSame tells whether two values count as the same; to clients, null is what is not there.
func isSame(a, b jsontext.Value) bool { return bytes.Equal(a, b) || isAbsent(a) && isAbsent(b) }

func isAbsent(value jsontext.Value) bool { return len(value) == 0 || value[0] == 'n' }

func isObject(value jsontext.Value) bool { return len(value) > 0 && value[0] == '{' }
