// Package projectiontest holds what tests of projection and of its adapters share: histories that are true to life,
// the definition of a checksum in its plainest form, and the suite that all read models pass.
//
// Everything is determined by the random source that is handed in. Nothing in here is safe for concurrent use.
package projectiontest

import (
	"fmt"
	"math/rand/v2"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"graphy/eventstore"
	"graphy/projection"
)

// Writer writes a valid history of one graph.
type Writer struct {
	Graph *projection.Graph // what the history folds to
	Clock int64             // Unix ms of the next event; advances by itself

	rand     *rand.Rand
	made     int    // number of ids given out
	resolved string // id of the conflict resolved last
}

// NewWriter returns a writer of an empty graph.
func NewWriter(graph string, source *rand.Rand) *Writer {
	return &Writer{Graph: projection.NewGraph(graph), Clock: 1760000000000, rand: source}
}

// Random returns an event as users cause them: mostly moves, some creations and changes, few deletions.
func (w *Writer) Random() eventstore.Event {
	nodes := w.ids(projection.Node)
	edges := w.ids(projection.Edge)
	switch dice := w.rand.IntN(100); {
	case len(nodes) < 3 || dice < 15:
		return w.CreateNode()
	case dice < 55:
		return w.Move(w.pick(nodes))
	case dice < 70:
		return w.CreateEdge(w.pick(nodes), w.pick(nodes))
	case dice < 75 && len(edges) > 0:
		return w.reconnect(w.pick(edges), w.pick(nodes))
	case dice < 79 && len(edges) > 0:
		return w.Write("DELETE_EDGE", w.remove(projection.Edge, w.pick(edges)))
	case dice < 83:
		return w.DeleteNode(w.pick(nodes))
	case dice < 88:
		return w.viewport()
	case dice < 92:
		return w.toggle(w.pick(nodes))
	case dice < 95:
		return w.batch(nodes)
	case dice < 99:
		return w.settling(nodes)
	}
	return w.Write("UPDATE_NODE")
}

// Events returns n random events.
func (w *Writer) Events(n int) []eventstore.Event {
	events := make([]eventstore.Event, n)
	for i := range events {
		events[i] = w.Random()
	}
	return events
}

// CreateNode puts a new node.
func (w *Writer) CreateNode() eventstore.Event {
	id := w.id("n")
	return w.Write("CREATE_NODE", w.set(projection.Node, id, fmt.Sprintf(
		`{"createdAt":%d,"data":{"ключ":[1,2.5,"é\u0001"],"completed":%t},"id":%q,"position":{"x":%d,"y":1e+30},"title":"“%d” \"\\","updatedAt":%d}`,
		w.Clock, w.rand.IntN(3) == 0, id, w.rand.IntN(1000), w.made, w.Clock)))
}

// CreateEdge puts a new edge.
func (w *Writer) CreateEdge(source, target string) eventstore.Event {
	id := w.id("e")
	return w.Write("CREATE_EDGE", w.set(projection.Edge, id, fmt.Sprintf(`{"id":%q,"source":%q,"target":%q}`, id, source, target)))
}

// Move patches a node's position.
func (w *Writer) Move(id string) eventstore.Event {
	return w.Write("UPDATE_NODE_POSITION", w.patch(projection.Node, id, w.position()))
}

// DeleteNode deletes a node and the edges at it.
func (w *Writer) DeleteNode(id string) eventstore.Event {
	var changes []projection.Change
	for _, edge := range w.Graph.Incident(id) {
		changes = append(changes, w.remove(projection.Edge, edge))
	}
	return w.Write("DELETE_NODE", append(changes, w.remove(projection.Node, id))...)
}

// Both moves the first two nodes to the same place, and draws the edge e between them or removes it, in one event.
func (w *Writer) Both(place int) eventstore.Event {
	nodes := w.ids(projection.Node)
	position := fmt.Sprintf(`{"position":{"x":%d,"y":0}}`, place)
	edge := w.set(projection.Edge, "e", fmt.Sprintf(`{"id":"e","source":%q,"target":%q}`, nodes[0], nodes[1]))
	if edge.Was != nil {
		edge = w.remove(projection.Edge, "e")
	}
	return w.Write("BATCH", w.patch(projection.Node, nodes[0], position), w.patch(projection.Node, nodes[1], position), edge)
}

func (w *Writer) reconnect(edge, node string) eventstore.Event {
	return w.Write("UPDATE_EDGE", w.patch(projection.Edge, edge, fmt.Sprintf(`{"target":%q}`, node)))
}

