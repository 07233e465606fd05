package transport

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"graphy/command"
	"graphy/eventstore"
	eventmemory "graphy/eventstore/memory"
	"graphy/projection"
	modelmemory "graphy/projection/memory"
)

// site is a whole server in memory, on a loopback port. What is behind it can be made to fail.
type site struct {
	t         testing.TB
	log       *eventmemory.Log
	models    *modelmemory.Models
	projector *projection.Projector
	commands  *faultyCommands
	tickets   *memoryTickets
	server    *Server
	http      *httptest.Server
	logged    *observer.ObservedLogs

	mu        sync.Mutex
	ready     Readiness
	failLog   error                    // of every call to the log while set, or
	failCall  string                   // of these alone
	failModel error                    // of every call to the read models while set
	failRead  func(graph string) error // of reads of the log, if set
}

// faultyCommands is a Processor until answer is set.
type faultyCommands struct {
	Commands
	mu     sync.Mutex
	answer func(*command.Command) (command.Outcome, error)
	submit func(*command.Command, func(command.Outcome, error))
}

func (f *faultyCommands) Do(ctx context.Context, graph string, cmd *command.Command) (command.Outcome, error) {
	f.mu.Lock()
	answer := f.answer
	f.mu.Unlock()
	if answer != nil {
		return answer(cmd)
	}
	return f.Commands.Do(ctx, graph, cmd)
}

// answerWith makes up the answers of Do; nil leaves them to the Processor.
func (f *faultyCommands) answerWith(answer func(*command.Command) (command.Outcome, error)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = answer
}

func (f *faultyCommands) failWith(fail func() error) {
	if fail == nil {
		f.answerWith(nil)
		return
	}
	f.answerWith(func(*command.Command) (command.Outcome, error) { return command.Outcome{}, fail() })
}

// recorder keeps of each operation what was recorded last.
type recorder struct {
	mu      sync.Mutex
	entries map[string]command.Entry
}

func (r *recorder) Record(entries ...command.Entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, entry := range entries {
		r.entries[entry.OperationID] = entry
	}
}

func (r *recorder) Find(_ context.Context, id string) (command.Entry, bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	entry, found := r.entries[id]
	return entry, found, nil
}

// newSite starts a site in development mode; change adapts its options.
func newSite(t testing.TB, change ...func(*Options)) *site {
	s := &site{t: t, log: eventmemory.New(), tickets: &memoryTickets{}, ready: Readiness{OK: true}}
	s.log.Fail = func(call, graph string) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.failRead != nil && call == "read" {
			if err := s.failRead(graph); err != nil {
				return err
			}
		}
		if s.failCall != "" && call != s.failCall {
			return nil
		}
		return s.failLog
	}
	s.models = modelmemory.New(s.log)
	s.models.Fail = func(string, bool) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.failModel
	}
	s.projector = projection.NewProjector(s.log, s.models, projection.ProjectorOptions{Shards: 2})
	core, logged := observer.New(zapcore.WarnLevel)
	s.logged = logged
	opts := Options{API: true, Realtime: true, Development: true, Logger: zap.New(core), Registry: prometheus.NewRegistry()}
	for _, change := range change {
		change(&opts)
	}
	processor := command.New(s.log, s.models, &recorder{entries: map[string]command.Entry{}}, command.Options{Limits: opts.Limits})
	s.commands = &faultyCommands{Commands: processor}
	s.server = New(Services{Commands: s.commands, Log: s.log, Models: s.models, Await: s.projector.Await, Tickets: s.tickets,
		Ready: func(context.Context) Readiness {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.ready
		}}, opts)
	s.http = httptest.NewServer(s.server.Handler())
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = s.projector.Run(ctx) })
	running.Go(func() { _ = s.server.Run(ctx) })
	t.Cleanup(func() {
		s.http.Client().CloseIdleConnections()
		s.http.Close()
		cancel()
		running.Wait()
		_ = processor.Close(context.Background())
	})
	return s
}

// breakLog makes all calls to the log fail with err; nil mends it.
func (s *site) breakLog(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failLog = err
}

