package transport

import (
	"context"
	"slices"

	"github.com/maypok86/otter/v2"

	"graphy/eventstore"
)

// tails read deltas from the log and keep the newest events of the graphs that are asked for, within a bound in bytes.
// What is kept is never served on trust: each read begins in the log at the newest event kept, whose hash there stands
// for all events before it. So a poll costs one entry of the log, however many it answers with.
type tails struct {
	log  eventstore.Log
	kept *otter.Cache[string, []eventstore.Event] // without a hole, oldest first; never written to
}

const (
	tailEvents = 1000      // kept of one graph
	tailBytes  = 1 << 20   // of their data
	eventBytes = 64 + 2*32 // of an event beside its data, about
)

func newTails(log eventstore.Log, limit int) *tails {
	return &tails{log: log, kept: otter.Must(&otter.Options[string, []eventstore.Event]{
		MaximumWeight: uint64(limit),
		Weigher: func(graph string, events []eventstore.Event) uint32 {
			return uint32(len(graph) + dataBytes(events) + eventBytes*len(events))
		},
	})}
}

func dataBytes(events []eventstore.Event) (bytes int) {
	for i := range events {
		bytes += len(events[i].Data)
	}
	return bytes
}

// Head is the log's.
func (t *tails) Head(ctx context.Context, graph string) (eventstore.Position, error) {
	return t.log.Head(ctx, graph)
}

// Read is the log's Read. The events are shared: the caller must not write to the slice.
func (t *tails) Read(ctx context.Context, graph string, after eventstore.Version, limit int) ([]eventstore.Event, error) {
	kept, _ := t.kept.GetIfPresent(graph)
	if len(kept) == 0 || after < kept[0].Version-1 || after >= kept[len(kept)-1].Version {
		page, err := t.log.Read(ctx, graph, after, limit)
		if err == nil && len(page) > 1 && len(page) < limit { // it ends at the head
			t.keep(graph, page)
		}
		return page, err
	}
	newest := kept[len(kept)-1]
	fresh, err := t.log.Read(ctx, graph, newest.Version-1, limit+1)
	if err != nil {
		return nil, err
	}
	if len(fresh) == 0 || fresh[0].Position() != newest.Position() { // another history
		t.kept.Invalidate(graph)
		return t.log.Read(ctx, graph, after, limit)
	}
	page := kept[after+1-kept[0].Version:]
	if fresh = fresh[1:]; len(fresh) > 0 {
		page = slices.Concat(page, fresh)
		t.keep(graph, slices.Concat(kept, fresh))
	}
	return page[:min(len(page), limit):min(len(page), limit)], nil
}

// keep keeps the newest of events.
func (t *tails) keep(graph string, events []eventstore.Event) {
	events = events[max(0, len(events)-tailEvents):]
	for bytes := dataBytes(events); bytes > tailBytes && len(events) > 1; events = events[1:] {
		bytes -= len(events[0].Data)
	}
	t.kept.Set(graph, slices.Clip(events))
}
