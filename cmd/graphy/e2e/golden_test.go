package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"graphy/command/commandtest"
)

// The golden cases through a running server: over WebSockets, each client with one of its own, and over HTTP, while the
// same clients listen. Whatever a case is about, every client is sent every version, and folds to the server's state.
func TestGoldenCases(t *testing.T) {
	cases := commandtest.Load(t, filepath.Join(root, "testdata", "cases"))
	onBoth(t, func(t *testing.T, s *server) {
		for _, c := range cases {
			if c.PureOnly != "" {
				continue
			}
			t.Run(c.Title+"/websocket", func(t *testing.T) { runGolden(t, &c, &golden{s: goldenServer(t, s, &c)}) })
			if _, restarts := c.Does("restart"); !restarts {
				t.Run(c.Title+"/http", func(t *testing.T) { runGolden(t, &c, &golden{s: goldenServer(t, s, &c), overHTTP: true}) })
			}
		}
	})
}

// goldenServer returns the shared server, or one of the same backend that the case may configure, or end.
func goldenServer(t *testing.T, shared *server, c *commandtest.Case) *server {
	_, restarts := c.Does("restart")
	switch {
	case c.Deployment != nil:
		return start(t, append([]string{"GRAPHY_CONFLICT_POLICY=" + string(c.Deployment)}, goldenBackend(t, shared)...)...)
	case restarts:
		return start(t, goldenBackend(t, shared)...)
	}
	return shared
}

// goldenBackend returns the environment of a server with the backend of another: the same Redis, or a folder of its own.
func goldenBackend(t *testing.T, shared *server) []string {
	if shared.onRedis() {
		return shared.env
	}
	return []string{"GRAPHY_DATA_DIR=" + filepath.Join(t.TempDir(), "data")}
}

func (s *server) onRedis() bool {
	return slices.ContainsFunc(s.env, func(pair string) bool { return strings.HasPrefix(pair, "GRAPHY_REDIS_URL=") })
}

func runGolden(t *testing.T, c *commandtest.Case, g *golden) {
	g.graph = newGraph(t)
	for _, client := range c.Clients() {
		g.clients = append(g.clients, &listener{Client: client, follower: &follower{replica: newReplica()}})
	}
	g.connect(t)
	commandtest.Run(t, c, g)
	model := newReplica()
	if err := model.load(decode(g.State(t))); err != nil {
		t.Fatal(err)
	}
	for _, client := range g.clients {
		if client.viewport == nil { // taken back: as if never set
			client.viewport = newReplica().viewport
		}
		if difference := client.differs(model); difference != "" {
			t.Errorf("I4: %s and the server differ: %s", client, difference)
		}
	}
}

// golden carries out one case on one graph.
type golden struct {
	s        *server
	other    *server // goes on with the same Redis after a restart
	graph    string
	overHTTP bool
	clients  []*listener
	events   []jsontext.Value
	newest   int64 // timestamp of the newest event, Unix ms
}

// listener is a client with its WebSocket, and what it was sent beside state_update.
type listener struct {
	commandtest.Client
	*follower
	socket *socket
	sent   []jsontext.Value
}

// connect opens the clients' WebSockets, each from where the client stands.
func (g *golden) connect(t testing.TB) {
	t.Helper()
	for _, client := range g.clients {
		client.socket = g.s.open(t, g.graph, "userId", client.User, "clientId", client.ID,
			"clientVersion", fmt.Sprint(client.version), "hash", client.hash)
		for client.synced = false; !client.synced; {
			if err := client.take(client.socket.expect(t, "sync")); err != nil {
				t.Fatalf("%s: %v", client, err)
			}
		}
	}
}

// read takes the next frame: a client folds a state_update and keeps anything else.
func (l *listener) read(t testing.TB) frame {
	t.Helper()
	f := l.socket.next(t)
	if f.kind == "state_update" || f.kind == "sync" {
		if err := l.take(f); err != nil {
			t.Fatalf("%s: %v", l, err)
		}
	} else if f.kind != "heartbeat" {
		l.sent = append(l.sent, f.raw)
	}
	return f
}

// Tick waits until the clock is well past the newest event's time: a write may then lie between the two.
func (g *golden) Tick(t testing.TB) {
	for time.Now().UnixMilli() <= g.newest+3 {
		pause(t.Context(), time.Millisecond)
	}
}

func (g *golden) Send(t testing.TB, r commandtest.Request) (commandtest.Reply, error) {
	for _, client := range g.clients {
		client.sent = nil
	}
	path := "/graphs/" + g.graph
	switch r.Do {
	case "restart":
		g.restart(t)
		return commandtest.Reply{}, nil
	case "GET":
		return g.ask(t, r, path+r.Path), nil
	case "policy":
		return g.request(t, r, "PUT", path+"/policy"), nil
	case "resolve":
		return g.request(t, r, "POST", path+"/conflicts/"+r.Path+"/resolve"), nil
	case "batch", "undo", "redo":
		path += "/" + r.Do
	default:
		path += "/command"
	}
	if g.overHTTP || r.Over == "http" || r.Do == "batch" {
		return g.request(t, r, "POST", path), nil
	}
	return g.message(t, r), nil
}

