package upkeep

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"graphy/eventstore"
	"graphy/eventstore/archive"
	"graphy/projection"
)

// What Restore comes to, besides "unchanged".
const outcomeRestored = "restored"

// Restore brings back from the archive what the log of graph lacks: the events that were trimmed, those that are damaged
// or missing, where what the archive has fits between its neighbours by their hashes, those after the end if the log has
// lost it, and all of it if there is no log, or a key of another type in its place. If several histories of the graph are
// in the archive then, it is the one that ends last.
//
// The log is put in its place as a whole, or not at all: if something is damaged that the archive does not have either, it
// fails with ErrConflict and names it.
func (k *Keeper) Restore(ctx context.Context, graph string, dryRun bool) (Restored, error) {
	begun := time.Now()
	r := &restoring{k: k, graph: graph, report: Restored{GraphID: graph, Outcome: outcomeUnchanged, DryRun: dryRun}}
	err := r.run(ctx)
	if r.report.Millis = since(begun); err != nil {
		return Restored{}, fmt.Errorf("restore %q: %w", graph, err)
	}
	return r.report, nil
}

// restoring is one run of Restore.
type restoring struct {
	k      *Keeper
	graph  string
	live   *survey
	tips   []eventstore.Position // of the archive
	base   eventstore.Base       // that the log begins with when all is done
	runs   []stretch
	at     eventstore.Position // the end of runs
	report Restored
}

// stretch is a piece of the log as it will be.
type stretch struct {
	from, to eventstore.Position
	through  eventstore.Position // of the archive; the zero Position: it is in the log as it is
}

func (r *restoring) run(ctx context.Context) (err error) {
	if r.k.stores.Archive == nil {
		return fmt.Errorf("%w: there is no archive", ErrConflict)
	}
	if r.live, err = r.k.survey(ctx, r.graph); err != nil {
		return err
	}
	call, cancel := r.k.transfer(ctx)
	r.tips, err = r.k.stores.Archive.Tips(call, r.graph)
	cancel()
	if err == nil {
		err = r.plan(ctx)
	}
	if err != nil {
		return err
	}
	r.report.First, r.report.Version = r.base.Version+1, r.at.Version
	if r.report.Added == 0 && r.report.Changed == 0 && !r.live.foreign {
		return nil
	}
	r.report.Outcome = outcomeRestored
	if r.report.DryRun {
		return nil
	}
	return r.write(ctx)
}

// plan finds out what the log is to be made of.
func (r *restoring) plan(ctx context.Context) error {
	base, err := r.k.base(ctx, r.graph)
	if err != nil && damaged(err) {
		base, err, r.live.foreign = eventstore.Base{}, nil, true
	}
	if err == nil && r.live.end == 0 {
		return r.planAll(ctx)
	}
	if err == nil && base.Version > 0 {
		err = r.planFront(ctx, base)
	}
	if err == nil {
		err = r.planRest(ctx)
	}
	if err == nil {
		err = r.planEnd(ctx)
	}
	return err
}

// planAll is for a graph without a log.
func (r *restoring) planAll(ctx context.Context) error {
	var newest eventstore.Position
	var stamp int64
	for _, tip := range r.tips {
		events, err := r.archived(ctx, tip, tip.Version-1, 1)
		if errors.Is(err, archive.ErrNotFound) || errors.Is(err, archive.ErrDamaged) {
			continue
		}
		if err != nil {
			return err
		}
		event, err := projection.DecodeEvent(events[0].Data)
		if err == nil && (event.Timestamp > stamp || newest.Version == 0) {
			newest, stamp = tip, event.Timestamp
		}
	}
	if newest.Version == 0 {
		return unknownGraph(r.graph)
	}
	if len(r.tips) > 1 {
		r.k.opts.Logger.Warn("several histories are in the archive, the one that ends last is restored", zap.String("graphId", r.graph),
			zap.Uint64("version", uint64(newest.Version)), zap.Any("histories", r.tips))
	}
	from, found, err := r.reach(ctx, newest)
	if err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("%w: the archive does not hold the beginning of any history", ErrConflict)
	}
	r.base, r.at = from, from.Position
	r.take(newest, newest)
	r.report.Added = int64(newest.Version - from.Version)
	return nil
}

// planFront brings back what was trimmed.
func (r *restoring) planFront(ctx context.Context, base eventstore.Base) error {
	from, found, err := r.reach(ctx, base.Position)
	if err != nil {
		return err
	}
	if !found || from.Version > base.Version {
		from = base
	}
	r.base, r.at = from, from.Position
	first := base.Version + 1
	_, err = r.k.read(ctx, r.k.stream(), r.graph, 0, 1)
	if trimmed, ok := errors.AsType[*eventstore.TrimmedError](err); ok {
		first = trimmed.First
	} else if err != nil && !damaged(err) {
		return err
	}
	r.take(base.Position, base.Position)
	if from.Version+1 < first {
		r.report.Added += int64(first - 1 - from.Version)
	}
	return nil
}
