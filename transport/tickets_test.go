package transport

import (
	"encoding/base64"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"graphy/eventstore"
	"graphy/transport/auth/authtest"
)

// ticket gets a ticket for graph, or fails the test.
func (s *site) ticket(token, graph string, headers ...string) string {
	s.t.Helper()
	got := s.as(token, http.MethodPost, "/api/v2/tickets", `{"graphId":"`+graph+`"}`, headers...)
	if got.status != http.StatusCreated {
		s.t.Fatalf("ticket for %s: got %d %s, want 201", graph, got.status, got.raw)
	}
	return got.json["ticket"].(string)
}

func TestTicketOpensAWebSocketOnce(t *testing.T) {
	s := newGuarded(t)
	s.found("g")
	before := time.Now()
	got := s.as(authtest.Token(t, "ann", roles{"g": "editor"}), http.MethodPost, "/api/v2/tickets", `{"graphId":"g"}`)
	ticket := got.json["ticket"].(string)
	if random, err := base64.RawURLEncoding.DecodeString(ticket); err != nil || len(random) != 32 {
		t.Errorf("ticket %q is not 32 bytes in base64", ticket)
	}
	if life := time.UnixMilli(int64(got.json["expiresAt"].(float64))).Sub(before); life < 29*time.Second || life > 31*time.Second {
		t.Errorf("the ticket lives %v, want 30s", life)
	}
	if got.header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers are %v: a ticket may be kept", got.header)
	}
	for id, kept := range s.tickets.kept {
		if strings.Contains(id+string(kept.value), ticket) {
			t.Errorf("the ticket stands in the store, in clear: %s %s", id, kept.value)
		}
	}
	p := s.subscribe("g", "ticket="+ticket, "")
	p.next("sync")
	p.send(`{"type":"command","command":"UPDATE_NODE_TITLE","operationId":"t","payload":{"nodeId":"n1","title":"x"}}`)
	p.expect("command_result")
	event := s.as(authtest.Token(t, "ann", roles{"g": "viewer"}), http.MethodGet, "/api/v2/graphs/g/history?limit=1", "").json["events"].([]any)[0].(map[string]any)
	if event["userId"] != "ann" {
		t.Errorf("the command is %v's, want ann's", event["userId"])
	}
	if code := s.subscribe("g", "ticket="+ticket, "").closed(); code != closeBadToken {
		t.Errorf("used again: closed with %d, want %d", code, closeBadToken)
	}
}

// TestTicketsThatAreNotGood have no rights, and each of them closes the socket alike.
func TestTicketsThatAreNotGood(t *testing.T) {
	s := newGuarded(t)
	ann := authtest.Token(t, "ann", roles{"g": "owner", "h": "owner"})
	for name, ticket := range map[string]string{
		"empty": "", "garbage": "x", "of the right length": strings.Repeat("A", ticketLength), "long": strings.Repeat("A", 10_000),
		"of another graph": s.ticket(ann, "h"), "cut": s.ticket(ann, "g")[1:], "longer": s.ticket(ann, "g") + "A",
	} {
		if code := s.subscribe("g", "ticket="+ticket, "").closed(); code != closeBadToken {
			t.Errorf("%s: closed with %d, want %d", name, code, closeBadToken)
		}
	}
	other := s.ticket(ann, "h")
	s.subscribe("g", "ticket="+other, "").closed()
	if code := s.subscribe("h", "ticket="+other, "").closed(); code != closeBadToken {
		t.Errorf("tried on another graph first: closed with %d, want %d", code, closeBadToken)
	}
	late := s.ticket(ann, "g")
	s.forgetTickets()
	if code := s.subscribe("g", "ticket="+late, "").closed(); code != closeBadToken {
		t.Errorf("after its time: closed with %d, want %d", code, closeBadToken)
	}
	if code := s.subscribe("g", "ticket="+s.ticket(ann, "g"), ann).closed(); code != closeBadToken {
		t.Errorf("with a token beside it: closed with %d, want %d", code, closeBadToken)
	}
}

func TestOfTwoWithOneTicketOneIsLetIn(t *testing.T) {
	s := newGuarded(t)
	ann := authtest.Token(t, "ann", roles{"g": "viewer"})
	for range 20 {
		ticket := s.ticket(ann, "g")
		var let atomic.Int32
		var both sync.WaitGroup
		for range 4 {
			both.Go(func() {
				p, _, err := s.dial("/ws?graphId=g&ticket="+ticket, nil)
				if err != nil {
					t.Errorf("dial: %v", err)
					return
				}
				if _, err := p.next("sync"); err == nil {
					let.Add(1)
				}
			})
		}
		both.Wait()
		if let.Load() != 1 {
			t.Fatalf("%d were let in with one ticket, want 1", let.Load())
		}
	}
}

