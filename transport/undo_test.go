package transport

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"graphy/command"
	"graphy/eventstore"
)

func TestUndoAndRedoOfOnesOwnSteps(t *testing.T) {
	s := newSite(t)
	s.createNodes("g", 2) // by anonymous
	undo := s.call(http.MethodPost, "/api/v2/graphs/g/undo?wait=completed", "")
	if undo.status != http.StatusOK || undo.json["status"] != "completed" || undo.json["version"] != 3.0 || undo.json["hash"] != string(s.head("g").Hash) {
		t.Fatalf("undo: got %d %s, want 200 completed, version 3", undo.status, undo.raw)
	}
	wantMember(t, undo, "undoes", `[2]`)
	wantMember(t, undo, "skipped", `[]`)
	wantProblem(t, s.get("/graphs/g/nodes/n2"), 404, "not-found")
	wantProblem(t, s.call(http.MethodPost, "/api/v2/graphs/g/undo", "", "X-User-Id", "bob"), 409, "nothing-to-undo")
	wantProblem(t, s.call(http.MethodPost, "/api/v2/graphs/g/redo", `{"operationId":"r0"}`, "X-User-Id", "bob"), 409, "nothing-to-redo")

	body := `{"operationId":"r1","clientId":"tab-2","force":true}`
	redo := s.call(http.MethodPost, "/api/v2/graphs/g/redo", body, "Prefer", "wait")
	if redo.status != http.StatusOK || redo.json["operationId"] != "r1" || redo.json["version"] != 4.0 || redo.json["duplicate"] != nil {
		t.Fatalf("redo: got %d %s, want 200, version 4", redo.status, redo.raw)
	}
	wantMember(t, redo, "redoes", `[3]`)
	wantMember(t, redo, "skipped", `[]`)
	if got := s.get("/graphs/g/nodes/n2"); got.status != 200 {
		t.Errorf("redone: got %d %s", got.status, got.raw)
	}
	again := s.call(http.MethodPost, "/api/v2/graphs/g/redo", body)
	if again.status != http.StatusAccepted || again.json["duplicate"] != true || again.json["version"] != 4.0 {
		t.Errorf("repeated: got %d %s, want the first answer with duplicate", again.status, again.raw)
	}
	wantMember(t, again, "redoes", `[3]`)
	wantProblem(t, s.call(http.MethodPost, "/api/v2/graphs/g/undo", body), 422, "operation-id-reused")
	wantProblem(t, s.call(http.MethodPost, "/api/v2/graphs/g/redo", "{}"), 409, "nothing-to-redo")
}

func TestUndoTellsWhatItSkipped(t *testing.T) {
	s := newSite(t)
	s.createNodes("g", 1)
	write := func(user, updates string) {
		s.post("g", "/command", user, `{"type":"UPDATE_NODE","payload":{"nodeId":"n1","updates":`+updates+`}}`)
	}
	write("ann", `{"title":"ann's","colour":"red"}`)
	write("bob", `{"title":"bob's"}`)
	skipped := `[{"kind":"node","id":"n1","path":"/title","by":{"userId":"bob","version":3}}]`
	forced := s.call(http.MethodPost, "/api/v2/graphs/g/undo", `{"operationId":"u","force":true,"dryRun":true}`, "X-User-Id", "ann")
	if wantMember(t, forced, "skipped", `[]`); forced.status != http.StatusOK || !strings.Contains(string(forced.raw), `"title":"t"`) {
		t.Errorf("by force: got %d %s, want the title to go back, too", forced.status, forced.raw)
	}
	body := `{"operationId":"u"}`
	undo := s.post("g", "/undo", "ann", body)
	wantMember(t, undo, "undoes", `[2]`)
	wantMember(t, undo, "skipped", skipped)
	wantMember(t, undo, "result", `{"changes":[{"op":"patch","kind":"node","id":"n1","set":`)
	again := s.post("g", "/undo", "ann", body)
	wantMember(t, again, "skipped", skipped)
	wantMember(t, again, "duplicate", `true`)
	if got := s.get("/graphs/g/nodes/n1"); got.json["title"] != "bob's" || got.json["colour"] != nil {
		t.Errorf("undone: the node is %s", got.raw)
	}
}

