package upkeep

import (
	"context"
	"errors"
	"fmt"

	"graphy/eventstore"
	"graphy/projection"
)

const (
	partialSwaps = 2  // tries with what differs alone, while others write
	wholeSwaps   = 50 // tries to catch up with them, with all of it staged
)

// replace puts the fold in the place of the read models. First it stages what differs alone; if the read models have
// moved on each time that this is ready, it stages all, and what was appended since goes with the swap.
func (r *rebuilding) replace(ctx context.Context) error {
	for range partialSwaps {
		err := r.swapDifference(ctx)
		if !errors.Is(err, projection.ErrStale) {
			return err
		}
	}
	return r.swapAll(ctx)
}

// swapDifference goes on to the head of the log, and swaps in what differs there.
func (r *rebuilding) swapDifference(ctx context.Context) error {
	live, err := r.pass.inspect(ctx)
	if err == nil {
		err = r.advance(ctx, projection.Gather(r.pass.state))
	}
	if err != nil {
		return err
	}
	if len(live.Damage) > 0 { // where a set cannot be read, it is not known that there is one
		for _, node := range r.pass.removed {
			if _, known := live.Incident[node]; !known {
				live.Incident[node] = nil
			}
		}
	}
	return r.stage(ctx, live, func(staged projection.Staged) error { return r.swap(ctx, staged, nil) })
}

// swapAll stages everything, and follows those who write until it is in place.
func (r *rebuilding) swapAll(ctx context.Context) error {
	gathering := projection.Gather(r.pass.state)
	return r.stage(ctx, nil, func(staged projection.Staged) error {
		var err error
		for range wholeSwaps {
			if err = r.advance(ctx, gathering); err != nil {
				return err
			}
			if err = r.swap(ctx, staged, gathering.Update()); !errors.Is(err, projection.ErrStale) {
				return err
			}
		}
		return fmt.Errorf("%w: %w", ErrBusy, err)
	})
}

// stage stages the state, and discards what act has not put in place.
func (r *rebuilding) stage(ctx context.Context, live *projection.Contents, act func(projection.Staged) error) error {
	call, cancel := r.long(ctx)
	defer cancel()
	staged, err := r.stores.Workshop.Stage(call, r.graph, projection.ContentsOf(r.pass.state), live)
	if err != nil {
		return err
	}
	if err := act(staged); err != nil {
		last, cancel := r.call(context.WithoutCancel(ctx))
		defer cancel()
		return errors.Join(err, staged.Discard(last))
	}
	r.result.Version = r.pass.state.Position.Version
	return nil
}

func (r *rebuilding) swap(ctx context.Context, staged projection.Staged, update *projection.Update) error {
	call, cancel := r.call(ctx)
	defer cancel()
	return staged.Swap(call, update)
}

// advance folds what was appended since.
func (r *rebuilding) advance(ctx context.Context, gathering *projection.Gathering) error {
	state := r.pass.state
	ctx, cancel := context.WithCancel(ctx)
	w := r.Keeper.walk(r.graph, state.Position, 0)
	w.overlap = state.Position.Version > r.pass.start
	defer w.close()
	defer cancel()
	for {
		events, err := w.take(ctx, forever)
		if err == nil && len(events) == 0 {
			return nil
		}
		if err == nil {
			err = gathering.Fold(events...)
		}
		if err != nil && !passing(err) {
			return fmt.Errorf("%w: %w", errChanged, err) // the next pass finds out what it is
		}
		if err != nil {
			return err
		}
		r.result.Events += int64(len(events))
		counted(ctx, len(events))
	}
}

// reindex puts the operations right that are not in the index as they should be.
func (r *rebuilding) reindex(ctx context.Context) error {
	if len(r.pass.surplus) > 0 {
		if err := r.repair(ctx, nil, r.pass.surplus); err != nil {
			return err
		}
	}
	for _, torn := range r.pass.torn {
		if err := r.reindexSpan(ctx, torn); err != nil {
			return err
		}
	}
	return nil
}

func (r *rebuilding) reindexSpan(ctx context.Context, torn span) error {
	ctx, cancel := context.WithCancel(ctx)
	w := r.Keeper.walk(r.graph, eventstore.Position{Version: torn.from - 1}, 0)
	defer w.close()
	defer cancel()
	for {
		events, err := w.take(ctx, min(torn.to, r.pass.position.Version))
		if errors.Is(err, eventstore.ErrTrimmed) {
			return nil // and so were the operations
		}
		if err != nil || len(events) == 0 {
			return err
		}
		remove := map[string]eventstore.Version{}
		settled, err := settle(events)
		if err != nil {
			return err
		}
		wrong, err := r.pass.wrong(ctx, settled)
		if err != nil && !isChainError(err) {
			return err
		}
		for _, is := range wrong {
			if is.found > 0 {
				remove[is.id] = is.found
			}
		}
		if err := r.repair(ctx, events, remove); err != nil {
			return err
		}
	}
}

// settle fills the Operations of events in, and returns them.
func settle(events []eventstore.Event) (settled []operation, err error) {
	for i := range events {
		event, err := projection.DecodeEvent(events[i].Data)
		if err != nil {
			return nil, err
		}
		events[i].Operations = event.OperationIDs()
		for _, id := range events[i].Operations {
			settled = append(settled, operation{id, event.Version})
		}
	}
	return settled, nil
}

func (r *rebuilding) repair(ctx context.Context, add []eventstore.Event, remove map[string]eventstore.Version) error {
	call, cancel := r.call(ctx)
	defer cancel()
	return r.stores.Maintainer.Reindex(call, r.graph, add, remove)
}
