package archive

import (
	"context"
	"errors"
	"iter"

	"graphy/eventstore"
)

// throughPage is how many events a Tail reads at a time where they were trimmed.
const throughPage = 1000

// Tail implements eventstore.Log.
func (t *through) Tail(ctx context.Context, stream string, after eventstore.Version) iter.Seq2[eventstore.Event, error] {
	return func(yield func(eventstore.Event, error) bool) {
		tail := throughTail{through: t, stream: stream, cursor: eventstore.Position{Version: after}, yield: yield}
		for {
			first, err := tail.follow(ctx)
			if err == nil {
				err = tail.catchUp(ctx, first)
			}
			if errors.Is(err, errStopped) {
				return
			}
			if ctx.Err() != nil && !errors.Is(err, eventstore.ErrBroken) {
				err = ctx.Err()
			}
			if err != nil {
				yield(eventstore.Event{}, err)
				return
			}
		}
	}
}

// errStopped ends a tail whose consumer has had enough.
var errStopped = errors.New("stopped")

// throughTail is one running Tail, owned by its goroutine.
type throughTail struct {
	*through
	stream string
	cursor eventstore.Position // of the event yielded last; the hash is "" until it is known
	unsure bool                // what comes next is from another source than the event yielded last
	yield  func(eventstore.Event, error) bool
}

// follow yields what the stream has, until what comes next was trimmed: then it returns the oldest event that is kept.
func (t *throughTail) follow(ctx context.Context) (first eventstore.Version, err error) {
	t.unsure = true
	for event, err := range t.Log.Tail(ctx, t.stream, t.cursor.Version) {
		if trimmed, ok := errors.AsType[*eventstore.TrimmedError](err); ok && t.cursor.Version+1 < trimmed.First {
			return trimmed.First, nil
		}
		if err != nil {
			return 0, err
		}
		if err := t.emit(event); err != nil {
			return 0, err
		}
	}
	return 0, errStopped
}

// catchUp yields what was trimmed, up to event first.
func (t *throughTail) catchUp(ctx context.Context, first eventstore.Version) error {
	for t.cursor.Version+1 < first {
		events, err := t.Read(ctx, t.stream, t.cursor.Version, throughPage)
		if err != nil {
			return err
		}
		if len(events) == 0 { // it is gone
			return eventstore.ErrReset
		}
		t.unsure = true
		for _, event := range events {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err := t.emit(event); err != nil {
				return err
			}
		}
	}
	return nil
}

// emit yields an event. Each source sees to it that its own events chain; if one does not follow from another source's,
// the stream has become another one.
func (t *throughTail) emit(event eventstore.Event) error {
	if t.unsure && t.cursor.Hash != "" && eventstore.VerifyChain(t.stream, t.cursor, []eventstore.Event{event}) != nil {
		return eventstore.ErrReset
	}
	t.cursor, t.unsure = event.Position(), false
	if !t.yield(event, nil) {
		return errStopped
	}
	return nil
}
