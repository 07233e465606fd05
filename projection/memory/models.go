// Package memory keeps read models in memory, for tests of loops (it works under testing/synctest) and of other
// packages.
//
// It behaves as the read models in Redis do: commits are whole, conditional on the checkpoint and, given the log, on
// its holding the event that they lead to. Models is safe for concurrent use.
package memory

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"graphy/eventstore"
	"graphy/projection"
)

// Models are read models, snapshots and dead letters in memory.
type Models struct {
	// Fail, if set before use, is called with the name of the method before it does anything and after it is done;
	// what it returns is the method's error.
	Fail func(method string, done bool) error

	log eventstore.Log

	mu     sync.Mutex
	graphs map[string]*model   // guarded by mu
	open   []projection.Letter // guarded by mu; oldest first
	closed []projection.Letter // guarded by mu; the one closed first in front
	sent   int                 // guarded by mu; dead letters there ever were
}

// model is what is kept of one graph.
type model struct {
	projection.Checkpoint
	nodes, edges map[string]jsontext.Value
	incident     map[string]map[string]struct{}
	viewport     jsontext.Value
	conflicts    map[string]jsontext.Value
	snapshots    map[eventstore.Version]projection.Snapshot
	byType       map[string]int64
	completed    int
	letter       eventstore.Version
}

var (
	_ projection.ReadModels  = (*Models)(nil)
	_ projection.Snapshots   = (*Models)(nil)
	_ projection.Workshop    = (*Models)(nil)
	_ projection.DeadLetters = (*Models)(nil)
)

// New returns empty read models. Commits hold against log, if it is not nil, that it has what they lead to.
func New(log eventstore.Log) *Models {
	return &Models{log: log, graphs: map[string]*model{}}
}

func empty() *model {
	return &model{nodes: map[string]jsontext.Value{}, edges: map[string]jsontext.Value{},
		incident: map[string]map[string]struct{}{}, conflicts: map[string]jsontext.Value{}, byType: map[string]int64{}}
}

// with runs visit on what is kept of graph, which visit does not write to if there is nothing.
func (m *Models) with(ctx context.Context, method, graph string, visit func(*model) error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s: %w: %w", method, eventstore.ErrUnavailable, err)
	}
	if m.Fail != nil {
		if err := m.Fail(method, false); err != nil {
			return err
		}
	}
	m.mu.Lock()
	kept := m.graphs[graph]
	if kept == nil {
		kept = empty()
	}
	err := visit(kept)
	m.mu.Unlock()
	if err == nil && m.Fail != nil {
		err = m.Fail(method, true)
	}
	return err
}

// Checkpoint implements projection.ReadModels.
func (m *Models) Checkpoint(ctx context.Context, graph string) (checkpoint projection.Checkpoint, err error) {
	err = m.with(ctx, "Checkpoint", graph, func(kept *model) error {
		checkpoint = kept.Checkpoint
		return nil
	})
	return checkpoint, err
}

// Checkpoints implements projection.ReadModels.
func (m *Models) Checkpoints(ctx context.Context, graphs []string) ([]projection.Checkpoint, error) {
	checkpoints := make([]projection.Checkpoint, len(graphs))
	for i, graph := range graphs {
		var err error
		if checkpoints[i], err = m.Checkpoint(ctx, graph); err != nil {
			return nil, err
		}
	}
	return checkpoints, nil
}

// Load implements projection.ReadModels.
func (m *Models) Load(ctx context.Context, graph string) (loaded *projection.Graph, err error) {
	loaded = projection.NewGraph(graph)
	err = m.with(ctx, "Load", graph, func(kept *model) error {
		for id, value := range kept.nodes {
			if err := loaded.Load(projection.Node, id, value); err != nil {
				return fmt.Errorf("%w: %w", projection.ErrChecksum, err)
			}
		}
		for id, value := range kept.edges {
			if err := loaded.Load(projection.Edge, id, value); err != nil {
				return fmt.Errorf("%w: %w", projection.ErrChecksum, err)
			}
		}
		if kept.viewport != nil {
			if err := loaded.Load(projection.Viewport, projection.ViewportID, kept.viewport); err != nil {
				return err
			}
		}
		if loaded.Checksum != kept.Checksum {
			return fmt.Errorf("load %q: %w", graph, projection.ErrChecksum)
		}
		loaded.Position, loaded.LastModified, loaded.LastOperationID = kept.Position, kept.LastModified, kept.LastOperationID
		loaded.ByType = maps.Clone(kept.byType)
		loaded.Policy, loaded.Conflicts = kept.Policy, projection.NewConflictLog(maps.All(kept.conflicts))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return loaded, nil
}

// Entity implements projection.ReadModels.
func (m *Models) Entity(ctx context.Context, graph string, kind projection.Kind, id string) (value jsontext.Value, err error) {
	err = m.with(ctx, "Entity", graph, func(kept *model) error {
		value = kept.entities(kind)[id]
		return nil
	})
	return value, err
}

// Entities implements projection.ReadModels.
func (m *Models) Entities(ctx context.Context, graph string, kind projection.Kind) (values []jsontext.Value, err error) {
	err = m.with(ctx, "Entities", graph, func(kept *model) error {
		entities := kept.entities(kind)
		for _, id := range slices.Sorted(maps.Keys(entities)) {
			values = append(values, entities[id])
		}
		return nil
	})
	return values, err
}

func (kept *model) entities(kind projection.Kind) map[string]jsontext.Value {
	switch {
	case kind == projection.Node:
		return kept.nodes
	case kind == projection.Edge:
		return kept.edges
	case kept.viewport != nil:
		return map[string]jsontext.Value{projection.ViewportID: kept.viewport}
	}
	return nil
}

// Incident implements projection.ReadModels.
func (m *Models) Incident(ctx context.Context, graph, node string) (edges []jsontext.Value, found bool, err error) {
	err = m.with(ctx, "Incident", graph, func(kept *model) error {
		_, found = kept.nodes[node]
		for _, id := range slices.Sorted(maps.Keys(kept.incident[node])) {
			edges = append(edges, kept.edges[id])
		}
		return nil
	})
	return edges, found, err
}

// Conflicts implements projection.ReadModels.
func (m *Models) Conflicts(ctx context.Context, graph string) (records []jsontext.Value, err error) {
	err = m.with(ctx, "Conflicts", graph, func(kept *model) error {
		for _, id := range slices.SortedFunc(maps.Keys(kept.conflicts), projection.CompareConflicts) {
			records = append(records, kept.conflicts[id])
		}
		return nil
	})
	return records, err
}

// Stats implements projection.ReadModels.
func (m *Models) Stats(ctx context.Context, graph string) (stats projection.Stats, err error) {
	err = m.with(ctx, "Stats", graph, func(kept *model) error {
		stats = projection.Stats{Checkpoint: kept.Checkpoint, ByType: maps.Clone(kept.byType), Completed: kept.completed}
		for _, events := range kept.byType {
			stats.Events += events
		}
		return nil
	})
	return stats, err
}
