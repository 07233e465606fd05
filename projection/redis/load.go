package redis

import (
	"context"
	"fmt"

	"graphy/projection"
)

// Load implements projection.ReadModels. It fails with projection.ErrChecksum, or ErrDamaged, where the keys are not
// what a commit left behind. Counts alone that are damaged leave the rest alone: then there are none.
func (m *Models) Load(ctx context.Context, graph string) (*projection.Graph, error) {
	read, err := m.read(ctx, graph, m.hashes(graph), nil)
	if err != nil {
		return nil, err
	}
	if err := whole(read[:stats], graph); err != nil {
		return nil, err
	}
	checkpoint, err := read[state].checkpoint(graph)
	if err != nil {
		return nil, err
	}
	loaded := projection.NewGraph(graph)
	for i, kind := range []projection.Kind{projection.Node, projection.Edge} {
		for id, value := range read[nodes+i].all {
			if err := loaded.Load(kind, id, value); err != nil {
				return nil, fmt.Errorf("%w: %w", projection.ErrChecksum, err)
			}
		}
	}
	if viewport := read[viewport].object(); viewport != nil {
		if err := loaded.Load(projection.Viewport, projection.ViewportID, viewport); err != nil {
			return nil, fmt.Errorf("%w: %w", projection.ErrChecksum, err)
		}
	}
	if loaded.Checksum != checkpoint.Checksum {
		return nil, fmt.Errorf("load %q: %w: the entities have %s, the checkpoint says %s", graph, projection.ErrChecksum,
			loaded.Checksum, checkpoint.Checksum)
	}
	loaded.Position = checkpoint.Position
	loaded.LastModified, loaded.LastOperationID = checkpoint.LastModified, checkpoint.LastOperationID
	loaded.Policy, loaded.Conflicts = checkpoint.Policy, projection.NewConflictLog(read[conflicts].all)
	if loaded.ByType, _, err = read[stats].stats(graph); err != nil {
		loaded.ByType = nil
	}
	return loaded, nil
}

// The places of a graph's hashes among those that hashes returns. Damaged stats are the only ones that a graph can do
// without, so they come last.
const (
	state = iota
	nodes
	edges
	viewport
	conflicts
	stats
)

func (m *Models) hashes(graph string) []string {
	return []string{state: m.keys.State(graph), nodes: m.keys.Nodes(graph), edges: m.keys.Edges(graph),
		viewport: m.keys.Viewport(graph), conflicts: m.keys.Conflicts(graph), stats: m.keys.Stats(graph)}
}

// load reads hashes of one graph at one moment. It fails with ErrDamaged where one of them is of another type.
func (m *Models) load(ctx context.Context, graph string, keys ...string) ([]content, error) {
	read, err := m.read(ctx, graph, keys, nil)
	if err == nil {
		err = whole(read, graph)
	}
	return read, err
}

// read reads hashes, and then sets, of one graph at one moment. Those of another type are damaged.
func (m *Models) read(ctx context.Context, graph string, hashes, sets []string) ([]content, error) {
	read, err := m.readTogether(ctx, graph, hashes, sets)
	if split(err) {
		return m.readApart(ctx, graph, hashes, sets)
	}
	return read, err
}
