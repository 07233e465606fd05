package projection

import (
	"bytes"
	"errors"
	"iter"
	"slices"
	"unicode/utf16"

	"github.com/go-json-experiment/json/jsontext"
)

// This file reads and writes objects in canonical form (RFC 8785: no white space, names sorted by UTF-16 code units,
// one spelling for each string and number) as bytes. Since equal values have equal bytes, nothing has to be decoded
// to compare, patch or hash an entity.

var errNotCompact = errors.New("projection: not a compact JSON object")

// Members yields the names (between their quotes, escapes as they stand) and values of a compact JSON object, in
// order, as slices of object. It stops where object is not one.
func Members(object []byte) iter.Seq2[[]byte, jsontext.Value] {
	return func(yield func([]byte, jsontext.Value) bool) {
		for c := objectCursor(object); c.next(); {
			if !yield(c.name, c.value) {
				return
			}
		}
	}
}

// Member returns the value of the member called name (which needs no escaping), nil if there is none.
func Member(object []byte, name string) jsontext.Value {
	for c := objectCursor(object); c.next(); {
		if string(c.name) == name {
			return c.value
		}
	}
	return nil
}

// Elements yields the elements of a compact JSON array, as slices of array. It stops where array is not one.
func Elements(array []byte) iter.Seq[jsontext.Value] {
	return func(yield func(jsontext.Value) bool) {
		for c := arrayCursor(array); c.next(); {
			if !yield(c.value) {
				return
			}
		}
	}
}

// SideBySide yields the names of the members of two canonical objects, in order, with the value that each has under that
// name, nil where it has none. What is not an object has no members.
func SideBySide(a, b []byte) iter.Seq2[[]byte, [2]jsontext.Value] {
	return func(yield func([]byte, [2]jsontext.Value) bool) {
		for m := mergeMembers(a, b); m.next(); {
			if !yield(m.name, [2]jsontext.Value{m.left, m.right}) {
				return
			}
		}
	}
}

// cursor walks the members of an object or the elements of an array. It finds where values end; it does not
// validate them.
type cursor struct {
	rest  []byte // what follows the current value, up to and with the closing bracket
	named bool
	close byte
	first bool

	name  []byte
	value jsontext.Value
	err   error
}

func objectCursor(object []byte) cursor { return newCursor(object, '{', '}', true) }
func arrayCursor(array []byte) cursor   { return newCursor(array, '[', ']', false) }

func newCursor(text []byte, open, close byte, named bool) cursor {
	if len(text) < 2 || text[0] != open || text[len(text)-1] != close {
		return cursor{err: errNotCompact}
	}
	return cursor{rest: text[1:], named: named, close: close, first: true}
}

// next moves to the next member; false at the end and, with err set, where the text is not compact JSON.
func (c *cursor) next() bool {
	if c.err != nil || len(c.rest) == 0 {
		return false
	}
	switch {
	case c.rest[0] == c.close && (c.first || c.value != nil):
		if len(c.rest) > 1 {
			c.err = errNotCompact
		}
		c.rest = nil
		return false
	case c.first:
	case c.rest[0] == ',':
		c.rest = c.rest[1:]
	default:
		c.err = errNotCompact
		return false
	}
	c.first = false
	if c.named {
		end := skipString(c.rest)
		if end < 0 || end >= len(c.rest) || c.rest[end] != ':' {
			c.err = errNotCompact
			return false
		}
		c.name, c.rest = c.rest[1:end-1], c.rest[end+1:]
	}
	end := skipValue(c.rest)
	if end <= 0 || end >= len(c.rest) {
		c.err = errNotCompact
		return false
	}
	c.value, c.rest = jsontext.Value(c.rest[:end:end]), c.rest[end:]
	return true
}

// skipString returns the offset behind the string that text begins with, -1 if there is none.
func skipString(text []byte) int {
	if len(text) == 0 || text[0] != '"' {
		return -1
	}
	for end := 1; ; end++ {
		quote := bytes.IndexByte(text[end:], '"')
		if quote < 0 {
			return -1
		}
		end += quote
		escape := end
		for escape > 1 && text[escape-1] == '\\' {
			escape--
		}
		if (end-escape)%2 == 0 {
			return end + 1
		}
	}
}

