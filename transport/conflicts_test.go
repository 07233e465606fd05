package transport

import (
	"net/http"
	"strings"
	"testing"

	"graphy/eventstore"
)

// createConflicts leaves open conflicts on the titles of n1 and n2 of a graph: 6-0 and 7-0, of ann's against bob's.
func (s *site) createConflicts(graph string) {
	s.t.Helper()
	s.createNodes(graph, 3)
	for _, node := range []string{"n1", "n2"} {
		s.post(graph, "/command", "bob", `{"type":"UPDATE_NODE_TITLE","payload":{"nodeId":"`+node+`","title":"bob's"}}`)
	}
	for _, node := range []string{"n1", "n2"} {
		got := s.post(graph, "/command", "ann", `{"operationId":"ann-`+node+`","type":"UPDATE_NODE_TITLE","payload":{"nodeId":"`+node+`","title":"ann's"},"clientVersion":3,"strategy":"MANUAL"}`)
		if got.json["status"] != "conflict" || got.json["conflict"] == nil {
			s.t.Fatalf("got %d %s, want an open conflict", got.status, got.raw)
		}
	}
}

// post sends a command in the name of a user and fails the test unless it was accepted.
func (s *site) post(graph, path, user, body string) reply {
	s.t.Helper()
	got := s.call(http.MethodPost, "/api/v2/graphs/"+graph+path, body, "X-User-Id", user)
	if got.status != http.StatusAccepted {
		s.t.Fatalf("%s %s: got %d %s, want 202", path, body, got.status, got.raw)
	}
	return got
}

// conflictIDs returns the ids of the list that query asks for.
func (s *site) conflictIDs(graph, query string) string {
	s.t.Helper()
	got := s.get("/graphs/" + graph + "/conflicts" + query)
	if got.status != http.StatusOK {
		s.t.Fatalf("%s: got %d %s, want 200", query, got.status, got.raw)
	}
	var ids []string
	for _, record := range got.json["conflicts"].([]any) {
		ids = append(ids, record.(map[string]any)["conflictId"].(string))
	}
	return strings.Join(ids, " ")
}

func TestConflictsAreListedAndResolved(t *testing.T) {
	s := newSite(t)
	s.createConflicts("g")
	for query, want := range map[string]string{"": "6-0 7-0", "?status=open": "6-0 7-0", "?status=resolved": ""} {
		if got := s.conflictIDs("g", query); got != want {
			t.Errorf("%q: got %s, want %s", query, got, want)
		}
	}
	record := s.get("/graphs/g/conflicts").json["conflicts"].([]any)[0].(map[string]any)
	path := record["paths"].([]any)[0].(map[string]any)
	if record["status"] != "open" || record["id"] != "n1" || record["operationId"] != "ann-n1" || record["userId"] != "ann" ||
		path["path"] != "/title" || path["server"] != "bob's" || path["client"] != "ann's" || path["base"] != "t" {
		t.Errorf("record is %v", record)
	}

	if got := s.get("/graphs/g/operations/ann-n1"); got.json["status"] != "conflict" || got.json["version"] != 6.0 || got.json["completedAt"] != nil {
		t.Errorf("operation of an open conflict: got %d %s", got.status, got.raw)
	}

	resolved := s.call(http.MethodPost, "/api/v2/graphs/g/conflicts/6-0/resolve", `{"choice":"client","operationId":"r"}`, "Prefer", "wait", "X-User-Id", "eve")
	if resolved.status != http.StatusOK || resolved.json["version"] != 8.0 || resolved.json["status"] != "completed" || resolved.json["operationId"] != "r" {
		t.Fatalf("got %d %s, want 200 completed, version 8", resolved.status, resolved.raw)
	}
	if got := s.get("/graphs/g/nodes/n1"); got.json["title"] != "ann's" {
		t.Errorf("resolved by client: the node is %s", got.raw)
	}
	for query, want := range map[string]string{"": "6-0 7-0", "?status=open": "7-0", "?status=resolved": "6-0"} {
		if got := s.conflictIDs("g", query); got != want {
			t.Errorf("%q: got %s, want %s", query, got, want)
		}
	}
	if got := s.get("/graphs/g/operations/ann-n1"); got.json["status"] != "completed" || got.json["completedAt"] == nil {
		t.Errorf("operation of a resolved conflict: got %d %s", got.status, got.raw)
	}
	s.post("g", "/conflicts/7-0/resolve", "ann", `{"choice":"values","values":{"/title":"both"}}`)
	if got := s.conflictIDs("g", "?status=open"); got != "" {
		t.Errorf("open right after the last was resolved here: %s", got)
	}
	if got := s.get("/graphs/g/nodes/n2"); got.json["title"] != "both" {
		t.Errorf("resolved by values: the node is %s", got.raw)
	}
	again := s.call(http.MethodPost, "/api/v2/graphs/g/conflicts/6-0/resolve", `{"choice":"client","operationId":"r"}`, "X-User-Id", "eve")
	if again.status != http.StatusAccepted || again.json["duplicate"] != true || again.json["version"] != 8.0 {
		t.Errorf("repeated: got %d %s, want the first answer", again.status, again.raw)
	}
}