// wantMember checks one member of an answer.
func wantMember(t testing.TB, got reply, name, want string) {
	t.Helper()
	if !strings.Contains(string(got.raw), `"`+name+`":`+want) {
		t.Errorf("got %s, want %q to be %s", got.raw, name, want)
	}
}

func TestUndoAndRedoSayWhoAndWhat(t *testing.T) {
	s := newSite(t)
	tests := []struct {
		path, body  string
		headers     []string
		kind        string
		user        string
		client, own string
	}{
		{"undo", "", nil, "UNDO", "anonymous", "", ""},
		{"undo", "{}", []string{"X-User-Id", "ann", "X-Client-Id", "tab"}, "UNDO", "ann", "tab", ""},
		{"redo", "", []string{"X-Client-Id", "tab"}, "REDO", "anonymous", "tab", ""},
		{"redo", ` {"clientId":"body","operationId":"o"} `, []string{"X-Client-Id", "tab"}, "REDO", "anonymous", "body", "o"},
	}
	commands := make(chan *command.Command, 1)
	s.commands.answerWith(func(c *command.Command) (command.Outcome, error) {
		commands <- c
		return command.Outcome{OperationID: "o", Version: 7, Hash: "6b", Status: command.StatusProcessing,
			Undoes: []eventstore.Version{3, 5}, Skipped: []byte(`[{"kind":"node"}]`)}, nil
	})
	for _, test := range tests {
		got := s.call(http.MethodPost, "/api/v2/graphs/g/"+test.path, test.body, test.headers...)
		if got.status != http.StatusAccepted {
			t.Fatalf("%+v: got %d %s, want 202", test, got.status, got.raw)
		}
		wantMember(t, got, "undoes", `[3,5]`)
		wantMember(t, got, "skipped", `[{"kind":"node"}]`)
		if seen := <-commands; seen.Type != test.kind || seen.UserID != test.user || seen.ClientID != test.client || seen.OperationID != test.own || seen.DryRun {
			t.Errorf("%+v: the command is %+v", test, seen)
		}
	}
}

func TestEveryRefusalOfAnUndoIsAProblem(t *testing.T) {
	s := newSite(t, func(o *Options) { o.BodyLimit = 200 })
	tests := []struct {
		name, path, body string
		headers          []string
		status           int
		code, pointer    string
	}{
		{"half", "/graphs/g/undo", "{", nil, 400, "malformed-json", ""},
		{"trailing", "/graphs/g/redo", "{}{}", nil, 400, "malformed-json", ""},
		{"double name", "/graphs/g/redo", `{"force":true,"force":true}`, nil, 400, "malformed-json", ""},
		{"no object", "/graphs/g/undo", "[]", nil, 422, "invalid-payload", ""},
		{"graph", "/graphs/a%20b/undo", "", nil, 400, "invalid-id", ""},
		{"operation", "/graphs/g/undo", `{"operationId":""}`, nil, 400, "invalid-id", "/operationId"},
		{"client", "/graphs/g/redo", `{"clientId":"a b"}`, nil, 400, "invalid-id", "/clientId"},
		{"query", "/graphs/g/undo?force=true", "", nil, 400, "invalid-query", ""},
		{"wait", "/graphs/g/undo?wait=5", "", nil, 400, "invalid-query", ""},
		{"nothing", "/graphs/g/undo", "", nil, 409, "nothing-to-undo", ""},
		{"nothing again", "/graphs/g/redo", "", nil, 409, "nothing-to-redo", ""},
		{"long", "/graphs/g/undo", `{"operationId":"` + strings.Repeat("x", 200) + `"}`, nil, 413, "too-large", ""},
		{"text", "/graphs/g/undo", "{}", []string{"Content-Type", "text/plain"}, 415, "unsupported-media-type", ""},
		{"field", "/graphs/g/undo", `{"steps":2}`, nil, 422, "invalid-payload", "/steps"},
		{"type", "/graphs/g/undo", `{"type":"redo"}`, nil, 422, "invalid-payload", "/type"},
		{"base", "/graphs/g/redo", `{"clientVersion":1}`, nil, 422, "invalid-payload", "/clientVersion"},
		{"force", "/graphs/g/redo", `{"force":"yes"}`, nil, 422, "invalid-payload", "/force"},
		{"dry", "/graphs/g/redo", `{"dryRun":1}`, nil, 422, "invalid-payload", "/dryRun"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := s.call(http.MethodPost, "/api/v2"+test.path, test.body, test.headers...)
			wantProblem(t, got, test.status, test.code)
			wantPointer(t, got, test.pointer)
		})
	}
	if head := s.head("g"); head.Version != 0 {
		t.Errorf("head is %d after refusals alone, want 0", head.Version)
	}
}

