package upkeep

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"graphy/eventstore"
	"graphy/projection"
)

const (
	firstPage = 128     // events
	largePage = 1000    // events
	pageBytes = 4 << 20 // about as many bytes a page may have
)

// stream is the log as it is, without what the archive adds to it.
func (k *Keeper) stream() eventstore.Log {
	if log, ok := k.stores.Maintainer.(eventstore.Log); ok {
		return log
	}
	return k.stores.Log
}

func (k *Keeper) head(ctx context.Context, graph string) (eventstore.Position, error) {
	ctx, cancel := k.call(ctx)
	defer cancel()
	return k.stream().Head(ctx, graph)
}

func (k *Keeper) base(ctx context.Context, graph string) (eventstore.Base, error) {
	ctx, cancel := k.call(ctx)
	defer cancel()
	return k.stores.Maintainer.Base(ctx, graph)
}

// read is one call of log.
func (k *Keeper) read(ctx context.Context, log eventstore.Log, graph string, after eventstore.Version, limit int) ([]eventstore.Event, error) {
	ctx, cancel := k.call(ctx)
	defer cancel()
	return log.Read(ctx, graph, after, limit)
}

// entry returns the event of one version; false if the log does not come to it.
func (k *Keeper) entry(ctx context.Context, log eventstore.Log, graph string, version eventstore.Version) (eventstore.Event, bool, error) {
	events, err := k.read(ctx, log, graph, version-1, 1)
	if err != nil || len(events) == 0 {
		return eventstore.Event{}, false, err
	}
	return events[0], true, nil
}

// holds tells whether the history of log goes through position.
func (k *Keeper) holds(ctx context.Context, log eventstore.Log, graph string, position eventstore.Position) (bool, error) {
	if position.Version == 0 {
		return true, nil
	}
	event, found, err := k.entry(ctx, log, graph, position.Version)
	if errors.Is(err, eventstore.ErrBroken) || errors.Is(err, eventstore.ErrTrimmed) {
		return false, nil
	}
	return found && event.Position() == position, err
}

// pages yields the events of log after from, up to and with version to, in pages of bounded size that chain to each other.
// It ends with the first error, which is ErrBroken where the log does not hold them; all those before it were yielded.
func (k *Keeper) pages(ctx context.Context, log eventstore.Log, graph string, from eventstore.Position, to eventstore.Version) pageSeq {
	return func(yield func([]eventstore.Event, error) bool) {
		for size := firstPage; from.Version < to; {
			events, err := k.read(ctx, log, graph, from.Version, int(min(eventstore.Version(size), to-from.Version)))
			if errors.Is(err, eventstore.ErrBroken) && size > 1 { // what is wrong may be anywhere in the page
				size /= 2
				continue
			}
			if err == nil && len(events) == 0 {
				err = &eventstore.ChainError{Stream: graph, Version: from.Version + 1, Reason: "the log ends before it"}
			}
			if err == nil {
				if err = eventstore.VerifyChain(graph, from, events); err != nil {
					events = events[:chaining(from, events)]
				}
			}
			if len(events) > 0 {
				from, size = events[len(events)-1].Position(), nextPage(size, events)
				counted(ctx, len(events))
				if !yield(events, nil) {
					return
				}
			}
			if err != nil {
				yield(nil, err)
				return
			}
		}
	}
}

// chaining returns how many of events follow from.
func chaining(from eventstore.Position, events []eventstore.Event) int {
	for i, event := range events {
		if event.Version != from.Version+1 || event.Hash != eventstore.NextHash(from.Hash, event.Data) {
			return i
		}
		from = event.Position()
	}
	return len(events)
}

// nextPage returns how many events to read next, after a page of size.
func nextPage(size int, events []eventstore.Event) int {
	switch bytes := bytesOf(events); {
	case bytes > pageBytes:
		return max(1, size/4)
	case len(events) == size && bytes < pageBytes/4:
		return min(2*size, largePage)
	}
	return size
}

func bytesOf(events []eventstore.Event) (bytes int) {
	for i := range events {
		bytes += len(events[i].Data)
	}
	return bytes
}

// ahead takes the next pair of seq while its own last one is worked on. Its last pair has the error of ctx if that is done.
func ahead[T any](ctx context.Context, seq func(ctx context.Context) iter.Seq2[T, error]) iter.Seq2[T, error] {
	type pair struct {
		value T
		err   error
	}
	return func(yield func(T, error) bool) {
		outer := ctx
		ctx, cancel := context.WithCancel(outer)
		pairs := make(chan pair, 1)
		go func() {
			defer close(pairs)
			for value, err := range seq(ctx) {
				select {
				case pairs <- pair{value, err}:
				case <-ctx.Done():
					return
				}
			}
		}()
		defer func() {
			cancel()
			for range pairs { // until the goroutine has ended
			}
		}()
		for next := range pairs {
			if !yield(next.value, next.err) {
				return
			}
		}
		if err := outer.Err(); err != nil { // or what was cut off would pass for all there is
			var none T
			yield(none, err)
		}
	}
}

// index gives events that lack them the Operations that they settle, for the index of operations. One that cannot be decoded settles none.
func index(events []eventstore.Event) {
	for i := range events {
		if events[i].Operations != nil {
			continue
		}
		if event, err := projection.DecodeEvent(events[i].Data); err == nil {
			events[i].Operations = event.OperationIDs()
		}
	}
}

// damaged tells whether err says something about a graph's log, not about the stores.
func damaged(err error) bool {
	return !errors.Is(err, eventstore.ErrUnavailable) && !errors.Is(err, eventstore.ErrUnknown) &&
		(errors.Is(err, eventstore.ErrBroken) || errors.Is(err, projection.ErrEvent) || errors.Is(err, projection.ErrChecksum))
}

// pause waits for so long, or until ctx is done.
func pause(ctx context.Context, long time.Duration) error {
	timer := time.NewTimer(long)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return ctx.Err()
}

func since(begun time.Time) int64 { return time.Since(begun).Milliseconds() }

func unknownGraph(graph string) error { return fmt.Errorf("%w: %q", ErrUnknown, graph) }

type pageSeq = iter.Seq2[[]eventstore.Event, error]

// transfer bounds one call to the archive, which moves some megabytes.
func (k *Keeper) transfer(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, 6*k.opts.Timeout)
}
