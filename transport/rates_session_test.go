package transport

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"graphy/transport/limit"
)

// stage returns the site as what sockets are tested on.
func (s *site) stage() *stage { return &stage{TB: s.t, server: s.server, http: s.http} }

func frameOf(id string) string {
	return `{"type":"command","command":"CREATE_NODE","operationId":"op-` + id + `","payload":{"id":"` + id + `"}}`
}

// awaitResult reads past updates to the answer of an operation.
func (p *peer) awaitResult(operation string) message {
	p.Helper()
	for {
		m, err := p.read()
		if err != nil {
			p.Fatalf("read: %v", err)
		}
		if m.OperationID == operation && m.Type != "state_update" {
			return m
		}
	}
}

// TestSocketOverTheRate: a command over its user's rate is reverted, is nowhere, and is accepted once when it comes again.
func TestSocketOverTheRate(t *testing.T) {
	s := newSite(t, func(o *Options) { o.Rates.User = 2 })
	p := s.stage().join(t, "g", "userId=ann")
	for i := range 4 {
		p.send(frameOf(fmt.Sprint(i)))
		if m := p.awaitResult(fmt.Sprint("op-", i)); m.Type != "command_result" {
			t.Fatalf("command %d: got %s", i, m.raw)
		}
	}
	for _, frame := range []string{
		frameOf("again"),
		`{"type":"COMMAND","data":{"type":"CREATE_NODE","operationId":"op-again","payload":{"id":"again"}}}`,
		`{"type":"undo","operationId":"op-again"}`,
		`{"type":"redo","operationId":"op-again"}`,
	} {
		p.send(frame)
		if m := p.awaitResult("op-again"); m.Type != "revert" || m.Error.Code != "rate-limited" || m.Error.Status != 429 || len(m.Entities) != 0 {
			t.Errorf("%s: got %s, want a revert for the rate", frame, m.raw)
		}
	}
	wantProblem(t, s.get("/operations/op-again"), 404, "not-found")
	p.send(`{"type":"command","command":"CREATE_NODE","payload":{}}`)
	if m := p.expect("error"); m.Error.Code != "rate-limited" {
		t.Errorf("without an operation: got %s, want an error", m.raw)
	}
	accepted := 0
	for accepted < 2 {
		p.send(frameOf("again"))
		if m := p.awaitResult("op-again"); m.Type == "command_result" {
			if accepted++; strings.Contains(string(m.raw), `"duplicate":true`) != (accepted == 2) {
				t.Errorf("time %d: got %s", accepted, m.raw)
			}
		} else {
			time.Sleep(100 * time.Millisecond) // as a client does: more than ten a second end the connection
		}
	}
	if head := s.head("g"); head.Version != 5 {
		t.Errorf("the graph is at version %d, want 5: each command once", head.Version)
	}
}

// TestSocketBatchCostsItsOperations, and one that is over the rate costs nothing but its refusal.
func TestSocketBatchCostsItsOperations(t *testing.T) {
	s := newSite(t, func(o *Options) { o.Rates.User, o.Rates.Graph = 5, 100 })
	p := s.stage().join(t, "g", "")
	batch := func(id string, count int) string {
		return `{"type":"command","command":"BATCH_UPDATE","operationId":"` + id + `","payload":{"operations":[` +
			strings.Repeat(`{"type":"CREATE_NODE","payload":{}},`, count-1) + `{"type":"CREATE_NODE","payload":{}}]}}`
	}
	for _, step := range []struct {
		id, want string
		count    int
	}{{"seven", "command_result", 7}, {"six", "revert", 6}, {"three", "command_result", 3}} {
		p.send(batch(step.id, step.count))
		if m := p.awaitResult(step.id); m.Type != step.want {
			t.Errorf("%s: got %.300s, want %s", step.id, m.raw, step.want)
		}
	}
}

func TestSocketOfAGraphOverTheRate(t *testing.T) {
	s := newSite(t, func(o *Options) { o.Rates.User, o.Rates.Graph = 100, 1 })
	one, other := s.stage().join(t, "g", "userId=one"), s.stage().join(t, "g", "userId=other")
	one.send(frameOf("a"))
	one.awaitResult("op-a")
	other.send(frameOf("b"))
	other.awaitResult("op-b")
	one.send(frameOf("c"))
	if m := one.awaitResult("op-c"); m.Error.Code != "rate-limited" || !strings.Contains(m.Error.Detail, "graph") {
		t.Errorf("got %s, want a revert for the graph's rate", m.raw)
	}
}

