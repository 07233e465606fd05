package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"graphy/projection"
)

// Delete implements projection.ReadModels. Projectors, snapshotters and rebuilds that still write are outrun: delete the
// log first, and they have nothing left to write.
func (m *Models) Delete(ctx context.Context, graph string) error {
	if err := m.discardStaged(ctx, graph); err != nil {
		return err
	}
	for {
		err := m.delete(ctx, graph)
		if !errors.Is(err, projection.ErrStale) {
			return err
		}
		if ctx.Err() != nil {
			return fmt.Errorf("delete of %q: %w", graph, ctx.Err())
		}
	}
}

func (m *Models) delete(ctx context.Context, graph string) error {
	read, err := m.read(ctx, graph, []string{m.keys.State(graph)}, nil)
	if err != nil {
		return err
	}
	at := read[0].position()
	incident, err := m.incidentKeys(ctx, graph, at, nil)
	if err != nil {
		return err
	}
	members, snapshots, err := m.members(ctx, graph)
	if err != nil {
		return err
	}
	keys := slices.Concat([]string{m.keys.State(graph), m.keys.Snapshots(graph)}, snapshots,
		[]string{m.keys.Nodes(graph), m.keys.Edges(graph), m.keys.Viewport(graph), m.keys.Conflicts(graph),
			m.keys.Versions(graph), m.keys.Connections(graph), m.keys.Stats(graph)}, incident)
	ctx, cancel := m.deadline(ctx)
	defer cancel()
	args := append([]string{version(at.Version), string(at.Hash)}, members...)
	answer, err := deleteScript.Exec(ctx, m.client, keys, args).AsInt64()
	if err != nil {
		return failed(err, "delete", graph)
	}
	if answer == 0 {
		return fmt.Errorf("delete of %q: %w", graph, projection.ErrStale)
	}
	return nil
}
