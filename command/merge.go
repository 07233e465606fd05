package command

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"

	"graphy/projection"
)

// mergeOutcome says what a three-way merge came to.
type mergeOutcome int

const (
	merged      mergeOutcome = iota
	overlapping              // both changed the same part, or it would be too much work: a person has to look
	unmergeable              // values that have no merge: the last write counts
)

// merger merges values. What it may cost holds for all of them together: beyond that they overlap.
type merger struct {
	work  int // what comparing strings may still cost, see merge_diff.go
	bytes int // how long the texts may still be, all three counted
}

// mergeBytes is how many bytes of texts the values of one command may have that are merged: about 100 ms.
const mergeBytes = 8 << 20

func newMerger() *merger { return &merger{work: mergeWork, bytes: mergeBytes} }

// merge merges canonical JSON values (nil: not there): what server and client each made of base. What one of them
// left alone is as the other made it; where both changed a value, strings merge by words, arrays of scalars as sets,
// objects member by member. It does not matter which of the two is called server, except for the order of an array.
// The result is canonical, in memory of its own; it is nil unless merged, and where merged means gone.
func (m *merger) merge(base, server, client jsontext.Value) (jsontext.Value, mergeOutcome) {
	switch {
	case bytes.Equal(server, client), bytes.Equal(base, client):
		return bytes.Clone(server), merged
	case bytes.Equal(base, server):
		return bytes.Clone(client), merged
	case len(server) == 0 || len(client) == 0 || server[0] != client[0]:
		return nil, unmergeable
	}
	switch server[0] {
	case '"':
		return m.strings(base, server, client)
	case '[':
		return mergeSets(base, server, client)
	case '{':
		return m.objects(base, server, client)
	}
	return nil, unmergeable
}

// objects merges member by member. One member that a person has to look at, and the whole object is such; else one
// that has no merge, and the whole has none.
func (m *merger) objects(base, server, client jsontext.Value) (jsontext.Value, mergeOutcome) {
	if len(base) > 0 && base[0] != '{' {
		return nil, unmergeable
	}
	written, outcome := jsontext.Value{'{'}, merged
	for members := alongside(base, server, client); members.next(); {
		value, came := m.merge(members.values[0], members.values[1], members.values[2])
		switch {
		case came == overlapping:
			return nil, overlapping
		case came == unmergeable:
			outcome = unmergeable
		case value != nil:
			written = appendMember(written, members.name, value)
		}
	}
	if outcome != merged {
		return nil, outcome
	}
	return append(written, '}'), merged
}

// memberWalk walks the members of three canonical objects side by side, in order.
type memberWalk struct {
	name   []byte
	values [3]jsontext.Value // of the member called name; nil where that object has none

	rest [3][]namedValue
}

type namedValue struct {
	name  []byte
	value jsontext.Value
}

func alongside(objects ...jsontext.Value) *memberWalk {
	w := new(memberWalk)
	for i, object := range objects {
		for name, value := range projection.Members(object) {
			w.rest[i] = append(w.rest[i], namedValue{name, value})
		}
	}
	return w
}

func (w *memberWalk) next() bool {
	w.name = nil
	for _, rest := range w.rest {
		if len(rest) > 0 && (w.name == nil || projection.CompareNames(rest[0].name, w.name) < 0) {
			w.name = rest[0].name
		}
	}
	for i, rest := range w.rest {
		w.values[i] = nil
		if len(rest) > 0 && bytes.Equal(rest[0].name, w.name) {
			w.values[i], w.rest[i] = rest[0].value, rest[1:]
		}
	}
	return w.name != nil
}
