package projection

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	"graphy/eventstore"
)

// Base returns what a log that is trimmed at s begins with.
func (s Snapshot) Base() eventstore.Base { return eventstore.Base{Position: s.Position, Data: s.Data} }

// DecodeBase returns the state that a trimmed log of graph begins with, which is the caller's. It fails as DecodeSnapshot
// does.
func DecodeBase(graph string, base eventstore.Base) (*Graph, error) {
	s, err := snapshotOf(graph, base)
	if err != nil {
		return nil, err
	}
	return DecodeSnapshot(graph, s)
}

// snapshotOf returns base as a snapshot. Its checksum is the one that its data say.
func snapshotOf(graph string, base eventstore.Base) (Snapshot, error) {
	text, err := inflate(base.Data, snapshotLimit)
	if err != nil {
		return Snapshot{}, fmt.Errorf("base of %q at version %d: %w: %w", graph, base.Version, ErrEvent, err)
	}
	var d decoder
	digits := d.text(Member(text, "checksum"))
	sum, err := hex.DecodeString(digits)
	if err = errors.Join(d.err, err); err != nil || len(sum) != 8 {
		return Snapshot{}, fmt.Errorf("base of %q at version %d: %w: its checksum is %.20q", graph, base.Version, ErrEvent, digits)
	}
	s := Snapshot{Position: base.Position, Data: base.Data}
	for _, b := range sum {
		s.Checksum = s.Checksum<<8 | Checksum(b)
	}
	return s, nil
}

// WithBase returns snapshots which know what trimmed logs begin with: Nearest finds that too, and At, the Snapshotter
// and the Projector begin with it where nothing older is left. With a nil maintainer they are snapshots as they were.
func WithBase(snapshots Snapshots, maintainer eventstore.Maintainer) Snapshots {
	if maintainer == nil {
		return snapshots
	}
	return &based{snapshots, maintainer}
}

// based are snapshots with the bases of logs.
type based struct {
	Snapshots
	maintainer eventstore.Maintainer
}

// Nearest implements Snapshots.
func (b *based) Nearest(ctx context.Context, graph string, at eventstore.Version) (s Snapshot, found bool, err error) {
	if s, found, err = b.Snapshots.Nearest(ctx, graph, at); err != nil && retriable(err) {
		return s, found, err
	}
	position, failure := b.position(ctx, graph)
	if failure != nil {
		return s, found, errors.Join(err, failure)
	}
	if position.Version == 0 || position.Version > at || found && err == nil && position.Version < s.Version {
		return s, found, err
	}
	base, failure := b.maintainer.Base(ctx, graph)
	if failure != nil || base.Version > at {
		return s, found, errors.Join(err, failure)
	}
	if s, err = snapshotOf(graph, base); err != nil {
		return Snapshot{}, false, err
	}
	return s, true, nil
}

// NearestPosition implements Snapshots.
func (b *based) NearestPosition(ctx context.Context, graph string, at eventstore.Version) (eventstore.Position, error) {
	listed, err := b.Snapshots.NearestPosition(ctx, graph, at)
	if err != nil {
		return listed, err
	}
	base, err := b.position(ctx, graph)
	if err != nil || base.Version > at || base.Version < listed.Version {
		return listed, err
	}
	return base, nil
}

// position returns where the base of graph stands, without its data where the log can tell.
func (b *based) position(ctx context.Context, graph string) (eventstore.Position, error) {
	if short, ok := b.maintainer.(interface {
		BasePosition(ctx context.Context, stream string) (eventstore.Position, error)
	}); ok {
		return short.BasePosition(ctx, graph)
	}
	base, err := b.maintainer.Base(ctx, graph)
	return base.Position, err
}

// Beginning returns the state that the log of graph begins with, which is the caller's: that of its base, if snapshots are
// of WithBase and it has one, else the empty graph.
func Beginning(ctx context.Context, snapshots Snapshots, graph string) (*Graph, error) {
	b, ok := snapshots.(*based)
	if !ok {
		return NewGraph(graph), nil
	}
	base, err := b.maintainer.Base(ctx, graph)
	if err != nil || base.Version == 0 {
		return NewGraph(graph), err
	}
	return DecodeBase(graph, base)
}
