package projection

import (
	"bytes"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// MergePatch returns target with a JSON Merge Patch (RFC 7396) applied, in memory of its own. Both are canonical, and so
// is the result. The top-level properties that whole names are replaced rather than merged.
func MergePatch(target, patch []byte, whole func(name []byte) bool) jsontext.Value {
	if len(target) == 0 || target[0] != '{' {
		target = []byte("{}")
	}
	merged := make(jsontext.Value, 1, len(target)+len(patch))
	merged[0] = '{'
	for m := mergeMembers(target, patch); m.next(); {
		switch {
		case m.right == nil:
			merged = appendMember(merged, 0, m.name, m.left)
		case isNull(m.right):
		case m.right[0] == '{' && (whole == nil || !whole(m.name)):
			merged = appendMember(merged, 0, m.name, MergePatch(m.left, m.right, nil))
		default:
			merged = appendMember(merged, 0, m.name, m.right)
		}
	}
	return append(merged, '}')
}

// Resolve returns what a JSON Merge Patch comes to on target: the smallest set with Overlay(target, set) equal to
// MergePatch(target, patch, whole), and was with what set replaces; nil and nil if the patch changes nothing. All are
// canonical objects.
func Resolve(target, patch []byte, whole func(name []byte) bool) (set, was jsontext.Value) {
	for m := mergeMembers(target, patch); m.next(); {
		if m.right == nil {
			continue
		}
		value := m.right
		switch {
		case isNull(value):
			value = nil
		case value[0] == '{' && !whole(m.name):
			value = MergePatch(m.left, value, nil)
		}
		if bytes.Equal(value, m.left) {
			continue
		}
		if set == nil {
			set, was = append(make(jsontext.Value, 0, 128), '{'), append(make(jsontext.Value, 0, 128), '{')
		}
		set = appendMember(set, 0, m.name, orNull(value))
		was = appendMember(was, 0, m.name, orNull(m.left))
	}
	if set == nil {
		return nil, nil
	}
	return append(set, '}'), append(was, '}')
}

// With puts a member, null included, into a canonical object, in the object's memory if that has room, as append does.
// It replaces one of that name; name needs no escaping. The value is not part of object.
func With(object jsontext.Value, name string, value []byte) jsontext.Value {
	at, end := len(object)-1, len(object)-1 // what the member takes the place of
	before, after := len(object) > 2, false // whether a comma goes there
	for c := objectCursor(object); c.next(); {
		order := CompareNames(c.name, []byte(name))
		if order < 0 {
			continue
		}
		before, after = false, order > 0
		end = len(object) - len(c.rest)
		at = end - len(c.value) - len(c.name) - len(`"":`)
		if after {
			end = at
		}
		break
	}
	var buffer [128]byte
	member := buffer[:0]
	if before {
		member = append(member, ',')
	}
	member = append(append(append(append(member, '"'), name...), '"', ':'), value...)
	if after {
		member = append(member, ',')
	}
	return slices.Replace(object, at, end, member...)
}
