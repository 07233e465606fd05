package memory

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"graphy/eventstore"
	"graphy/projection"
)

// Commit implements projection.ReadModels.
func (m *Models) Commit(ctx context.Context, graph string, from eventstore.Position, update *projection.Update) error {
	return m.with(ctx, "Commit", graph, func(kept *model) error {
		switch {
		case kept.Position == from:
		case kept.Position == update.To.Position:
			return nil
		default:
			return fmt.Errorf("commit of %q from version %d: %w", graph, from.Version, projection.ErrStale)
		}
		if err := m.logged(ctx, graph, update.To.Position); err != nil {
			return err
		}
		if update.Reset {
			kept = kept.cleared()
		}
		kept.write(update)
		m.graphs[graph] = kept
		return nil
	})
}

// cleared returns an empty model with what is not folded.
func (kept *model) cleared() *model {
	next := empty()
	next.snapshots = kept.snapshots
	return next
}

// logged fails with ErrStale if the log does not hold position.
func (m *Models) logged(ctx context.Context, graph string, position eventstore.Position) error {
	if m.log == nil {
		return nil
	}
	var events []eventstore.Event
	if position.Version > 0 {
		var err error
		events, err = m.log.Read(ctx, graph, position.Version-1, 1)
		if errors.Is(err, eventstore.ErrTrimmed) { // of a log without events it is the head nevertheless
			head, err := m.log.Head(ctx, graph)
			if err != nil || head == position {
				return err
			}
		} else if err != nil {
			return err
		}
	}
	if len(events) == 0 || events[0].Position() != position {
		return fmt.Errorf("version %d of %q is not in the log: %w", position.Version, graph, projection.ErrStale)
	}
	return nil
}

func (kept *model) write(update *projection.Update) {
	kept.Checkpoint = update.To
	for id, value := range update.Nodes {
		set(kept.nodes, id, value)
	}
	for id, value := range update.Edges {
		set(kept.edges, id, value)
	}
	for id, value := range update.Conflicts {
		set(kept.conflicts, id, value)
	}
	if update.Viewport != nil {
		kept.viewport = update.Viewport
		if update.Viewport.Kind() == 'n' {
			kept.viewport = nil
		}
	}
	for node, ids := range update.Link {
		if kept.incident[node] == nil {
			kept.incident[node] = map[string]struct{}{}
		}
		for _, id := range ids {
			kept.incident[node][id] = struct{}{}
		}
	}
	for node, ids := range update.Unlink {
		for _, id := range ids {
			delete(kept.incident[node], id)
		}
		if len(kept.incident[node]) == 0 {
			delete(kept.incident, node)
		}
	}
	for name, events := range update.ByType {
		kept.byType[name] += events
	}
	kept.completed += update.Completed
}

func set(entities map[string]jsontext.Value, id string, value jsontext.Value) {
	if value == nil {
		delete(entities, id)
	} else {
		entities[id] = value
	}
}

// Stall implements projection.ReadModels.
func (m *Models) Stall(ctx context.Context, graph string, from eventstore.Position, letter projection.DeadLetter) error {
	return m.with(ctx, "Stall", graph, func(kept *model) error {
		if kept.Position != from {
			return fmt.Errorf("stall of %q: %w", graph, projection.ErrStale)
		}
		kept.Stalled = letter.Cause
		if kept.letter != letter.Version {
			kept.letter = letter.Version
			m.addLetter(letter)
		}
		m.graphs[graph] = kept
		return nil
	})
}

// Delete implements projection.ReadModels.
func (m *Models) Delete(ctx context.Context, graph string) error {
	return m.with(ctx, "Delete", graph, func(*model) error {
		delete(m.graphs, graph)
		return nil
	})
}

// Graphs returns the ids of all graphs that something is kept of.
func (m *Models) Graphs() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.graphs))
}

// Damage changes a node of graph behind the back of the checkpoint.
func (m *Models) Damage(graph string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id := range m.graphs[graph].nodes {
		m.graphs[graph].nodes[id] = jsontext.Value(`{"id":"` + id + `"}`)
		return
	}
}
