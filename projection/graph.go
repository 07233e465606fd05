package projection

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/cespare/xxhash/v2"
	"github.com/go-json-experiment/json/jsontext"

	"graphy/eventstore"
)

// DefaultViewport is what a viewport that was never set counts as.
const DefaultViewport = `{"x":0,"y":0,"zoom":1}`

// Graph is the state that the events of one stream fold to. It is not safe for concurrent use; the values it hands
// out are never written to again.
type Graph struct {
	ID              string
	Position        eventstore.Position
	Checksum        Checksum
	LastModified    int64 // Unix ms, the newest event's timestamp
	LastOperationID string
	Policy          jsontext.Value // conflict policy, an object of path pattern → strategy; nil: none was set
	Conflicts       *ConflictLog   // nil: none; never changed in place
	// ByType counts the events by command type. With nil they are not counted; whoever needs no counts sets it to nil.
	ByType map[string]int64

	nodes    map[string]entity
	edges    map[string]edge
	viewport entity // Value nil: never set
	incident map[string]map[string]struct{}
	bytes    int // of all values
	scratch  []byte
}

type entity struct {
	Value jsontext.Value
	sum   Checksum
}

type edge struct {
	entity
	Source, Target string
}

// NewGraph returns the empty graph, version 0.
func NewGraph(id string) *Graph {
	return &Graph{ID: id, ByType: map[string]int64{}, nodes: map[string]entity{}, edges: map[string]edge{},
		incident: map[string]map[string]struct{}{}}
}

// Checksum is the sum modulo 2^64 of the xxHash64 of every entity, as API.md defines it. It moves with each change,
// in time that depends on the change alone.
type Checksum uint64

// String returns sixteen hex digits.
func (c Checksum) String() string {
	digits := c.digits()
	return string(digits[:])
}

func (c Checksum) digits() (digits [16]byte) {
	var number [8]byte
	binary.BigEndian.PutUint64(number[:], uint64(c))
	hex.Encode(digits[:], number[:])
	return digits
}

// ErrChecksum matches the error of an event that leads to another state than the one it was written for.
var ErrChecksum = errors.New("projection: checksum differs")

// Fold applies events, oldest first. On an error the graph stands where the last good event left it.
func (g *Graph) Fold(events ...eventstore.Event) error {
	for _, entry := range events {
		event, err := decodeEntry(&entry)
		if err != nil {
			return err
		}
		if err := g.Apply(&event, entry.Hash); err != nil {
			return err
		}
	}
	return nil
}

// decodeEntry decodes an entry of the log and holds its version against the one in its data.
func decodeEntry(entry *eventstore.Event) (Event, error) {
	event, err := DecodeEvent(entry.Data)
	if err != nil {
		return Event{}, fmt.Errorf("fold version %d: %w", entry.Version, err)
	}
	if event.Version != entry.Version {
		return Event{}, fmt.Errorf("fold version %d: %w: it says version %d", entry.Version, ErrEvent, event.Version)
	}
	return event, nil
}

// Apply is the single step of the fold: it moves the graph from version event.Version-1 to event.Version, or fails
// with ErrEvent or ErrChecksum and leaves it as it was.
func (g *Graph) Apply(event *Event, hash eventstore.Hash) error {
	if event.Version != g.Position.Version+1 {
		return fmt.Errorf("%w: version %d does not follow %d", ErrEvent, event.Version, g.Position.Version)
	}
	if err := g.ApplyChanges(event.Changes); err != nil {
		return fmt.Errorf("apply version %d: %w", event.Version, err)
	}
	if got := g.Checksum.digits(); string(got[:]) != event.Checksum {
		g.RevertChanges(event.Changes)
		return fmt.Errorf("apply version %d: %w: the state has %s, the event says %.20q", event.Version, ErrChecksum, got, event.Checksum)
	}
	g.Advance(event, hash)
	return nil
}

