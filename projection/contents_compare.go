package projection

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	quoted        = 200 // most bytes of a value that a Mismatch quotes
	completedName = "completed"
)

// Compare holds contents against what they should be, byte for byte, and reports what differs, until report says that it
// has had enough: damage first, then the fields of the state, the viewport, nodes, edges, incidence sets, conflicts and
// stats, each in order of their ids. Whether the graph is stalled is not compared: no fold can tell.
func (c *Contents) Compare(want *Contents, report func(Mismatch) (more bool)) {
	r := comparison{report: report}
	for _, damage := range c.Damage {
		if !r.tell(Mismatch{Kind: "damage", Detail: damage}) {
			return
		}
	}
	if !r.state(&c.Checkpoint, &want.Checkpoint) {
		return
	}
	if !bytes.Equal(c.Viewport, want.Viewport) && !r.differs("viewport", ViewportID, string(want.Viewport), string(c.Viewport)) {
		return
	}
	_ = r.values("node", c.Nodes, want.Nodes, cmp.Compare) && r.values("edge", c.Edges, want.Edges, cmp.Compare) &&
		r.incident(c.Incident, want.Incident) && r.values("conflict", c.Conflicts, want.Conflicts, CompareConflicts) &&
		r.stats(c, want)
}

// comparison reports what differs. Its methods return false once nobody wants to hear more.
type comparison struct {
	report func(Mismatch) bool
}

func (r *comparison) tell(m Mismatch) bool {
	m.Want, m.Found = cut(m.Want), cut(m.Found)
	return r.report(m)
}

func (r *comparison) differs(kind, id, want, found string) bool {
	return r.tell(Mismatch{Kind: kind, ID: id, Want: want, Found: found})
}

func cut(text string) string {
	if len(text) <= quoted {
		return text
	}
	return strings.ToValidUTF8(text[:quoted], "")
}

func (r *comparison) state(found, want *Checkpoint) bool {
	texts := stateTexts(found)
	for i, field := range stateTexts(want) {
		if field != texts[i] && !r.differs("state", field.name, field.value, texts[i].value) {
			return false
		}
	}
	return true
}

type stateText struct{ name, value string }

// stateTexts are the fields of a state that a fold leads to, as they are written.
func stateTexts(c *Checkpoint) [8]stateText {
	return [...]stateText{
		{"version", strconv.FormatUint(uint64(c.Version), 10)},
		{"hash", string(c.Hash)},
		{"checksum", c.Checksum.String()},
		{"lastModified", strconv.FormatInt(c.LastModified, 10)},
		{"lastOperationId", c.LastOperationID},
		{"nodes", strconv.Itoa(c.Nodes)},
		{"edges", strconv.Itoa(c.Edges)},
		{"policy", string(c.Policy)},
	}
}

func (r *comparison) values(kind string, found, want map[string]jsontext.Value, order func(a, b string) int) bool {
	equal := func(a, b jsontext.Value) bool { return bytes.Equal(a, b) }
	for _, id := range differing(found, want, equal, order) {
		if !r.differs(kind, id, string(want[id]), string(found[id])) {
			return false
		}
	}
	return true
}

func (r *comparison) incident(found, want map[string][]string) bool {
	for _, node := range differing(found, want, slices.Equal, cmp.Compare) {
		if !r.differs("incident", node, strings.Join(want[node], " "), strings.Join(found[node], " ")) {
			return false
		}
	}
	return true
}

func (r *comparison) stats(found, want *Contents) bool {
	equal := func(a, b int64) bool { return a == b }
	for _, name := range differing(found.ByType, want.ByType, equal, cmp.Compare) {
		if !r.differs("stats", name, number(want.ByType[name]), number(found.ByType[name])) {
			return false
		}
	}
	return found.Completed == want.Completed ||
		r.differs("stats", completedName, number(int64(want.Completed)), number(int64(found.Completed)))
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

// differing returns the keys whose values differ, or that one of the maps lacks, in order.
func differing[V any](found, want map[string]V, equal func(a, b V) bool, order func(a, b string) int) (keys []string) {
	for key, value := range want {
		if other, is := found[key]; !is || !equal(other, value) {
			keys = append(keys, key)
		}
	}
	for key := range found {
		if _, is := want[key]; !is {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, func(a, b string) int { return cmp.Or(order(a, b), cmp.Compare(a, b)) })
	return keys
}
