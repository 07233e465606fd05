package projection

import (
	"context"
	"errors"
	"fmt"

	"graphy/eventstore"
)

var (
	// ErrAhead matches the error of At for a version that the log has not come to.
	ErrAhead = errors.New("projection: version is above the head")

	// ErrTrimmed matches the error of At for a version that neither the log nor a snapshot reaches any more; it is an
	// eventstore.ErrTrimmed too.
	ErrTrimmed = errors.New("projection: log no longer reaches back")
)

// At returns the state of graph at a version of the past, which is the caller's: the newest snapshot at or before it that
// is whole and that the log vouches for, and the events from there on, chain and checksums verified. Without such a
// snapshot (or with nil snapshots) it is all events from the first. It fails with ErrAhead, ErrTrimmed, with ErrBroken,
// ErrEvent or ErrChecksum where the log is damaged, and as the log does where that is out of reach.
func At(ctx context.Context, log eventstore.Log, snapshots Snapshots, graph string, version eventstore.Version) (*Graph, error) {
	state, err := nearest(ctx, log, snapshots, graph, version, false)
	if err == nil {
		err = (&pages{log: log}).fold(ctx, state, version)
	}
	if err != nil {
		return nil, fmt.Errorf("state of %q at version %d: %w", graph, version, err)
	}
	return state, nil
}

// nearest returns the state of the newest snapshot at or before version that is whole and of the log's history; without
// one the empty graph. Where it is to have counted, snapshots without counts are passed over.
func nearest(ctx context.Context, log eventstore.Log, snapshots Snapshots, graph string, version eventstore.Version, counted bool) (*Graph, error) {
	for at := version; snapshots != nil && at > 0; {
		snapshot, found, err := snapshots.Nearest(ctx, graph, at)
		if err != nil && retriable(err) {
			return nil, err
		}
		if err != nil || !found || snapshot.Version == 0 || snapshot.Version > at {
			break
		}
		same, err := Vouches(ctx, log, graph, snapshot.Position)
		if err != nil {
			return nil, err
		}
		if same {
			if state, err := DecodeSnapshot(graph, snapshot); err == nil && (state.ByType != nil || !counted) {
				return state, nil
			}
		}
		at = snapshot.Version - 1
	}
	return NewGraph(graph), nil
}

// Vouches tells whether the log's history goes through position: its entry is there, or, where the log begins above it,
// the first entry follows it, or it ends there. Only failures of the store are errors.
func Vouches(ctx context.Context, log eventstore.Log, graph string, position eventstore.Position) (bool, error) {
	entries, err := log.Read(ctx, graph, position.Version-1, 1)
	if err == nil {
		return len(entries) == 1 && entries[0].Position() == position, nil
	}
	if retriable(err) {
		return false, err
	}
	entries, err = log.Read(ctx, graph, position.Version, 1)
	if err == nil && len(entries) == 0 {
		head, err := log.Head(ctx, graph)
		if err != nil && retriable(err) {
			return false, err
		}
		return err == nil && head == position, nil
	}
	if err != nil && retriable(err) {
		return false, err
	}
	return err == nil && eventstore.VerifyChain(graph, position, entries) == nil, nil
}
