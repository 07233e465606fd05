package eventstoretest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"graphy/eventstore"
)

// write appends to g as others do too, until it has appended n events or ctx is done; each settles an operation of its
// own, which is given to settled.
func write(ctx context.Context, t *testing.T, log eventstore.Log, writer, n int, settled func(event eventstore.Event)) {
	for i := 0; i < n && ctx.Err() == nil; {
		head, err := log.Head(ctx, "g")
		if err != nil {
			t.Errorf("writer %d: %v", writer, err)
			return
		}
		events := Chain(head, fmt.Sprintf(`{"writer":%d,"n":%d}`, writer, i))
		events[0].Operations = []string{fmt.Sprintf("%d-%d", writer, i)}
		result, err := log.Append(ctx, "g", head, events)
		switch {
		case errors.Is(err, eventstore.ErrTrimmed): // others were much faster
		case err != nil:
			t.Errorf("writer %d: %v", writer, err)
			return
		case result.Outcome == eventstore.Applied:
			settled(events[0])
			i++
		case result.Outcome == eventstore.Duplicate:
			t.Errorf("writer %d: %v is done already", writer, result.Done)
			return
		}
	}
}

// trimUnderWriters: while four append and four follow, the beginning is trimmed away again and again. Nobody sees a gap.
func trimUnderWriters(t *testing.T, log eventstore.Log, m eventstore.Maintainer) {
	const writers, each, tail = 4, 150, 50
	ctx := within(t)
	var running, tailing sync.WaitGroup
	for range 4 {
		tailing.Go(func() {
			at := eventstore.Position{}
			for event, err := range log.Tail(ctx, "g", 0) {
				if err == nil {
					err = eventstore.VerifyChain("g", at, []eventstore.Event{event})
				}
				if err != nil && errors.Is(err, eventstore.ErrTrimmed) {
					return // was slower than the trimming, and was told
				}
				if err != nil {
					t.Errorf("tail after %d: %v", at.Version, err)
					return
				}
				if at = event.Position(); at.Version == writers*each {
					return
				}
			}
		})
	}
	for writer := range writers {
		running.Go(func() { write(ctx, t, log, writer, each, func(eventstore.Event) {}) })
	}
	written := make(chan struct{})
	go func() { running.Wait(); close(written) }()
	floor, over := eventstore.Position{}, false
	for !over {
		select {
		case <-written:
			over = true
		default:
		}
		events, err := log.Read(ctx, "g", floor.Version, 100)
		if err == nil {
			err = eventstore.VerifyChain("g", floor, events)
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(events) <= tail {
			continue
		}
		oldest := events[:len(events)-tail]
		last := oldest[len(oldest)-1]
		if err := m.SetBase(ctx, "g", baseAt(last)); err != nil {
			t.Fatal(err)
		}
		if err := m.Trim(ctx, "g", oldest); err != nil {
			t.Fatal(err)
		}
		floor = last.Position()
		_, err = log.Read(ctx, "g", 0, 1)
		wantTrimmed(t, "read", err, floor.Version+1)
	}
	tailing.Wait()
	if head, err := log.Head(ctx, "g"); err != nil || head.Version != writers*each {
		t.Errorf("head: got %v, %v, want version %d", head, err, writers*each)
	}
	if floor.Version == 0 {
		t.Error("nothing was trimmed")
	}
}

// rewriteUnderWriters: while four append, the stream is given its own content again and again. Nothing is lost, nothing
// is there twice, and each rewriting comes to its end.
func rewriteUnderWriters(t *testing.T, log eventstore.Log, m eventstore.Maintainer) {
	const writers, each, times = 4, 100, 5
	ctx := within(t)
	var mu sync.Mutex
	settled := map[string]eventstore.Position{}
	var running sync.WaitGroup
	for writer := range writers {
		running.Go(func() {
			write(ctx, t, log, writer, each, func(event eventstore.Event) {
				mu.Lock()
				defer mu.Unlock()
				settled[event.Operations[0]] = event.Position()
			})
		})
	}
	for range times {
		r, err := m.Rewrite(ctx, "g", eventstore.Base{})
		if err != nil {
			t.Fatal(err)
		}
		at := eventstore.Position{}
		for committed := false; !committed; {
			events, err := log.Read(ctx, "g", at.Version, 500)
			for i := range events { // the id stands in the data
				var writer, n int
				if _, err := fmt.Sscanf(string(events[i].Data), `{"writer":%d,"n":%d}`, &writer, &n); err != nil {
					t.Fatal(err)
				}
				events[i].Operations = []string{fmt.Sprintf("%d-%d", writer, n)}
			}
			if err == nil {
				err = r.Write(ctx, events)
			}
			if err != nil {
				t.Fatal(err)
			}
			if len(events) > 0 {
				at = events[len(events)-1].Position()
			}
			if at.Version == 0 {
				continue
			}
			if committed, err = r.Commit(ctx, at); err != nil {
				t.Fatal(err)
			}
		}
	}
	running.Wait()
	events := all(t, log, "g")
	if len(events) != writers*each || len(settled) != writers*each {
		t.Errorf("%d events of %d operations, want %d", len(events), len(settled), writers*each)
	}
	index := map[string]eventstore.Version{}
	for id, position := range settled {
		if index[id] = position.Version; events[position.Version-1].Position() != position {
			t.Errorf("operation %s is no longer where it was acknowledged", id)
		}
	}
	wantIndex(t, m, "g", index)
}
