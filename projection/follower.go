package projection

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"go.uber.org/zap"

	"graphy/eventstore"
)

// follower brings the read models of one graph up to its log. It belongs to its shard's goroutine.
//
// Its graph is always a fold of the verified log. Between steps it stands where the read models stand, unless an
// update is pending (the store was out of reach) or it is rebuilding.
type follower struct {
	*Projector
	id   string
	news ring

	graph   *Graph              // nil: not loaded
	from    eventstore.Position // where the read models are
	events  []eventstore.Event  // read, not yet folded
	batch   *batch
	pending *Update // folded, not yet committed
	rebuild bool    // graph is folded from what the log begins with, to replace the read models

	attempts  int // failures of the graph in a row
	failures  int // failures of the stores, or lost races, in a row
	committed time.Time
	retry     time.Time // not before
	page      int       // events to read at once

	yield bool               // another projector was faster: leave the graph to it as long as it goes on
	goal  eventstore.Version // how far the other one is to have come when due
	seen  eventstore.Version // how far it had come

	due     time.Time
	used    time.Time
	index   int           // in the shard's queue, -1 if it is not there
	element *list.Element // in the shard's cache
	size    int           // what the cache counts for graph
}

func newFollower(p *Projector, id string) *follower {
	return &follower{Projector: p, id: id, batch: newBatch(), index: -1, page: 64}
}

// drop forgets the graph and all that was not committed; the next step loads and reads it again.
func (f *follower) drop() {
	f.graph, f.pending, f.events, f.rebuild = nil, nil, nil, false
	f.from = eventstore.Position{}
	f.batch.reset()
}

func (f *follower) evictable() bool { return f.pending == nil && !f.rebuild }

// step does one piece of work: load, or fold and commit one batch. It tells whether there is, or may be, more to do.
func (f *follower) step(ctx context.Context) (again bool) {
	if f.parked.has(f.id) {
		f.drop()
		f.news = ring{}
		return false
	}
	again, err := f.advance(ctx)
	if ctx.Err() != nil {
		return false
	}
	switch {
	case err == nil:
		f.failures, f.retry = 0, time.Time{}
		return again
	case errors.Is(err, ErrStale):
		f.metrics.stale.Inc()
		f.drop()
		if f.failures++; f.failures > 2 {
			f.backOff(f.failures - 2)
		}
		return true
	}
	if f.isPoison(err) {
		return f.poisoned(ctx, err)
	}
	if !retriable(err) {
		return f.damage(ctx, err)
	}
	f.failures++
	f.backOff(f.failures)
	f.metrics.retries.Inc()
	if f.failures == 3 || f.failures%100 == 0 {
		f.opts.Logger.Warn("projection waits for the stores", zap.String("graphId", f.id), zap.Error(err))
	}
	return true
}

// backOff sets the time of the next step, doubled with each failure, up to 100 times the first wait, with jitter.
func (f *follower) backOff(failures int) {
	wait := min(f.opts.Backoff<<min(failures-1, 10), 100*f.opts.Backoff)
	f.retry = time.Now().Add(wait/2 + rand.N(wait/2+1))
}

func (f *follower) advance(ctx context.Context) (again bool, err error) {
	if f.pending != nil {
		return true, f.commit(ctx)
	}
	if f.yield {
		if left, err := f.leave(ctx); left || err != nil {
			return f.news.head > f.seen, err
		}
	}
	if f.graph == nil {
		if err := f.load(ctx); err != nil {
			return true, err
		}
	}
	news := f.news
	f.news = ring{}
	f.take(news.events)
	last := false
	if len(f.events) == 0 {
		if news.head <= f.graph.Position.Version && !news.check && !f.rebuild {
			return false, nil
		}
		last, err = f.read(ctx)
		if errors.Is(err, eventstore.ErrTrimmed) {
			return true, f.startFromBase(ctx, err)
		}
		if err != nil {
			f.news.merge(ring{head: news.head, check: news.check}, 0)
			return true, f.diagnoseIf(ctx, err)
		}
	}
	switch {
	case len(f.events) > 0:
	case !f.rebuild:
		return f.check(ctx)
	case f.graph.Position.Version == 0:
		return true, fmt.Errorf("%w: the read models are at version %d", errGone, f.from.Version)
	}
	if err := f.fold(); err != nil {
		return true, f.diagnoseIf(ctx, err)
	}
	if f.rebuild && !last {
		return true, nil
	}
	f.news.merge(ring{head: news.head}, 0)
	f.prepare()
	return len(f.events) > 0 || f.news.head > f.graph.Position.Version, f.commit(ctx)
}