// TestTicketGrantsNoMoreThanItsToken: neither more rights, nor other graphs, nor a longer time.
func TestTicketGrantsNoMoreThanItsToken(t *testing.T) {
	t.Parallel()
	s := newGuarded(t)
	ends := soon()
	viewer := authtest.Token(t, "ann", roles{"g": "viewer", "*": "owner", "secret": "none"}, ending(ends))
	got := s.as(viewer, http.MethodPost, "/api/v2/tickets", `{"graphId":"g"}`)
	if at := time.UnixMilli(int64(got.json["expiresAt"].(float64))); at.Sub(ends).Abs() > 2*time.Millisecond { // of rounding
		t.Errorf("the ticket ends at %v, its token at %v", at, ends)
	}
	p := s.subscribe("g", "ticket="+got.json["ticket"].(string), "")
	p.expect("sync")
	p.send(`{"type":"command","command":"CREATE_NODE","operationId":"o","payload":{"id":"n1"}}`)
	if m := p.expect("revert"); m.Error.Code != "forbidden" {
		t.Errorf("a viewer's ticket: got %s, want forbidden", m.raw)
	}
	if code := p.closed(); code != closeTokenExpired || time.Until(ends) > 2*time.Millisecond {
		t.Errorf("closed with %d, %v before the token's end, want %d at it", code, time.Until(ends), closeTokenExpired)
	}
	wantProblem(t, s.as(viewer, http.MethodPost, "/api/v2/tickets", `{"graphId":"g"}`), 401, "unauthenticated")
}

func TestTicketRequestsThatAreRefused(t *testing.T) {
	s := newGuarded(t)
	ann := authtest.Token(t, "ann", roles{"g": "owner"})
	tests := []struct {
		name, body, code, pointer string
		status                    int
	}{
		{"empty", "", "malformed-json", "", 400}, {"half", "{", "malformed-json", "", 400}, {"list", "[]", "invalid-payload", "", 422},
		{"no graph", "{}", "invalid-id", "/graphId", 400}, {"bad graph", `{"graphId":"a b"}`, "invalid-id", "/graphId", 400},
		{"number", `{"graphId":7}`, "invalid-payload", "/graphId", 422}, {"more", `{"graphId":"g","role":"owner"}`, "invalid-payload", "/role", 422},
		{"twice", `{"graphId":"g","graphId":"g"}`, "malformed-json", "", 400}, {"every graph", `{"graphId":"*"}`, "invalid-id", "/graphId", 400},
		{"another graph", `{"graphId":"h"}`, "forbidden", "", 403},
	}
	for _, test := range tests {
		got := s.as(ann, http.MethodPost, "/api/v2/tickets", test.body)
		wantProblem(t, got, test.status, test.code)
		if test.pointer != "" && !strings.Contains(string(got.raw), `"pointer":"`+test.pointer+`"`) {
			t.Errorf("%s: got %s, want pointer %s", test.name, got.raw, test.pointer)
		}
	}
	wantProblem(t, s.as(ann, http.MethodPost, "/api/v2/tickets?graphId=g", `{"graphId":"g"}`), 400, "invalid-query")
	wantProblem(t, s.call(http.MethodPost, "/api/v2/tickets", "{"), 401, "unauthenticated")
	wantProblem(t, s.as(ann, http.MethodPost, "/api/v2/tickets", `{"graphId":"g"}`, "Content-Type", "text/plain"), 415, "unsupported-media-type")
	if len(s.tickets.kept) > 0 {
		t.Errorf("%d tickets were made", len(s.tickets.kept))
	}
}

func TestTicketsAreForStreamsAlone(t *testing.T) {
	s := newGuarded(t)
	ann := authtest.Token(t, "ann", roles{"g": "owner"})
	ticket := s.ticket(ann, "g")
	for _, path := range []string{"/graphs/g/state", "/graphs/g/changes", "/graphs/g/changes?wait=1", "/graphs", "/graphs/g/history"} {
		join := "?"
		if strings.Contains(path, "?") {
			join = "&"
		}
		wantProblem(t, s.get(path+join+"ticket="+ticket), 401, "unauthenticated")
		wantProblem(t, s.as(ann, http.MethodGet, "/api/v2"+path+join+"ticket="+ticket, ""), 400, "invalid-query")
	}
	wantProblem(t, s.call(http.MethodPost, "/api/v2/graphs/g/command?ticket="+ticket, createNode("n")), 401, "unauthenticated")
	s.subscribe("g", "ticket="+ticket, "").expect("sync") // it was not used up
}