func TestEveryRefusalOfAResolution(t *testing.T) {
	s := newSite(t)
	s.createConflicts("g")
	s.post("g", "/conflicts/6-0/resolve", "ann", `{"choice":"server"}`)
	s.post("g", "/command", "bob", `{"type":"DELETE_NODE","payload":{"nodeId":"n2"}}`)
	tests := []struct {
		name, path, body string
		status           int
		code, pointer    string
	}{
		{"unknown", "/graphs/g/conflicts/99-0/resolve", `{"choice":"client"}`, 404, "not-found", ""},
		{"unknown graph", "/graphs/none/conflicts/6-0/resolve", `{"choice":"client"}`, 404, "not-found", ""},
		{"no number", "/graphs/g/conflicts/x/resolve", `{"choice":"client"}`, 404, "not-found", ""},
		{"no id", "/graphs/g/conflicts/a%20b/resolve", `{"choice":"client"}`, 400, "invalid-id", ""},
		{"graph", "/graphs/a%20b/conflicts/6-0/resolve", `{"choice":"client"}`, 400, "invalid-id", ""},
		{"again", "/graphs/g/conflicts/6-0/resolve", `{"choice":"client"}`, 409, "already-resolved", ""},
		{"gone", "/graphs/g/conflicts/7-0/resolve", `{"choice":"client"}`, 409, "entity-gone", ""},
		{"gone, values", "/graphs/g/conflicts/7-0/resolve", `{"choice":"values","values":{"/title":"x"}}`, 409, "entity-gone", ""},
		{"no body", "/graphs/g/conflicts/7-0/resolve", ``, 400, "malformed-json", ""},
		{"half", "/graphs/g/conflicts/7-0/resolve", `{`, 400, "malformed-json", ""},
		{"query", "/graphs/g/conflicts/7-0/resolve?choice=client", `{"choice":"client"}`, 400, "invalid-query", ""},
		{"no choice", "/graphs/g/conflicts/7-0/resolve", `{}`, 422, "invalid-payload", "/choice"},
		{"choice", "/graphs/g/conflicts/7-0/resolve", `{"choice":"mine"}`, 422, "invalid-payload", "/choice"},
		{"no values", "/graphs/g/conflicts/7-0/resolve", `{"choice":"values"}`, 422, "invalid-payload", "/values"},
		{"needless values", "/graphs/g/conflicts/7-0/resolve", `{"choice":"client","values":{"/title":"x"}}`, 422, "invalid-payload", "/values"},
		{"field", "/graphs/g/conflicts/7-0/resolve", `{"choice":"client","strategy":"MERGE"}`, 422, "invalid-payload", "/strategy"},
	}
	head := s.head("g")
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := s.call(http.MethodPost, "/api/v2"+test.path, test.body)
			wantProblem(t, got, test.status, test.code)
			wantPointer(t, got, test.pointer)
		})
	}
	if s.head("g") != head {
		t.Errorf("head is %+v after refusals alone, want %+v", s.head("g"), head)
	}
	s.post("g", "/conflicts/7-0/resolve", "ann", `{"choice":"server"}`)
}

func TestQueriesOfConflicts(t *testing.T) {
	s := newSite(t)
	wantJSON(t, s.get("/graphs/none/conflicts").raw, `{"conflicts":[]}`)
	wantJSON(t, s.get("/graphs/none/conflicts?status=open").raw, `{"conflicts":[]}`)
	for _, query := range []string{"status=", "status=Open", "status=open,resolved", "status=open&status=open", "limit=1"} {
		wantProblem(t, s.get("/graphs/g/conflicts?"+query), 400, "invalid-query")
	}
	wantProblem(t, s.get("/graphs/a%20b/conflicts"), 400, "invalid-id")
	s.breakModels(eventstore.ErrUnavailable)
	wantProblem(t, s.get("/graphs/g/conflicts"), 503, "unavailable")
}
