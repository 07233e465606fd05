package projection

import (
	"context"
	"time"

	"go.uber.org/zap"

	"graphy/eventstore"
)

// turn takes those snapshots of graph that are due, up to as many as fit into one turn, and tells whether there are more.
func (s *Snapshotter) turn(ctx context.Context, graph string) (more bool, err error) {
	head, due, err := s.due(ctx, graph)
	if err != nil || !due {
		return false, err
	}
	state, err := s.start(ctx, graph, head)
	if err != nil {
		return false, err
	}
	pages := &pages{log: s.log, timeout: s.opts.Timeout, rest: s.rest}
	for range s.opts.Turn {
		next := s.next(state.Position.Version)
		if next > head {
			return false, nil
		}
		if err := pages.fold(ctx, state, next); err != nil {
			return false, err
		}
		if err := s.save(ctx, state); err != nil {
			return false, err
		}
	}
	return s.next(state.Position.Version) <= head, nil
}

// due tells whether the head of graph has come to where the next snapshot is to be.
func (s *Snapshotter) due(ctx context.Context, graph string) (head eventstore.Version, due bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	position, err := s.log.Head(ctx, graph)
	if err != nil || position.Version < s.next(0) {
		return 0, false, err
	}
	last, err := s.snapshots.NearestPosition(ctx, graph, position.Version)
	return position.Version, s.next(last.Version) <= position.Version, err
}

// next returns the version of the first snapshot after version.
func (s *Snapshotter) next(version eventstore.Version) eventstore.Version {
	n := eventstore.Version(s.opts.Events)
	return version - version%n + n
}

func (s *Snapshotter) start(ctx context.Context, graph string, head eventstore.Version) (*Graph, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*s.opts.Timeout)
	defer cancel()
	return nearest(ctx, s.log, s.snapshots, graph, head, true)
}

// save keeps a snapshot of state, and rests.
func (s *Snapshotter) save(ctx context.Context, state *Graph) error {
	start := time.Now()
	snapshot, err := state.Snapshot()
	if err != nil {
		return err
	}
	call, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	if err := s.snapshots.Save(call, state.ID, snapshot); err != nil {
		return err
	}
	took := time.Since(start)
	s.metrics.taken(took, len(snapshot.Data))
	s.rest(ctx, took)
	s.opts.Logger.Debug("snapshot taken", zap.String("graphId", state.ID), zap.Uint64("version", uint64(snapshot.Version)),
		zap.Int("bytes", len(snapshot.Data)))
	return nil
}

// rest leaves the processor and the stores to others for three times as long as the work before has taken.
func (s *Snapshotter) rest(ctx context.Context, worked time.Duration) {
	pause(ctx, max(s.opts.Rest, 3*worked))
}
