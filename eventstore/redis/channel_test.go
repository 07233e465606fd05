package redis_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"graphy/eventstore/redis/redistest"
)

func TestChannels(t *testing.T) {
	t.Parallel()
	t.Run("single", func(t *testing.T) {
		server := redistest.Start(t)
		testChannel(t, server.URL, server.Prefix(t), nil)
	})
	t.Run("cluster", func(t *testing.T) {
		cluster := redistest.StartCluster(t)
		testChannel(t, cluster.URL, cluster.Prefix(t), func(channel string) {
			slot := cluster.Slot(t, channel)
			owner := slices.Index(cluster.Masters, cluster.Owner(t, slot))
			cluster.MoveSlot(t, slot, cluster.Masters[(owner+1)%3], nil)
		})
	})
	t.Run("cut", func(t *testing.T) {
		server := redistest.StartOwn(t)
		client := server.Client(t)
		testChannel(t, server.URL, "", func(string) {
			if err := client.Do(t.Context(), client.B().Arbitrary("CLIENT", "KILL", "TYPE", "pubsub").Build()).Error(); err != nil {
				t.Fatal(err)
			}
		})
	})
}

// testChannel publishes from one process and hears in two subscriptions of another; after each trouble both begin anew,
// and the end of one leaves the other.
func testChannel(t *testing.T, url, prefix string, trouble func(channel string)) {
	here, _ := dial(t, url, prefix)
	there, _ := dial(t, url, prefix)
	channel := here.Keys().PresenceChannel("g")
	first, second := hear(t, there.Subscribe, channel), hear(t, there.Subscribe, channel)
	say := func(text string) {
		if err := here.Publish(within(t, patience), channel, text); err != nil {
			t.Fatal(err)
		}
	}
	for round := range 4 {
		first.awaitBegun(t)
		second.awaitBegun(t)
		for _, l := range []*listener{first, second} {
			l.hears(t, fmt.Sprint("message ", round), say)
		}
		first.forget()
		second.forget()
		if trouble != nil {
			trouble(channel)
		} else {
			break
		}
	}
	first.stop()
	second.hears(t, "last", say)
}

// listener is a subscription and what it has heard.
type listener struct {
	begun    atomic.Bool
	messages chan string
	stop     func()
}

func hear(t *testing.T, subscribe func(context.Context, string, func(), func(string)), channel string) *listener {
	ctx, cancel := context.WithCancel(within(t, 2*patience))
	ended := make(chan struct{})
	l := &listener{messages: make(chan string, 10000)}
	go func() {
		defer close(ended)
		subscribe(ctx, channel, func() { l.begun.Store(true) }, func(text string) { l.messages <- text })
	}()
	l.stop = func() {
		cancel()
		<-ended
	}
	t.Cleanup(l.stop)
	return l
}

func (l *listener) forget() { l.begun.Store(false) }

func (l *listener) awaitBegun(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(patience); !l.begun.Load(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the subscription does not begin")
		}
	}
}

// hears says text until it is heard: of two subscriptions to one channel each may begin anew when the other does.
func (l *listener) hears(t *testing.T, text string, say func(string)) {
	t.Helper()
	timeout := time.After(patience)
	for {
		say(text)
		select {
		case got := <-l.messages:
			if got == text {
				return
			}
		case <-time.After(10 * time.Millisecond):
		case <-timeout:
			t.Fatalf("%q does not come", text)
		}
	}
}
