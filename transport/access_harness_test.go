package transport

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/gorilla/websocket"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"graphy/command"
	"graphy/transport/auth"
	"graphy/transport/auth/authtest"
)

// roles are the grants of a token.
type roles = map[string]string

// newGuarded starts a site that takes tokens of authtest.
func newGuarded(t testing.TB, change ...func(*Options)) *site {
	t.Helper()
	verifier, err := auth.New(auth.Options{Secret: authtest.Secret, Leeway: time.Nanosecond})
	if err != nil {
		t.Fatal(err)
	}
	guard := func(o *Options) { o.Development, o.Verifier = false, verifier }
	return newSite(t, append([]func(*Options){guard}, change...)...)
}

// watched has what a site logs at info, where the audit is, go to the returned place, too.
func watched() (*observer.ObservedLogs, func(*Options)) {
	core, logs := observer.New(zapcore.InfoLevel)
	return logs, func(o *Options) { o.Logger = zap.New(core) }
}

// bearer is the header that a token goes in.
func bearer(token string) []string { return []string{"Authorization", "Bearer " + token} }

// as sends a request with a token.
func (s *site) as(token, method, path, body string, headers ...string) reply {
	s.t.Helper()
	if token != "" {
		headers = append(headers, bearer(token)...)
	}
	return s.call(method, path, body, headers...)
}

// found makes a graph of nodes n1 and n2 and an edge e1: versions 1 to 3. The operations are named after the graph.
func (s *site) found(graph string) {
	s.t.Helper()
	founder := authtest.Token(s.t, "founder", roles{"*": "owner"})
	for i, body := range []string{
		`"type":"CREATE_NODE","payload":{"id":"n1"}`, `"type":"CREATE_NODE","payload":{"id":"n2"}`,
		`"type":"CREATE_EDGE","payload":{"id":"e1","source":"n1","target":"n2"}`,
	} {
		got := s.as(founder, http.MethodPost, "/api/v2/graphs/"+graph+"/command?wait=completed", fmt.Sprintf(`{"operationId":"op%d-%s",%s}`, i+1, graph, body))
		if got.status != http.StatusOK {
			s.t.Fatalf("found %s: got %d %s", graph, got.status, got.raw)
		}
	}
}

// dial opens a WebSocket. The header is sent as it is.
func (s *site) dial(path string, header http.Header) (*peer, *http.Response, error) {
	s.t.Helper()
	conn, response, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(s.http.URL, "http")+path, header)
	if err != nil {
		return nil, response, err
	}
	s.t.Cleanup(func() { conn.Close() })
	return &peer{TB: s.t, conn: conn}, response, nil
}

// subscribe opens a WebSocket with a token in the header, or fails the test.
func (s *site) subscribe(graph, query, token string) *peer {
	s.t.Helper()
	header := http.Header{}
	if token != "" {
		header.Set("Authorization", "Bearer "+token)
	}
	p, response, err := s.dial("/api/v2/graphs/"+graph+"/subscribe?"+query, header)
	if err != nil {
		s.t.Fatalf("subscribe to %s: %v, %+v", graph, err, response)
	}
	return p
}

// memoryTickets are Tickets of one process.
type memoryTickets struct {
	mu   sync.Mutex
	kept map[string]memoryTicket
	fail error // of every call while set
}

type memoryTicket struct {
	value []byte
	ends  time.Time
}

func (m *memoryTickets) Put(_ context.Context, id string, value []byte, long time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.kept == nil {
		m.kept = map[string]memoryTicket{}
	}
	m.kept[id] = memoryTicket{value, time.Now().Add(long)}
	return m.fail
}

func (m *memoryTickets) Take(_ context.Context, id string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	ticket := m.kept[id]
	delete(m.kept, id)
	if time.Now().After(ticket.ends) {
		return nil, m.fail
	}
	return ticket.value, m.fail
}

// breakTickets makes all calls to the tickets of a site fail with err.
func (s *site) breakTickets(err error) {
	s.tickets.mu.Lock()
	defer s.tickets.mu.Unlock()
	s.tickets.fail = err
}

// forgetTickets makes all tickets of a site end.
func (s *site) forgetTickets() {
	s.tickets.mu.Lock()
	defer s.tickets.mu.Unlock()
	clear(s.tickets.kept)
}

// closeCode returns the code that a WebSocket was closed with, 0 if it just broke.
func closeCode(err error) int {
	if closed, ok := errors.AsType[*websocket.CloseError](err); ok {
		return closed.Code
	}
	return 0
}

// frame reads a frame and folds nothing.
func (p *peer) frame() (m message) {
	p.Helper()
	p.conn.SetReadDeadline(time.Now().Add(testPatience))
	_, data, err := p.conn.ReadMessage()
	if err != nil {
		p.Fatalf("read: %v", err)
	}
	if err := json.Unmarshal(data, &m, json.MatchCaseInsensitiveNames(true)); err != nil {
		p.Fatalf("frame %.200q: %v", data, err)
	}
	m.raw = data
	return m
}

// count returns how many sessions end by their token.
func (e *expiries) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.pending)
}

// submitWith makes up the answers of Submit; nil leaves them to the Processor.
func (f *faultyCommands) submitWith(submit func(*command.Command, func(command.Outcome, error))) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.submit = submit
}

func (f *faultyCommands) Submit(ctx context.Context, graph string, cmd *command.Command, reply func(command.Outcome, error)) {
	f.mu.Lock()
	submit := f.submit
	f.mu.Unlock()
	if submit != nil {
		submit(cmd, reply)
		return
	}
	f.Commands.Submit(ctx, graph, cmd, reply)
}
