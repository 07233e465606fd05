package projection

import (
	"bytes"

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

// With returns a canonical object with one member set to value, null included; name needs no escaping.
func With(object []byte, name string, value []byte) jsontext.Value {
	written := false
	with := append(make(jsontext.Value, 0, len(object)+len(name)+len(value)+4), '{')
	for c := objectCursor(object); c.next(); {
		order := -1
		if !written {
			order = CompareNames(c.name, []byte(name))
		}
		if order >= 0 {
			with, written = appendMember(with, 0, []byte(name), value), true
		}
		if order != 0 || string(c.name) != name {
			with = appendMember(with, 0, c.name, c.value)
		}
	}
	if !written {
		with = appendMember(with, 0, []byte(name), value)
	}
	return append(with, '}')
}
