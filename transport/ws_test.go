package transport

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/gorilla/websocket"

	"graphy/eventstore"
	"graphy/projection"
)

func TestI4JoinWhileOthersWrite(t *testing.T) {
	s := newStage(t)
	const writers, joiners, each = 4, 50, 100
	s.commands.move(t, "g", 1)
	var writing, joining sync.WaitGroup
	for range writers {
		writing.Go(func() { s.commands.move(t, "g", each) })
	}
	end := make(chan eventstore.Position)
	peers := make(chan *peer, joiners)
	for i := range joiners {
		joining.Go(func() {
			query := ""
			if i%2 == 0 {
				query = "clientVersion=0"
			}
			if i%5 == 0 {
				query += "&batch=true"
			}
			p := s.join(t, "g", query)
			p.reach(<-end)
			peers <- p
		})
	}
	writing.Wait()
	head := s.commands.position("g")
	for range joiners {
		end <- head
	}
	joining.Wait()
	for range joiners {
		if p := <-peers; p.graph.Checksum != s.commands.graphs["g"].Checksum {
			t.Errorf("I4: peer has checksum %s, server %s", p.graph.Checksum, s.commands.graphs["g"].Checksum)
		}
	}
}

func TestSyncStatus(t *testing.T) {
	s := newStage(t)
	s.commands.move(t, "g", 3)
	s.commands.move(t, "long", syncChanges+10)
	third := s.commands.position("g").Hash
	events, _ := s.log.Read(t.Context(), "g", 0, 1)
	tests := []struct {
		graph, query, status string
		version              eventstore.Version
		changes              int
		state                bool
	}{
		{"g", "", "full", 3, 0, true},
		{"g", "clientVersion=3", "in_sync", 3, 0, false},
		{"g", "clientVersion=3&hash=" + string(third), "in_sync", 3, 0, false},
		{"g", "clientVersion=1&hash=" + string(events[0].Hash), "behind", 3, 2, false},
		{"g", "clientVersion=0&hash=", "behind", 3, 3, false},
		{"g", "clientVersion=1&hash=" + string(third), "conflict", 3, 0, true},
		{"g", "clientVersion=3&hash=00", "conflict", 3, 0, true},
		{"g", "clientVersion=4", "conflict", 3, 0, true},
		{"empty", "", "full", 0, 0, true},
		{"empty", "clientVersion=0", "in_sync", 0, 0, false},
		{"long", "clientVersion=0", "full", syncChanges + 10, 0, true},
		{"long", "clientVersion=10", "behind", syncChanges + 10, syncChanges, false},
	}
	for _, test := range tests {
		t.Run(test.graph+"?"+test.query, func(t *testing.T) {
			p := s.dial(t, test.graph, test.query)
			if test.changes > 0 {
				p.graph = s.at(t, test.graph, test.version-eventstore.Version(test.changes))
			}
			m := p.expect("sync")
			if m.Status != test.status || m.Version != test.version || len(m.Changes) != test.changes || (m.State != nil) != test.state || m.Reconnected {
				t.Errorf("got %.300s, want %+v", m.raw, test)
			}
			if len(m.ClientID) != 26 {
				t.Errorf("clientId is %q, want a ULID", m.ClientID)
			}
			if m.Hash != s.hashAt(t, test.graph, test.version) {
				t.Errorf("hash is %q, want that of version %d", m.Hash, test.version)
			}
		})
	}
}

func TestRefusedBeforeTheUpgrade(t *testing.T) {
	s := newStage(t)
	evil := http.Header{"Origin": {"https://evil.example"}}
	tests := []struct {
		path   string
		header http.Header
		status int
		code   string
	}{
		{"/api/v2/graphs/__proto__/subscribe", nil, 400, "invalid-id"},
		{"/api/v2/graphs/a%20b/subscribe", nil, 400, "invalid-id"},
		{"/ws", nil, 400, "invalid-query"},
		{"/ws?graphId=..", nil, 400, "invalid-id"},
		{"/ws?graphId=g&graphId=h", nil, 400, "invalid-query"},
		{"/ws?graphId=g&clientId=%20", nil, 400, "invalid-id"},
		{"/api/v2/graphs/g/subscribe?clientVersion=x", nil, 400, "invalid-query"},
		{"/api/v2/graphs/g/subscribe?clientVersion=-1", nil, 400, "invalid-query"},
		{"/api/v2/graphs/g/subscribe?clientVersion=1&clientVersion=1", nil, 400, "invalid-query"},
		{"/api/v2/graphs/g/subscribe?hash=ab", nil, 400, "invalid-query"},
		{"/api/v2/graphs/g/subscribe?batch=yes", nil, 400, "invalid-query"},
		{"/api/v2/graphs/g/subscribe?ticket=x", nil, 400, "invalid-query"},
		{"/api/v2/graphs/g/subscribe?userId=%00", nil, 400, "invalid-id"},
		{"/api/v2/graphs/g/subscribe", evil, 403, "forbidden"},
		{"/ws?graphId=g", evil, 403, "forbidden"},
	}
	for _, test := range tests {
		response := s.refused(t, test.path, test.header)
		body, _ := io.ReadAll(response.Body)
		if response.StatusCode != test.status || !strings.Contains(string(body), `"code":"`+test.code+`"`) ||
			response.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: got %d %s %s, want %d %s", test.path, response.StatusCode, response.Header.Get("Content-Type"), body, test.status, test.code)
		}
	}
	response, err := http.Get(s.http.URL + "/api/v2/graphs/g/subscribe")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != 400 {
		t.Errorf("plain GET: got %d, want 400", response.StatusCode)
	}
}