// wantPointer checks that a problem names one part of the body; "" wants none checked.
func wantPointer(t testing.TB, got reply, pointer string) {
	t.Helper()
	if pointer == "" {
		return
	}
	fields, _ := got.json["errors"].([]any)
	if len(fields) != 1 || fields[0].(map[string]any)["pointer"] != pointer || fields[0].(map[string]any)["detail"] == "" {
		t.Errorf("got %s, want the pointer %s", got.raw, pointer)
	}
}

// TestDryRunIsNotWaitedFor fails by its own patience if the read models are asked for a version that will not be.
func TestDryRunIsNotWaitedFor(t *testing.T) {
	s := newSite(t)
	s.server.services.Await = func(context.Context, string, eventstore.Version) error {
		t.Error("the read models are waited for")
		return nil
	}
	s.commands.answerWith(func(c *command.Command) (command.Outcome, error) {
		if !c.DryRun {
			t.Errorf("%s is no dry run", c.Type)
		}
		return command.Outcome{OperationID: "o", Version: 7, Status: "dry-run", DryRun: true}, nil
	})
	for path, body := range map[string]string{
		"/command": `{"type":"CREATE_NODE","payload":{},"dryRun":true}`, "/undo": `{"dryRun":true}`, "/redo": `{"dryRun":true}`,
		"/batch":                 `{"atomic":true,"dryRun":true,"operations":[{"type":"CREATE_NODE","payload":{}}]}`,
		"/conflicts/1-0/resolve": `{"choice":"server","dryRun":true}`,
	} {
		got := s.call(http.MethodPost, "/api/v2/graphs/g"+path+"?wait=completed", body)
		if got.status != http.StatusOK {
			t.Errorf("%s: got %d, want 200", path, got.status)
		}
		wantJSON(t, got.raw, `{"accepted":true,"operationId":"o","version":7,"status":"dry-run","estimatedProcessingTime":0}`)
	}
}

func TestDryRunWritesNothing(t *testing.T) {
	s := newSite(t)
	s.createNodes("g", 1)
	tests := []struct{ path, body string }{
		{"/command", `{"operationId":"dry","type":"DELETE_NODE","payload":{"nodeId":"n1"},"dryRun":true}`},
		{"/batch", `{"operationId":"dry","atomic":true,"operations":[{"type":"DELETE_NODE","payload":{"nodeId":"n1"}}],"dryRun":true}`},
		{"/undo", `{"operationId":"dry","dryRun":true}`},
	}
	for _, test := range tests {
		got := s.call(http.MethodPost, "/api/v2/graphs/g"+test.path, test.body)
		if got.status != http.StatusOK || got.json["status"] != "dry-run" || got.json["version"] != 2.0 || got.json["hash"] != nil || got.json["operationId"] != "dry" || got.json["result"] == nil {
			t.Errorf("%s: got %d %s, want 200 dry-run", test.path, got.status, got.raw)
		}
	}
	got := s.call(http.MethodPost, "/api/v2/graphs/g/batch?wait=completed", `{"dryRun":true,"operations":[
		{"type":"CREATE_NODE","payload":{"id":"a"}},{"type":"DELETE_NODE","payload":{"nodeId":"none"}}]}`)
	results, _ := got.json["results"].([]any)
	if got.status != http.StatusOK || len(results) != 2 || results[0].(map[string]any)["status"] != "dry-run" || results[1].(map[string]any)["accepted"] != false {
		t.Errorf("batch: got %d %s, want 200 with dry-run and a refusal", got.status, got.raw)
	}
	wantProblem(t, s.call(http.MethodPost, "/api/v2/graphs/g/command", `{"type":"DELETE_NODE","payload":{"nodeId":"no"},"dryRun":true}`), 422, "node-not-found")
	if head := s.head("g"); head.Version != 1 {
		t.Errorf("head is %d, want 1", head.Version)
	}
	s.accept("g", `{"operationId":"dry","type":"DELETE_NODE","payload":{"nodeId":"n1"}}`)
}
