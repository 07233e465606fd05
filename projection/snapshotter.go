package projection

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"

	"graphy/eventstore"
)

// SnapshotterOptions configure a Snapshotter. The zero value is ready to use.
type SnapshotterOptions struct {
	Events int           // from one snapshot of a graph to the next; default 1000
	Every  time.Duration // between two looks at the active graphs; default 5s
	Rest   time.Duration // least pause between two pieces of work, which take a quarter of the time at most; default 10ms
	Turn   int           // most snapshots of one graph before others have their turn; default 16
	Retry  time.Duration // how long a graph that failed is left alone; default 1m

	Timeout  time.Duration // of any single call to the log or the snapshots; default 5s
	Division Division      // who shares the work on active graphs; default nobody
	Logger   *zap.Logger   // default discards
}

func (o SnapshotterOptions) withDefaults() SnapshotterOptions {
	o.Events = cmp.Or(max(o.Events, 0), 1000)
	o.Every = cmp.Or(o.Every, 5*time.Second)
	o.Rest = cmp.Or(o.Rest, 10*time.Millisecond)
	o.Turn = cmp.Or(o.Turn, 16)
	o.Retry = cmp.Or(o.Retry, time.Minute)
	o.Timeout = cmp.Or(o.Timeout, 5*time.Second)
	o.Logger = cmp.Or(o.Logger, zap.NewNop())
	if o.Division == nil {
		o.Division = everything{}
	}
	return o
}

// walkPage is how many graphs of all there are are looked at between two looks at the active ones.
const walkPage = 100

// Snapshotter takes a snapshot of every graph at each multiple of so many events. It has time: it works on one graph
// after the other, rests after each page of events, and holds one graph in memory.
//
// Any number of them may run, here and in other processes: they write the same snapshots, twice at worst. A graph whose
// events cannot be folded gets no more snapshots, the others do (I11). Run and Collect may be called at once.
type Snapshotter struct {
	log       eventstore.Log
	snapshots Snapshots
	opts      SnapshotterOptions
	metrics   *snapshotMetrics

	// The rest belongs to Run.
	cursor  string // how far the walk over all graphs has come
	walked  bool   // to the end
	pending []string
	failed  map[string]time.Time // when to try again
}

// NewSnapshotter returns a Snapshotter that folds log into snapshots.
func NewSnapshotter(log eventstore.Log, snapshots Snapshots, opts SnapshotterOptions) *Snapshotter {
	return &Snapshotter{log: log, snapshots: snapshots, opts: opts.withDefaults(), metrics: newSnapshotMetrics(),
		failed: map[string]time.Time{}}
}

// Run takes snapshots until ctx is done and then returns nil: of all graphs once, and of those that are appended to. It
// may be called again, not twice at once.
func (s *Snapshotter) Run(ctx context.Context) error {
	s.cursor, s.walked, s.pending = "", false, nil
	for ctx.Err() == nil {
		more, err := s.runOnce(ctx)
		if err != nil && ctx.Err() == nil && !retriable(err) {
			s.opts.Logger.Warn("snapshots are not taken for now", zap.Error(err))
		}
		if more && err == nil {
			pause(ctx, s.opts.Rest)
		} else {
			pause(ctx, s.opts.Every)
		}
	}
	return nil
}

// runOnce gives every graph that may be due one turn. It tells whether there is more to do at once. On an error the
// stores are out of reach; what was left to do stays pending, the graph that met the error last.
func (s *Snapshotter) runOnce(ctx context.Context) (more bool, err error) {
	if err := s.gather(ctx); err != nil {
		return false, err
	}
	var unfinished []string
	for len(s.pending) > 0 {
		graph := s.pending[0]
		s.pending = s.pending[1:]
		more, err := s.turn(ctx, graph)
		switch {
		case err == nil && more:
			unfinished = append(unfinished, graph)
		case err == nil, errors.Is(err, ErrStale), errors.Is(err, ErrAhead): // with these it was deleted in the meantime
		case retriable(err):
			s.pending = append(append(s.pending, unfinished...), graph)
			return false, err
		default:
			s.fail(graph, err)
		}
	}
	s.pending = unfinished
	return len(unfinished) > 0 || !s.walked, nil
}

// gather adds to the pending graphs the active ones and, until it has come to the end, some of all.
func (s *Snapshotter) gather(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*s.opts.Timeout)
	defer cancel()
	active, err := s.log.Active(ctx, sweepPage)
	if err != nil {
		return err
	}
	graphs := s.pending
	for _, stream := range active {
		if s.opts.Division.Owns(stream.Stream) {
			graphs = append(graphs, stream.Stream)
		}
	}
	if !s.walked && len(s.pending) < walkPage {
		page, err := s.log.Streams(ctx, s.cursor, walkPage)
		if err != nil {
			return err
		}
		if s.walked = len(page) == 0; !s.walked {
			s.cursor = page[len(page)-1]
		}
		graphs = append(graphs, page...)
	}
	now := time.Now()
	maps.DeleteFunc(s.failed, func(_ string, again time.Time) bool { return !now.Before(again) })
	known := map[string]struct{}{}
	s.pending = slices.DeleteFunc(graphs, func(graph string) bool {
		_, failed := s.failed[graph]
		_, twice := known[graph]
		known[graph] = struct{}{}
		return failed || twice
	})
	return nil
}

func (s *Snapshotter) fail(graph string, err error) {
	s.metrics.failures.Inc()
	s.failed[graph] = time.Now().Add(s.opts.Retry)
	s.opts.Logger.Warn("graph gets no further snapshots for now", zap.String("graphId", graph), zap.Error(err))
}