// leave tells whether another projector goes on, and has come as far as it should. If not, this one takes over.
func (f *follower) leave(ctx context.Context) (left bool, err error) {
	call, cancel := context.WithTimeout(ctx, f.opts.Timeout)
	defer cancel()
	checkpoint, err := f.models.Checkpoint(call, f.id)
	if err != nil {
		return false, err
	}
	if checkpoint.Position != f.from {
		f.drop()
	}
	f.yield = checkpoint.Version >= f.goal && checkpoint.Version > f.seen
	f.seen = checkpoint.Version
	if f.yield {
		f.drop()
		f.news = ring{head: f.news.head}
		f.waiters.reached(f.id, checkpoint.Version)
	}
	return f.yield, nil
}

// load gets the graph as the read models have it. Where they are damaged, it is built anew from the log.
func (f *follower) load(ctx context.Context) error {
	call, cancel := context.WithTimeout(ctx, f.opts.Timeout)
	defer cancel()
	graph, err := f.models.Load(call, f.id)
	if err == nil && graph.ByType == nil {
		err = ErrUncounted
	}
	if err == nil {
		f.graph, f.from = graph, graph.Position
		f.news.head = max(f.news.head, graph.Position.Version+1) // have a look what follows
		return nil
	}
	if retriable(err) {
		return err
	}
	checkpoint, failure := f.models.Checkpoint(call, f.id)
	if failure != nil {
		return failure
	}
	f.opts.Logger.Warn("read models are damaged and built anew from the log", zap.String("graphId", f.id), zap.Error(err))
	f.startRebuild(checkpoint.Position)
	return nil
}

// damage is for read models that do not take a commit, and are built anew, or that no rebuild here gets past: then the graph
// is parked.
func (f *follower) damage(ctx context.Context, cause error) (again bool) {
	if f.pending == nil || f.rebuild {
		return f.poisoned(ctx, cause)
	}
	f.opts.Logger.Warn("read models are damaged and built anew from the log", zap.String("graphId", f.id), zap.Error(cause))
	f.startRebuild(f.from)
	return true
}

func (f *follower) startRebuild(from eventstore.Position) {
	f.drop()
	f.metrics.regressions.Inc()
	f.graph, f.from, f.rebuild = NewGraph(f.id), from, true
}

// startFromBase is for a graph that stands where the log no longer reaches back to: the read models are missing, damaged,
// or far behind. They are built anew from what the log begins with.
func (f *follower) startFromBase(ctx context.Context, cause error) error {
	call, cancel := context.WithTimeout(ctx, f.opts.Timeout)
	defer cancel()
	base, err := Beginning(call, f.opts.Snapshots, f.id)
	if err != nil {
		return err
	}
	if base.Position.Version <= f.graph.Position.Version {
		return cause
	}
	if base.ByType == nil {
		base.ByType = map[string]int64{}
	}
	from := f.from
	f.drop()
	f.graph, f.from, f.rebuild = base, from, true
	return nil
}

// take adds those of events that follow what is there.
func (f *follower) take(events []eventstore.Event) {
	next := f.graph.Position.Version + 1
	if len(f.events) > 0 {
		next = f.events[len(f.events)-1].Version + 1
	}
	for _, event := range events {
		if event.Version == next {
			f.events = append(f.events, event)
			next++
		}
	}
}

// read gets the next page of the log, and tells whether it is the last one for now. Pages are such that they take
// about as many bytes as a commit may.
func (f *follower) read(ctx context.Context) (last bool, err error) {
	call, cancel := context.WithTimeout(ctx, f.opts.Timeout)
	defer cancel()
	at := f.graph.Position.Version
	f.events, err = f.log.Read(call, f.id, at, f.page)
	if chain, ok := errors.AsType[*eventstore.ChainError](err); ok && chain.Version > at+1 {
		f.events, err = f.log.Read(call, f.id, at, int(chain.Version-at-1)) // what comes before the break is good
	}
	if err != nil {
		f.events = nil
		f.page = max(1, f.page/4) // it may have been too much for the time there is
		return false, err
	}
	last = len(f.events) < f.page
	bytes := 0
	for i := range f.events {
		bytes += len(f.events[i].Data)
	}
	switch {
	case bytes > f.opts.Bytes:
		f.page = max(1, f.page/4)
	case !last && bytes < f.opts.Bytes/4:
		f.page = min(2*f.page, max(f.opts.Events, 1))
	}
	return last, nil
}