func TestSubprotocolAndRootPath(t *testing.T) {
	s := newStage(t)
	s.commands.move(t, "g", 2)
	dialer := websocket.Dialer{Subprotocols: []string{"other", subprotocol}}
	conn, _, err := dialer.Dial(s.url("/ws?graphId=g&clientVersion=2&userId=u1"), nil)
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{TB: t, conn: conn}
	defer conn.Close()
	if conn.Subprotocol() != subprotocol {
		t.Errorf("subprotocol is %q, want %q", conn.Subprotocol(), subprotocol)
	}
	if m := p.expect("sync"); m.Status != "in_sync" {
		t.Errorf("got %s, want in_sync", m.raw)
	}
}

func TestCommandInBothShapes(t *testing.T) {
	s := newStage(t)
	sender, other := s.join(t, "g", "clientId=tab-1&userId=u1"), s.join(t, "g", "")
	sender.send(`{"type":"command","command":"CREATE_NODE","operationId":"a","payload":{"id":"n1"}}`)
	sender.send(`{"data":{"type":"CREATE_NODE","operationId":"b","payload":{"id":"n2"}}, "type":"COMMAND"}`)
	for i, id := range []string{"a", "b"} {
		m := sender.expect("command_result")
		if m.OperationID != id || m.Version != eventstore.Version(i+1) || !m.Accepted || m.Status != "processing" || m.Hash == "" || m.Result == nil {
			t.Errorf("got %s, want the answer to %s", m.raw, id)
		}
	}
	head := s.commands.position("g")
	for _, p := range []*peer{sender, other} {
		p.reach(head)
		if len(p.other) > 0 {
			t.Errorf("unasked: %s", p.other[0].raw)
		}
	}
	event, _ := s.log.Read(t.Context(), "g", 0, 1)
	if data := string(event[0].Data); !strings.Contains(data, `"clientId":"tab-1"`) || !strings.Contains(data, `"userId":"u1"`) {
		t.Errorf("event is %s, want it by tab-1 of u1", data)
	}
}

func TestPipelinedCommandsTakeEffectInOrder(t *testing.T) {
	s := newStage(t)
	p := s.join(t, "g", "batch=true")
	const count = 1000
	p.send(`{"type":"command","command":"CREATE_NODE","payload":{"id":"n1"}}`)
	p.expect("command_result")
	var lines []string
	for i := range count {
		lines = append(lines, fmt.Sprintf(`{"type":"command","command":"UPDATE_NODE_POSITION","operationId":"o%d","payload":{"nodeId":"n1","position":{"x":%d,"y":0}}}`, i, i))
	}
	p.send(strings.Join(lines[:count/2], "\n"))
	for _, line := range lines[count/2:] {
		p.send(line)
	}
	for i := range count {
		if m := p.expect("command_result"); m.OperationID != fmt.Sprintf("o%d", i) || m.Version != eventstore.Version(i+2) {
			t.Fatalf("answer %d is %.300s", i, m.raw)
		}
	}
	p.reach(s.commands.position("g"))
}

