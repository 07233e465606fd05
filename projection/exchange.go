package projection

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

// exchange returns Overlay(object, set), provided that was holds what set replaces there: the same names, and their
// values in object, null for none.
func exchange(object, set, was []byte) (exchanged jsontext.Value, fits bool) {
	exchanged = append(make(jsontext.Value, 0, 2+len(object)+len(set)), '{')
	old := objectCursor(was)
	for m := mergeMembers(object, set); m.next(); {
		value := m.left
		if m.right != nil {
			if !old.next() || !bytes.Equal(old.name, m.name) || !bytes.Equal(old.value, orNull(m.left)) {
				return nil, false
			}
			value = m.right
		}
		if !isNull(value) {
			exchanged = appendMember(exchanged, 0, m.name, value)
		}
	}
	return append(exchanged, '}'), !old.next()
}
