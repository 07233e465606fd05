package redis_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"graphy/eventstore"
	"graphy/eventstore/eventstoretest"
	"graphy/eventstore/redis"
	"graphy/eventstore/redis/redistest"
)

const patience = 30 * time.Second

// dial returns a Store on clients as the server makes them, and the one for commands.
func dial(t testing.TB, url, prefix string) (*redis.Store, rueidis.Client) {
	t.Helper()
	return dialProbing(t, url, prefix, 50*time.Millisecond)
}

// never is a Probe that no test lives to see: what a Tail learns, it learns by messages and resubscription.
const never = time.Hour

func dialProbing(t testing.TB, url, prefix string, probe time.Duration) (*redis.Store, rueidis.Client) {
	t.Helper()
	client, subscriber, err := redis.Dial(t.Context(), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	t.Cleanup(subscriber.Close)
	return redis.New(client, subscriber, redis.Options{Prefix: prefix, Probe: probe}), client
}

func within(t testing.TB, limit time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

// writer appends events one by one and knows what it should find.
type writer struct {
	log     eventstore.Log
	history []eventstore.Event
}

func (w *writer) position() eventstore.Position {
	if len(w.history) == 0 {
		return eventstore.Position{}
	}
	return w.history[len(w.history)-1].Position()
}

// write appends the next event, which is in the history when it is Applied.
func (w *writer) write(ctx context.Context) error {
	events := eventstoretest.Numbered(w.position(), 1)
	result, err := w.log.Append(ctx, "g", w.position(), events)
	if err == nil && result.Outcome != eventstore.Applied {
		err = fmt.Errorf("outcome %v, head %d, want Applied", result.Outcome, result.Head)
	}
	if err == nil {
		w.history = append(w.history, events...)
	}
	return err
}

func (w *writer) mustWrite(t testing.TB, n int) {
	t.Helper()
	for range n {
		if err := w.write(within(t, patience)); err != nil {
			t.Fatalf("append after version %d: %v", w.position().Version, err)
		}
	}
}

// check compares the stream with the history.
func (w *writer) check(t testing.TB) {
	t.Helper()
	ctx := within(t, patience)
	got, err := w.log.Read(ctx, "g", 0, len(w.history)+10)
	if err != nil {
		t.Fatal(err)
	}
	if err := eventstore.VerifyChain("g", eventstore.Position{}, got); err != nil {
		t.Error(err)
	}
	if len(got) != len(w.history) || got[len(got)-1].Position() != w.position() {
		t.Errorf("stream has %d events, want %d", len(got), len(w.history))
	}
	for _, event := range w.history {
		for _, id := range event.Operations {
			if versions, err := w.log.Operations(ctx, "g", id); err != nil || versions[0] != event.Version {
				t.Errorf("operation of version %d: got %v, %v", event.Version, versions, err)
			}
		}
	}
}

// A connection that ends in the middle of an append leaves the outcome open; the retry settles it.
func TestI1AppendOverCutConnection(t *testing.T) {
	server := redistest.Start(t)
	proxy := startProxy(t, server.Addr)
	log, _ := dial(t, "redis://"+proxy.addr, server.Prefix(t))
	w := writer{log: log}
	w.mustWrite(t, 2)
	for _, where := range []string{cutRequest, cutAnswer, cutAnswer, cutRequest, cutAnswer} {
		before := proxy.cuts.Load()
		proxy.cutNext(where)
		w.mustWrite(t, 1)
		if proxy.cuts.Load() != before+1 {
			t.Fatalf("the %s was not cut", where)
		}
	}
	w.check(t)
}

func TestI1AppendToFrozenServer(t *testing.T) {
	t.Parallel()
	server := redistest.StartOwn(t)
	log, _ := dial(t, server.URL, server.Prefix(t))
	w := writer{log: log}
	w.mustWrite(t, 3)
	for _, frozen := range []time.Duration{200 * time.Millisecond, 3 * time.Second} { // before and after the link is given up
		events := eventstoretest.Numbered(w.position(), 1)
		server.Freeze()
		begin := time.Now()
		_, err := log.Append(within(t, frozen), "g", w.position(), events)
		if took := time.Since(begin); took > frozen+500*time.Millisecond {
			t.Errorf("took %v, its deadline was %v", took, frozen)
		}
		if !errors.Is(err, eventstore.ErrUnknown) {
			t.Errorf("frozen: got %v, want %v", err, eventstore.ErrUnknown)
		}
		if _, err := log.Head(within(t, 100*time.Millisecond), "g"); !errors.Is(err, eventstore.ErrUnavailable) {
			t.Errorf("read of a frozen server: got %v, want %v", err, eventstore.ErrUnavailable)
		}
		server.Thaw()
		result, err := log.Append(within(t, patience), "g", w.position(), events)
		if err != nil || result.Outcome != eventstore.Applied {
			t.Fatalf("thawed: got %+v, %v, want Applied", result, err)
		}
		w.history = append(w.history, events...)
	}
	w.check(t)
}

// Appends and a Tail go on over kills of the server, and nothing acknowledged is missing or there twice.
func TestI2RestartsUnderLoad(t *testing.T) {
	server := redistest.StartOwn(t, "--appendfsync", "always")
	log, _ := dial(t, server.URL, server.Prefix(t))
	w := writer{log: log}
	w.mustWrite(t, 1)
	ctx, stop := context.WithCancel(within(t, 2*patience))
	var wg sync.WaitGroup
	wg.Go(func() {
		for ctx.Err() == nil {
			if err := w.write(within(t, patience)); err != nil {
				t.Error(err)
				return
			}
		}
	})
	tailed := make(chan eventstore.Event, 1<<16)
	tailing, stopTail := context.WithCancel(within(t, 2*patience))
	go func() {
		defer close(tailed)
		for event, err := range log.Tail(tailing, "g", 0) {
			if err != nil {
				return
			}
			tailed <- event
		}
	}()
	position := eventstore.Position{}
	next := func() {
		t.Helper()
		select {
		case event := <-tailed:
			if err := eventstore.VerifyChain("g", position, []eventstore.Event{event}); err != nil {
				t.Fatal(err)
			}
			position = event.Position()
		case <-time.After(patience):
			t.Fatalf("tail stands at version %d", position.Version)
		}
	}
	for range 3 {
		for range 200 {
			next()
		}
		server.Kill()
		server.Restart(t)
	}
	stop()
	wg.Wait()
	for position != w.position() {
		next()
	}
	stopTail()
	w.check(t)
}

// Once it is known that nobody listens, an append certainly was not made.
func TestStoppedServer(t *testing.T) {
	server := redistest.StartOwn(t)
	log, _ := dial(t, server.URL, server.Prefix(t))
	w := writer{log: log}
	w.mustWrite(t, 3)
	server.Stop()
	err := w.write(within(t, 300*time.Millisecond)) // may still find the old connection
	if !errors.Is(err, eventstore.ErrUnavailable) && !errors.Is(err, eventstore.ErrUnknown) {
		t.Errorf("got %v, want a failure", err)
	}
	if err := w.write(within(t, 300*time.Millisecond)); !errors.Is(err, eventstore.ErrUnavailable) {
		t.Errorf("got %v, want %v", err, eventstore.ErrUnavailable)
	}
	server.Restart(t)
	w.mustWrite(t, 3)
	w.check(t)
}

// What Redis refuses for now is ErrUnavailable, writes nothing, and goes through when Redis is well again.
func TestRefusals(t *testing.T) {
	tests := []struct {
		code     string
		ill, fit []string
	}{
		{"OOM", []string{"CONFIG", "SET", "maxmemory", "1"}, []string{"CONFIG", "SET", "maxmemory", "0"}},
		{"READONLY", []string{"REPLICAOF", "127.0.0.1", "1"}, []string{"REPLICAOF", "NO", "ONE"}},
		{"NOREPLICAS", []string{"CONFIG", "SET", "min-replicas-to-write", "1"}, []string{"CONFIG", "SET", "min-replicas-to-write", "0"}},
	}
	for _, test := range tests {
		t.Run(test.code, func(t *testing.T) {
			t.Parallel()
			server := redistest.StartOwn(t)
			log, client := dial(t, server.URL, server.Prefix(t))
			w := writer{log: log}
			w.mustWrite(t, 3) // the next needs no mark: it is the append that is refused
			do := func(command []string) {
				if err := client.Do(t.Context(), client.B().Arbitrary(command...).Build()).Error(); err != nil {
					t.Fatal(err)
				}
			}
			do(test.ill)
			err := w.write(within(t, time.Second))
			if !errors.Is(err, eventstore.ErrUnavailable) || !strings.Contains(err.Error(), test.code) {
				t.Errorf("got %v, want %v by %s", err, eventstore.ErrUnavailable, test.code)
			}
			do(test.fit)
			w.check(t)
			w.mustWrite(t, 1)
			w.check(t)
		})
	}
}

// Messages are lost with every subscription that is cut; the Tail of another process misses nothing.
func TestI4SubscriptionsCut(t *testing.T) {
	server := redistest.StartOwn(t)
	prefix := server.Prefix(t)
	log, client := dial(t, server.URL, prefix)
	other, _ := dialProbing(t, server.URL, prefix, never)
	w := writer{log: log}
	w.mustWrite(t, 1)
	ctx, stop := context.WithCancel(within(t, patience))
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			w.mustWrite(t, 1)
			if i%20 == 0 {
				if err := client.Do(t.Context(), client.B().Arbitrary("CLIENT", "KILL", "TYPE", "pubsub").Build()).Error(); err != nil {
					t.Error(err)
				}
			}
		}
	})
	position := eventstore.Position{}
	for event, err := range other.Tail(within(t, patience), "g", 0) {
		if err != nil {
			t.Fatal(err)
		}
		if err := eventstore.VerifyChain("g", position, []eventstore.Event{event}); err != nil {
			t.Fatal(err)
		}
		if position = event.Position(); position.Version == 1000 {
			break
		}
	}
	stop()
	wg.Wait()
}

func TestScriptsForgotten(t *testing.T) {
	server := redistest.StartOwn(t)
	log, client := dial(t, server.URL, "")
	w := writer{log: log}
	for range 3 {
		w.mustWrite(t, 2)
		if err := client.Do(t.Context(), client.B().ScriptFlush().Build()).Error(); err != nil {
			t.Fatal(err)
		}
	}
	w.check(t)
}