func TestRevertGoesToTheSenderAlone(t *testing.T) {
	s := newStage(t)
	s.commands.move(t, "g", 1)
	sender, other := s.join(t, "g", "clientId=same"), s.join(t, "g", "clientId=same")
	tests := []struct{ frame, operation, code, entities string }{
		{`{"type":"command","command":"CREATE_NODE","operationId":"a","payload":{"id":"n1"}}`, "a", "already-exists", `"entities":[{"kind":"node","id":"n1","value":{"id":"n1"}}]`},
		{`{"type":"command","command":"UPDATE_NODE_POSITION","operationId":"b","payload":{"nodeId":"gone","position":{"x":1,"y":1}}}`, "b", "node-not-found", `"entities":[{"kind":"node","id":"gone","value":null}]`},
		{`{"type":"command","command":"UPDATE_NODE_POSITION","operationId":"c","payload":{"nodeId":"n1","position":{"x":"1"}}}`, "c", "invalid-payload", `"entities":[{"kind":"node","id":"n1","value":{"id":"n1"}}]`},
		{`{"type":"command","data":{"type":"UPDATE_VIEWPORT","operationId":"d","payload":{"x":1,"zoom":0}}}`, "d", "invalid-payload", `"entities":[{"kind":"viewport","id":"viewport","value":{"x":0,"y":0,"zoom":1}}]`},
		{`{"type":"command","command":"NO_SUCH","operationId":"e","payload":{}}`, "e", "unknown-command", `"entities":[]`},
		{`{"type":"undo","operationId":"f","x":1}`, "f", "invalid-payload", `"entities":[]`},
		{`{"type":"nonsense","operationId":"g"}`, "g", "unknown-command", `"entities":[]`},
	}
	for _, test := range tests {
		sender.send(test.frame)
		m := sender.expect("revert")
		if m.OperationID != test.operation || m.Error.Code != test.code || m.Error.Detail == "" || !strings.Contains(string(m.raw), test.entities) {
			t.Errorf("%s: got %s, want %s with %s", test.frame, m.raw, test.code, test.entities)
		}
	}
	sender.send(`{"type":"heartbeat"}`)
	other.send(`{"type":"heartbeat"}`)
	for _, p := range []*peer{sender, other} {
		if p.expect("heartbeat"); len(p.other) > 0 {
			t.Errorf("unasked: %s", p.other[0].raw)
		}
	}
}

func TestGarbageIsAnsweredAndTheConnectionStays(t *testing.T) {
	s := newStage(t)
	p := s.join(t, "g", "")
	tests := []struct{ frame, code string }{
		{`{`, "malformed-json"}, {``, "malformed-json"}, {`[]`, "invalid-payload"}, {`{"type":"command"`, "malformed-json"},
		{`{"type":"command"} x`, "malformed-json"}, {"{\"type\":\"command\",\"a\":\"\xff\"}", "malformed-json"},
		{`{"type":"command","type":"command"}`, "malformed-json"}, {`null`, "invalid-payload"},
		{`{}`, "invalid-payload"}, {`{"type":7}`, "invalid-payload"}, {`{"type":"nonsense"}`, "unknown-command"},
		{`{"type":"undo","x":1}`, "invalid-payload"}, {`{"type":"redo","type":"undo"}`, "malformed-json"}, {`{"type":"undo","operationId":7}`, "invalid-id"},
		{`{"type":"undo","force":1}`, "invalid-payload"}, {`{"type":"presence"}`, "invalid-payload"}, {`{"type":"auth","token":7}`, "invalid-payload"},
		{`{"type":"heartbeat","x":1}`, "invalid-payload"}, {`{"type":"heartbeat","clientVersion":-1}`, "invalid-payload"},
		{`{"type":"request_sync","clientVersion":"1"}`, "invalid-payload"}, {`{"type":"request_sync","hash":"x"}`, "invalid-payload"},
	}
	for _, test := range tests {
		p.send(test.frame)
		if m := p.expect("error"); m.Error.Code != test.code || m.Error.Status == 0 {
			t.Errorf("%q: got %s, want %s", test.frame, m.raw, test.code)
		}
	}
	p.send(`{"type":"command","command":"CREATE_NODE","payload":{"id":"n1"}}`)
	p.expect("command_result")
}

// at returns a graph as it was at a version.
func (s *stage) at(t testing.TB, graph string, version eventstore.Version) *projection.Graph {
	t.Helper()
	state := projection.NewGraph(graph)
	events, err := s.log.Read(t.Context(), graph, 0, int(version))
	if err == nil && version > 0 {
		err = state.Fold(events...)
	}
	if err != nil {
		t.Fatal(err)
	}
	return state
}

func (s *stage) hashAt(t testing.TB, graph string, version eventstore.Version) eventstore.Hash {
	t.Helper()
	if version == 0 {
		return ""
	}
	events, err := s.log.Read(t.Context(), graph, version-1, 1)
	if err != nil || len(events) == 0 {
		t.Fatalf("version %d: %v", version, err)
	}
	return events[0].Hash
}
