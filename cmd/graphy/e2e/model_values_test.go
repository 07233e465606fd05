package e2e

import (
	"maps"
	"slices"
	"strings"
)

// members is a decoded JSON object. A nil value, in here and where values are passed, is one that is not there: the
// model's clients write no null but to remove.
type members = map[string]any

// same tells whether two values are one in JSON.
func same(a, b any) bool {
	switch a := plain(a).(type) {
	case members:
		b, ok := plain(b).(members)
		return ok && maps.EqualFunc(a, b, same)
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, same)
	default:
		switch plain(b).(type) {
		case members, []any:
			return false
		}
		return a == plain(b)
	}
}

// plain turns a nil object into nil.
func plain(value any) any {
	if object, ok := value.(members); ok && object == nil {
		return nil
	}
	return value
}

// deepCopy returns a value that shares nothing with the given one.
func deepCopy(value any) any {
	switch value := value.(type) {
	case members:
		if value == nil {
			return nil
		}
		copied := members{}
		for name, member := range value {
			copied[name] = deepCopy(member)
		}
		return copied
	case []any:
		copied := make([]any, len(value))
		for i, item := range value {
			copied[i] = deepCopy(item)
		}
		return copied
	}
	return value
}

func copyMembers(object members) members {
	copied, _ := deepCopy(object).(members)
	return copied
}

// unstampedEntity is an entity without what the server stamps.
func unstampedEntity(value any) any {
	object, ok := deepCopy(value).(members)
	if !ok {
		return value
	}
	delete(object, "createdAt")
	delete(object, "updatedAt")
	return object
}

// steps are the names on the way to a path; none is the entity as a whole.
type steps []string

func (s steps) pointer() string {
	text := ""
	for _, step := range s {
		text += "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(step)
	}
	return text
}

func parsePointer(pointer string) steps {
	if pointer == "" {
		return nil
	}
	parts := strings.Split(pointer[1:], "/")
	for i, part := range parts {
		parts[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(part)
	}
	return parts
}

// related tells whether two paths are one, or one stands above the other.
func related(a, b steps) bool {
	shorter := min(len(a), len(b))
	return slices.Equal(a[:shorter], b[:shorter])
}

func below(s steps, name string) steps { return append(slices.Clone(s), name) }

// valueAt returns what stands at a path, nil if nothing does.
func valueAt(value any, path steps) any {
	for _, step := range path {
		object, _ := value.(members)
		value = object[step]
	}
	return plain(value)
}

// isOneValue names the paths that are one value each, whatever they hold.
func isOneValue(path steps) bool {
	return len(path) == 1 && (path[0] == "position" || path[0] == "size")
}

// patchPaths are the leaf paths of a merge patch, in the order of their names.
func patchPaths(patch members, at steps) []steps {
	var paths []steps
	for _, name := range slices.Sorted(maps.Keys(patch)) {
		path := below(at, name)
		if object, ok := patch[name].(members); ok && len(object) > 0 && !isOneValue(path) {
			paths = append(paths, patchPaths(object, path)...)
			continue
		}
		paths = append(paths, path)
	}
	return paths
}

// differences are the paths in which two entities differ: where one of them has no object, they differ there.
func differences(a, b any, at steps) []steps {
	if same(a, b) {
		return nil
	}
	one, isObject := a.(members)
	other, areBoth := b.(members)
	if !isObject || !areBoth || isOneValue(at) {
		return []steps{at}
	}
	names := maps.Clone(one)
	maps.Copy(names, other)
	var paths []steps
	for _, name := range slices.Sorted(maps.Keys(names)) {
		paths = append(paths, differences(one[name], other[name], below(at, name))...)
	}
	return paths
}

// changedPaths are the leaf paths in which two values of an entity differ. What stands in a new object is new by itself.
func changedPaths(before, after any, at steps) []steps {
	if same(before, after) || len(at) == 1 && at[0] == "updatedAt" {
		return nil
	}
	old, wasObject := before.(members)
	now, isObject := after.(members)
	if before == nil && len(now) > 0 {
		wasObject = true
	}
	if !wasObject || !isObject || isOneValue(at) {
		return []steps{at}
	}
	var paths []steps
	names := maps.Clone(old)
	if names == nil {
		names = members{}
	}
	maps.Copy(names, now)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		paths = append(paths, changedPaths(old[name], now[name], below(at, name))...)
	}
	return paths
}

// mergePatched is RFC 7396, with position and size as one value each.
func mergePatched(target any, patch members, at steps) members {
	object, _ := deepCopy(target).(members)
	if object == nil {
		object = members{}
	}
	for name, value := range patch {
		path := below(at, name)
		inner, isObject := value.(members)
		switch {
		case value == nil:
			delete(object, name)
		case isObject && !isOneValue(path):
			object[name] = mergePatched(object[name], inner, path)
		default:
			object[name] = deepCopy(value)
		}
	}
	return object
}

// withPatchAt returns a merge patch that also writes value (nil removes) at a path.
func withPatchAt(patch members, path steps, value any) members {
	if len(path) == 1 {
		patch[path[0]] = deepCopy(value)
		return patch
	}
	inner, _ := patch[path[0]].(members)
	if inner == nil {
		inner = members{}
	}
	patch[path[0]] = withPatchAt(inner, path[1:], value)
	return patch
}

// restoredAt returns object with a path as it was in before. Objects on the way that were not there before and hold
// nothing any more go, too.
func restoredAt(object, before members, path steps) members {
	object = copyMembers(object)
	if object == nil {
		object = members{}
	}
	name := path[0]
	if len(path) == 1 {
		if object[name] = deepCopy(before[name]); before[name] == nil {
			delete(object, name)
		}
		return object
	}
	inner, _ := object[name].(members)
	old, wasObject := before[name].(members)
	if inner == nil && valueAt(old, path[1:]) == nil {
		return object // nothing there, and nothing was
	}
	inner = restoredAt(inner, old, path[1:])
	if object[name] = inner; len(inner) == 0 && !wasObject {
		delete(object, name)
	}
	return object
}
