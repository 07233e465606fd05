package redis_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/gorilla/websocket"
	"github.com/redis/rueidis"
	"go.uber.org/zap"

	"graphy/command"
	commandredis "graphy/command/redis"
	"graphy/eventstore"
	logredis "graphy/eventstore/redis"
	"graphy/projection"
	projectionredis "graphy/projection/redis"
	"graphy/transport"
	"graphy/transport/redis"
)

const patience = 20 * time.Second

// node is a server with all roles on a Redis, as a process has it.
type node struct {
	testing.TB
	http    *httptest.Server
	server  *transport.Server
	clients *redis.Clients
	severed *severed
	stop    func() // drains, as SIGTERM does
	kill    func() // nothing that it says on its way out is heard, as with SIGKILL
}

// severed are the services that a killed process cannot call any more.
type severed struct {
	transport.Clients
	transport.Presence
	dead atomic.Bool
}

var errDead = errors.New("the process is dead")

func (s *severed) Save(ctx context.Context, seen []transport.Sighting) error {
	if s.dead.Load() {
		return errDead
	}
	return s.Clients.Save(ctx, seen)
}

func (s *severed) Publish(ctx context.Context, graph string, message []byte) error {
	if s.dead.Load() {
		return errDead
	}
	return s.Presence.Publish(ctx, graph, message)
}

// newNode starts one on clients of its own, which connect returns.
func newNode(t testing.TB, connect func(testing.TB) rueidis.Client, prefix string, grace time.Duration) *node {
	t.Helper()
	client := connect(t)
	store := logredis.New(client, connect(t), logredis.Options{Prefix: prefix})
	models := projectionredis.New(client, store.Keys(), projectionredis.Options{})
	projector := projection.NewProjector(store, models, projection.ProjectorOptions{})
	recorder := commandredis.New(client, store.Keys(), zap.NewNop())
	processor := command.New(store, models, recorder, command.Options{})
	n := &node{TB: t, clients: redis.NewClients(client, store.Keys(), redis.ClientsOptions{Grace: grace})}
	n.severed = &severed{Clients: n.clients, Presence: redis.NewPresence(store)}
	server := transport.New(transport.Services{
		Commands: processor, Log: store, Models: models, Await: projector.Await,
		Clients: n.severed, Presence: n.severed, Kicks: redis.NewKicks(client, store),
		Ready: func(context.Context) transport.Readiness { return transport.Readiness{OK: true} },
	}, transport.Options{API: true, Realtime: true, Development: true, Grace: grace})
	n.server, n.http = server, httptest.NewServer(server.Handler())
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = server.Run(ctx) })
	running.Go(func() { _ = projector.Run(ctx) })
	running.Go(func() { _ = recorder.Run(ctx) })
	end := sync.OnceFunc(func() {
		cancel()
		closing, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_ = processor.Close(closing)
		running.Wait()
		n.http.Close()
	})
	n.stop = func() {
		drained, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_ = server.Drain(drained)
		end()
	}
	n.kill = func() {
		n.severed.dead.Store(true)
		end()
	}
	t.Cleanup(end)
	return n
}

// tab is a client of the WebSocket.
type tab struct {
	testing.TB
	conn *websocket.Conn
	last frame // sync
}

type frame struct {
	Type, Status string
	Version      eventstore.Version
	Hash         eventstore.Hash
	Reconnected  bool
	ClientID     string `json:"clientId"`
	UserID       string `json:"userId"`
	Changes      []jsontext.Value
	Data         jsontext.Value
}

// open connects and takes the first sync.
func (n *node) open(graph, query string) *tab {
	n.Helper()
	url := "ws" + strings.TrimPrefix(n.http.URL, "http") + "/api/v2/graphs/" + graph + "/subscribe?" + query
	conn, response, err := websocket.DefaultDialer.Dial(url, nil)
	if err != nil {
		n.Fatalf("dial: %v, %+v", err, response)
	}
	n.Cleanup(func() { conn.Close() })
	c := &tab{TB: n.TB, conn: conn}
	c.last = c.next("sync")
	return c
}

// next reads on to a frame of that type.
func (c *tab) next(kind string) frame {
	c.Helper()
	for {
		c.conn.SetReadDeadline(time.Now().Add(patience))
		_, data, err := c.conn.ReadMessage()
		if err != nil {
			c.Fatalf("waiting for %s: %v", kind, err)
		}
		var f frame
		if err := json.Unmarshal(data, &f, json.MatchCaseInsensitiveNames(true)); err != nil {
			c.Fatalf("frame %s: %v", data, err)
		}
		if f.Type == kind {
			return f
		}
	}
}

func (c *tab) send(format string, args ...any) {
	c.Helper()
	if err := c.conn.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, format, args...)); err != nil {
		c.Fatalf("send: %v", err)
	}
}

// beats reports a version.
func (c *tab) beats(version eventstore.Version) {
	c.Helper()
	c.send(`{"type":"heartbeat","clientVersion":%d}`, version)
	c.next("heartbeat")
}

// leave closes in good order.
func (c *tab) leave() {
	c.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(patience))
	c.conn.SetReadDeadline(time.Now().Add(patience))
	for {
		if _, _, err := c.conn.ReadMessage(); err != nil {
			break
		}
	}
	c.conn.Close()
}

// syncs checks the sync that a tab got.
func (c *tab) syncs(status string, reconnected bool, version eventstore.Version, changes int) {
	c.Helper()
	if c.last.Status != status || c.last.Reconnected != reconnected || c.last.Version != version || len(c.last.Changes) != changes {
		c.Errorf("got %+v, want %s, reconnected %v, version %d, %d changes", c.last, status, reconnected, version, changes)
	}
}

// create writes that many versions.
func (n *node) create(graph string, count int) {
	n.Helper()
	for range count {
		response, err := http.Post(n.http.URL+"/api/v2/graphs/"+graph+"/command?wait=completed", "application/json",
			strings.NewReader(`{"type":"CREATE_NODE","payload":{}}`))
		if err != nil {
			n.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode/100 != 2 {
			n.Fatalf("create: %s", response.Status)
		}
	}
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	ticker, limit := time.NewTicker(5*time.Millisecond), time.After(patience)
	defer ticker.Stop()
	for !condition() {
		select {
		case <-ticker.C:
		case <-limit:
			t.Fatalf("never came to be: %s", what)
		}
	}
}

// remembered waits until a client's last connection is remembered as left or not, at a version.
func remembered(t testing.TB, n *node, graph, user, client string, left bool, version eventstore.Version) {
	t.Helper()
	eventually(t, fmt.Sprintf("%s is remembered at %d", client, version), func() bool {
		seen, err := n.clients.Find(t.Context(), graph, user, client)
		if err != nil || len(seen) == 0 {
			return false
		}
		last := seen[len(seen)-1]
		return last.Known && last.Left == left && last.Has.Version == version
	})
}
