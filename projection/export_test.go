package projection

import "context"

// RunOnce is one round, for tests that want no clock.
func (s *Snapshotter) RunOnce(ctx context.Context) (more bool, err error) { return s.runOnce(ctx) }

// Pending are the graphs that a round has left for the next one.
func (s *Snapshotter) Pending() []string { return s.pending }

// SnapshotWithin is Snapshot, with another limit.
func (g *Graph) SnapshotWithin(limit int) (Snapshot, error) { return g.snapshot(limit) }

// DecodeSnapshotWithin is DecodeSnapshot, with another limit.
func DecodeSnapshotWithin(graph string, s Snapshot, limit int) (*Graph, error) {
	return decodeSnapshot(graph, s, limit)
}

// ReadSnapshot is DecodeSnapshot of what was inflated.
var ReadSnapshot = readSnapshot
