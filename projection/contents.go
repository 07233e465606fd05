package projection

import (
	"maps"

	"github.com/go-json-experiment/json/jsontext"

	"graphy/eventstore"
)

// Contents are all read models of one graph at one moment, as they are kept.
type Contents struct {
	Checkpoint Checkpoint
	Nodes      map[string]jsontext.Value
	Edges      map[string]jsontext.Value
	Conflicts  map[string]jsontext.Value
	Viewport   jsontext.Value      // nil: never set
	Incident   map[string][]string // node → ids of its edges, sorted; no entry for none
	ByType     map[string]int64    // events by command type
	Completed  int                 // completed nodes
	// Damage names, in words, what could not be read: a key of another type, a number that is none. It is missing in the
	// rest.
	Damage []string
}

// ContentsOf returns what the read models hold where they are as they should be: the fold that graph is. It shares its
// values with the graph, which has to have counted (Graph.ByType).
func ContentsOf(graph *Graph) *Contents {
	c := &Contents{
		Checkpoint: graph.checkpoint(),
		Nodes:      make(map[string]jsontext.Value, len(graph.nodes)),
		Edges:      make(map[string]jsontext.Value, len(graph.edges)),
		Conflicts:  maps.Collect(graph.Conflicts.All()),
		Viewport:   graph.viewport.Value,
		Incident:   make(map[string][]string, len(graph.incident)),
		ByType:     maps.Clone(graph.ByType),
	}
	for id, node := range graph.nodes {
		c.Nodes[id] = node.Value
		c.Completed += count(completed(node.Value))
	}
	for id, edge := range graph.edges {
		c.Edges[id] = edge.Value
	}
	for node := range graph.incident {
		c.Incident[node] = graph.Incident(node)
	}
	return c
}

// Mismatch is one thing that is not as it should be.
type Mismatch struct {
	// Kind is "chain", "event", "checksum" (the log); "state", "node", "edge", "viewport", "incident", "conflict",
	// "stats", "damage" (the read models); "operation" (the index of operations); "base" (what a trimmed log begins with).
	Kind    string             `json:"kind"`
	ID      string             `json:"id,omitempty"`     // of the entity, field or operation
	Version eventstore.Version `json:"version,omitzero"` // of the event
	Want    string             `json:"want,omitempty"`   // cut to 200 bytes
	Found   string             `json:"found,omitempty"`  // cut to 200 bytes; absent: nothing is there
	Detail  string             `json:"detail,omitempty"`
}
