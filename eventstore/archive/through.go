package archive

import (
	"context"
	"errors"
	"fmt"
	"time"

	"graphy/eventstore"
)

// Through returns log as one that was never trimmed: events that it has no more are read from a, those that lead to the
// base which m says a stream begins with. A page may begin in the archive and go on in the stream, and is verified to
// chain where it does.
//
// Where the archive does not reach either, or is damaged (then the error is ErrDamaged too), events stay ErrTrimmed. An
// archive that is out of reach is eventstore.ErrUnavailable. As long as nothing is asked for that was trimmed, m and a
// are not asked at all. What else a Log does is passed on: Delete leaves the archive alone.
func Through(log eventstore.Log, m eventstore.Maintainer, a *Archive) eventstore.Log {
	return &through{Log: log, maintainer: m, archive: a, floors: newCache[string, floor](maxFloors)}
}

type through struct {
	eventstore.Log
	maintainer eventstore.Maintainer
	archive    *Archive
	floors     *cache[string, floor]
}

// floor is what a stream begins with, as it was looked up a moment ago. It is kept for as long as its oldest event is the
// same, but not long.
type floor struct {
	base  eventstore.Position
	first eventstore.Version // the oldest event kept
	seen  time.Time
}

const (
	maxFloors = 1000
	floorAge  = 10 * time.Second
	// throughAttempts is how often a stream is looked at anew that changes between the archive and itself.
	throughAttempts = 5
)

// base returns the position that the archive has to lead to, for a stream whose oldest event is first.
func (t *through) base(ctx context.Context, stream string, first eventstore.Version) (eventstore.Position, error) {
	if known, ok := t.floors.get(stream); ok && known.first == first && time.Since(known.seen) < floorAge {
		return known.base, nil
	}
	base, err := t.basePosition(ctx, stream)
	if err != nil {
		return eventstore.Position{}, err
	}
	if base.Version+1 < first {
		return eventstore.Position{}, &eventstore.TrimmedError{Stream: stream, First: first} // there is a hole above
	}
	t.floors.put(stream, floor{base, first, time.Now()}, 1)
	return base, nil
}

// basePosition leaves the data of the base where they are, if the maintainer can: they may be many megabytes.
func (t *through) basePosition(ctx context.Context, stream string) (eventstore.Position, error) {
	if short, ok := t.maintainer.(interface {
		BasePosition(ctx context.Context, stream string) (eventstore.Position, error)
	}); ok {
		return short.BasePosition(ctx, stream)
	}
	base, err := t.maintainer.Base(ctx, stream)
	return base.Position, err
}

// Read implements eventstore.Log.
func (t *through) Read(ctx context.Context, stream string, after eventstore.Version, limit int) ([]eventstore.Event, error) {
	events, err := t.Log.Read(ctx, stream, after, limit)
	for attempt := 1; ; attempt++ {
		trimmed, ok := errors.AsType[*eventstore.TrimmedError](err)
		if !ok || limit <= 0 {
			return events, err
		}
		var changed bool
		if events, changed, err = t.readAcross(ctx, stream, after, limit, trimmed); !changed || attempt == throughAttempts {
			return events, err
		}
		t.floors.drop(stream)
		events, err = t.Log.Read(ctx, stream, after, limit)
	}
}

// readAcross reads from the archive and, where that comes to its end, goes on in the stream. If changed is true then the
// stream, between one and the other, was no longer what it had been.
func (t *through) readAcross(ctx context.Context, stream string, after eventstore.Version, limit int,
	trimmed *eventstore.TrimmedError) (events []eventstore.Event, changed bool, err error) {
	base, err := t.base(ctx, stream, trimmed.First)
	if err != nil {
		return nil, false, err
	}
	events, err = t.archive.Read(ctx, stream, base, after, limit)
	if err != nil {
		return nil, false, unreadable(trimmed, err)
	}
	if len(events) == limit {
		return events, false, nil
	}
	if len(events) == 0 {
		return nil, true, trimmed
	}
	last := events[len(events)-1].Position()
	newer, err := t.Log.Read(ctx, stream, last.Version, limit-len(events))
	if err == nil {
		err = eventstore.VerifyChain(stream, last, newer[:min(len(newer), 1)])
	}
	if err != nil {
		return nil, errors.Is(err, eventstore.ErrTrimmed) || errors.Is(err, eventstore.ErrBroken), err
	}
	return append(events, newer...), false, nil
}

// unreadable returns the error for events that were trimmed and that the archive does not give either.
func unreadable(trimmed *eventstore.TrimmedError, err error) error {
	switch {
	case errors.Is(err, ErrNotFound):
		return trimmed
	case errors.Is(err, ErrDamaged):
		return fmt.Errorf("%w: %w", trimmed, err)
	default:
		return fmt.Errorf("%w: %w", eventstore.ErrUnavailable, err)
	}
}

// ReadBackward implements eventstore.Log.
func (t *through) ReadBackward(ctx context.Context, stream string, before eventstore.Version, limit int) ([]eventstore.Event, error) {
	for attempt := 1; ; attempt++ {
		events, err := t.Log.ReadBackward(ctx, stream, before, limit)
		trimmed, isTrimmed := errors.AsType[*eventstore.TrimmedError](err)
		switch {
		case isTrimmed:
		case err != nil || len(events) == 0 || len(events) >= limit || events[len(events)-1].Version == 1:
			return events, err
		default: // it came to the oldest event
			trimmed = &eventstore.TrimmedError{Stream: stream, First: events[len(events)-1].Version}
		}
		older, err := t.readBelow(ctx, stream, before, limit, events, trimmed)
		broken := errors.Is(err, eventstore.ErrBroken)
		if broken && attempt < throughAttempts {
			t.floors.drop(stream)
			continue
		}
		if len(events) > 0 && errors.Is(err, eventstore.ErrTrimmed) {
			return events, nil // the page ends where the history does
		}
		if err != nil {
			return nil, err
		}
		return append(events, older...), nil
	}
}

// readBelow returns from the archive what comes before events, newest first. If it does not chain, the error is ErrBroken.
func (t *through) readBelow(ctx context.Context, stream string, before eventstore.Version, limit int, events []eventstore.Event,
	trimmed *eventstore.TrimmedError) ([]eventstore.Event, error) {
	base, err := t.base(ctx, stream, trimmed.First)
	if err != nil {
		return nil, err
	}
	if len(events) > 0 {
		before = trimmed.First
	}
	older, err := t.archive.ReadBackward(ctx, stream, base, before, limit-len(events))
	if err != nil {
		return nil, unreadable(trimmed, err)
	}
	if len(events) > 0 && len(older) > 0 {
		return older, eventstore.VerifyChain(stream, older[0].Position(), events[len(events)-1:])
	}
	return older, nil
}
