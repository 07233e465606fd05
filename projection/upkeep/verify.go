package upkeep

import (
	"context"
	"errors"
	"fmt"
	"time"

	"graphy/eventstore"
	"graphy/eventstore/archive"
	"graphy/projection"
)

// attempts is how often a graph is gone through that becomes another one meanwhile.
const attempts = 4

// Verify goes through the log of graph from its beginning, in the archive if there is one, and holds against it all that
// was derived from it: the read models, the index of operations, the base of a trimmed log. It changes nothing. A graph
// that is written to meanwhile is verified at one moment; read models that are behind the log are no mismatch.
func (k *Keeper) Verify(ctx context.Context, graph string) (Verified, error) {
	v, err := k.verify(ctx, graph, scope{})
	if err != nil {
		return Verified{}, err
	}
	if k.metrics.found(&v.found); v.found.count == 0 {
		k.metrics.cured(graph)
	}
	return v.report(), nil
}

// scope says what of a graph is verified. The zero value is all of it.
type scope struct {
	from   func() (*projection.Graph, error) // a state to begin with; nil: the beginning of the log
	limit  int                               // most events to go through; 0: up to the head
	apart  bool                              // leave the read models aside
	strict bool                              // end with the first event that cannot be folded; the base counts where it is needed
	unread error                             // why the archive is not read; nil: it is
	rest   func(ctx context.Context)         // called before each page; nil: none
}

// whole tells whether every event is gone through.
func (s *scope) whole() bool { return s.from == nil && s.limit == 0 }

// verify goes through a graph. What it finds, it looks for a second time: the graph may have been deleted, rewritten or
// trimmed while it was read.
func (k *Keeper) verify(ctx context.Context, graph string, what scope) (*verification, error) {
	for attempt := range attempts {
		begun := time.Now()
		v := &verification{Keeper: k, graph: graph, scope: what}
		err := v.run(ctx)
		v.took += time.Since(begun)
		switch {
		case errors.Is(err, archive.ErrDamaged) && what.unread == nil:
			what.unread = err
			continue
		case errors.Is(err, errChanged), errors.Is(err, eventstore.ErrTrimmed), errors.Is(err, projection.ErrStale):
			continue
		case err != nil:
			return nil, fmt.Errorf("verify %q: %w", graph, err)
		case attempt > 0 || v.found.count == 0 || what.strict && !v.found.ofLog():
			return v, nil
		}
	}
	return nil, fmt.Errorf("verify %q: %w: it was deleted, rewritten or trimmed each time that it was read", graph, ErrBusy)
}

// verification is one pass over a graph.
type verification struct {
	*Keeper
	graph string
	scope
	found findings
	took  time.Duration

	walk     *walk
	base     eventstore.Base
	first    eventstore.Version    // the oldest event that can be read
	start    eventstore.Version    // of the state that it began with
	position eventstore.Position   // of the last event; its hash is "" if that cannot be told
	other    eventstore.Hash       // what the last event's hash would have to be by its data
	state    *projection.Graph     // the fold up to position; nil once it cannot go on
	removed  []string              // ids of nodes that were deleted, not all of them
	contents *projection.Contents  // the read models that were compared, and
	stood    projection.Checkpoint // where they were
	events   int64
	breaks   int

	settled  []operation // by the events since the index was looked at
	indexed  int64       // operations that are in the index as they should be
	torn     []span      // of events whose operations are not in the index as they should be
	surplus  map[string]eventstore.Version
	unsought bool // the index cannot be read: it is looked at no more
}

func (v *verification) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	head, err := v.open(ctx)
	if v.walk != nil {
		defer v.walk.close()
	}
	defer cancel()
	if err != nil || v.walk == nil || v.over() {
		return err
	}
	if head < forever {
		expecting(ctx, int64(head)-int64(v.position.Version))
	}
	if !v.apart {
		if err := v.models(ctx); err != nil || v.over() {
			return err
		}
	}
	if err := v.follow(ctx, max(head, v.stood.Version)); err != nil || v.over() {
		return err
	}
	if v.whole() {
		return v.count(ctx)
	}
	return nil
}

// over tells whether a strict pass has come to its end early.
func (v *verification) over() bool { return v.strict && (v.found.ofLog() || v.state == nil) }

func (v *verification) report() Verified {
	return Verified{GraphID: v.graph, OK: v.found.count == 0, Version: v.position.Version, Checkpoint: v.stood.Version,
		Events: v.events, Mismatches: v.found.count, First: v.found.first, Millis: v.took.Milliseconds()}
}
