package upkeep

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"graphy/eventstore"
	"graphy/projection"
)

const (
	trimPage = 500 // events that are dropped at once: writers wait for so long

	// Less than so many events, and less than so small a part of the log, are not worth the work: they wait for more.
	worthEvents = 1000
	worthPart   = 10

	leastRest = 2 * time.Millisecond // between two pages; else as long as the work took
)

// retainTries is how often a graph is looked at anew that another process is trimming, too.
const retainTries = 10

// What Retain comes to.
const (
	outcomeTrimmed = "trimmed"
	outcomeKept    = "kept"
	outcomeSkipped = "skipped"
)

// Retain lets go of the oldest events of graph, as far as p has them go: never the newest 100, nothing that the read
// models have not folded, and nothing that a client needs who may come back. What goes was put into the archive before, if
// there is one, and read back from it; the state that it had led to is what the log begins with from then on. A graph
// that is parked or damaged is left as it is: "skipped".
//
// The steps come in such an order that nothing is lost if it ends at any of them: the archive, the base, the trimming.
// Made again it goes on where it ended.
func (k *Keeper) Retain(ctx context.Context, graph string, p Policy, dryRun bool) (Retained, error) {
	begun := time.Now()
	r := &retention{k: k, graph: graph, report: Retained{GraphID: graph, Outcome: outcomeKept, DryRun: dryRun}}
	err := r.run(ctx, p)
	for range retainTries {
		if !r.overtaken(ctx, err) {
			break
		}
		err = r.run(ctx, p)
	}
	if cause := damageOf(err); cause != nil {
		r.report.Outcome, r.report.Cause = outcomeSkipped, cause.Error()
		k.opts.Logger.Warn("log is not trimmed", zap.String("graphId", graph), zap.Error(cause))
		err = nil
	}
	r.report.Millis = since(begun)
	k.kept.retained(&r.report, r.bytes, err)
	if err != nil {
		return Retained{}, fmt.Errorf("retain %q: %w", graph, err)
	}
	return r.report, nil
}

// errHeld is why a graph is left as it is.
type errHeld string

func (e errHeld) Error() string { return string(e) }

// damageOf returns what is the matter with a graph that is skipped; nil for other errors.
func damageOf(err error) error {
	if held, ok := errors.AsType[errHeld](err); ok {
		return held
	}
	if err != nil && damaged(err) {
		return err
	}
	return nil
}

// retention is one run of Retain.
type retention struct {
	k      *Keeper
	graph  string
	head   eventstore.Position
	base   eventstore.Base
	floor  eventstore.Version // what is at or before it goes
	report Retained
	bytes  int64 // written to the archive
}

// overtaken tells whether err came about because another process has trimmed the log meanwhile, or put it in its place anew.
func (r *retention) overtaken(ctx context.Context, err error) bool {
	if err == nil || ctx.Err() != nil || !errors.Is(err, eventstore.ErrTrimmed) && !errors.Is(err, eventstore.ErrBroken) {
		return false
	}
	base, failure := r.k.base(ctx, r.graph)
	return failure == nil && base.Position != r.base.Position
}

func (r *retention) run(ctx context.Context, p Policy) error {
	if err := r.look(ctx); err != nil {
		return err
	}
	if err := r.decide(ctx, p); err != nil {
		return err
	}
	if r.floor > r.base.Version {
		if err := r.advance(ctx); err != nil {
			return err
		}
	}
	if r.report.DryRun {
		if r.floor >= r.report.First {
			r.report.Outcome, r.report.Trimmed = outcomeTrimmed, int64(r.floor-r.report.First+1)
			r.report.First = r.floor + 1
		}
		return nil
	}
	if err := r.trim(ctx); err != nil {
		return err
	}
	if r.k.stores.Snapshots == nil || r.base.Version == 0 || r.report.Trimmed == 0 {
		return nil
	}
	call, cancel := r.k.call(ctx)
	defer cancel()
	return r.k.stores.Snapshots.Forget(call, r.graph, r.base.Version)
}

// look finds out what there is.
func (r *retention) look(ctx context.Context) (err error) {
	if r.head, err = r.k.headOf(ctx, r.graph); err != nil {
		return err
	}
	if r.base, err = r.k.base(ctx, r.graph); err != nil {
		return err
	}
	r.report.Version, r.report.First = r.head.Version, 1
	_, err = r.k.read(ctx, r.k.stream(), r.graph, 0, 1)
	if trimmed, ok := errors.AsType[*eventstore.TrimmedError](err); ok {
		r.report.First, err = trimmed.First, nil
	}
	return err
}