// message sends a command over its client's WebSocket, and waits for its answer.
func (g *golden) message(t testing.TB, r commandtest.Request) commandtest.Reply {
	t.Helper()
	i := slices.IndexFunc(g.clients, func(l *listener) bool { return l.Client == r.By })
	client := g.clients[i]
	body := map[string]json.RawMessage{}
	if err := json.Unmarshal(r.Body, &body); err != nil {
		t.Fatalf("the body %s: %v", r.Body, err)
	}
	if body["operationId"] == nil {
		body["operationId"] = json.RawMessage(`"` + newID() + `"`)
	}
	if kind := body["type"]; kind != nil {
		body["command"] = kind
		body["type"] = json.RawMessage(`"command"`)
	} else {
		body["type"] = json.RawMessage(`"` + r.Do + `"`)
	}
	client.socket.send(t, body)
	var answer frame
	for answer.kind != "command_result" && answer.kind != "revert" && answer.kind != "error" {
		answer = client.read(t)
	}
	if answer.kind != "command_result" {
		problem, _ := json.Marshal(answer.at("error"))
		return commandtest.Reply{Refused: true, Body: problem, Socket: true}
	}
	for _, kind := range furtherMessages(answer.object) {
		for f := answer; f.kind != kind; {
			f = client.read(t)
		}
	}
	return commandtest.Reply{Body: jsontext.Value(answer.raw), Socket: true}
}

// furtherMessages are the kinds of messages that come behind the answer to a command for the first time.
func furtherMessages(answer object) (kinds []string) {
	if answer.at("conflict") == nil || answer.at("duplicate") == true || answer.text("status") == "dry-run" {
		return nil
	}
	kinds = append(kinds, "conflict")
	for _, path := range answer.list("conflict", "paths") {
		if r := object(path.(map[string]any)).text("resolution"); r == "server" || r == "manual" {
			return append(kinds, "revert")
		}
	}
	return kinds
}

// goldenStatuses is the contract's table of errors, as far as cases need it.
var goldenStatuses = map[string]int{
	"invalid-id": 400, "invalid-query": 400, "not-found": 404, "history-trimmed": 410,
	"client-ahead": 409, "history-mismatch": 409, "already-exists": 409, "nothing-to-undo": 409, "nothing-to-redo": 409,
	"already-resolved": 409, "entity-gone": 409, "too-large": 413,
	"unknown-command": 422, "invalid-payload": 422, "node-not-found": 422, "edge-not-found": 422, "operation-id-reused": 422,
}

func (g *golden) request(t testing.TB, r commandtest.Request, method, path string) commandtest.Reply {
	t.Helper()
	got := g.s.call(t, method, path, string(r.Body), "X-User-Id: "+r.By.User, "X-Client-Id: "+r.By.ID)
	if got.status >= 300 {
		if code := decode(got.body).text("code"); goldenStatuses[code] != got.status {
			t.Errorf("%s %s: the status of %q is %d, want %d", method, path, code, got.status, goldenStatuses[code])
		}
		return commandtest.Reply{Refused: true, Body: got.body}
	}
	want := http.StatusAccepted
	if method != "POST" || decode(got.body).text("status") == "dry-run" || bytes.Contains(r.Body, []byte(`"dryRun":true`)) {
		want = http.StatusOK
	}
	if got.status != want {
		t.Errorf("%s %s: status %d, want %d: %.300s", method, path, got.status, want, got.body)
	}
	return commandtest.Reply{Body: got.body}
}

// ask queries, again and again if need be: read models follow the log.
func (g *golden) ask(t testing.TB, r commandtest.Request, path string) commandtest.Reply {
	t.Helper()
	reply := g.request(t, commandtest.Request{By: r.By}, "GET", path)
	deadline := time.Now().Add(10 * time.Second)
	reply.Retry = func() commandtest.Reply {
		pause(t.Context(), 10*time.Millisecond)
		again := g.request(t, commandtest.Request{By: r.By}, "GET", path)
		if time.Now().Before(deadline) {
			again.Retry = reply.Retry
		}
		return again
	}
	return reply
}

// restart goes on with another process on the same Redis, or with the same journal in a new one.
func (g *golden) restart(t testing.TB) {
	t.Helper()
	for _, client := range g.clients {
		client.socket.conn.Close()
	}
	switch {
	case !g.s.onRedis():
		g.s.terminate(t)
		g.s.relaunch(t)
	case g.other == nil:
		g.s, g.other = start(t, g.s.env...), g.s
	default:
		g.s, g.other = g.other, g.s
	}
	g.connect(t)
}

func (g *golden) Events(t testing.TB) []jsontext.Value {
	t.Helper()
	r := g.s.get(t, fmt.Sprintf("/graphs/%s/changes?since=%d", g.graph, len(g.events)))
	var page struct {
		Changes []json.RawMessage
		HasMore bool
	}
	if err := json.Unmarshal(r.body, &page); err != nil || page.HasMore {
		t.Fatalf("changes: %v: %v", err, r)
	}
	for _, change := range page.Changes {
		g.events = append(g.events, jsontext.Value(change))
		newest, _ := decode(change).at("timestamp").(float64)
		g.newest = int64(newest)
	}
	return g.events
}

// State is the read model's, at the newest version.
func (g *golden) State(t testing.TB) jsontext.Value {
	t.Helper()
	return g.s.get(t, fmt.Sprintf("/graphs/%s/state?minVersion=%d&timeout=10000", g.graph, len(g.events))).body
}

// Messages waits until every client has every event, and an answer to a heartbeat: then nothing is on its way.
func (g *golden) Messages(t testing.TB) map[string][]jsontext.Value {
	t.Helper()
	all := map[string][]jsontext.Value{}
	for _, client := range g.clients {
		for client.version < uint64(len(g.events)) {
			client.read(t)
		}
		client.socket.send(t, object{"type": "heartbeat", "clientVersion": client.version})
	}
	for _, client := range g.clients {
		for f := (frame{}); f.kind != "heartbeat"; {
			f = client.read(t)
		}
		all[client.String()] = client.sent
	}
	return all
}
