package redis

import (
	"context"
	"errors"
	"iter"
	"time"

	"graphy/eventstore"
)

// tailPage is how many entries a Tail reads at a time.
const tailPage = 200

// errStopped ends a tail whose consumer has had enough.
var errStopped = errors.New("stopped")

// Tail implements eventstore.Log. Events come from pub/sub, or straight from this Store's own appends, and from the
// stream wherever those do not follow from what was yielded before. A stream that ends before version after is
// ErrReset, one whose next event was trimmed ErrTrimmed.
func (s *Store) Tail(ctx context.Context, stream string, after eventstore.Version) iter.Seq2[eventstore.Event, error] {
	return func(yield func(eventstore.Event, error) bool) {
		channel := s.keys.EventsChannel(stream)
		t := tail{store: s, stream: stream, cursor: eventstore.Position{Version: after}, probe: probing{first: s.opts.Probe},
			yield: func(event eventstore.Event) bool { return yield(event, nil) }}
		// The queue comes before the first look at the stream: nothing falls in between.
		t.queue = s.feeds.follow(channel)
		err := t.run(ctx)
		s.feeds.leave(channel, t.queue)
		switch {
		case errors.Is(err, errStopped):
			return
		case over(ctx) && !errors.Is(err, eventstore.ErrBroken):
			err = ctx.Err()
		}
		yield(eventstore.Event{}, err)
	}
}

// tail is one running Tail, owned by its goroutine.
type tail struct {
	store  *Store
	stream string
	queue  *queue
	cursor eventstore.Position // of the event yielded last; the hash is "" until it is known
	yield  func(eventstore.Event) bool
	probe  probing
}

func (t *tail) run(ctx context.Context) error {
	for {
		if err := t.catchUp(ctx); err != nil {
			return err
		}
		if err := t.live(ctx); err != nil {
			return err
		}
	}
}

// live yields what comes in until it does not follow, or nothing has come for a while: nil means look at the stream.
func (t *tail) live(ctx context.Context) error {
	timer := time.NewTimer(t.probe.next())
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
			t.probe.silent()
			return nil
		case <-t.queue.ready:
		}
		taken := t.queue.take()
		if taken.deleted {
			return eventstore.ErrReset
		}
		for _, event := range taken.events {
			if event.Version <= t.cursor.Version {
				continue
			}
			if !t.follows(event) {
				return nil
			}
			if err := t.emit(ctx, event); err != nil {
				return err
			}
		}
		if taken.lost {
			return nil
		}
		timer.Reset(t.probe.next())
	}
}

// catchUp yields what the stream has after the cursor. It reads from the cursor itself on, to see that the stream
// still has there what was yielded.
func (t *tail) catchUp(ctx context.Context) error {
	for {
		events, broken := t.store.forward(ctx, t.stream, max(t.cursor.Version, 1), tailPage)
		if broken != nil && !errors.Is(broken, eventstore.ErrBroken) {
			return broken
		}
		full := len(events) == tailPage
		if t.cursor.Version > 0 && broken == nil {
			if len(events) == 0 {
				return eventstore.ErrReset
			}
		}
		if len(events) > 0 && events[0].Version == t.cursor.Version {
			if t.cursor.Hash != "" && t.cursor.Hash != events[0].Hash {
				return eventstore.ErrReset
			}
			t.cursor.Hash = events[0].Hash
			events = events[1:]
		} else if below := t.store.below(ctx, t.stream, t.cursor.Version+1, events); below != nil && !errors.Is(below, errReaches) {
			return below
		}
		for _, event := range events {
			if !t.follows(event) {
				return t.whyNot(event)
			}
			if err := t.emit(ctx, event); err != nil {
				return err
			}
		}
		if broken != nil || !full {
			return broken
		}
	}
}

// follows tells whether event is the next one and its hash chains to the cursor's, where that is known.
func (t *tail) follows(event eventstore.Event) bool { return t.whyNot(event) == nil }

func (t *tail) whyNot(event eventstore.Event) error {
	if t.cursor.Version > 0 && t.cursor.Hash == "" {
		return consecutive(t.stream, t.cursor.Version+1, []eventstore.Event{event})
	}
	return eventstore.VerifyChain(t.stream, t.cursor, []eventstore.Event{event})
}

func (t *tail) emit(ctx context.Context, event eventstore.Event) error {
	if over(ctx) {
		return ctx.Err()
	}
	event.Operations = nil // as every read does
	t.cursor = event.Position()
	t.probe.heard()
	if !t.yield(event) {
		return errStopped
	}
	return nil
}
