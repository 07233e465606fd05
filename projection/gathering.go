package projection

import "graphy/eventstore"

// Gathering folds events into a graph, and keeps what leads from where the graph stood to where it stands.
type Gathering struct {
	graph *Graph
	batch *batch
}

// Gather returns a Gathering that begins where graph stands. Nobody else may fold into graph from here on.
func Gather(graph *Graph) *Gathering { return &Gathering{graph, newBatch()} }

// Fold verifies that events follow, and applies them, oldest first. On an error the graph stands where the last good
// event left it.
func (g *Gathering) Fold(events ...eventstore.Event) error {
	for i := range events {
		if err := eventstore.VerifyChain(g.graph.ID, g.graph.Position, events[i:i+1]); err != nil {
			return err
		}
		if err := g.batch.apply(g.graph, &events[i]); err != nil {
			return err
		}
	}
	return nil
}

// Update returns what leads from the beginning to the graph, nil if it has not moved.
func (g *Gathering) Update() *Update {
	if len(g.batch.stamps) == 0 {
		return nil
	}
	return g.batch.update(g.graph)
}