// fold moves the graph over as many of the events as one commit may hold. What cannot be folded is an error if it
// comes first; else it waits for its turn.
func (f *follower) fold() error {
	done := 0
	for i := range f.events {
		event := &f.events[i]
		if i > 0 && !f.rebuild && (len(f.batch.stamps) >= f.opts.Events || f.batch.bytes+len(event.Data) > f.opts.Bytes) {
			break
		}
		err := eventstore.VerifyChain(f.id, f.graph.Position, f.events[i:i+1])
		if err == nil {
			err = f.applyTo(event)
		}
		if err != nil && i == 0 {
			return &poison{Version: f.graph.Position.Version + 1, Payload: event.Data, Err: err}
		}
		if err != nil {
			break
		}
		done++
	}
	f.events = f.events[done:]
	if len(f.events) == 0 {
		f.events = nil
	}
	return nil
}

func (f *follower) applyTo(event *eventstore.Event) error {
	if !f.rebuild {
		return f.batch.apply(f.graph, event)
	}
	decoded, err := decodeEntry(event)
	if err == nil {
		err = f.graph.Apply(&decoded, event.Hash)
	}
	return err
}

// prepare makes what was folded the pending update.
func (f *follower) prepare() {
	if f.rebuild {
		f.pending = replacement(f.graph)
	} else {
		f.pending = f.batch.update(f.graph)
	}
}

// commit writes the pending update. If somebody else was faster, it catches up with them.
func (f *follower) commit(ctx context.Context) error {
	call, cancel := context.WithTimeout(ctx, f.opts.Timeout)
	defer cancel()
	err := f.models.Commit(call, f.id, f.from, f.pending)
	if errors.Is(err, ErrStale) && !f.rebuild {
		f.metrics.stale.Inc()
		f.yield = true
		return f.catchUp(ctx)
	}
	if err != nil {
		return err
	}
	f.committed = time.Now()
	f.metrics.committed(f.committed, f.batch.stamps)
	if f.rebuild {
		f.opts.Logger.Info("read models are built anew", zap.String("graphId", f.id), zap.Uint64("version", uint64(f.pending.To.Version)))
	}
	f.settle()
	f.waiters.reached(f.id, f.from.Version)
	return nil
}

// settle takes note that the read models are where the graph is.
func (f *follower) settle() {
	f.from, f.pending, f.rebuild, f.attempts = f.graph.Position, nil, false, 0
	f.batch.reset()
}

// catchUp follows another projector that has committed more than this one, in memory, so that the graph need not be
// loaded again. It fails with ErrStale if there is no such short way.
func (f *follower) catchUp(ctx context.Context) error {
	call, cancel := context.WithTimeout(ctx, f.opts.Timeout)
	defer cancel()
	checkpoint, err := f.models.Checkpoint(call, f.id)
	if err != nil {
		return err
	}
	at := f.graph.Position.Version
	if checkpoint.Version < at || checkpoint.Version > at+eventstore.Version(f.opts.Events) {
		return fmt.Errorf("graph %q: %w to version %d", f.id, ErrStale, checkpoint.Version)
	}
	if checkpoint.Version > at {
		events, err := f.log.Read(call, f.id, at, int(checkpoint.Version-at))
		if errors.Is(err, eventstore.ErrTrimmed) {
			return fmt.Errorf("graph %q: %w: %w", f.id, ErrStale, err)
		}
		if err != nil {
			return err
		}
		if err := eventstore.VerifyChain(f.id, f.graph.Position, events); err != nil {
			return fmt.Errorf("graph %q: %w: %w", f.id, ErrStale, err)
		}
		f.pending, f.events = nil, nil // from here on the graph is not what is pending
		if err := f.graph.Fold(events...); err != nil {
			return fmt.Errorf("graph %q: %w: %w", f.id, ErrStale, err)
		}
	}
	if f.graph.Position != checkpoint.Position {
		return fmt.Errorf("graph %q: %w to another history", f.id, ErrStale)
	}
	f.settle()
	f.seen = f.from.Version
	f.waiters.reached(f.id, f.from.Version)
	return nil
}
