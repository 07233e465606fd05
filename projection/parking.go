package projection

import (
	"cmp"
	"maps"
	"slices"
	"sync"

	"graphy/eventstore"
)

// ParkedGraph is a graph that is projected no further: not before the projector starts again, somebody else has moved its
// read models, or somebody has released it (DeadLetters).
type ParkedGraph struct {
	Graph   string
	Version eventstore.Version // of the event that cannot be processed
	Cause   string
	Time    int64 // Unix ms

	checkpoint eventstore.Position
	gone       bool // the log was empty
	turn       int  // among all that were parked
}

type parking struct {
	mu     sync.Mutex
	graphs map[string]ParkedGraph // guarded by mu
	turns  int                    // guarded by mu
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
	p.turns++
	graph.turn = p.turns
	p.graphs[graph.Graph] = graph
}

// turn returns how many were parked so far.
func (p *parking) turn() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.turns
}

// release lets a graph go on whose log or read models are not what they were when it was parked, or that was released: its
// checkpoint, looked at after that turn, says no more that it is stalled.
func (p *parking) release(graph string, at *standing, turn int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	parked, found := p.graphs[graph]
	if found && (parked.checkpoint != at.checkpoint || parked.gone && at.head.Version > 0 || at.going && parked.turn <= turn) {
		delete(p.graphs, graph)
	}
}

func (p *parking) len() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.graphs)
}
