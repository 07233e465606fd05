package eventstoretest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"graphy/eventstore"
)

var errShort = errors.New("tail ended early")

// follow takes n events off a Tail.
func follow(ctx context.Context, log eventstore.Log, after eventstore.Version, n int) ([]eventstore.Event, error) {
	var events []eventstore.Event
	for event, err := range log.Tail(ctx, "g", after) {
		if err != nil {
			return events, err
		}
		if events = append(events, event); len(events) == n {
			return events, nil
		}
	}
	return events, errShort
}

func tailHistory(t *testing.T, log eventstore.Log) {
	history := Numbered(eventstore.Position{}, 1000)
	must(t, log, "g", eventstore.Position{}, history)
	for _, after := range []eventstore.Version{0, 1, 200, 999} {
		got, err := follow(within(t), log, after, 1000-int(after))
		if err != nil {
			t.Fatalf("after %d: %v", after, err)
		}
		same(t, "tail", got, history[after:])
	}
}

// tailLive joins while an appender is at work: history and live events come as one sequence.
func tailLive(t *testing.T, log eventstore.Log) {
	history := Numbered(eventstore.Position{}, 500)
	must(t, log, "g", eventstore.Position{}, history[:50])
	var wg sync.WaitGroup
	wg.Go(func() {
		for at := 50; at < len(history); {
			end := min(at+1+at%4, len(history))
			must(t, log, "g", history[at-1].Position(), history[at:end])
			at = end
		}
	})
	got, err := follow(within(t), log, 20, 480)
	wg.Wait()
	if err != nil {
		t.Fatal(err)
	}
	same(t, "tail", got, history[20:])
}

func tailManyReaders(t *testing.T, log eventstore.Log) {
	ctx := within(t)
	history := Numbered(eventstore.Position{}, 200)
	must(t, log, "g", eventstore.Position{}, history[:100])
	var wg sync.WaitGroup
	for reader := range 30 {
		wg.Go(func() {
			after := reader * 3
			got, err := follow(ctx, log, eventstore.Version(after), 200-after)
			if err != nil {
				t.Errorf("reader %d: %v after %d events", reader, err, len(got))
				return
			}
			if err := eventstore.VerifyChain("g", history[max(after, 1)-1].Position(), got[min(1, max(1-after, 0)):]); err != nil {
				t.Errorf("reader %d: %v", reader, err)
			}
		})
	}
	for at := 100; at < 200; at += 2 {
		must(t, log, "g", history[at-1].Position(), history[at:at+2])
	}
	wg.Wait()
}

// tailSlowReader leaves a Tail standing while more comes in than anything would keep for it.
func tailSlowReader(t *testing.T, log eventstore.Log) {
	data := slices.Repeat([]string{`"` + string(slices.Repeat([]byte("x"), 64<<10)) + `"`}, 20)
	history := Chain(eventstore.Position{}, data...)
	must(t, log, "g", eventstore.Position{}, history[:1])
	position := eventstore.Position{}
	for event, err := range log.Tail(within(t), "g", 0) {
		if err != nil {
			t.Fatal(err)
		}
		if event.Version == 1 {
			must(t, log, "g", history[0].Position(), history[1:])
			for last := history[19].Position(); last.Version < 200; {
				more := Chain(last, data...)
				must(t, log, "g", last, more)
				last = more[19].Position()
			}
		}
		if err := eventstore.VerifyChain("g", position, []eventstore.Event{event}); err != nil {
			t.Fatal(err)
		}
		if position = event.Position(); position.Version == 200 {
			return
		}
	}
}

func tailEndsWithContext(t *testing.T, log eventstore.Log) {
	must(t, log, "g", eventstore.Position{}, Numbered(eventstore.Position{}, 1))
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	pairs := 0
	for event, err := range log.Tail(ctx, "g", 0) {
		if pairs++; pairs == 1 {
			cancel()
			continue
		}
		if !errors.Is(err, context.Canceled) || event.Version != 0 {
			t.Errorf("last pair: got %v, %v, want a zero event and %v", event, err, context.Canceled)
		}
	}
	if pairs != 2 {
		t.Errorf("%d pairs, want 2", pairs)
	}
}

func tailStops(t *testing.T, log eventstore.Log) {
	must(t, log, "g", eventstore.Position{}, Numbered(eventstore.Position{}, 10))
	for n := range 10 {
		if got, err := follow(within(t), log, 0, n+1); err != nil || len(got) != n+1 {
			t.Errorf("got %d events, %v, want %d", len(got), err, n+1)
		}
	}
}

func tailResetByDelete(t *testing.T, log eventstore.Log) {
	ctx := within(t)
	must(t, log, "g", eventstore.Position{}, Numbered(eventstore.Position{}, 5))
	// One reader waits at the head; one is in the middle of history when the stream is deleted and begun anew.
	atHead := make(chan struct{})
	ended := make(chan error)
	go func() {
		var last error
		for event, err := range log.Tail(ctx, "g", 2) {
			if last = err; event.Version == 5 {
				close(atHead)
			}
		}
		ended <- last
	}()
	<-atHead
	var last error
	for event, err := range log.Tail(ctx, "g", 0) {
		if last = err; event.Version == 3 {
			if err := log.Delete(ctx, "g"); err != nil {
				t.Fatal(err)
			}
			must(t, log, "g", eventstore.Position{}, Chain(eventstore.Position{}, `{"anew":true}`))
		}
	}
	if !errors.Is(last, eventstore.ErrReset) {
		t.Errorf("reader in history: ended with %v, want %v", last, eventstore.ErrReset)
	}
	if err := <-ended; !errors.Is(err, eventstore.ErrReset) {
		t.Errorf("reader at the head: ended with %v, want %v", err, eventstore.ErrReset)
	}
}

func tailResetWhenAhead(t *testing.T, log eventstore.Log) {
	must(t, log, "g", eventstore.Position{}, Numbered(eventstore.Position{}, 5))
	for event, err := range log.Tail(within(t), "g", 6) {
		if !errors.Is(err, eventstore.ErrReset) {
			t.Errorf("got %v, %v, want %v", event, err, eventstore.ErrReset)
		}
	}
}

func tailLeavesNoGoroutine(t *testing.T, log eventstore.Log) {
	must(t, log, "g", eventstore.Position{}, Numbered(eventstore.Position{}, 1))
	tails := func(n int) {
		ctx, cancel := context.WithCancel(within(t))
		var wg sync.WaitGroup
		started := make(chan struct{}, n)
		for range n {
			wg.Go(func() {
				for event := range log.Tail(ctx, "g", 0) {
					if event.Version == 1 {
						started <- struct{}{}
					}
				}
			})
		}
		for range n {
			<-started
		}
		cancel()
		wg.Wait()
	}
	tails(1) // whatever is started once and kept
	known := goleak.IgnoreCurrent()
	tails(50)
	if err := goleak.Find(known); err != nil {
		t.Error(err)
	}
}
