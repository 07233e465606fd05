package redis

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"
)

// stagedFor is how long staged keys stay that nobody swaps in or discards.
const stagedFor = time.Hour

// staging knows what this process has staged, so that it goes when its graph is deleted.
type staging struct {
	mu     sync.Mutex
	graphs map[string]map[*staged]time.Time // guarded by mu; since when it is there
}

func (g *staging) add(s *staged) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.graphs == nil {
		g.graphs = map[string]map[*staged]time.Time{}
	}
	of, now := g.graphs[s.graph], time.Now()
	if of == nil {
		of = map[*staged]time.Time{}
		g.graphs[s.graph] = of
	}
	maps.DeleteFunc(of, func(_ *staged, since time.Time) bool { return now.Sub(since) > stagedFor })
	of[s] = now
}

func (g *staging) remove(s *staged) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.graphs[s.graph], s)
	if len(g.graphs[s.graph]) == 0 {
		delete(g.graphs, s.graph)
	}
}

func (g *staging) of(graph string) []*staged {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Collect(maps.Keys(g.graphs[graph]))
}

// discardStaged removes what this process has staged of a graph.
func (m *Models) discardStaged(ctx context.Context, graph string) error {
	for _, s := range m.staging.of(graph) {
		if err := s.Discard(ctx); err != nil {
			return err
		}
	}
	return nil
}
