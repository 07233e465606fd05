package e2e

import (
	"strings"
	"testing"
)

func TestRefusals(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		graph := newGraph(t)
		s.fill(t, graph, 2)
		s.accept(t, graph, "CREATE_EDGE", object{"id": "e", "source": "n0", "target": "n1"})
		deep := strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40)
		tests := []struct {
			name, body string
			status     int
			code       string
			pointers   []string
		}{
			{"not JSON", `{"type":`, 400, "malformed-json", nil},
			{"empty", ` `, 400, "malformed-json", nil},
			{"an array", `[]`, 0, "", nil},
			{"trailing data", `{"type":"CREATE_NODE","payload":{}} x`, 400, "malformed-json", nil},
			{"duplicate names", `{"type":"CREATE_NODE","payload":{"id":"x","id":"y"}}`, 400, "malformed-json", nil},
			{"lone surrogate", `{"type":"CREATE_NODE","payload":{"title":"\ud800"}}`, 400, "malformed-json", nil},
			{"bad UTF-8", "{\"type\":\"CREATE_NODE\",\"payload\":{\"title\":\"\xff\"}}", 400, "malformed-json", nil},
			{"bad node id", `{"type":"CREATE_NODE","payload":{"id":"a b"}}`, 400, "invalid-id", []string{"/payload/id"}},
			{"id of a wrong type", `{"type":"CREATE_NODE","payload":{"id":7}}`, 400, "invalid-id", []string{"/payload/id"}},
			{"id of dots", `{"type":"CREATE_NODE","payload":{"id":".."}}`, 400, "invalid-id", []string{"/payload/id"}},
			{"forbidden id", `{"type":"CREATE_NODE","payload":{"id":"__proto__"}}`, 400, "invalid-id", []string{"/payload/id"}},
			{"long id", `{"type":"CREATE_NODE","payload":{"id":"` + strings.Repeat("a", 129) + `"}}`, 400, "invalid-id", []string{"/payload/id"}},
			{"bad operation id", `{"operationId":"","type":"CREATE_NODE","payload":{}}`, 400, "invalid-id", []string{"/operationId"}},
			{"bad client id", `{"clientId":"/","type":"CREATE_NODE","payload":{}}`, 400, "invalid-id", []string{"/clientId"}},
			{"bad gesture id", `{"gestureId":"/","type":"CREATE_NODE","payload":{}}`, 400, "invalid-id", []string{"/gestureId"}},
			{"unknown command", `{"type":"EXPLODE","payload":{}}`, 422, "unknown-command", nil},
			{"case of a command", `{"type":"create_node","payload":{}}`, 422, "unknown-command", nil},
			{"unknown field", `{"type":"CREATE_NODE","payload":{},"extra":1}`, 422, "invalid-payload", []string{"/extra"}},
			{"unknown field of a payload", `{"type":"DELETE_NODE","payload":{"nodeId":"n0","x":1}}`, 422, "invalid-payload", []string{"/payload/x"}},
			{"missing field", `{"type":"UPDATE_NODE_TITLE","payload":{"nodeId":"n0"}}`, 422, "invalid-payload", []string{"/payload/title"}},
			{"title of a wrong type", `{"type":"UPDATE_NODE_TITLE","payload":{"nodeId":"n0","title":1}}`, 422, "invalid-payload", []string{"/payload/title"}},
			{"half a position", `{"type":"UPDATE_NODE_POSITION","payload":{"nodeId":"n0","position":{"x":1}}}`, 422, "invalid-payload", []string{"/payload/position/y"}},
			{"not a number", `{"type":"UPDATE_NODE_POSITION","payload":{"nodeId":"n0","position":{"x":"1","y":1}}}`, 422, "invalid-payload", []string{"/payload/position/x"}},
			{"number out of range", `{"type":"UPDATE_NODE_POSITION","payload":{"nodeId":"n0","position":{"x":1e999,"y":1}}}`, 422, "invalid-payload", []string{"/payload/position/x"}},
			{"integer that a double cannot hold", `{"type":"CREATE_NODE","payload":{"data":{"n":9007199254740993}}}`, 422, "invalid-payload", []string{"/payload/data/n"}},
			{"zoom", `{"type":"UPDATE_VIEWPORT","payload":{"zoom":0}}`, 422, "invalid-payload", []string{"/payload/zoom"}},
			{"forbidden property", `{"type":"CREATE_NODE","payload":{"data":{"__proto__":{}}}}`, 422, "invalid-payload", []string{"/payload/data/__proto__"}},
			{"depth", `{"type":"CREATE_NODE","payload":{"data":` + deep + `}}`, 422, "invalid-payload", nil},
			{"changed id", `{"type":"UPDATE_NODE","payload":{"nodeId":"n0","updates":{"id":"n9"}}}`, 422, "invalid-payload", []string{"/payload/updates/id"}},
			{"missing node", `{"type":"UPDATE_NODE_TITLE","payload":{"nodeId":"nobody","title":"x"}}`, 422, "node-not-found", []string{"/payload/nodeId"}},
			{"missing node to delete", `{"type":"DELETE_NODE","payload":{"nodeId":"nobody"}}`, 422, "node-not-found", []string{"/payload/nodeId"}},
			{"missing edge", `{"type":"DELETE_EDGE","payload":{"edgeId":"nobody"}}`, 422, "edge-not-found", []string{"/payload/edgeId"}},
			{"missing end", `{"type":"CREATE_EDGE","payload":{"source":"n0","target":"nobody"}}`, 422, "node-not-found", []string{"/payload/target"}},
			{"id taken", `{"type":"CREATE_NODE","payload":{"id":"n0"}}`, 409, "already-exists", []string{"/payload/id"}},
			{"edge id taken", `{"type":"CREATE_EDGE","payload":{"id":"e","source":"n0","target":"n1"}}`, 409, "already-exists", []string{"/payload/id"}},
			{"ahead", `{"type":"CREATE_NODE","payload":{},"clientVersion":99}`, 409, "client-ahead", nil},
			{"another history", `{"type":"CREATE_NODE","payload":{},"clientVersion":1,"hash":"00000000000000000000000000000000"}`, 409, "history-mismatch", nil},
			{"large entity", `{"type":"CREATE_NODE","payload":{"data":"` + strings.Repeat("a", 300<<10) + `"}}`, 413, "too-large", nil},
			{"large body", `{"type":"CREATE_NODE","payload":{"data":"` + strings.Repeat("a", 1100<<10) + `"}}`, 413, "too-large", nil},
		}
		before := s.state(t, graph, 2)
		for _, test := range tests {
			r := s.post(t, graph, test.body)
			if test.status == 0 { // some refusal
				if r.status < 400 || r.status >= 500 {
					t.Errorf("%s: %v", test.name, r)
				}
				continue
			}
			t.Run(test.name, func(t *testing.T) { s.refused(t, r, test.status, test.code, test.pointers...) })
		}
		after := s.state(t, graph, 2)
		if after.version() != before.version() || after.text("checksum") != before.text("checksum") {
			t.Errorf("refusals changed the graph from %d to %d", before.version(), after.version())
		}
	})
}