// decide sets the floor. What is left of an earlier run goes in any case.
func (r *retention) decide(ctx context.Context, p Policy) error {
	r.floor = r.base.Version
	floor, err := r.policy(ctx, p)
	if err != nil || floor <= r.base.Version {
		return err
	}
	if floor, err = r.needed(ctx, floor); err != nil {
		return err
	}
	if floor <= r.base.Version {
		return nil
	}
	more, kept := floor-max(r.base.Version, r.report.First-1), r.head.Version-r.report.First+1
	if more >= worthEvents || more*worthPart >= kept {
		r.floor = floor
	}
	return nil
}

// policy returns the version up to which p has events go.
func (r *retention) policy(ctx context.Context, p Policy) (floor eventstore.Version, err error) {
	most := below(r.head.Version, tail)
	if p.Age > 0 {
		floor, err = r.older(ctx, time.Now().Add(-p.Age).UnixMilli(), most)
	}
	if p.Events > 0 {
		floor = max(floor, below(r.head.Version, eventstore.Version(p.Events)))
	}
	return min(floor, most), err
}

// below returns version less n, 0 at least.
func below(version, n eventstore.Version) eventstore.Version { return version - min(n, version) }

// older returns the newest version up to most whose event is from before cutoff (Unix ms). Clocks of several servers may
// differ a little: then so does the answer.
func (r *retention) older(ctx context.Context, cutoff int64, most eventstore.Version) (eventstore.Version, error) {
	old, young := max(r.base.Version, r.report.First-1), most+1 // the former may go, the latter stays
	for old+1 < young {
		version := old + (young-old)/2
		entry, found, err := r.k.entry(ctx, r.k.stream(), r.graph, version)
		if err != nil {
			return 0, err
		}
		event, err := projection.DecodeEvent(entry.Data)
		if err != nil {
			return 0, err
		}
		if found && event.Timestamp < cutoff {
			old = version
		} else {
			young = version
		}
	}
	return old, nil
}

// needed lowers floor to what nobody needs: the read models, whose own event has to be there too, and clients.
func (r *retention) needed(ctx context.Context, floor eventstore.Version) (eventstore.Version, error) {
	call, cancel := r.k.call(ctx)
	defer cancel()
	checkpoint, err := r.k.stores.Models.Checkpoint(call, r.graph)
	if err != nil {
		return 0, err
	}
	if checkpoint.Stalled != "" {
		return 0, errHeld("the graph is parked: " + checkpoint.Stalled)
	}
	same := checkpoint.Version <= r.base.Version // then nothing goes, and the log need not tell
	if !same {
		if same, err = r.k.holds(ctx, r.k.stream(), r.graph, checkpoint.Position); err != nil {
			return 0, err
		}
	}
	if !same {
		return 0, errHeld(fmt.Sprintf("the read models are at version %d of another history", checkpoint.Version))
	}
	if last := below(checkpoint.Version, 1); last < floor {
		floor = last
		r.report.Cause = fmt.Sprintf("the read models are at version %d", checkpoint.Version)
	}
	if r.k.stores.Needed == nil {
		return floor, nil
	}
	version, any, err := r.k.stores.Needed(call, r.graph)
	if err != nil {
		return 0, err
	}
	if last := below(version, 1); any && last < floor {
		floor = last
		r.report.Cause = fmt.Sprintf("a client who may come back is at version %d", version)
	}
	return floor, nil
}

// trim drops what is at or before the base, page by page, with a rest after each.
func (r *retention) trim(ctx context.Context) error {
	for size := firstPage; r.report.First <= r.base.Version; {
		begun := time.Now()
		limit := min(eventstore.Version(min(size, trimPage)), r.base.Version-r.report.First+1)
		page, err := r.k.read(ctx, r.k.stream(), r.graph, r.report.First-1, int(limit))
		if trimmed, ok := errors.AsType[*eventstore.TrimmedError](err); ok { // by somebody else
			r.report.First = trimmed.First
			continue
		}
		if err != nil || len(page) == 0 {
			return err
		}
		index(page)
		call, cancel := r.k.call(ctx)
		err = r.k.stores.Maintainer.Trim(call, r.graph, page)
		cancel()
		if err != nil {
			return err
		}
		r.report.Outcome = outcomeTrimmed
		r.report.Trimmed += int64(len(page))
		r.report.First, size = page[len(page)-1].Version+1, nextPage(size, page)
		if err := rest(ctx, begun); err != nil {
			return err
		}
	}
	return nil
}

// rest leaves the machine to others for as long as the work took that was begun then.
func rest(ctx context.Context, begun time.Time) error {
	return pause(ctx, max(leastRest, time.Since(begun)))
}
