package upkeep

import (
	"context"

	"graphy/eventstore"
	"graphy/projection"
)

// newest returns the newest snapshot at or before version at that is whole, of the log's history and with counts.
func (k *Keeper) newest(ctx context.Context, graph string, at eventstore.Version) (projection.Snapshot, bool, error) {
	for at > 0 && k.stores.Snapshots != nil {
		snapshot, found, err := k.nearest(ctx, graph, at)
		if err != nil && passing(err) {
			return projection.Snapshot{}, false, err
		}
		if err != nil || !found || snapshot.Version == 0 || snapshot.Version > at {
			break
		}
		same, err := k.vouches(ctx, graph, snapshot.Position)
		if err != nil {
			return projection.Snapshot{}, false, err
		}
		if same {
			if state, err := projection.DecodeSnapshot(graph, snapshot); err == nil && state.ByType != nil {
				return snapshot, true, nil
			}
		}
		at = snapshot.Version - 1
	}
	return projection.Snapshot{}, false, nil
}

func (k *Keeper) nearest(ctx context.Context, graph string, at eventstore.Version) (projection.Snapshot, bool, error) {
	call, cancel := k.call(ctx)
	defer cancel()
	return k.stores.Snapshots.Nearest(call, graph, at)
}

// vouches tells whether the log can be seen to go through position. Only failures of the store are errors.
func (k *Keeper) vouches(ctx context.Context, graph string, position eventstore.Position) (bool, error) {
	call, cancel := k.call(ctx)
	defer cancel()
	events, err := k.stores.Log.Read(call, graph, position.Version-1, 1)
	if err != nil && passing(err) {
		return false, err
	}
	return err == nil && len(events) == 1 && events[0].Position() == position, nil
}
