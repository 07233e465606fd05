package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"
)

// replica is a graph as an independent client holds it: it folds changes, checks the chain of hashes, what each change
// says was there before, the ends of every edge, and the checksum of every version.
type replica struct {
	version    uint64
	hash       string
	nodes      map[string]map[string]any
	edges      map[string]map[string]any
	viewport   map[string]any
	sum        uint64
	operations map[string]uint64 // operation id → version, of events folded
}

func newReplica() *replica {
	return &replica{nodes: map[string]map[string]any{}, edges: map[string]map[string]any{}, operations: map[string]uint64{},
		viewport: map[string]any{"x": 0.0, "y": 0.0, "zoom": 1.0}}
}

// change is what the contract says of one, as far as a client needs it.
type change struct {
	Version     uint64
	CommandType string
	OperationID string
	UserID      string
	ClientID    string
	Checksum    string
	Hash        string
	Changes     []struct {
		Op, Kind, ID    string
		Value, Was, Set map[string]any
	}
}

// apply folds one change, as it was received.
func (r *replica) apply(raw []byte) error {
	var c change
	if err := json.Unmarshal(raw, &c); err != nil {
		return fmt.Errorf("a change is not JSON: %w: %.200s", err, raw)
	}
	if c.Version != r.version+1 {
		return fmt.Errorf("after version %d comes %d", r.version, c.Version)
	}
	if err := r.chain(raw, c.Hash); err != nil {
		return fmt.Errorf("version %d: %w", c.Version, err)
	}
	if at, ok := r.operations[c.OperationID]; ok {
		return fmt.Errorf("operation %s is at version %d and %d", c.OperationID, at, c.Version)
	}
	for _, one := range c.Changes {
		if err := r.change(one.Op, one.Kind, one.ID, one.Value, one.Was, one.Set); err != nil {
			return fmt.Errorf("version %d: %s %s %s: %w", c.Version, one.Op, one.Kind, one.ID, err)
		}
	}
	for id, edge := range r.edges {
		for _, end := range []string{"source", "target"} {
			if node, _ := edge[end].(string); r.nodes[node] == nil {
				return fmt.Errorf("version %d: I8: edge %s has no node at its %s %q", c.Version, id, end, node)
			}
		}
	}
	r.version, r.hash = c.Version, c.Hash
	r.operations[c.OperationID] = c.Version
	if got := r.checksum(); got != c.Checksum {
		return fmt.Errorf("version %d: checksum of the fold %s, of the change %s", c.Version, got, c.Checksum)
	}
	return nil
}

// chain checks that the hash at the end of a change follows from the one before and the bytes in the stream.
func (r *replica) chain(raw []byte, hash string) error {
	event := bytes.Replace(raw, []byte(`"type":"state_update",`), nil, 1)
	tail := `,"hash":"` + hash + `"}`
	if !bytes.HasSuffix(event, []byte(tail)) {
		return fmt.Errorf("the hash is not at the end: %.200s", raw)
	}
	event = append(slices.Clone(event[:len(event)-len(tail)]), '}')
	sum := sha256.Sum256(append([]byte(r.hash), event...))
	if want := hex.EncodeToString(sum[:16]); want != hash {
		return fmt.Errorf("I2: hash %s, want %s after %q", hash, want, r.hash)
	}
	return nil
}

func (r *replica) change(op, kind, id string, value, was, set map[string]any) error {
	old := r.find(kind, id)
	next := value
	switch op {
	case "put", "delete":
		before := old
		if kind == "viewport" && was == nil {
			before = nil // never set
		}
		if canonical(anyOf(was)) != canonical(anyOf(before)) {
			return fmt.Errorf("was %v, but it is %v", canonical(anyOf(was)), canonical(anyOf(before)))
		}
		if op == "put" && value == nil {
			return fmt.Errorf("has no value")
		}
	case "patch":
		if old == nil {
			return fmt.Errorf("of what is not there")
		}
		next = maps.Clone(old)
		for name, value := range set {
			if canonical(was[name]) != canonical(old[name]) {
				return fmt.Errorf("%s was %s, but it is %s", name, canonical(was[name]), canonical(old[name]))
			}
			if next[name] = value; value == nil {
				delete(next, name)
			}
		}
		if len(was) != len(set) {
			return fmt.Errorf("was names %d properties, set %d", len(was), len(set))
		}
	default:
		return fmt.Errorf("unknown")
	}
	r.store(kind, id, old, next)
	return nil
}

func anyOf(members map[string]any) any {
	if members == nil {
		return nil
	}
	return members
}

func (r *replica) find(kind, id string) map[string]any {
	switch kind {
	case "node":
		return r.nodes[id]
	case "edge":
		return r.edges[id]
	}
	return r.viewport
}

func (r *replica) store(kind, id string, old, next map[string]any) {
	r.sum -= entityHash(kind, id, old)
	r.sum += entityHash(kind, id, next)
	switch {
	case kind == "viewport":
		r.viewport = next
	case kind == "node" && next == nil:
		delete(r.nodes, id)
	case kind == "node":
		r.nodes[id] = next
	case next == nil:
		delete(r.edges, id)
	default:
		r.edges[id] = next
	}
}