func TestRefusalsOfRequests(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		graph := newGraph(t)
		s.fill(t, graph, 1)
		g := "/graphs/" + graph
		good := encode(command("CREATE_NODE", object{}))
		s.refused(t, s.call(t, "POST", g+"/command", good, "Content-Type: text/plain"), 415, "unsupported-media-type")
		s.refused(t, s.call(t, "POST", g+"/command", good, "Content-Type: application/x-www-form-urlencoded"), 415, "unsupported-media-type")
		s.refused(t, s.call(t, "POST", "/graphs/a%20b/command", good), 400, "invalid-id")
		s.refused(t, s.call(t, "POST", "/graphs/constructor/command", good), 400, "invalid-id")
		s.refused(t, s.get(t, "/graphs/%2e%2e/state"), 400, "invalid-id")
		s.refused(t, s.call(t, "POST", g+"/command", good, "X-Client-Id: a/b"), 400, "invalid-id")
		s.refused(t, s.get(t, g+"/nothing"), 404, "not-found")
		s.refused(t, s.get(t, "/nothing"), 404, "not-found")
		s.refused(t, s.get(t, g+"/nodes/nobody"), 404, "not-found")
		s.refused(t, s.get(t, g+"/edges/nobody"), 404, "not-found")
		s.refused(t, s.get(t, g+"/operations/"+newID()), 404, "not-found")
		s.refused(t, s.get(t, "/operations/"+newID()), 404, "not-found")
		for _, call := range [][2]string{{"GET", g + "/command"}, {"PUT", g + "/state"}, {"PATCH", g}} {
			r := s.call(t, call[0], call[1], "")
			s.refused(t, r, 405, "method-not-allowed")
			if r.header.Get("Allow") == "" {
				t.Errorf("%v: no Allow", call)
			}
		}
		for _, query := range []string{"/changes?since=-1", "/changes?since=x", "/changes?since=1&since=1", "/changes?limit=0", "/changes?limit=-1",
			"/changes?wait=x", "/changes?since=1.5", "/state?minVersion=x",
			"/state?minVersion=1&timeout=0", "/state?minVersion=1&minVersion=1", "/history?limit=0", "/history?before=x"} {
			t.Run(query, func(t *testing.T) { s.refused(t, s.get(t, g+query), 400, "invalid-query") })
		}
		s.refused(t, s.get(t, "/graphs?limit=0"), 400, "invalid-query")
		s.refused(t, s.get(t, g+"/state?minVersion=99&timeout=50"), 504, "projection-behind")
		for _, origin := range []string{"https://evil.example", "null", "http://127.0.0.1.evil.example"} {
			s.refused(t, s.get(t, g+"/state", "Origin: "+origin), 403, "forbidden")
			s.refused(t, s.call(t, "POST", g+"/command", good, "Origin: "+origin), 403, "forbidden")
		}
		if r := s.get(t, g+"/state", "Origin: http://127.0.0.1:5173"); r.status != 200 || r.header.Get("Access-Control-Allow-Origin") != "http://127.0.0.1:5173" {
			t.Errorf("a loopback origin in development mode: %d %v", r.status, r.header)
		}
		if r := s.call(t, "OPTIONS", g+"/command", "", "Origin: http://localhost:5173", "Access-Control-Request-Method: POST",
			"Access-Control-Request-Headers: content-type"); r.status != 204 || !strings.Contains(r.header.Get("Access-Control-Allow-Methods"), "POST") {
			t.Errorf("preflight: %d %v", r.status, r.header)
		}
	})
}