// Advance moves the graph's position to event, whose changes have been applied already, and with it what is kept beside
// the entities: counts, policy and conflict log. Whoever may have to go back keeps the values of the exported fields from
// before, and does not have the graph count.
func (g *Graph) Advance(event *Event, hash eventstore.Hash) {
	g.Position = eventstore.Position{Version: event.Version, Hash: hash}
	g.LastModified = event.Timestamp
	g.LastOperationID = event.OperationID
	if g.ByType != nil {
		g.ByType[event.CommandType]++
	}
	if event.Policy != nil {
		g.Policy = event.Policy
	}
	if event.Resolves != nil || event.Reopens != "" || leavesOpen(event.Conflict) {
		g.Conflicts = g.Conflicts.with(event)
	}
}

// ApplyChanges applies changes in order, without moving the position: all of them, or none and an ErrEvent.
func (g *Graph) ApplyChanges(changes []Change) error {
	for i := range changes {
		if err := g.apply(&changes[i]); err != nil {
			g.RevertChanges(changes[:i])
			return err
		}
	}
	return nil
}

// RevertChanges takes back changes that were the last ones applied.
func (g *Graph) RevertChanges(changes []Change) {
	for _, change := range slices.Backward(changes) {
		switch change.Op {
		case Patch:
			g.write(change.Kind, change.ID, Overlay(g.Value(change.Kind, change.ID), change.Was))
		default:
			g.write(change.Kind, change.ID, change.Was)
		}
	}
}

func (g *Graph) apply(change *Change) error {
	current := g.Value(change.Kind, change.ID)
	var value jsontext.Value
	fits := false
	switch change.Op {
	case Put:
		value = change.Value
		fits = (current == nil) == (change.Was == nil) && bytes.Equal(current, change.Was) && isOf(change.Kind, value, change.ID)
	case Patch:
		if current != nil && (change.Kind == Viewport || Member(change.Set, "id") == nil) {
			value, fits = exchange(current, change.Set, change.Was)
		}
	case Delete:
		fits = current != nil && bytes.Equal(current, change.Was)
		if change.Kind == Node && len(g.incident[change.ID]) > 0 {
			return fmt.Errorf("%w: delete of node %q leaves edges without it", ErrEvent, change.ID)
		}
	}
	if !fits {
		return fmt.Errorf("%w: %s of %s %q does not fit the state", ErrEvent, change.Op, change.Kind, change.ID)
	}
	if change.Kind == Edge && value != nil {
		source, target := ends(value)
		if !g.Has(Node, source) || !g.Has(Node, target) {
			return fmt.Errorf("%w: edge %q lacks a node at an end", ErrEvent, change.ID)
		}
	}
	g.write(change.Kind, change.ID, value)
	return nil
}

// isOf tells whether value is an entity with that id; the viewport has none.
func isOf(kind Kind, value jsontext.Value, id string) bool {
	return kind == Viewport || Text(Member(value, "id")) == id
}

// write sets an entity's value, or removes it if value is nil, and keeps checksum, incidence and size in step.
func (g *Graph) write(kind Kind, id string, value jsontext.Value) {
	next := entity{Value: value, sum: g.sum(kind, id, value)}
	var last entity
	switch kind {
	case Node:
		last = g.nodes[id]
		if value == nil {
			delete(g.nodes, id)
		} else {
			g.nodes[id] = next
		}
	case Edge:
		old := g.edges[id]
		last = old.entity
		if value == nil {
			delete(g.edges, id)
			g.unlink(id, old)
			break
		}
		updated := edge{entity: next, Source: old.Source, Target: old.Target}
		if source, target := ends(value); source != old.Source || target != old.Target || old.Value == nil {
			g.unlink(id, old)
			updated.Source, updated.Target = source, target
			g.link(id, updated)
		}
		g.edges[id] = updated
	case Viewport:
		last = g.viewport
		g.viewport = next
	}
	g.Checksum += next.sum - last.sum
	g.bytes += len(next.Value) - len(last.Value)
}

func (g *Graph) sum(kind Kind, id string, value jsontext.Value) Checksum {
	if value == nil || kind == Viewport && string(value) == DefaultViewport {
		return 0
	}
	text := append(append(g.scratch[:0], kind...), '\n')
	text = append(append(append(text, id...), '\n'), value...)
	g.scratch = text
	return Checksum(xxhash.Sum64(text))
}

func (g *Graph) link(id string, e edge) {
	for _, node := range []string{e.Source, e.Target} {
		if g.incident[node] == nil {
			g.incident[node] = map[string]struct{}{}
		}
		g.incident[node][id] = struct{}{}
	}
}

