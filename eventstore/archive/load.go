package archive

import (
	"context"
	"fmt"
	"io"
	"time"

	"graphy/eventstore"
)

// loadTimeout bounds a load that several callers wait for, each for as long as its own context lets it.
const loadTimeout = time.Minute

// maxLoads is how many segments are fetched at once: each takes a dozen megabytes meanwhile.
const maxLoads = 8

// load returns the events of segment, which are shared: nobody writes to them, nor hands them on (see copyEvents).
func (a *Archive) load(ctx context.Context, segment Segment) ([]eventstore.Event, error) {
	name := segment.name()
	if events, ok := a.segments.get(name); ok {
		return events, nil
	}
	loaded := a.loading.DoChan(name, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
		defer cancel()
		select {
		case a.loads <- struct{}{}:
			defer func() { <-a.loads }()
		case <-ctx.Done():
			return nil, fmt.Errorf("read %s: %d others are being read: %w", name, maxLoads, ctx.Err())
		}
		events, err := a.fetchSegment(ctx, segment)
		if err == nil {
			weight := len(events) * 96
			for i := range events {
				weight += len(events[i].Data)
			}
			a.segments.put(name, events, weight)
		}
		return events, err
	})
	select {
	case <-ctx.Done():
		return nil, fmt.Errorf("read %s: %w", name, ctx.Err())
	case result := <-loaded:
		events, _ := result.Val.([]eventstore.Event)
		return events, result.Err
	}
}

func (a *Archive) fetchSegment(ctx context.Context, segment Segment) ([]eventstore.Event, error) {
	name := segment.name()
	object, err := a.fetch(ctx, name)
	if err != nil {
		return nil, err
	}
	events, err := decodeSegment(segment, object)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return events, nil
}

func (a *Archive) loadBase(ctx context.Context, graph string, at eventstore.Position) (eventstore.Base, error) {
	name := baseName(graph, at)
	object, err := a.fetch(ctx, name)
	if err != nil {
		return eventstore.Base{}, err
	}
	base, err := decodeBase(graph, at, object)
	if err != nil {
		return eventstore.Base{}, fmt.Errorf("read %s: %w", name, err)
	}
	return base, nil
}

// fetch returns what is kept under name, whatever it is.
func (a *Archive) fetch(ctx context.Context, name string) ([]byte, error) {
	reader, err := a.store.Get(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	defer reader.Close()
	content, err := io.ReadAll(io.LimitReader(reader, maxObject+1))
	if err == nil && len(content) > maxObject {
		err = damaged("an object of more than %d bytes", maxObject)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return content, nil
}
