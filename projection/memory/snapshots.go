package memory

import (
	"context"
	"maps"

	"graphy/eventstore"
	"graphy/projection"
)

// Save implements projection.Snapshots.
func (m *Models) Save(ctx context.Context, graph string, s projection.Snapshot) error {
	return m.with(ctx, "Save", graph, func(kept *model) error {
		if err := m.logged(ctx, graph, s.Position); err != nil {
			return err
		}
		if kept.snapshots == nil {
			kept.snapshots = map[eventstore.Version]projection.Snapshot{}
		}
		kept.snapshots[s.Version] = s
		m.graphs[graph] = kept
		return nil
	})
}

// Nearest implements projection.Snapshots.
func (m *Models) Nearest(ctx context.Context, graph string, at eventstore.Version) (s projection.Snapshot, found bool, err error) {
	err = m.with(ctx, "Nearest", graph, func(kept *model) error {
		s, found = kept.nearest(at)
		return nil
	})
	return s, found, err
}

// NearestPosition implements projection.Snapshots.
func (m *Models) NearestPosition(ctx context.Context, graph string, at eventstore.Version) (position eventstore.Position, err error) {
	err = m.with(ctx, "NearestPosition", graph, func(kept *model) error {
		s, _ := kept.nearest(at)
		position = s.Position
		return nil
	})
	return position, err
}

func (kept *model) nearest(at eventstore.Version) (s projection.Snapshot, found bool) {
	for version, snapshot := range kept.snapshots {
		if version <= at && version > s.Version {
			s, found = snapshot, true
		}
	}
	return s, found
}

// Forget implements projection.Snapshots.
func (m *Models) Forget(ctx context.Context, graph string, below eventstore.Version) error {
	return m.with(ctx, "Forget", graph, func(kept *model) error {
		maps.DeleteFunc(kept.snapshots, func(version eventstore.Version, _ projection.Snapshot) bool { return version < below })
		return nil
	})
}