func (g *Graph) unlink(id string, e edge) {
	for _, node := range []string{e.Source, e.Target} {
		delete(g.incident[node], id)
		if len(g.incident[node]) == 0 {
			delete(g.incident, node)
		}
	}
}

// ends returns the ids at an edge's two ends.
func ends(value jsontext.Value) (source, target string) {
	return Text(Member(value, "source")), Text(Member(value, "target"))
}

// Text decodes a JSON string; anything else is "".
func Text(value jsontext.Value) string {
	if len(value) < 2 || value[0] != '"' {
		return ""
	}
	return unquote(value[1 : len(value)-1])
}

// Value returns an entity's canonical JSON, nil if there is none (or the viewport was never set).
func (g *Graph) Value(kind Kind, id string) jsontext.Value {
	switch kind {
	case Node:
		return g.nodes[id].Value
	case Edge:
		return g.edges[id].Value
	case Viewport:
		return g.viewport.Value
	}
	return nil
}

// Has tells whether there is such an entity.
func (g *Graph) Has(kind Kind, id string) bool { return g.Value(kind, id) != nil }

// Ends returns the ids of the nodes at the ends of the edge called id, "" and "" if there is none.
func (g *Graph) Ends(id string) (source, target string) {
	e := g.edges[id]
	return e.Source, e.Target
}

// Incident returns the ids of the edges at a node, sorted.
func (g *Graph) Incident(node string) []string {
	return slices.Sorted(maps.Keys(g.incident[node]))
}

// Len returns how many entities of a kind there are.
func (g *Graph) Len(kind Kind) int {
	switch kind {
	case Node:
		return len(g.nodes)
	case Edge:
		return len(g.edges)
	}
	if g.viewport.Value != nil {
		return 1
	}
	return 0
}

// Size returns about how many bytes the graph takes in memory.
func (g *Graph) Size() int {
	return g.bytes + 160*len(g.nodes) + 400*len(g.edges) + len(g.Policy) + 64*len(g.ByType) + g.Conflicts.Size()
}

// All yields the ids and values of the entities of one kind, sorted by id.
func (g *Graph) All(kind Kind) iter.Seq2[string, jsontext.Value] {
	return func(yield func(string, jsontext.Value) bool) {
		var ids []string
		switch kind {
		case Node:
			ids = slices.Sorted(maps.Keys(g.nodes))
		case Edge:
			ids = slices.Sorted(maps.Keys(g.edges))
		case Viewport:
			if g.viewport.Value != nil {
				ids = []string{ViewportID}
			}
		}
		for _, id := range ids {
			if !yield(id, g.Value(kind, id)) {
				return
			}
		}
	}
}

// AppendState appends the state as clients get it (API.md, GET …/state), canonical values in order of their ids.
func (g *Graph) AppendState(dst []byte) []byte {
	dst = append(dst, `{"graphId":`...)
	dst = appendQuoted(dst, g.ID)
	dst = appendNumber(dst, "version", int64(g.Position.Version))
	dst = appendText(dst, "hash", string(g.Position.Hash))
	dst = appendText(dst, "checksum", g.Checksum.String())
	dst = appendNumber(dst, "lastModified", g.LastModified)
	for _, list := range []struct {
		name string
		kind Kind
	}{{"nodes", Node}, {"edges", Edge}} {
		dst = append(appendName(dst, list.name), '[')
		first := true
		for _, value := range g.All(list.kind) {
			if !first {
				dst = append(dst, ',')
			}
			first = false
			dst = append(dst, value...)
		}
		dst = append(dst, ']')
	}
	return append(appendRaw(dst, "viewport", g.ViewportValue()), '}')
}

// ViewportValue returns the viewport, DefaultViewport if it was never set.
func (g *Graph) ViewportValue() jsontext.Value {
	if g.viewport.Value == nil {
		return jsontext.Value(DefaultViewport)
	}
	return g.viewport.Value
}

// Load puts an entity that was read back from a read model into the graph; nodes come before edges.
func (g *Graph) Load(kind Kind, id string, value jsontext.Value) error {
	return g.ApplyChanges([]Change{{Op: Put, Kind: kind, ID: id, Value: value}})
}
