package redis_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"graphy/eventstore"
	eventmemory "graphy/eventstore/memory"
	logredis "graphy/eventstore/redis"
	"graphy/eventstore/redis/redistest"
	modelmemory "graphy/projection/memory"
	"graphy/transport"
	"graphy/transport/auth"
	"graphy/transport/auth/authtest"
	"graphy/transport/redis"
)

func TestTicketIsTakenOnce(t *testing.T) {
	onEach(t, func(t *testing.T, on site) {
		tickets := redis.NewTickets(on.client, on.keys)
		take := func(id, want string) {
			t.Helper()
			got, err := tickets.Take(t.Context(), id)
			if err != nil || string(got) != want {
				t.Errorf("take %q: got %q, %v, want %q", id, got, err, want)
			}
		}
		take("none", "")
		for _, value := range []string{"a", "\x00\xff{}", strings.Repeat("x", 1000)} {
			if err := tickets.Put(t.Context(), "id", []byte(value), time.Minute); err != nil {
				t.Fatal(err)
			}
			take("other", "")
			take("id", value)
			take("id", "")
		}
		if left := on.all(t); len(left) > 0 {
			t.Errorf("I10: %v are left", left)
		}
	})
}

func TestOneOfManyTakesATicket(t *testing.T) {
	onEach(t, func(t *testing.T, on site) {
		tickets := redis.NewTickets(on.client, on.keys)
		for range 50 {
			if err := tickets.Put(t.Context(), "id", []byte("v"), time.Minute); err != nil {
				t.Fatal(err)
			}
			var taken atomic.Int32
			var all sync.WaitGroup
			for range 8 {
				all.Go(func() {
					if got, err := tickets.Take(t.Context(), "id"); err != nil {
						t.Errorf("take: %v", err)
					} else if got != nil {
						taken.Add(1)
					}
				})
			}
			if all.Wait(); taken.Load() != 1 {
				t.Fatalf("%d took it, want 1", taken.Load())
			}
		}
	})
}

func TestI10TicketsExpire(t *testing.T) {
	onEach(t, func(t *testing.T, on site) {
		tickets := redis.NewTickets(on.client, on.keys)
		if err := tickets.Put(t.Context(), "id", []byte("v"), 50*time.Millisecond); err != nil {
			t.Fatal(err)
		}
		if on.pass != nil {
			on.pass(time.Second)
		}
		for deadline := time.Now().Add(10 * time.Second); len(on.all(t)) > 0; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%v never expires", on.all(t))
			}
		}
		if got, err := tickets.Take(t.Context(), "id"); got != nil || err != nil {
			t.Errorf("got %q, %v after its time", got, err)
		}
	})
}

func TestTicketsOfARedisThatIsAway(t *testing.T) {
	server := redistest.StartOwn(t)
	tickets := redis.NewTickets(server.Client(t), logredis.Keys{Prefix: server.Prefix(t)})
	server.Freeze()
	defer server.Thaw()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := tickets.Put(ctx, "id", nil, time.Minute); !errors.Is(err, eventstore.ErrUnavailable) {
		t.Errorf("put: got %v, want an ErrUnavailable", err)
	}
	if _, err := tickets.Take(ctx, "id"); !errors.Is(err, eventstore.ErrUnavailable) {
		t.Errorf("take: got %v, want an ErrUnavailable", err)
	}
}

// process is a server that shares a Redis with others.
func process(t *testing.T, on site) *httptest.Server {
	t.Helper()
	verifier, err := auth.New(auth.Options{Secret: authtest.Secret})
	if err != nil {
		t.Fatal(err)
	}
	log := eventmemory.New()
	server := transport.New(transport.Services{Log: log, Models: modelmemory.New(log), Tickets: redis.NewTickets(on.client, on.keys)},
		transport.Options{API: true, Realtime: true, Verifier: verifier})
	web := httptest.NewServer(server.Handler())
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = server.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
		web.Close()
	})
	return web
}

// issue gets a ticket for graph g.
func issue(t *testing.T, at *httptest.Server) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, at.URL+"/api/v2/tickets", strings.NewReader(`{"graphId":"g"}`))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+authtest.Token(t, "ann", map[string]string{"g": "viewer"}))
	request.Header.Set("Content-Type", "application/json")
	response, err := at.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var issued struct{ Ticket string }
	if err := json.NewDecoder(response.Body).Decode(&issued); err != nil || response.StatusCode != http.StatusCreated {
		t.Fatalf("ticket: got %d, %v", response.StatusCode, err)
	}
	return issued.Ticket
}

// redeem opens a WebSocket with a ticket and tells whether it was let in; otherwise the token was bad.
func redeem(t *testing.T, at *httptest.Server, ticket string) bool {
	t.Helper()
	conn, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(at.URL, "http")+"/api/v2/graphs/g/subscribe?ticket="+ticket, nil)
	if err != nil {
		t.Errorf("dial: %v", err)
		return false
	}
	defer conn.Close()
	_, frame, err := conn.ReadMessage()
	if err != nil && !websocket.IsCloseError(err, 4501) {
		t.Errorf("got %v, want a sync, or 4501", err)
	}
	return err == nil && strings.Contains(string(frame), `"sync"`)
}

// TestTicketsAmongProcesses: a ticket of one process is good at another one, also when the first has gone, and once alone.
func TestTicketsAmongProcesses(t *testing.T) {
	server := redistest.Start(t)
	on := site{client: server.Client(t), keys: logredis.Keys{Prefix: server.Prefix(t)}}
	one, two := process(t, on), process(t, on)
	ticket := issue(t, one)
	if !redeem(t, two, ticket) || redeem(t, two, ticket) || redeem(t, one, ticket) {
		t.Error("want the ticket to be good at the other process, once")
	}
	for range 20 {
		ticket := issue(t, one)
		var let atomic.Int32
		var both sync.WaitGroup
		for _, at := range []*httptest.Server{one, two, one, two} {
			both.Go(func() {
				if redeem(t, at, ticket) {
					let.Add(1)
				}
			})
		}
		if both.Wait(); let.Load() != 1 {
			t.Fatalf("%d were let in with one ticket, want 1", let.Load())
		}
	}
	ticket = issue(t, one)
	one.Close()
	if three := process(t, on); !redeem(t, three, ticket) {
		t.Error("a ticket is not good after its process has gone")
	}
}
