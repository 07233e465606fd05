package archive

import (
	"context"
	"errors"
	"slices"

	"graphy/eventstore"
)

// Read returns up to limit events after version after of the history that leads to through, oldest first; none at or
// above through. Where the segments do not reach back so far it fails with ErrNotFound.
func (a *Archive) Read(ctx context.Context, graph string, through eventstore.Position, after eventstore.Version, limit int) ([]eventstore.Event, error) {
	if limit <= 0 || after >= through.Version {
		return nil, nil
	}
	return with(ctx, a, graph, func(c *contents) ([]eventstore.Event, error) {
		chain, err := a.chain(ctx, c, graph, through, after)
		if err != nil {
			return nil, err
		}
		var page []eventstore.Event
		for _, reach := range slices.Backward(chain) {
			events, err := a.load(ctx, reach.Segment)
			if err != nil {
				return nil, err
			}
			events = events[max(after, reach.From.Version)-reach.From.Version : reach.end-reach.From.Version]
			page = append(page, events[:min(len(events), limit-len(page))]...)
			if len(page) == limit {
				break
			}
		}
		return copyEvents(page), nil
	})
}

// ReadBackward returns up to limit events before version before (0: from through on) of the history that leads to
// through, newest first. Where a segment is missing, or damaged, it returns those that are newer; its error, if there
// are none, is that of Read.
func (a *Archive) ReadBackward(ctx context.Context, graph string, through eventstore.Position, before eventstore.Version, limit int) ([]eventstore.Event, error) {
	if before == 0 || before > through.Version {
		before = through.Version + 1
	}
	if limit <= 0 || before == 1 {
		return nil, nil
	}
	after := before - min(before, eventstore.Version(limit)+1)
	return with(ctx, a, graph, func(c *contents) ([]eventstore.Event, error) {
		chain, failed := a.chain(ctx, c, graph, through, after)
		var page []eventstore.Event
		for _, reach := range chain {
			last := min(before-1, reach.end)
			if last <= reach.From.Version {
				continue
			}
			events, err := a.load(ctx, reach.Segment)
			if err != nil {
				failed = err
				break
			}
			first := max(after, reach.From.Version)
			for _, event := range slices.Backward(events[first-reach.From.Version : last-reach.From.Version]) {
				page = append(page, event)
			}
		}
		if failed != nil && (len(page) == 0 || !errors.Is(failed, ErrNotFound) && !errors.Is(failed, ErrDamaged)) {
			return nil, failed
		}
		return copyEvents(page), nil
	})
}

// copyEvents returns events in memory of their own, so that who keeps one does not keep its segment.
func copyEvents(events []eventstore.Event) []eventstore.Event {
	size := 0
	for i := range events {
		size += len(events[i].Data) + len(events[i].Hash)
	}
	text := make([]byte, 0, size)
	for i := range events {
		text = append(text, events[i].Data...)
	}
	hashes := make([]byte, 0, len(events)*hashBytes)
	for i := range events {
		hashes = append(hashes, events[i].Hash...)
	}
	all, rest := string(hashes), text
	for i := range events {
		n := len(events[i].Data)
		events[i].Data, rest = rest[:n:n], rest[n:]
		events[i].Hash = eventstore.Hash(all[i*hashBytes : (i+1)*hashBytes])
	}
	return events
}
