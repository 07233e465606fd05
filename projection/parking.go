package projection

import (
	"cmp"
	"maps"
	"slices"
	"sync"

	"graphy/eventstore"
)

// ParkedGraph is a graph that is projected no further: not before the projector starts again, or somebody else has
// moved its read models.
type ParkedGraph struct {
	Graph   string
	Version eventstore.Version // of the event that cannot be processed
	Cause   string
	Time    int64 // Unix ms

	checkpoint eventstore.Position
	gone       bool // the log was empty
}

type parking struct {
	mu     sync.Mutex
	graphs map[string]ParkedGraph // guarded by mu
}

// Parked returns the graphs that this projector has parked, by id.
func (p *Projector) Parked() []ParkedGraph {
	p.parked.mu.Lock()
	defer p.parked.mu.Unlock()
	return slices.SortedFunc(maps.Values(p.parked.graphs), func(a, b ParkedGraph) int { return cmp.Compare(a.Graph, b.Graph) })
}

func (p *parking) has(graph string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, parked := p.graphs[graph]
	return parked
}

func (p *parking) add(graph ParkedGraph) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.graphs[graph.Graph] = graph
}

// release lets a graph go on whose log or read models are not what they were when it was parked.
func (p *parking) release(graph string, head, checkpoint eventstore.Position) (released bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	parked, found := p.graphs[graph]
	if found && (parked.checkpoint != checkpoint || parked.gone && head.Version > 0) {
		delete(p.graphs, graph)
		return true
	}
	return false
}

func (p *parking) len() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.graphs)
}
