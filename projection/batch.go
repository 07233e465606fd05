package projection

import (
	"bytes"
	"maps"

	"github.com/go-json-experiment/json/jsontext"

	"graphy/eventstore"
)

// batch gathers what events of one graph change, so that each entity is written once, however often it changed, and
// not at all if it ends as it began. It is used again after reset, without new memory.
type batch struct {
	before    map[entityKey]entityBefore // of the entities touched
	conflicts *ConflictLog               // before the first event
	byType    map[string]int64
	stamps    []int64 // timestamps of the events
	bytes     int     // of the events
}

type entityKey struct {
	kind Kind
	id   string
}

type entityBefore struct {
	value          jsontext.Value
	source, target string // of an edge
	progress       bool   // what completed looks at may have changed since
}

func newBatch() *batch {
	return &batch{before: map[entityKey]entityBefore{}, byType: map[string]int64{}}
}

func (b *batch) reset() {
	if len(b.before) > 1000 { // clearing a map takes as long as it ever was big
		b.before = map[entityKey]entityBefore{}
	}
	clear(b.before)
	clear(b.byType)
	b.conflicts = nil
	b.stamps = b.stamps[:0]
	b.bytes = 0
}

// apply folds one entry of the log into graph, and keeps what was there before. On an error graph and batch are as
// they were.
func (b *batch) apply(graph *Graph, entry *eventstore.Event) error {
	event, err := decodeEntry(entry)
	if err != nil {
		return err
	}
	for i := range event.Changes {
		b.touch(graph, &event.Changes[i])
	}
	if len(b.stamps) == 0 {
		b.conflicts = graph.Conflicts
	}
	if err := graph.Apply(&event, entry.Hash); err != nil {
		return err // what was touched will turn out to be unchanged
	}
	b.byType[event.CommandType]++
	b.stamps = append(b.stamps, event.Timestamp)
	b.bytes += len(entry.Data)
	return nil
}

func (b *batch) touch(graph *Graph, change *Change) {
	key := entityKey{change.Kind, change.ID}
	before, known := b.before[key]
	if !known {
		before.value = graph.Value(change.Kind, change.ID)
		if change.Kind == Edge {
			before.source, before.target = graph.Ends(change.ID)
		}
	}
	progress := !before.progress && concernsProgress(change)
	if !known || progress {
		before.progress = before.progress || progress
		b.before[key] = before
	}
}

// update returns what leads from the state before the batch to graph.
func (b *batch) update(graph *Graph) *Update {
	update := newUpdate(graph, b.byType)
	update.Conflicts = b.conflicts.difference(graph.Conflicts)
	for key, before := range b.before {
		after := graph.Value(key.kind, key.id)
		if (before.value == nil) == (after == nil) && bytes.Equal(before.value, after) {
			continue
		}
		switch key.kind {
		case Node:
			put(&update.Nodes, key.id, after)
			if before.progress {
				update.Completed += count(completed(after)) - count(completed(before.value))
			}
		case Edge:
			put(&update.Edges, key.id, after)
			update.relink(key.id, before, graph)
		case Viewport:
			update.Viewport = after
			if after == nil {
				update.Viewport = jsontext.Value("null")
			}
		}
	}
	return update
}

// replacement returns what puts the whole of graph, which has counted, in the place of whatever read models there are.
func replacement(graph *Graph) *Update {
	update := newUpdate(graph, graph.ByType)
	update.Reset = true
	update.Conflicts = (*ConflictLog)(nil).difference(graph.Conflicts)
	for id, node := range graph.All(Node) {
		put(&update.Nodes, id, node)
		update.Completed += count(completed(node))
	}
	for id, value := range graph.All(Edge) {
		put(&update.Edges, id, value)
		update.relink(id, entityBefore{}, graph)
	}
	update.Viewport = graph.Value(Viewport, ViewportID)
	return update
}

func newUpdate(graph *Graph, byType map[string]int64) *Update {
	return &Update{To: graph.checkpoint(), ByType: maps.Clone(byType)}
}

// put sets an entry of a map that is made when it gets its first.
func put[V any](entries *map[string]V, key string, value V) {
	if *entries == nil {
		*entries = map[string]V{}
	}
	(*entries)[key] = value
}

func (u *Update) relink(edge string, before entityBefore, graph *Graph) {
	source, target := graph.Ends(edge)
	for _, node := range distinct(before.source, before.target) {
		if node != source && node != target {
			put(&u.Unlink, node, append(u.Unlink[node], edge))
		}
	}
	for _, node := range distinct(source, target) {
		if node != before.source && node != before.target {
			put(&u.Link, node, append(u.Link[node], edge))
		}
	}
}

// distinct returns the nodes at the ends of an edge: none if there is no edge, one if it is a loop.
func distinct(source, target string) []string {
	switch {
	case source == "":
		return nil
	case source == target:
		return []string{source}
	}
	return []string{source, target}
}

func (g *Graph) checkpoint() Checkpoint {
	return Checkpoint{Position: g.Position, Checksum: g.Checksum, LastModified: g.LastModified,
		LastOperationID: g.LastOperationID, Nodes: len(g.nodes), Edges: len(g.edges), Policy: g.Policy}
}

func count(one bool) int {
	if one {
		return 1
	}
	return 0
}
