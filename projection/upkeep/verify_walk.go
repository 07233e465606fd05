package upkeep

import (
	"context"
	"errors"
	"fmt"
	"math"

	"graphy/eventstore"
)

const (
	walkFirst = 256     // events
	walkLarge = 1024    // events
	walkBytes = 4 << 20 // about as many bytes a page may have
)

// errChanged matches the failure of a walk whose graph was deleted, rewritten or trimmed under its feet: begin anew.
var errChanged = errors.New("upkeep: the log has become another one")

// walk reads the log of one graph in order, page by page, and the next page while one is worked on. Each page begins
// with the last event of the one before: so a log that has become another one is noticed, and nothing between two pages
// is passed over. It is for one goroutine.
type walk struct {
	keeper *Keeper
	graph  string
	rest   func(ctx context.Context) // called before each page; with it none is read ahead; nil: none

	at      eventstore.Position // of the last event read
	overlap bool                // at is an event that was read
	page    []eventstore.Event  // read and not taken
	size    int                 // events of the next page
	known   eventstore.Version  // the log reaches that far
	ahead   chan page           // of the read under way; nil: there is none
}

// page is what a read came to.
type page struct {
	events []eventstore.Event
	err    error
}

func (k *Keeper) walk(graph string, from eventstore.Position, known eventstore.Version) *walk {
	return &walk{keeper: k, graph: graph, at: from, size: walkFirst, known: known}
}

// close waits for what is under way; the context of take has to be done soon.
func (w *walk) close() {
	if w.ahead != nil {
		<-w.ahead
		w.ahead = nil
	}
}

// take returns the next events, up to version to; none if the log ends before that, or they were all taken. A
// *eventstore.ChainError means that the very next event is missing or foreign: skip leads over it.
func (w *walk) take(ctx context.Context, to eventstore.Version) ([]eventstore.Event, error) {
	if len(w.page) == 0 {
		if w.at.Version >= to {
			return nil, nil
		}
		if err := w.turn(ctx); err != nil {
			return nil, err
		}
	}
	taken := w.page
	for len(taken) > 0 && taken[len(taken)-1].Version > to {
		taken = taken[:len(taken)-1]
	}
	w.page = w.page[len(taken):]
	return taken, nil
}

// turn gets the next page.
func (w *walk) turn(ctx context.Context) error {
	if w.rest != nil {
		w.rest(ctx)
	}
	var next page
	if w.ahead != nil {
		next = <-w.ahead
		w.ahead = nil
	} else {
		next = w.read(ctx, w.at, w.overlap, w.size)
	}
	for broken := isChainError(next.err); broken && w.size > 1; broken = isChainError(next.err) {
		w.size = max(1, w.size/8) // what comes before the break is good
		next = w.read(ctx, w.at, w.overlap, w.size)
	}
	if next.err != nil || len(next.events) == 0 {
		return next.err
	}
	w.page, w.overlap = next.events, true
	w.at = next.events[len(next.events)-1].Position()
	w.fit(next.events)
	if w.at.Version < w.known && w.rest == nil {
		ahead, at, size := make(chan page, 1), w.at, w.size
		go func() { ahead <- w.read(ctx, at, true, size) }()
		w.ahead = ahead
	}
	return nil
}

// fit chooses the size of the next page by the bytes of this one.
func (w *walk) fit(events []eventstore.Event) {
	bytes := 0
	for i := range events {
		bytes += len(events[i].Data)
	}
	switch {
	case bytes > walkBytes:
		w.size = max(1, w.size/4)
	case len(events) >= w.size && bytes < walkBytes/4:
		w.size = min(4*w.size, walkLarge)
	}
}

// read reads up to size events after position at. It does not touch the walk.
func (w *walk) read(ctx context.Context, at eventstore.Position, overlap bool, size int) page {
	if !overlap {
		return w.call(ctx, at.Version, size)
	}
	next := w.call(ctx, at.Version-1, size+1)
	switch {
	case errors.Is(next.err, eventstore.ErrTrimmed):
		return w.call(ctx, at.Version, size) // the last event was trimmed since
	case next.err != nil:
		return next
	case len(next.events) == 0 || next.events[0].Position() != at:
		return page{err: fmt.Errorf("%q: %w: version %d is not what it was", w.graph, errChanged, at.Version)}
	}
	return page{events: next.events[1:]}
}

// call reads a page. One that takes too long is asked for again, smaller: it may have been too much for the time there is.
func (w *walk) call(ctx context.Context, after eventstore.Version, limit int) page {
	for {
		call, cancel := w.keeper.call(ctx)
		events, err := w.keeper.stores.Log.Read(call, w.graph, after, limit)
		late := call.Err() != nil && ctx.Err() == nil
		cancel()
		if err == nil || !late || limit <= 2 {
			return page{events, err}
		}
		limit = max(2, limit/4)
	}
}

// skip leads over what is missing or foreign right behind the last event. It returns the version of the next event that
// can be read, 0 if there is none. It looks further and further ahead, and then between, so a little that is good may be
// passed over where breaks are close together.
func (w *walk) skip(ctx context.Context) (eventstore.Version, error) {
	w.page, w.overlap = nil, false
	bad, after, step := w.at.Version, w.at.Version, eventstore.Version(1)
	next, over, err := w.beyond(ctx, after)
	for ; err == nil && !over; next, over, err = w.beyond(ctx, after) {
		if after > forever/4 {
			return 0, nil // a key of another type
		}
		bad, after, step = after, after+step, 2*step
	}
	for low := bad + 1; err == nil && low < after; {
		middle := low + (after-low)/2
		var version eventstore.Version
		version, over, err = w.beyond(ctx, middle)
		if over {
			next, after = version, middle
		} else {
			low = middle + 1
		}
	}
	if err == nil && next > w.at.Version+1 {
		w.at = eventstore.Position{Version: next - 1}
	}
	return next, err
}

// beyond tells whether a break is over at version after: the next event, which it returns, can be read, or the log ends.
func (w *walk) beyond(ctx context.Context, after eventstore.Version) (next eventstore.Version, over bool, err error) {
	switch read := w.call(ctx, after, 1); {
	case isChainError(read.err):
		return 0, false, nil
	case read.err != nil:
		return 0, false, read.err
	case len(read.events) == 0:
		return 0, true, nil
	default:
		return read.events[0].Version, true, nil
	}
}

func isChainError(err error) bool {
	_, ok := errors.AsType[*eventstore.ChainError](err)
	return ok
}

// forever is the version that a walk without end goes to.
const forever = eventstore.Version(math.MaxInt64)
