package upkeep

import (
	"context"
	"fmt"
	"time"

	"graphy/eventstore"
	"graphy/eventstore/archive"
	"graphy/projection"
)

// This file moves a log's base up to the floor, and archives what it stands for from then on.

// advance folds the events up to the floor, onto the base there is, and keeps what they lead to as the new one. The fold
// takes nothing but the log for its source: from here on the base is the truth.
func (r *retention) advance(ctx context.Context) error {
	a, err := r.archiving(ctx)
	if err != nil {
		return err
	}
	if r.report.DryRun {
		if a != nil && a.at.Version < r.floor {
			r.report.Archived = int64(r.floor - a.at.Version)
		}
		return nil
	}
	state, err := r.start()
	if err != nil {
		return err
	}
	begun := time.Now()
	for page, err := range r.k.pages(ctx, r.k.stream(), r.graph, state.Position, r.floor) {
		for err == nil && len(page) > 0 {
			n := a.room(page)
			if err = state.Fold(page[:n]...); err == nil {
				err = a.add(ctx, state, page[:n])
			}
			page = page[n:]
		}
		if err == nil {
			err = rest(ctx, begun)
		}
		if err != nil {
			return err
		}
		begun = time.Now()
	}
	snapshot, err := state.Snapshot()
	if err != nil {
		return err
	}
	if err := a.end(ctx, state, snapshot.Base()); err != nil {
		return err
	}
	return r.rebase(ctx, state, snapshot.Base())
}

// start returns the state that the log begins with.
func (r *retention) start() (*projection.Graph, error) {
	if r.base.Version == 0 {
		return projection.NewGraph(r.graph), nil
	}
	return projection.DecodeBase(r.graph, r.base)
}

// rebase puts base in its place, and makes sure that it is there and whole.
func (r *retention) rebase(ctx context.Context, state *projection.Graph, base eventstore.Base) error {
	call, cancel := r.k.call(ctx)
	err := r.k.stores.Maintainer.SetBase(call, r.graph, base)
	cancel()
	if err != nil {
		return err
	}
	if r.base, err = r.k.base(ctx, r.graph); err != nil {
		return err
	}
	if r.base.Version > base.Version {
		return nil // another process was faster, and has been through this
	}
	return sameState(state, r.base)
}

// sameState makes sure that base is read back as the state that it was made of.
func sameState(state *projection.Graph, base eventstore.Base) error {
	back, err := projection.DecodeBase(state.ID, base)
	if err == nil && (back.Position != state.Position || back.Checksum != state.Checksum) {
		err = fmt.Errorf("%w: the base of version %d reads back as version %d", projection.ErrChecksum, state.Position.Version, back.Position.Version)
	}
	return err
}

// archiving puts events into the archive, segment by segment. A nil one puts nothing.
type archiving struct {
	r       *retention
	at      eventstore.Position // the end of what the archive holds without a hole
	pending []eventstore.Event  // those after at
	bytes   int                 // of pending
	since   int                 // bytes put since the last base
	size    int                 // of the last base
}

// archiving finds out where the archive ends. What the log has begun with is put first, if the archive does not have it.
func (r *retention) archiving(ctx context.Context) (*archiving, error) {
	if r.k.stores.Archive == nil {
		return nil, nil
	}
	end, err := r.k.archived(ctx, r.graph, r.base.Position, r.floor)
	if err != nil {
		return nil, err
	}
	a := &archiving{r: r, at: end}
	if r.report.DryRun || r.base.Version == 0 {
		return a, nil
	}
	call, cancel := r.k.transfer(ctx)
	defer cancel()
	known, found, err := r.k.stores.Archive.Bases(call, r.graph, r.base.Position, r.base.Version)
	if err == nil && (!found || known.Position != r.base.Position) {
		err = r.k.stores.Archive.PutBase(call, r.graph, r.base)
	}
	return a, err
}

// archived returns the position, at or below limit, up to which the archive holds the events of graph after base.
func (k *Keeper) archived(ctx context.Context, graph string, base eventstore.Position, limit eventstore.Version) (eventstore.Position, error) {
	call, cancel := k.transfer(ctx)
	defer cancel()
	segments, err := k.stores.Archive.Segments(call, graph)
	if err != nil {
		return eventstore.Position{}, err
	}
	at := base
	for moved := true; moved; {
		moved = false
		for _, s := range segments {
			if s.From != at || s.To.Version > limit {
				continue
			}
			ours, err := k.holds(ctx, k.stream(), graph, s.To)
			if err != nil {
				return eventstore.Position{}, err
			}
			if ours {
				at, moved = s.To, true
			}
		}
	}
	return at, nil
}

// room returns how many of page may be added before the segment is full, one at least.
func (a *archiving) room(page []eventstore.Event) int {
	if a == nil {
		return len(page)
	}
	n, bytes := 0, a.bytes
	for n < len(page) && (n == 0 || len(a.pending)+n < archive.SegmentEvents && bytes+len(page[n].Data) <= archive.SegmentBytes) {
		bytes += len(page[n].Data)
		n++
	}
	return n
}

// add takes the events that have led to state.
func (a *archiving) add(ctx context.Context, state *projection.Graph, events []eventstore.Event) error {
	if a == nil || state.Position.Version <= a.at.Version {
		return nil
	}
	for _, event := range events {
		if event.Version > a.at.Version {
			a.pending = append(a.pending, event)
			a.bytes += len(event.Data)
		}
	}
	if len(a.pending) < archive.SegmentEvents && a.bytes < archive.SegmentBytes {
		return nil
	}
	if err := a.put(ctx); err != nil || a.since < a.size {
		return err
	}
	snapshot, err := state.Snapshot()
	if err != nil {
		return err
	}
	return a.putBase(ctx, snapshot.Base())
}

// put writes the pending events as a segment.
func (a *archiving) put(ctx context.Context) error {
	call, cancel := a.r.k.transfer(ctx)
	defer cancel()
	segment, err := a.r.k.stores.Archive.Put(call, a.r.graph, a.at, a.pending)
	if err != nil {
		return err
	}
	a.r.report.Archived += int64(len(a.pending))
	a.r.bytes += segment.Bytes
	a.at, a.since = segment.To, a.since+a.bytes
	a.pending, a.bytes = a.pending[:0], 0
	return nil
}

func (a *archiving) putBase(ctx context.Context, base eventstore.Base) error {
	call, cancel := a.r.k.transfer(ctx)
	defer cancel()
	a.since, a.size = 0, len(base.Data)
	return a.r.k.stores.Archive.PutBase(call, a.r.graph, base)
}

// end puts what is pending, and the base that all of it leads to, and reads that back.
func (a *archiving) end(ctx context.Context, state *projection.Graph, base eventstore.Base) error {
	if a == nil {
		return nil
	}
	if len(a.pending) > 0 {
		if err := a.put(ctx); err != nil {
			return err
		}
	}
	if err := a.putBase(ctx, base); err != nil {
		return err
	}
	call, cancel := a.r.k.transfer(ctx)
	defer cancel()
	back, found, err := a.r.k.stores.Archive.Bases(call, a.r.graph, base.Position, base.Version)
	if err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("base of version %d: %w", base.Version, archive.ErrNotFound)
	}
	return sameState(state, back)
}
