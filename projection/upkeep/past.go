package upkeep

import (
	"context"
	"errors"
	"fmt"

	"graphy/eventstore"
	"graphy/eventstore/archive"
	"graphy/projection"
)

// WithArchive returns snapshots that know the states in the archive, too: those that logs began with at one time, and some
// between them. So a state of long ago is not folded from the very first event. With a nil archive they are snapshots as
// they were. Let projection.WithBase come around it.
func WithArchive(snapshots projection.Snapshots, m eventstore.Maintainer, a *archive.Archive) projection.Snapshots {
	if a == nil {
		return snapshots
	}
	return &past{snapshots, m, a}
}

// past are snapshots with the bases in the archive.
type past struct {
	projection.Snapshots
	maintainer eventstore.Maintainer
	archive    *archive.Archive
}

// Nearest implements projection.Snapshots.
func (p *past) Nearest(ctx context.Context, graph string, at eventstore.Version) (projection.Snapshot, bool, error) {
	s, found, err := p.Snapshots.Nearest(ctx, graph, at)
	if err == nil && found && s.Version == at {
		return s, true, nil
	}
	floor, failure := p.floor(ctx, graph)
	if failure != nil {
		return s, found, errors.Join(err, failure)
	}
	if at >= floor.Version {
		return s, found, err
	}
	base, any, failure := p.archive.Bases(ctx, graph, floor, at)
	switch {
	case failure != nil && !errors.Is(failure, archive.ErrDamaged) && !found:
		return s, false, errors.Join(err, fmt.Errorf("%w: %w", eventstore.ErrUnavailable, failure))
	case failure != nil || !any || found && err == nil && base.Version <= s.Version:
		return s, found, err
	}
	state, failure := projection.DecodeBase(graph, base)
	if failure != nil {
		return s, found, err
	}
	return projection.Snapshot{Position: base.Position, Checksum: state.Checksum, Data: base.Data}, true, nil
}

// floor returns where the log's base stands, without its data where the log can tell.
func (p *past) floor(ctx context.Context, graph string) (eventstore.Position, error) {
	if short, ok := p.maintainer.(interface {
		BasePosition(ctx context.Context, stream string) (eventstore.Position, error)
	}); ok {
		return short.BasePosition(ctx, graph)
	}
	base, err := p.maintainer.Base(ctx, graph)
	return base.Position, err
}
