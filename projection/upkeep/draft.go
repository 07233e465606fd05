package upkeep

import (
	"context"
	"fmt"

	"go.uber.org/zap"

	"graphy/eventstore"
)

// commitTries is how often a draft is brought up to a log that is written to meanwhile, before Busy is the answer.
const commitTries = 100

// draft is new content for a graph's log, in the making beside it. The nil draft writes nothing: it is that of a dry run.
type draft struct {
	k     *Keeper
	graph string
	w     eventstore.Rewriting
}

func (k *Keeper) draft(ctx context.Context, graph string, base eventstore.Base, dryRun bool) (*draft, error) {
	if dryRun {
		return nil, nil
	}
	ctx, cancel := k.transfer(ctx)
	defer cancel()
	w, err := k.stores.Maintainer.Rewrite(ctx, graph, base)
	if err != nil {
		return nil, fmt.Errorf("new content for %q: %w", graph, err)
	}
	return &draft{k: k, graph: graph, w: w}, nil
}

// write adds events, with what they settle for the index of operations.
func (d *draft) write(ctx context.Context, events []eventstore.Event) error {
	if d == nil || len(events) == 0 {
		return nil
	}
	index(events)
	ctx, cancel := d.k.transfer(ctx)
	defer cancel()
	return d.w.Write(ctx, events)
}

// commit puts the draft in the place of a log that stands at expected; false if it does not. Then the graph is nobody's to
// be afraid of any more: projectors try it again.
func (d *draft) commit(ctx context.Context, expected eventstore.Position) (bool, error) {
	if d == nil {
		return true, nil
	}
	call, cancel := d.k.transfer(ctx)
	defer cancel()
	committed, err := d.w.Commit(call, expected)
	if err != nil || !committed {
		return false, err
	}
	d.w = nil
	return true, d.k.release(ctx, d.graph)
}

// discard removes what was written and not committed.
func (d *draft) discard(ctx context.Context) {
	if d == nil || d.w == nil {
		return
	}
	ctx, cancel := d.k.call(context.WithoutCancel(ctx))
	defer cancel()
	if err := d.w.Discard(ctx); err != nil {
		d.k.opts.Logger.Warn("abandoned content of a log goes away by itself", zap.String("graphId", d.graph), zap.Error(err))
	}
}

// release has projectors try a graph again, should they have parked it.
func (k *Keeper) release(ctx context.Context, graph string) error {
	if k.stores.Letters == nil {
		return nil
	}
	ctx, cancel := k.call(ctx)
	defer cancel()
	return k.stores.Letters.Release(ctx, graph)
}
