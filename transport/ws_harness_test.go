package transport

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/gorilla/websocket"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"graphy/command"
	"graphy/eventstore"
	eventmemory "graphy/eventstore/memory"
	"graphy/projection"
)

// testPatience bounds every wait of a test; it is met only when something is wrong.
const testPatience = 20 * time.Second

// stage is a server on a loopback port over a log in memory, with commands and read models that fold at once.
type stage struct {
	testing.TB
	log      *eventmemory.Log
	commands *writer
	server   *Server
	http     *httptest.Server
	stop     func() // ends the server, as a cancelled Run does

	mu   sync.Mutex
	fail func(call, graph string) error
}

// fault makes calls to the log ("append", "head", "read") fail; nil mends it.
func (s *stage) fault(fail func(call, graph string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = fail
}

// newStage starts one; change adapts the limits of its sockets.
func newStage(t testing.TB, change ...func(*socketLimits)) *stage {
	t.Helper()
	log := eventmemory.New()
	s := &stage{TB: t, log: log, commands: &writer{log: log, graphs: map[string]*projection.Graph{}}}
	log.Fail = func(call, stream string) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.fail == nil {
			return nil
		}
		return s.fail(call, stream)
	}
	logger := zap.NewNop()
	if testing.Verbose() {
		logger = zaptest.NewLogger(t, zaptest.Level(zap.WarnLevel))
	}
	s.run(Services{
		Commands: s.commands, Log: log, Models: foldModels{writer: s.commands},
		Await: func(ctx context.Context, _ string, _ eventstore.Version) error { return ctx.Err() },
		Ready: func(context.Context) Readiness { return Readiness{OK: true} },
	}, logger, change)
	return s
}

// run starts the stage's server on a loopback port; it ends with the test.
func (s *stage) run(services Services, logger *zap.Logger, changes []func(*socketLimits)) {
	s.server = New(services, Options{API: true, Realtime: true, Development: true, Logger: logger, Registry: prometheus.NewRegistry()})
	for _, change := range changes {
		change(&s.server.sockets.limits)
	}
	s.server.sockets.configure()
	s.http = httptest.NewServer(s.server.Handler())
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = s.server.Run(ctx) })
	s.stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
		s.http.Close()
	})
	s.Cleanup(s.stop)
}

// writer is Commands that writes to the log at once. It knows CREATE_NODE and UPDATE_NODE_POSITION; script answers the
// others and writes nothing.
type writer struct {
	Commands
	log eventstore.Log

	mu      sync.Mutex
	graphs  map[string]*projection.Graph
	script  func(*command.Command) (command.Outcome, error)
	deleted int      // graphs
	held    []func() // answers that wait for release
	holding bool
}

// Refused is nothing to a writer: it keeps no operations.
func (w *writer) Refused(string, command.Identity, error) {}

func (w *writer) Submit(ctx context.Context, graph string, c *command.Command, reply func(command.Outcome, error)) {
	w.mu.Lock()
	outcome, err := w.write(ctx, graph, c)
	if w.holding {
		w.held = append(w.held, func() { reply(outcome, err) })
		w.mu.Unlock()
		return
	}
	w.mu.Unlock()
	reply(outcome, err)
}

func (w *writer) hold() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.holding = true
}

func (w *writer) release() {
	w.mu.Lock()
	held := w.held
	w.held, w.holding = nil, false
	w.mu.Unlock()
	for _, reply := range held {
		reply()
	}
}

// graph is called with mu held.
func (w *writer) graph(name string) *projection.Graph {
	if w.graphs[name] == nil {
		w.graphs[name] = projection.NewGraph(name)
	}
	return w.graphs[name]
}

