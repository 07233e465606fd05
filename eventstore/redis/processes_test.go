package redis_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"graphy/eventstore"
	"graphy/eventstore/eventstoretest"
	"graphy/eventstore/redis/redistest"
)

// Two Stores stand for two processes: they share nothing but Redis.

func TestTailOfAnotherProcess(t *testing.T) {
	server := redistest.Start(t)
	prefix := server.Prefix(t)
	log, _ := dial(t, server.URL, prefix)
	other, _ := dialProbing(t, server.URL, prefix, never)
	w := writer{log: log}
	w.mustWrite(t, 1)
	position := eventstore.Position{}
	var last error
	for event, err := range other.Tail(within(t, patience), "g", 0) {
		if last = err; err != nil {
			break
		}
		if err := eventstore.VerifyChain("g", position, []eventstore.Event{event}); err != nil {
			t.Fatal(err)
		}
		if position = event.Position(); position.Version < 300 {
			if position == w.position() {
				w.mustWrite(t, 3)
			}
			continue
		}
		if position == w.position() {
			if err := log.Delete(t.Context(), "g"); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !errors.Is(last, eventstore.ErrReset) {
		t.Errorf("after the deletion: got %v, want %v", last, eventstore.ErrReset)
	}
}

func TestAppendsOfAnotherProcess(t *testing.T) {
	server := redistest.Start(t)
	prefix := server.Prefix(t)
	log, _ := dial(t, server.URL, prefix)
	other, _ := dial(t, server.URL, prefix)
	ctx, stop := context.WithCancel(within(t, patience))
	heard := make(chan eventstore.Notice, 1000)
	go func() {
		for notice := range other.Appends(ctx) {
			heard <- notice
		}
	}()
	defer stop()
	w := writer{log: log}
	for {
		w.mustWrite(t, 1)
		select {
		case notice := <-heard:
			if notice.Stream != "g" || notice.Head == 0 || notice.Head > w.position().Version || notice.Events != nil {
				t.Errorf("got %+v, want a notice of g without events", notice)
			}
			return
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			t.Fatal("heard nothing")
		}
	}
}

// One process has a name cached as marked; another deletes the stream and begins it anew.
func TestDirectoryAfterDeleteByAnother(t *testing.T) {
	server := redistest.Start(t)
	prefix := server.Prefix(t)
	log, _ := dial(t, server.URL, prefix)
	other, _ := dial(t, server.URL, prefix)
	ctx := within(t, patience)
	w := writer{log: log}
	w.mustWrite(t, 3)
	if err := other.Delete(ctx, "g"); err != nil {
		t.Fatal(err)
	}
	w.history = nil
	w.mustWrite(t, 1)
	names, err := other.Streams(ctx, "", 10)
	if err != nil || len(names) != 1 {
		t.Errorf("streams: got %q, %v, want g", names, err)
	}
	if active, err := other.Active(ctx, 10); err != nil || len(active) != 1 {
		t.Errorf("active: got %v, %v, want g", active, err)
	}
}

// The deletion was not announced: the stream has gone back by itself, as after a failover.
func TestTailOfStreamThatWentBack(t *testing.T) {
	server := redistest.Start(t)
	log, client := dial(t, server.URL, server.Prefix(t))
	tests := []struct {
		name string
		anew int // events after the loss
	}{{"empty", 0}, {"shorter", 2}, {"as long", 5}, {"longer", 9}}
	for _, test := range tests {
		w := writer{log: log}
		w.mustWrite(t, 5)
		var last error
		for event, err := range log.Tail(within(t, patience), "g", 0) {
			if last = err; event.Version != 5 {
				continue
			}
			if err := client.Do(t.Context(), client.B().Del().Key(log.Keys().Events("g"), log.Keys().Operations("g")).Build()).Error(); err != nil {
				t.Fatal(err)
			}
			if test.anew > 0 {
				events := eventstoretest.Chain(eventstore.Position{}, make([]string, test.anew)...)
				if _, err := log.Append(t.Context(), "g", eventstore.Position{}, events); err != nil {
					t.Fatal(err)
				}
			}
		}
		if !errors.Is(last, eventstore.ErrReset) {
			t.Errorf("%s: got %v, want %v", test.name, last, eventstore.ErrReset)
		}
		if err := log.Delete(t.Context(), "g"); err != nil {
			t.Fatal(err)
		}
	}
}

// A message is a hint: whatever is published, a Tail yields what the stream has.
func TestI4ForeignMessages(t *testing.T) {
	server := redistest.Start(t)
	log, client := dialProbing(t, server.URL, server.Prefix(t), never)
	w := writer{log: log}
	w.mustWrite(t, 2)
	ctx := within(t, patience)
	yielded := make(chan eventstore.Event, 100)
	go func() {
		defer close(yielded)
		for event, err := range log.Tail(ctx, "g", 0) {
			if err != nil {
				return
			}
			yielded <- event
		}
	}()
	position := eventstore.Position{}
	until := func(version eventstore.Version) {
		t.Helper()
		for position.Version < version {
			select {
			case event := <-yielded:
				if err := eventstore.VerifyChain("g", position, []eventstore.Event{event}); err != nil {
					t.Fatal(err)
				}
				position = event.Position()
			case <-ctx.Done():
				t.Fatalf("tail stands at %d, want %d", position.Version, version)
			}
		}
	}
	until(2)
	channel := log.Keys().EventsChannel("g")
	for { // the subscription begins at its own time
		counts, err := client.Do(ctx, client.B().PubsubNumsub().Channel(channel).Build()).AsIntMap()
		if err != nil {
			t.Fatal(err)
		}
		if counts[channel] > 0 {
			break
		}
	}
	for _, message := range []string{"", "garbage", "3 1\n", "3 1\nfalsehash {}\n", "9 1\nfalsehash {}\n", "3 2\nx {}\n", "1 1\nx {}\n"} {
		if err := client.Do(ctx, client.B().Publish().Channel(channel).Message(message).Build()).Error(); err != nil {
			t.Fatal(err)
		}
		w.mustWrite(t, 1)
		until(w.position().Version)
	}
}