// skipValue returns the offset behind the value that text begins with, -1 if there is none. It finds where a valid
// value ends; it does not validate one.
func skipValue(text []byte) int {
	depth := 0
	for i := 0; i < len(text); {
		switch text[i] {
		case '"':
			end := skipString(text[i:])
			if end < 0 {
				return -1
			}
			i += end
		case '{', '[':
			depth++
			i++
			continue
		case '}', ']':
			depth--
			i++
		case ',', ':':
			if depth == 0 {
				return -1
			}
			i++
			continue
		default:
			for i < len(text) && !isStructural(text[i]) {
				i++
			}
		}
		if depth == 0 {
			return i
		}
		if depth < 0 {
			return -1
		}
	}
	return -1
}

func isStructural(c byte) bool { return c == ',' || c == ':' || c == ']' || c == '}' }

// CompareNames orders member names as canonical form does: by UTF-16 code units.
func CompareNames(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		x, y := a[i], b[i]
		if !isPlain(x) || !isPlain(y) {
			return slices.Compare(utf16.Encode([]rune(unquote(a))), utf16.Encode([]rune(unquote(b))))
		}
		if x != y {
			return int(x) - int(y)
		}
	}
	return len(a) - len(b)
}

// isPlain tells whether names sort by this byte as it stands: it begins no escape, and nothing from U+E000 up, where
// UTF-8 and UTF-16 disagree about the order.
func isPlain(c byte) bool { return c != '\\' && c < 0xEE }

// Name decodes a member's name as Members yields it.
func Name(name []byte) string { return unquote(name) }

// unquote decodes what stands between the quotes of a JSON string.
func unquote(name []byte) string {
	if bytes.IndexByte(name, '\\') < 0 {
		return string(name)
	}
	quoted := make([]byte, 0, len(name)+2)
	quoted = append(append(append(quoted, '"'), name...), '"')
	text, err := jsontext.AppendUnquote(nil, quoted)
	if err != nil {
		return string(name)
	}
	return string(text)
}

// appendMember appends a member to the object that dst ends with, which begins at start.
func appendMember(dst []byte, start int, name, value []byte) []byte {
	if len(dst) > start+1 {
		dst = append(dst, ',')
	}
	dst = append(append(append(dst, '"'), name...), '"', ':')
	return append(dst, value...)
}

func isNull(value []byte) bool { return len(value) == 4 && value[0] == 'n' }

// Overlay returns object with the members of set laid over it: null removes one, any other value replaces or adds
// it as a whole. Both are canonical, and so is the result, in memory of its own.
func Overlay(object, set []byte) jsontext.Value {
	merged := make([]byte, 1, 2+len(object)+len(set))
	merged[0] = '{'
	for m := mergeMembers(object, set); m.next(); {
		value := m.right
		if value == nil {
			value = m.left
		}
		if !isNull(value) {
			merged = appendMember(merged, 0, m.name, value)
		}
	}
	return append(merged, '}')
}

// Difference returns the smallest set with Overlay(before, set) equal to after, and was with
// Overlay(after, was) equal to before; nil and nil if they are equal. All are canonical objects.
func Difference(before, after []byte) (set, was jsontext.Value) {
	if bytes.Equal(before, after) {
		return nil, nil
	}
	set, was = append(make(jsontext.Value, 0, 128), '{'), append(make(jsontext.Value, 0, 128), '{')
	for m := mergeMembers(before, after); m.next(); {
		if !bytes.Equal(m.left, m.right) {
			set = appendMember(set, 0, m.name, orNull(m.right))
			was = appendMember(was, 0, m.name, orNull(m.left))
		}
	}
	return append(set, '}'), append(was, '}')
}

func orNull(value []byte) []byte {
	if value == nil {
		return null
	}
	return value
}

var null = []byte("null")

// merge walks the members of two canonical objects side by side, in order.
type merge struct {
	name        []byte
	left, right jsontext.Value // of the member called name; nil where that object has none

	a, b         cursor
	moreA, moreB bool
}

func mergeMembers(a, b []byte) merge {
	m := merge{a: objectCursor(a), b: objectCursor(b)}
	m.moreA, m.moreB = m.a.next(), m.b.next()
	return m
}

func (m *merge) next() bool {
	var order int
	switch {
	case m.moreA && m.moreB:
		order = CompareNames(m.a.name, m.b.name)
	case m.moreA:
		order = -1
	case m.moreB:
		order = 1
	default:
		return false
	}
	m.left, m.right = nil, nil
	if order <= 0 {
		m.name, m.left = m.a.name, m.a.value
		m.moreA = m.a.next()
	}
	if order >= 0 {
		m.name, m.right = m.b.name, m.b.value
		m.moreB = m.b.next()
	}
	return true
}