func (w *writer) write(ctx context.Context, name string, c *command.Command) (command.Outcome, error) {
	graph := w.graph(name)
	c.OperationID = cmp.Or(c.OperationID, fmt.Sprintf("minted-%d", graph.Position.Version))
	var changes []projection.Change
	var result jsontext.Value
	switch c.Type {
	case command.CreateNode:
		id := projection.Text(projection.Member(c.Payload, "id"))
		if graph.Has(projection.Node, id) {
			return command.Outcome{}, &command.Error{Code: command.AlreadyExists, Detail: "it exists", OperationID: c.OperationID}
		}
		changes, result = []projection.Change{{Op: projection.Put, Kind: projection.Node, ID: id, Value: c.Payload}}, c.Payload
	case command.UpdateNodePosition:
		id := projection.Text(projection.Member(c.Payload, "nodeId"))
		before := graph.Value(projection.Node, id)
		if before == nil {
			return command.Outcome{}, &command.Error{Code: command.NodeNotFound, Detail: "there is none", OperationID: c.OperationID}
		}
		result = projection.Overlay(before, []byte(`{"position":`+string(projection.Member(c.Payload, "position"))+`}`))
		if set, was := projection.Difference(before, result); set != nil {
			changes = []projection.Change{{Op: projection.Patch, Kind: projection.Node, ID: id, Set: set, Was: was}}
		}
	default:
		if w.script != nil {
			return w.script(c)
		}
		return command.Outcome{}, &command.Error{Code: command.UnknownCommand, Detail: "unknown here", OperationID: c.OperationID}
	}
	if err := graph.ApplyChanges(changes); err != nil {
		return command.Outcome{}, fmt.Errorf("apply: %w", err)
	}
	event := projection.Event{Version: graph.Position.Version + 1, CommandType: c.Type, OperationID: c.OperationID,
		UserID: c.UserID, ClientID: c.ClientID, Timestamp: 1, WrittenAt: 1, Request: c.Request,
		Changes: changes, Checksum: graph.Checksum.String()}
	data := event.AppendJSON(nil)
	entry := eventstore.Event{Version: event.Version, Data: data, Hash: eventstore.NextHash(graph.Position.Hash, data), Operations: []string{c.OperationID}}
	appended, err := w.log.Append(ctx, name, graph.Position, []eventstore.Event{entry})
	if err != nil || appended.Outcome != eventstore.Applied {
		return command.Outcome{}, fmt.Errorf("append: %+v, %w", appended, err)
	}
	graph.Advance(&event, entry.Hash)
	return command.Outcome{OperationID: c.OperationID, Version: entry.Version, Hash: entry.Hash,
		Status: command.StatusProcessing, Result: result}, nil
}

// move writes version after version: a node and then its positions.
func (w *writer) move(t testing.TB, graph string, count int) {
	t.Helper()
	for range count {
		w.mu.Lock()
		at := w.graph(graph).Position.Version
		c := &command.Command{Identity: command.Identity{UserID: "w", ClientID: "w"}, OperationID: fmt.Sprintf("op-%d-%d", w.deleted, at)}
		if c.Type, c.Payload = command.UpdateNodePosition, jsontext.Value(`{"nodeId":"n1","position":{"x":`+strconv.Itoa(int(at))+`,"y":0}}`); at == 0 {
			c.Type, c.Payload = command.CreateNode, jsontext.Value(`{"id":"n1"}`)
		}
		_, err := w.write(context.Background(), graph, c)
		w.mu.Unlock()
		if err != nil {
			t.Errorf("write: %v", err)
		}
	}
}

// create writes a version with a node of some size.
func (w *writer) create(t testing.TB, graph string, size int) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	at := w.graph(graph).Position.Version
	c := &command.Command{Identity: command.Identity{UserID: "w", ClientID: "w"}, Type: command.CreateNode,
		Payload: jsontext.Value(fmt.Sprintf(`{"id":"x%d","title":"%s"}`, at, strings.Repeat("x", size)))}
	if _, err := w.write(context.Background(), graph, c); err != nil {
		t.Errorf("write: %v", err)
	}
}

func (w *writer) Delete(ctx context.Context, graph string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.graphs, graph)
	w.deleted++ // what is written next is another history
	return w.log.Delete(ctx, graph)
}

// position returns where the graph stands.
func (w *writer) position(graph string) eventstore.Position {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.graph(graph).Position
}

// foldModels are read models that are never behind.
type foldModels struct {
	projection.ReadModels
	*writer
}

func (m foldModels) Delete(context.Context, string) error { return nil }

func (m foldModels) Checkpoint(_ context.Context, graph string) (projection.Checkpoint, error) {
	return projection.Checkpoint{Position: m.position(graph)}, nil
}

func (m foldModels) Load(ctx context.Context, graph string) (*projection.Graph, error) {
	maintainer, _ := m.log.(eventstore.Maintainer)
	loaded, err := projection.Beginning(ctx, projection.WithBase(nil, maintainer), graph)
	if err != nil {
		return nil, err
	}
	events, err := m.log.Read(ctx, graph, loaded.Position.Version, 1<<20)
	if err != nil {
		return nil, err
	}
	return loaded, loaded.Fold(events...)
}

func (m foldModels) Entity(_ context.Context, graph string, kind projection.Kind, id string) (jsontext.Value, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.graph(graph).Value(kind, id), nil
}

// valueOf returns what a counter or gauge has come to.
func valueOf(metric prometheus.Metric) float64 {
	var data dto.Metric
	if metric.Write(&data) != nil {
		return -1
	}
	return data.GetCounter().GetValue() + data.GetGauge().GetValue()
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testPatience)
	defer cancel()
	if await(ctx, condition) != nil {
		t.Fatalf("never came to be: %s", what)
	}
}

// refused dials and returns the answer that is not an upgrade.
func (s *stage) refused(t testing.TB, path string, header http.Header) *http.Response {
	t.Helper()
	conn, response, err := websocket.DefaultDialer.Dial(s.url(path), header)
	if err == nil {
		conn.Close()
		t.Fatalf("%s was let in", path)
	}
	if response == nil {
		t.Fatalf("%s: %v", path, err)
	}
	return response
}