// TestSocketThatGoesOnIsClosed: who does not heed refusals is closed with 4006, whatever is sent, and not before.
func TestSocketThatGoesOnIsClosed(t *testing.T) {
	for name, frame := range map[string]string{
		"commands":  frameOf("x"),
		"heartbeat": `{"type":"heartbeat"}`,
		"garbage":   `{`,
		"presence":  `{"type":"presence","data":{}}`,
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, func(o *Options) { o.Rates.User, o.Rates.Connection = 1e6, 10 })
			p := s.stage().join(t, "g", "")
			sent := 0
			for ; sent < 20; sent++ { // the burst
				p.send(frame)
			}
			p.send(`{"type":"request_sync"}`)
			for over := false; !over; {
				m, err := p.read()
				if err != nil {
					t.Fatalf("in the burst: %v", err)
				}
				over = m.Error.Code == "rate-limited" && m.Type == "error"
			}
			go func() {
				for range 300 {
					if p.conn.WriteMessage(websocket.TextMessage, []byte(frame)) != nil {
						return
					}
				}
			}()
			if code := p.closed(); code != closeRate {
				t.Errorf("closed with %d, want 4006", code)
			}
		})
	}
}

// TestPresenceOverItsRateIsDropped without a word, and costs the connection nothing.
func TestPresenceOverItsRateIsDropped(t *testing.T) {
	s := newSite(t, func(o *Options) { o.Rates.User, o.Rates.Connection = 1e6, 5000 })
	p := s.stage().join(t, "g", "")
	for range 1000 {
		p.send(`{"type":"presence","data":{"x":1}}`)
	}
	p.send(frameOf("after"))
	if m := p.awaitResult("op-after"); m.Type != "command_result" {
		t.Errorf("after a flood of presence: got %s", m.raw)
	}
	dropped := valueOf(s.server.rates.limited.WithLabelValues("presence"))
	if dropped < 800 || dropped > 900 {
		t.Errorf("%v of 1000 were dropped, want about 900", dropped)
	}
	for _, m := range p.other {
		if m.Type == "error" {
			t.Errorf("told %s", m.raw)
		}
	}
}

// TestRatesOfSocketsAreOffByDefault: as many commands as one connection may have under way.
func TestRatesOfSocketsAreOffByDefault(t *testing.T) {
	s := newSite(t)
	p := s.stage().join(t, "g", "")
	const count = 500
	for i := range count {
		p.send(frameOf(fmt.Sprint(i)))
	}
	for i := range count {
		if m := p.awaitResult(fmt.Sprint("op-", i)); m.Type != "command_result" {
			t.Fatalf("command %d: got %s", i, m.raw)
		}
	}
}

// hanging is a Source that does not answer.
type hanging struct{}

func (hanging) Take(ctx context.Context, _, _ string, _ limit.Policy, _, _ int) (limit.Grant, error) {
	<-ctx.Done()
	return limit.Grant{}, ctx.Err()
}

// TestCommandsGoOnWithoutSharedRates: a Redis that hangs costs one wait, and then the process counts for itself.
func TestCommandsGoOnWithoutSharedRates(t *testing.T) {
	server := New(Services{Commands: instant{}, Rates: hanging{}}, Options{API: true, Development: true, Rates: RateOptions{User: 10}})
	defer server.rates.each((*limit.Limiter).Close)
	post := func() int {
		request := httptest.NewRequest(http.MethodPost, "http://localhost/api/v2/graphs/g/command", strings.NewReader(moveNode))
		request.Header["Content-Type"] = jsonType
		answer := httptest.NewRecorder()
		server.Handler().ServeHTTP(answer, request)
		return answer.Code
	}
	start := time.Now()
	for i := range 20 {
		if status := post(); status != 202 {
			t.Fatalf("command %d: got %d, want 202", i, status)
		}
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("20 commands took %v", took)
	}
	for tries := 0; post() != 429; tries++ {
		if tries > 100 {
			t.Fatal("the process alone has no rate")
		}
	}
}

func TestOperationOfAFrame(t *testing.T) {
	for frame, want := range map[string]string{
		`{"type":"command","operationId":"a","payload":{"operationId":"b"}}`: "a",
		`{"type":"command","data":{"operationId":"a"}}`:                      "a",
		`{"type":"command","operationId":"a","data":{"operationId":"b"}}`:    "a",
		`{"type":"command","data":"x"}`:                                      "",
		`{"type":"command","data":[1]}`:                                      "",
		`{"type":"command","operationId":7}`:                                 "",
		`{"type":"command","operationId":"not an id"}`:                       "",
		`{"type":"command"}`:                                                 "",
		`{"type":"command",`:                                                 "",
		`[]`:                                                                 "",
		``:                                                                   "",
	} {
		if got := operationOfFrame("command", []byte(frame)); got != want {
			t.Errorf("%s: got %q, want %q", frame, got, want)
		}
	}
	if got := operationOfFrame("heartbeat", []byte(`{"operationId":"a"}`)); got != "" {
		t.Errorf("a heartbeat: got %q", got)
	}
}

func FuzzOperationOfFrame(f *testing.F) {
	f.Add([]byte(`{"type":"command","data":{"operationId":"a"}}`))
	f.Fuzz(func(t *testing.T, frame []byte) {
		if got := operationOfFrame("command", frame); strings.ContainsAny(got, "\"\\\n <") {
			t.Errorf("%q: got %q, which is no id", frame, got)
		}
	})
}