func (w *Writer) toggle(id string) eventstore.Event {
	status := []string{`"done"`, `"open"`, "null"}[w.rand.IntN(3)]
	return w.Write("UPDATE_NODE", w.patch(projection.Node, id, `{"status":`+status+`}`))
}

func (w *Writer) viewport() eventstore.Event {
	if w.Graph.Has(projection.Viewport, projection.ViewportID) && w.rand.IntN(3) == 0 {
		return w.Write("UNDO", w.remove(projection.Viewport, projection.ViewportID))
	}
	return w.SetViewport(w.rand.IntN(2), 0) // sometimes the default
}

// SetViewport puts the viewport.
func (w *Writer) SetViewport(x, y int) eventstore.Event {
	return w.Write("UPDATE_VIEWPORT", w.set(projection.Viewport, projection.ViewportID, fmt.Sprintf(`{"x":%d,"y":%d,"zoom":1}`, x, y)))
}

func (w *Writer) batch(nodes []string) eventstore.Event {
	var changes []projection.Change
	for _, i := range w.rand.Perm(len(nodes))[:min(len(nodes), 5)] {
		changes = append(changes, w.patch(projection.Node, nodes[i], w.position()))
	}
	return w.Write("BATCH", changes...)
}

func (w *Writer) position() string {
	return fmt.Sprintf(`{"position":{"x":%d,"y":%d.5},"updatedAt":%d}`, w.rand.IntN(1000), w.rand.IntN(1000), w.Clock)
}

// Write applies changes, leaving out empty ones, and returns their event.
func (w *Writer) Write(commandType string, changes ...projection.Change) eventstore.Event {
	effective := changes[:0]
	for _, change := range changes {
		if change.Op != "" {
			effective = append(effective, change)
		}
	}
	if err := w.Graph.ApplyChanges(effective); err != nil {
		panic(fmt.Sprintf("projectiontest: writer made an invalid change: %v", err))
	}
	return w.Event(projection.Event{CommandType: commandType, Changes: effective})
}

// Event returns the entry of an event whose changes have been applied, with what it lacks filled in.
func (w *Writer) Event(event projection.Event) eventstore.Event {
	event.Version, event.OperationID, event.Request = w.Graph.Position.Version+1, w.id("op"), "1f3a9c02"
	event.UserID, event.ClientID, event.Timestamp, event.WrittenAt = "u1", "tab-1", w.Clock, w.Clock
	event.Checksum = w.Graph.Checksum.String()
	w.Clock += int64(1 + w.rand.IntN(5))
	return w.entry(&event)
}

// Poison returns an event that chains and follows, and that no fold takes. The writer's graph does not move.
func (w *Writer) Poison() eventstore.Event {
	data := fmt.Appendf(nil, `{"version":%d,"commandType":"POISON"}`, w.Graph.Position.Version+1)
	return eventstore.Event{Version: w.Graph.Position.Version + 1, Data: data, Hash: eventstore.NextHash(w.Graph.Position.Hash, data)}
}

func (w *Writer) entry(event *projection.Event) eventstore.Event {
	data := event.AppendJSON(nil)
	hash := eventstore.NextHash(w.Graph.Position.Hash, data)
	w.Graph.Advance(event, hash)
	return eventstore.Event{Version: event.Version, Data: data, Hash: hash, Operations: event.OperationIDs()}
}

func (w *Writer) set(kind projection.Kind, id, value string) projection.Change {
	canonical, err := projection.Canonical([]byte(value))
	if err != nil {
		panic(err)
	}
	return projection.Change{Op: projection.Put, Kind: kind, ID: id, Value: canonical, Was: w.Graph.Value(kind, id)}
}

// patch returns the change that lays merge over an entity, an empty one if nothing differs.
func (w *Writer) patch(kind projection.Kind, id, merge string) projection.Change {
	value := w.Graph.Value(kind, id)
	set, was := projection.Difference(value, projection.Overlay(value, jsontext.Value(merge)))
	if set == nil {
		return projection.Change{}
	}
	return projection.Change{Op: projection.Patch, Kind: kind, ID: id, Set: set, Was: was}
}

func (w *Writer) remove(kind projection.Kind, id string) projection.Change {
	return projection.Change{Op: projection.Delete, Kind: kind, ID: id, Was: w.Graph.Value(kind, id)}
}

func (w *Writer) id(prefix string) string {
	w.made++
	return prefix + strconv.Itoa(w.made)
}

func (w *Writer) ids(kind projection.Kind) (ids []string) {
	for id := range w.Graph.All(kind) {
		ids = append(ids, id)
	}
	return ids
}

func (w *Writer) pick(ids []string) string { return ids[w.rand.IntN(len(ids))] }
