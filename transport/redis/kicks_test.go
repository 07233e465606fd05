package redis_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/redis/rueidis"

	"graphy/eventstore"
	logredis "graphy/eventstore/redis"
	"graphy/eventstore/redis/redistest"
	"graphy/transport"
	"graphy/transport/redis"
)

// listening has a process listen to kicks, and end that many connections for each.
func listening(t *testing.T, connect func() rueidis.Client, prefix string, ends int) (k *redis.Kicks, heard func() []transport.Kick) {
	t.Helper()
	client := connect()
	k = redis.NewKicks(client, logredis.New(client, connect(), logredis.Options{Prefix: prefix}))
	ctx, cancel := context.WithCancel(context.Background())
	var mu sync.Mutex
	var all []transport.Kick
	var running sync.WaitGroup
	running.Go(func() {
		k.Subscribe(ctx, func(kick transport.Kick) int {
			mu.Lock()
			defer mu.Unlock()
			if kick.ClientID != "probe" {
				all = append(all, kick)
			}
			return ends
		})
	})
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	return k, func() []transport.Kick {
		mu.Lock()
		defer mu.Unlock()
		return all
	}
}

// TestKicksAreCounted: every process hears of a kick, and what each ended is told to who asked.
func TestKicksAreCounted(t *testing.T) {
	for name, start := range map[string]func(*testing.T) (func() rueidis.Client, string){
		"server": func(t *testing.T) (func() rueidis.Client, string) {
			server := redistest.Start(t)
			return func() rueidis.Client { return server.Client(t) }, server.Prefix(t)
		},
		"cluster": func(t *testing.T) (func() rueidis.Client, string) {
			cluster := redistest.StartCluster(t)
			return func() rueidis.Client { return cluster.Client(t) }, cluster.Prefix(t)
		},
	} {
		t.Run(name, func(t *testing.T) {
			connect, prefix := start(t)
			one, heardOne := listening(t, connect, prefix, 1)
			_, heardTwo := listening(t, connect, prefix, 2)
			eventually(t, "both listen", func() bool {
				ended, err := one.Kick(t.Context(), transport.Kick{ClientID: "probe"})
				return err == nil && ended == 3
			})
			kick := transport.Kick{ClientID: "tab", Reason: "it floods"}
			ended, err := one.Kick(t.Context(), kick)
			if err != nil || ended != 3 {
				t.Errorf("got %d, %v, want 3", ended, err)
			}
			for _, heard := range [][]transport.Kick{heardOne(), heardTwo()} {
				if len(heard) != 1 || heard[0] != kick {
					t.Errorf("heard %+v, want %+v", heard, kick)
				}
			}
		})
	}
}

// TestKicksWithoutAnybody and without Redis.
func TestKicksWithoutAnybody(t *testing.T) {
	server := redistest.StartOwn(t)
	client := server.Client(t)
	k := redis.NewKicks(client, logredis.New(client, server.Client(t), logredis.Options{}))
	if ended, err := k.Kick(t.Context(), transport.Kick{ClientID: "tab"}); err != nil || ended != 0 {
		t.Errorf("nobody listens: got %d, %v", ended, err)
	}
	server.Stop()
	if _, err := k.Kick(t.Context(), transport.Kick{ClientID: "tab"}); !errors.Is(err, eventstore.ErrUnavailable) {
		t.Errorf("without Redis: got %v, want ErrUnavailable", err)
	}
}

// TestKickOnRedis: a client that is connected to two processes is kicked by an operator of one of them, on real sockets, and
// nothing is left of it.
func TestKickOnRedis(t *testing.T) {
	server := redistest.Start(t)
	prefix := server.Prefix(t)
	connect := func(t testing.TB) rueidis.Client { return server.Client(t) }
	a, b := newNode(t, connect, prefix, time.Minute), newNode(t, connect, prefix, time.Minute)
	a.create("g", 3)
	here, there := a.open("g", "clientId=tab&clientVersion=3&userId=ann"), b.open("g", "clientId=tab&clientVersion=3&userId=ann")
	other := b.open("g", "clientId=other&clientVersion=3&userId=ann")
	for _, c := range []*tab{here, there, other} {
		c.beats(3)
	}
	eventually(t, "all are known", func() bool {
		seen, err := a.clients.Seen(t.Context(), "g", "", "", 100)
		return err == nil && len(seen) == 3
	})
	client := server.Client(t)
	eventually(t, "both listen", func() bool {
		subscribers, err := client.Do(t.Context(), client.B().PubsubNumsub().Channel(prefix+"kicks").Build()).AsIntMap()
		return err == nil && subscribers[prefix+"kicks"] == 2
	})
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodDelete, "/api/v2/admin/sessions/tab", nil)
	a.server.Operator("olga").ServeHTTP(w, r)
	if want := `{"clientId":"tab","ended":2,"forgotten":true}`; w.Code != 200 || w.Body.String() != want {
		t.Errorf("got %d %s, want %s", w.Code, w.Body, want)
	}
	for _, c := range []*tab{here, there} {
		c.conn.SetReadDeadline(time.Now().Add(patience))
		if _, _, err := c.conn.ReadMessage(); !websocket.IsCloseError(err, websocket.ClosePolicyViolation) {
			t.Errorf("got %v, want 1008", err)
		}
	}
	other.beats(3)
	eventually(t, "it is forgotten, and the other is not", func() bool {
		seen, err := a.clients.Seen(t.Context(), "g", "", "", 100)
		found, err2 := a.clients.Find(t.Context(), "g", "ann", "tab")
		return err == nil && err2 == nil && len(seen) == 1 && seen[0].Client == "other" && len(found) == 0
	})
	if again := b.open("g", "clientId=tab&userId=ann"); again.last.Reconnected {
		t.Errorf("it came back: %+v", again.last)
	}
}