func TestTicketsOutOfReach(t *testing.T) {
	s := newGuarded(t)
	ann := authtest.Token(t, "ann", roles{"g": "owner"})
	ticket := s.ticket(ann, "g")
	s.breakTickets(eventstore.ErrUnavailable)
	wantProblem(t, s.as(ann, http.MethodPost, "/api/v2/tickets", `{"graphId":"g"}`), 503, "unavailable")
	if code := s.subscribe("g", "ticket="+ticket, "").closed(); code != websocket.CloseTryAgainLater {
		t.Errorf("closed with %d, want %d", code, websocket.CloseTryAgainLater)
	}
}

// TestTicketsInDevelopment work as elsewhere, so that a client can be written there; they change nobody's rights.
func TestTicketsInDevelopment(t *testing.T) {
	s := newSite(t)
	user := func(query string) string {
		p := s.subscribe("g", query, "")
		p.next("sync")
		p.send(`{"type":"command","command":"CREATE_NODE","payload":{}}`)
		p.expect("command_result")
		return s.get("/graphs/g/history?limit=1").json["events"].([]any)[0].(map[string]any)["userId"].(string)
	}
	if got := user("ticket=" + s.ticket("", "g", "X-User-Id", "ann")); got != "ann" {
		t.Errorf("with ann's ticket one is %s", got)
	}
	if got := user("userId=bob&ticket=" + s.ticket("", "g", "X-User-Id", "ann")); got != "bob" {
		t.Errorf("with a name and ann's ticket one is %s, want who one says", got)
	}
	if code := s.subscribe("g", "ticket="+s.ticket("", "other"), "").closed(); code != closeBadToken {
		t.Errorf("of another graph: closed with %d, want %d", code, closeBadToken)
	}
}

func TestWithoutAStoreThereAreNoTickets(t *testing.T) {
	s := newStage(t) // has none
	response, err := http.Post(s.http.URL+"/api/v2/tickets", "application/json", strings.NewReader(`{"graphId":"g"}`))
	if err != nil || response.StatusCode != 404 {
		t.Errorf("got %v, %v, want 404", response, err)
	}
	response.Body.Close()
}

// TestTicketOpensAnEventStreamOnce, which ends with the token that the ticket was issued for.
func TestTicketOpensAnEventStreamOnce(t *testing.T) {
	t.Parallel()
	s := newGuarded(t)
	s.found("g")
	ends := soon()
	ann := authtest.Token(t, "ann", roles{"g": "viewer"}, ending(ends))
	ticket := s.ticket(ann, "g")
	path := "/graphs/g/changes?since=1&ticket="
	got := s.get(path+ticket, "Accept", "text/event-stream") // returns when the stream has ended
	if got.status != 200 || got.header.Get("Content-Type") != "text/event-stream" || strings.Count(string(got.raw), "event: change") != 2 {
		t.Errorf("got %d, %s, %s, want two changes", got.status, got.header.Get("Content-Type"), got.raw)
	}
	if time.Until(ends) > 2*time.Millisecond {
		t.Errorf("the stream ended %v before its token", time.Until(ends))
	}
	fresh := s.ticket(authtest.Token(t, "ann", roles{"*": "viewer"}), "h")
	for _, ticket := range []string{ticket, "x", "", fresh} {
		wantProblem(t, s.get(path+ticket, "Accept", "text/event-stream"), 401, "unauthenticated")
	}
	wantProblem(t, s.get("/graphs/g/changes", "Accept", "text/event-stream"), 401, "unauthenticated")
	wantProblem(t, s.get("/graphs/g/changes?ticket="+s.ticket(authtest.Token(t, "ann", roles{"g": "viewer"}), "g")), 401, "unauthenticated")
	eve := authtest.Token(t, "eve", roles{"h": "owner"})
	wantProblem(t, s.as(eve, http.MethodGet, "/api/v2/graphs/g/changes", "", "Accept", "text/event-stream"), 403, "forbidden")
}
