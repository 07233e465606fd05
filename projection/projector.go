// Package projection turns a graph's events into its state: the events and their JSON form, the fold, the projector
// that keeps the read models in step with the log, and the states of the past.
//
// A Graph is the left fold of the events of one stream. Entities are kept, hashed and served as the same bytes, in
// canonical form (RFC 8785); each event says which checksum it leads to, and a fold that comes to another one fails.
// No fold leads to an edge without both its nodes (I8). The read models of a graph hold the fold of events 1 to their
// checkpoint, byte for byte (I3), and every commit moves data and checkpoint together (I5).
//
// Events of one graph are folded in order; those of different graphs at once. Commits that failed are tried again,
// events that cannot be folded park their graph alone (I11). The codec, the graph and what works on canonical JSON
// are pure: no clock, no I/O, a Graph for one goroutine at a time. Projector, ReadModels and Snapshots are safe for
// concurrent use.
//
// The past is folded like the present: At starts from the newest snapshot that fits and that the log vouches for, and
// the Snapshotter, when nothing is more urgent, sees to it that there is one every so many events.
//
// Where read models and snapshots are kept is left to projection/redis and projection/memory, what commands may do to
// a graph to package command.
package projection

import (
	"cmp"
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cespare/xxhash/v2"
	"go.uber.org/zap"

	"graphy/eventstore"
)

// ProjectorOptions configure a Projector. The zero value is ready to use.
type ProjectorOptions struct {
	Shards int           // goroutines that fold, each for its share of the graphs; default 4 for each CPU, at least 16
	Linger time.Duration // least time between commits of one graph, unless somebody waits; default 8ms
	Yield  time.Duration // how long a graph is left to another projector that was faster; default 50ms
	Cache  int           // bytes of folded graphs kept in memory, over all shards; default 256 MiB
	Idle   time.Duration // how long a graph stays in memory that nothing is heard of; default 5m
	Events int           // most events in one commit; default 1000
	Bytes  int           // most bytes of events in one commit (one event may be more); default 4 MiB

	Timeout  time.Duration // of any single call to the log or the read models; default 5s
	Backoff  time.Duration // first wait after a failure, doubled up to 100 times that; default 20ms
	Attempts int           // how often an event is tried before its graph is parked; default 3
	Sweep    time.Duration // between two sweeps of the active graphs; default 1s
	Quiet    time.Duration // how long a graph has no appends before it leaves the active ones; default 30s
	StepIn   time.Duration // how long a graph of another projector stays behind before this one goes to work on it; default 4s
	Division Division      // who shares the work; default nobody: all graphs are this projector's

	// Snapshots, made by WithBase, say what trimmed logs begin with. Default nil: the read models of a graph whose log is
	// trimmed are not built anew.
	Snapshots Snapshots
	Logger    *zap.Logger // default discards
}

func (o ProjectorOptions) withDefaults() ProjectorOptions {
	o.Shards = cmp.Or(o.Shards, max(16, 4*runtime.GOMAXPROCS(0)))
	o.Linger = cmp.Or(o.Linger, 8*time.Millisecond)
	o.Yield = cmp.Or(o.Yield, 50*time.Millisecond)
	o.Cache = cmp.Or(o.Cache, 256<<20)
	o.Idle = cmp.Or(o.Idle, 5*time.Minute)
	o.Events = cmp.Or(o.Events, 1000)
	o.Bytes = cmp.Or(o.Bytes, 4<<20)
	o.Timeout = cmp.Or(o.Timeout, 5*time.Second)
	o.Backoff = cmp.Or(o.Backoff, 20*time.Millisecond)
	o.Attempts = cmp.Or(o.Attempts, 3)
	o.Sweep = cmp.Or(o.Sweep, time.Second)
	o.Quiet = cmp.Or(o.Quiet, 30*time.Second)
	o.StepIn = cmp.Or(o.StepIn, 4*time.Second)
	o.Logger = cmp.Or(o.Logger, zap.NewNop())
	if o.Division == nil {
		o.Division = everything{}
	}
	return o
}

// Projector keeps the read models in step with the log: it hears of appends, folds events in order, many at once,
// and commits them together with the checkpoint.
//
// Any number of projectors, here and in other processes, may work on the same graphs: a commit that does not start
// where the read models are is refused, and the loser catches up. To spare them the races they divide the graphs among
// each other (Division): a projector works on what its own process appends, and leaves what others append to the owner of
// the graph, unless that does not get on with it. A notice that was lost is made up for by the sweeper, which compares
// the log with the checkpoints. An event that cannot be folded parks its graph, and no
// other (I11). All methods are safe for concurrent use; the goroutines live in Run.
type Projector struct {
	log     eventstore.Log
	models  ReadModels
	opts    ProjectorOptions
	shards  []*shard
	running atomic.Bool
	parked  parking
	waiters waiters
	metrics *metrics
}

// NewProjector returns a Projector from log to models.
func NewProjector(log eventstore.Log, models ReadModels, opts ProjectorOptions) *Projector {
	p := &Projector{log: log, models: models, opts: opts.withDefaults(), metrics: newMetrics()}
	p.parked.graphs = map[string]ParkedGraph{}
	p.waiters.graphs = map[string]*watch{}
	p.shards = make([]*shard, p.opts.Shards)
	for i := range p.shards {
		p.shards[i] = newShard(p)
	}
	return p
}

// Run projects until ctx is done and then returns nil. It may be called again, not twice at once.
func (p *Projector) Run(ctx context.Context) error {
	p.running.Store(true)
	defer p.running.Store(false)
	var running sync.WaitGroup
	for _, shard := range p.shards {
		running.Go(func() { shard.run(ctx) })
	}
	running.Go(func() { p.listen(ctx) })
	running.Go(func() { p.sweep(ctx) })
	running.Go(func() { p.sweepAll(ctx) })
	running.Wait()
	return nil
}

// listen passes the log's notices on to the shards.
func (p *Projector) listen(ctx context.Context) {
	for ctx.Err() == nil {
		for notice := range p.log.Appends(ctx) {
			if notice.Events == nil && !p.opts.Division.Owns(notice.Stream) {
				p.metrics.left.Inc()
				continue
			}
			p.ring(notice.Stream, ring{head: notice.Head, events: notice.Events})
		}
		pause(ctx, p.opts.Backoff)
	}
}

// ring passes news on to the graph's shard; nobody would take them in while Run does not run.
func (p *Projector) ring(graph string, r ring) {
	if p.running.Load() {
		p.shard(graph).ring(graph, r)
	}
}

// hurry is for a graph that somebody waits for: if it is being worked on here, its turn comes at once.
func (p *Projector) hurry(graph string) {
	if p.running.Load() {
		p.shard(graph).hurry(graph)
	}
}

func (p *Projector) shard(graph string) *shard {
	return p.shards[xxhash.Sum64String(graph)%uint64(len(p.shards))]
}

// pause waits for delay, or until ctx is done.
func pause(ctx context.Context, delay time.Duration) {
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// retriable tells whether a failure says nothing about the graph: the store was out of reach.
func retriable(err error) bool {
	return errors.Is(err, eventstore.ErrUnavailable) || errors.Is(err, eventstore.ErrUnknown) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}
