package projection

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"graphy/eventstore"
)

const (
	firstPage = 128     // events
	largePage = 1024    // events
	pageBytes = 4 << 20 // about as many bytes a page may have
)

// pages folds a log on, page by page, each of such a size that it has neither too many events nor too many bytes.
type pages struct {
	log     eventstore.Log
	timeout time.Duration                                   // of each read; 0: the context's alone
	rest    func(ctx context.Context, worked time.Duration) // called after each page; nil: none
	size    int                                             // events of the next page
}

// fold moves graph on to version to. On an error it stands where the last good event has left it.
func (p *pages) fold(ctx context.Context, graph *Graph, to eventstore.Version) error {
	for graph.Position.Version < to {
		start := time.Now()
		events, err := p.read(ctx, graph, to)
		if err == nil {
			err = eventstore.VerifyChain(graph.ID, graph.Position, events)
		}
		if err == nil {
			err = graph.Fold(events...)
		}
		if err != nil {
			return err
		}
		if p.rest != nil {
			p.rest(ctx, time.Since(start))
		}
	}
	return nil
}

// read returns the next page, at least one event and none above version to.
func (p *pages) read(ctx context.Context, graph *Graph, to eventstore.Version) ([]eventstore.Event, error) {
	at := graph.Position.Version
	p.size = cmp.Or(p.size, firstPage)
	events, err := p.call(ctx, graph, to)
	switch {
	case errors.Is(err, eventstore.ErrTrimmed):
		return nil, fmt.Errorf("%w: %w", ErrTrimmed, err)
	case err != nil:
		return nil, err
	case len(events) == 0:
		return nil, fmt.Errorf("%w, %d", ErrAhead, at)
	}
	bytes := 0
	for i := range events {
		bytes += len(events[i].Data)
	}
	switch {
	case bytes > pageBytes:
		p.size = max(1, p.size/4)
	case len(events) == p.size && bytes < pageBytes/4:
		p.size = min(2*p.size, largePage)
	}
	return events, nil
}

// call reads a page. One that takes too long is asked for again, smaller: it may have been too much for the time there is.
func (p *pages) call(ctx context.Context, graph *Graph, to eventstore.Version) ([]eventstore.Event, error) {
	for {
		call, cancel := ctx, context.CancelFunc(func() {})
		if p.timeout > 0 {
			call, cancel = context.WithTimeout(ctx, p.timeout)
		}
		limit := int(min(eventstore.Version(p.size), to-graph.Position.Version))
		events, err := p.log.Read(call, graph.ID, graph.Position.Version, limit)
		late := call.Err() != nil && ctx.Err() == nil
		cancel()
		if err == nil || !late || p.size == 1 {
			return events, err
		}
		p.size = max(1, p.size/4)
	}
}
