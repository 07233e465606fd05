package commandtest

import (
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// values names the members that hold what users wrote. Such a value is compared whole, except for stamps that are not
// named; of everything around it only what is named counts.
var values = []string{"value", "set", "was", "base", "server", "client", "written", "result", "nodes", "edges", "viewport", "policy"}

// stamps are set by the server: most cases are not about them.
var stamps = []string{"createdAt", "updatedAt"}

// differences compares what a case wants with what there is, and says where they differ.
func (s *symbols) differences(want, got jsontext.Value) []string {
	wanted, err := decodeAny(want)
	if err != nil {
		return []string{"the case: " + err.Error()}
	}
	found, err := decodeAny(got)
	if err != nil {
		return []string{fmt.Sprintf("%v: %.300s", err, got)}
	}
	m := matcher{symbols: s}
	m.match("", wanted, found, false)
	return m.found
}

func decodeAny(text jsontext.Value) (value any, err error) {
	return value, json.Unmarshal(text, &value)
}

type matcher struct {
	symbols *symbols
	found   []string
}

func (m *matcher) differ(at string, want, got any) {
	m.found = append(m.found, fmt.Sprintf("%s: got %s, want %s", at, brief(got), brief(want)))
}

// match compares at a path; whole: no member may be there that is not wanted.
func (m *matcher) match(at string, want, got any, whole bool) {
	switch want := want.(type) {
	case map[string]any:
		members, ok := got.(map[string]any)
		if !ok {
			m.differ(at, want, got)
			return
		}
		m.members(at, want, members, whole)
	case []any:
		items, ok := got.([]any)
		if !ok || len(items) != len(want) {
			m.differ(at, want, got)
			return
		}
		for i := range want {
			m.match(fmt.Sprintf("%s/%d", at, i), want[i], items[i], whole)
		}
	case string:
		if want == "*" && got != nil {
			return
		}
		value, err := m.symbols.value(want)
		if err != nil {
			m.found = append(m.found, err.Error())
		} else if value != got {
			m.differ(at, want, got)
		}
	default:
		if want != got {
			m.differ(at, want, got)
		}
	}
}

func (m *matcher) members(at string, want, got map[string]any, whole bool) {
	for _, name := range sortedNames(want) {
		value, there := got[name]
		if whole && !there {
			m.differ(at+"/"+name, want[name], "nothing")
			continue
		}
		m.match(at+"/"+name, want[name], value, whole || slices.Contains(values, name))
	}
	if !whole {
		return
	}
	for _, name := range sortedNames(got) {
		if _, named := want[name]; !named && !slices.Contains(stamps, name) {
			m.differ(at+"/"+name, "nothing", got[name])
		}
	}
}

func brief(value any) string {
	text, err := json.Marshal(value, json.Deterministic(true))
	if err != nil {
		return fmt.Sprint(value)
	}
	return fmt.Sprintf("%.400s", text)
}