// breakModels makes all calls to the read models fail with err; nil mends them.
func (s *site) breakModels(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failModel = err
}

// reply is what came back, the body read and decoded if it is JSON.
type reply struct {
	status int
	header http.Header
	raw    []byte
	json   map[string]any
}

// call sends a request. headers are name, value pairs; a body is sent as JSON unless they say otherwise.
func (s *site) call(method, path, body string, headers ...string) reply {
	s.t.Helper()
	return callAt(s.t, s.http, method, path, body, headers...)
}

// callAt sends a request to one server.
func callAt(t testing.TB, server *httptest.Server, method, path, body string, headers ...string) reply {
	t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	request, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, reader)
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	request.Header.Set("Accept-Encoding", "identity") // or the client would decode by itself
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
		if headers[i+1] == "" {
			request.Header.Del(headers[i])
		}
	}
	response, err := server.Client().Do(request)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	got := reply{status: response.StatusCode, header: response.Header, raw: raw}
	if kind := response.Header.Get("Content-Type"); strings.HasSuffix(kind, "json") && !strings.HasSuffix(kind, "ndjson") && len(raw) > 0 && response.Header.Get("Content-Encoding") == "" {
		if err := json.Unmarshal(raw, &got.json); err != nil {
			t.Fatalf("%s %s: body %q is no JSON object: %v", method, path, raw, err)
		}
	}
	return got
}

func (s *site) get(path string, headers ...string) reply {
	s.t.Helper()
	return s.call(http.MethodGet, "/api/v2"+path, "", headers...)
}

// accept sends a command and fails the test unless it is in the log and the read models; it returns the answer.
func (s *site) accept(graph, body string) reply {
	s.t.Helper()
	got := s.call(http.MethodPost, "/api/v2/graphs/"+graph+"/command?wait=completed", body)
	if got.status != http.StatusOK {
		s.t.Fatalf("command %s: got %d %s, want 200", body, got.status, got.raw)
	}
	return got
}

// createNodes makes versions 1 to count: nodes n1, n2 …
func (s *site) createNodes(graph string, count int) {
	s.t.Helper()
	for i := 1; i <= count; i++ {
		s.accept(graph, createNode(fmt.Sprintf("n%d", i)))
	}
}

func createNode(id string) string {
	return `{"operationId":"op-` + id + `","type":"CREATE_NODE","payload":{"id":"` + id + `","title":"t"}}`
}

func (s *site) head(graph string) eventstore.Position {
	s.t.Helper()
	head, err := s.log.Head(s.t.Context(), graph)
	if err != nil {
		s.t.Fatal(err)
	}
	return head
}

// wantProblem checks the whole of a problem document.
func wantProblem(t testing.TB, got reply, status int, code string) {
	t.Helper()
	if got.status != status || got.json["code"] != code {
		t.Errorf("got %d %s, want %d %q", got.status, got.raw, status, code)
		return
	}
	if kind := got.header.Get("Content-Type"); kind != "application/problem+json" {
		t.Errorf("content type is %q, want application/problem+json", kind)
	}
	if got.json["type"] != "/problems/"+code || got.json["status"] != float64(status) || got.json["title"] == "" || got.json["title"] == nil {
		t.Errorf("problem is %s: type, title or status is wrong", got.raw)
	}
	if detail, ok := got.json["detail"].(string); !ok || detail == "" {
		t.Errorf("problem is %s: detail is missing", got.raw)
	}
	if got.header.Get("Cache-Control") != "no-store" {
		t.Errorf("Cache-Control of a problem is %q, want no-store", got.header.Get("Cache-Control"))
	}
}

// wantJSON checks that a body is exactly want.
func wantJSON(t testing.TB, raw []byte, want string) {
	t.Helper()
	var got, expected any
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatalf("got %q, which is no JSON: %v", raw, err)
	}
	if err := json.Unmarshal([]byte(want), &expected); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, expected) {
		t.Errorf("got  %s\nwant %s", raw, want)
	}
}
