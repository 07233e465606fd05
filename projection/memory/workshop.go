package memory

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"graphy/eventstore"
	"graphy/projection"
)

// Inspect implements projection.Workshop.
func (m *Models) Inspect(ctx context.Context, graph string, nodes []string) (contents *projection.Contents, err error) {
	err = m.with(ctx, "Inspect", graph, func(kept *model) error {
		contents = &projection.Contents{Checkpoint: kept.Checkpoint, Nodes: maps.Clone(kept.nodes), Edges: maps.Clone(kept.edges),
			Conflicts: maps.Clone(kept.conflicts), Viewport: kept.viewport, Incident: map[string][]string{},
			ByType: maps.Clone(kept.byType), Completed: kept.completed}
		for _, node := range slices.AppendSeq(slices.Clone(nodes), maps.Keys(kept.nodes)) {
			if edges := kept.incident[node]; len(edges) > 0 {
				contents.Incident[node] = slices.Sorted(maps.Keys(edges))
			}
		}
		return nil
	})
	return contents, err
}

// Stage implements projection.Workshop.
func (m *Models) Stage(ctx context.Context, graph string, contents, live *projection.Contents) (projection.Staged, error) {
	if contents.ByType == nil {
		return nil, fmt.Errorf("stage %q: %w", graph, projection.ErrUncounted)
	}
	s := &staged{models: m, graph: graph, contents: contents}
	if live != nil {
		s.from = &live.Checkpoint.Position
	}
	return s, m.with(ctx, "Stage", graph, func(*model) error { return nil })
}

// staged are read models in the making.
type staged struct {
	models   *Models
	graph    string
	contents *projection.Contents // nil: swapped or discarded
	from     *eventstore.Position // where the read models have to be; nil: anywhere
}

// Swap implements projection.Staged.
func (s *staged) Swap(ctx context.Context, update *projection.Update) error {
	if update != nil && update.Reset {
		return fmt.Errorf("swap of %q: an update that leads on resets nothing", s.graph)
	}
	return s.models.with(ctx, "Swap", s.graph, func(kept *model) error {
		if s.contents == nil || s.from != nil && *s.from != kept.Position {
			return fmt.Errorf("swap of %q: %w", s.graph, projection.ErrStale)
		}
		to := s.contents.Checkpoint
		if update != nil {
			to = update.To
		}
		if err := s.models.logged(ctx, s.graph, to.Position); err != nil {
			return err
		}
		if kept.Version > to.Version {
			err := s.models.logged(ctx, s.graph, kept.Position)
			if err == nil {
				return fmt.Errorf("swap of %q at version %d: %w", s.graph, to.Version, projection.ErrStale)
			}
			if !errors.Is(err, projection.ErrStale) {
				return err
			}
		}
		s.models.graphs[s.graph] = s.model(kept, update)
		s.contents = nil
		return nil
	})
}

// model returns what takes the place of kept.
func (s *staged) model(kept *model, update *projection.Update) *model {
	next := kept.cleared()
	next.Checkpoint = s.contents.Checkpoint
	next.Stalled = ""
	next.viewport, next.completed = s.contents.Viewport, s.contents.Completed
	maps.Copy(next.nodes, s.contents.Nodes)
	maps.Copy(next.edges, s.contents.Edges)
	maps.Copy(next.conflicts, s.contents.Conflicts)
	maps.Copy(next.byType, s.contents.ByType)
	for node, edges := range s.contents.Incident {
		next.incident[node] = map[string]struct{}{}
		for _, edge := range edges {
			next.incident[node][edge] = struct{}{}
		}
	}
	if update != nil {
		next.write(update)
	}
	return next
}

// Discard implements projection.Staged.
func (s *staged) Discard(ctx context.Context) error {
	return s.models.with(ctx, "Discard", s.graph, func(*model) error {
		s.contents = nil
		return nil
	})
}