func entityHash(kind, id string, entity map[string]any) uint64 {
	if entity == nil || kind == "viewport" && canonical(entity) == `{"x":0,"y":0,"zoom":1}` {
		return 0
	}
	return xxhash.Sum64String(kind + "\n" + id + "\n" + canonical(entity))
}

func (r *replica) checksum() string { return fmt.Sprintf("%016x", r.sum) }

// load takes over a state as the server gave it, and checks its checksum.
func (r *replica) load(state object) error {
	*r = *newReplica()
	r.version, r.hash = state.version(), state.text("hash")
	for _, one := range []struct{ kind, list string }{{"node", "nodes"}, {"edge", "edges"}} {
		previous := ""
		for _, item := range state.list(one.list) {
			entity := item.(map[string]any)
			id := entity["id"].(string)
			if id <= previous {
				return fmt.Errorf("%s %q comes after %q: not sorted", one.kind, id, previous)
			}
			previous = id
			r.store(one.kind, id, nil, entity)
		}
	}
	viewport, _ := state.at("viewport").(map[string]any)
	if viewport == nil {
		return fmt.Errorf("the state has no viewport")
	}
	r.store("viewport", "viewport", r.viewport, viewport)
	if got, want := r.checksum(), state.text("checksum"); got != want {
		return fmt.Errorf("state at %d: its checksum is %s, it says %s", r.version, got, want)
	}
	return nil
}

// differs returns how other differs, "" if it does not.
func (r *replica) differs(other *replica) string {
	switch {
	case r.version != other.version:
		return fmt.Sprintf("versions %d and %d", r.version, other.version)
	case r.hash != other.hash:
		return fmt.Sprintf("hashes %q and %q", r.hash, other.hash)
	}
	for _, pair := range [][2]map[string]map[string]any{{r.nodes, other.nodes}, {r.edges, other.edges},
		{{"viewport": r.viewport}, {"viewport": other.viewport}}} {
		if len(pair[0]) != len(pair[1]) {
			return fmt.Sprintf("%d and %d entities", len(pair[0]), len(pair[1]))
		}
		for id, entity := range pair[0] {
			if a, b := canonical(entity), canonical(anyOf(pair[1][id])); a != b {
				return fmt.Sprintf("%s: %s and %s", id, a, b)
			}
		}
	}
	if r.checksum() != other.checksum() {
		return fmt.Sprintf("checksums %s and %s", r.checksum(), other.checksum())
	}
	return ""
}

// changesOf reads the whole log of a graph through the API, page by page.
func (s *server) changesOf(t testing.TB, graph string) []json.RawMessage {
	t.Helper()
	var all []json.RawMessage
	for {
		r := s.get(t, fmt.Sprintf("/graphs/%s/changes?since=%d&limit=700", graph, len(all)))
		var page struct {
			Changes []json.RawMessage
			HasMore bool
		}
		if err := json.Unmarshal(r.body, &page); err != nil || r.status != 200 {
			t.Fatalf("changes of %s: %v: %v", graph, err, r)
		}
		all = append(all, page.Changes...)
		if !page.HasMore {
			return all
		}
	}
}

// fold folds the whole log of a graph and holds it against the read model: I2, I3 and I8.
func (s *server) fold(t testing.TB, graph string) *replica {
	t.Helper()
	folded := newReplica()
	for _, raw := range s.changesOf(t, graph) {
		if err := folded.apply(raw); err != nil {
			t.Fatalf("fold %s: %v", graph, err)
		}
	}
	model := newReplica()
	if err := model.load(s.state(t, graph, folded.version)); err != nil {
		t.Fatalf("I3: %s: %v", graph, err)
	}
	if model.version == folded.version {
		if difference := folded.differs(model); difference != "" {
			t.Fatalf("I3: the fold and the read model of %s differ: %s", graph, difference)
		}
	}
	return folded
}

// canonical is RFC 8785 for decoded JSON.
func canonical(value any) string {
	var b strings.Builder
	writeCanonical(&b, value)
	return b.String()
}

func writeCanonical(b *strings.Builder, value any) {
	switch value := value.(type) {
	case nil:
		b.WriteString("null")
	case bool:
		fmt.Fprintf(b, "%t", value)
	case float64:
		if value == 0 {
			value = 0 // no minus
		}
		encoded, _ := json.Marshal(value) // finite: it came from JSON; Go writes numbers as ECMAScript does
		b.Write(encoded)
	case string:
		writeString(b, value)
	case []any:
		b.WriteByte('[')
		for i, item := range value {
			if i > 0 {
				b.WriteByte(',')
			}
			writeCanonical(b, item)
		}
		b.WriteByte(']')
	case map[string]any:
		b.WriteByte('{')
		for i, name := range slices.Sorted(maps.Keys(value)) { // the tests' names are below U+D800: UTF-16 order
			if i > 0 {
				b.WriteByte(',')
			}
			writeString(b, name)
			b.WriteByte(':')
			writeCanonical(b, value[name])
		}
		b.WriteByte('}')
	}
}

var shortEscapes = map[rune]string{'"': `\"`, '\\': `\\`, '\b': `\b`, '\f': `\f`, '\n': `\n`, '\r': `\r`, '\t': `\t`}

func writeString(b *strings.Builder, text string) {
	b.WriteByte('"')
	for _, r := range text {
		switch escape := shortEscapes[r]; {
		case escape != "":
			b.WriteString(escape)
		case r < ' ':
			fmt.Fprintf(b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
}
