package transport

import (
	"bytes"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"graphy/command"
	"graphy/eventstore"
)

func TestCommandIsAcceptedWhenItIsInTheLog(t *testing.T) {
	s := newSite(t)
	got := s.call(http.MethodPost, "/api/v2/graphs/g/command", createNode("n1"))
	if got.status != http.StatusAccepted {
		t.Fatalf("got %d %s, want 202", got.status, got.raw)
	}
	if head := s.head("g"); head.Version != 1 || got.json["hash"] != string(head.Hash) {
		t.Errorf("head is %+v after answer %s", head, got.raw)
	}
	order := regexp.MustCompile(`^{"accepted":true,"operationId":"op-n1","version":1,"hash":"[0-9a-f]{32}","status":"processing","estimatedProcessingTime":[1-9][0-9]*,"result":{.*}}$`)
	if !order.Match(got.raw) {
		t.Errorf("got %s, want %s", got.raw, order)
	}
	again := s.call(http.MethodPost, "/api/v2/graphs/g/command", createNode("n1"))
	if again.status != http.StatusAccepted || again.json["duplicate"] != true || again.json["version"] != 1.0 {
		t.Errorf("repeated: got %d %s, want the first answer with duplicate", again.status, again.raw)
	}
}

func TestCommandWaitsForTheReadModels(t *testing.T) {
	s := newSite(t)
	tests := []struct{ path, prefer string }{{"?wait=completed", ""}, {"", "wait"}, {"", "return=minimal, WAIT=3; x"}}
	for i, test := range tests {
		body := createNode(fmt.Sprintf("n%d", i))
		got := s.call(http.MethodPost, "/api/v2/graphs/g/command"+test.path, body, "Prefer", test.prefer)
		if got.status != http.StatusOK || got.json["status"] != "completed" || got.json["estimatedProcessingTime"] != 0.0 {
			t.Errorf("%+v: got %d %s, want 200 completed", test, got.status, got.raw)
		}
		if state := s.get("/graphs/g/state"); state.json["version"] != float64(i+1) {
			t.Errorf("%+v: state is at %v, want %d", test, state.json["version"], i+1)
		}
	}
}

func TestCommandIsAnswered202WhenTheReadModelsAreSlow(t *testing.T) {
	s := newSite(t, func(o *Options) { o.WaitLimit = 1 })
	s.accept202("g", createNode("n1"), "?wait=completed")
}

func (s *site) accept202(graph, body, query string) reply {
	s.t.Helper()
	got := s.call(http.MethodPost, "/api/v2/graphs/"+graph+"/command"+query, body)
	if got.status != http.StatusAccepted || got.json["status"] != "processing" {
		s.t.Errorf("got %d %s, want 202 processing", got.status, got.raw)
	}
	return got
}

func TestEveryRefusalOfACommandIsAProblem(t *testing.T) {
	s := newSite(t, func(o *Options) { o.BodyLimit = 2000 })
	s.createNodes("g", 1)
	long := `{"type":"CREATE_NODE","payload":{"title":"` + strings.Repeat("x", 2000) + `"}}`
	tests := []struct {
		name, path, body string
		headers          []string
		status           int
		code             string
	}{
		{"empty", "/graphs/g/command", "", nil, 400, "malformed-json"},
		{"half", "/graphs/g/command", `{"type":`, nil, 400, "malformed-json"},
		{"trailing", "/graphs/g/command", createNode("x") + "x", nil, 400, "malformed-json"},
		{"double name", "/graphs/g/command", `{"type":"A","type":"B"}`, nil, 400, "malformed-json"},
		{"no UTF-8", "/graphs/g/command", "{\"type\":\"\xff\"}", nil, 400, "malformed-json"},
		{"lone surrogate", "/graphs/g/command", `{"type":"\ud800"}`, nil, 400, "malformed-json"},
		{"id", "/graphs/a%20b/command", createNode("x"), nil, 400, "invalid-id"},
		{"id with slash", "/graphs/a%2Fb/command", createNode("x"), nil, 400, "invalid-id"},
		{"dots", "/graphs/%2E%2E%2E/command", createNode("x"), nil, 400, "invalid-id"},
		{"id encoded twice", "/graphs/%2541/command", createNode("x"), nil, 400, "invalid-id"},
		{"reserved id", "/graphs/__proto__/command", createNode("x"), nil, 400, "invalid-id"},
		{"client id", "/graphs/g/command", createNode("x"), []string{"X-Client-Id", "a b"}, 400, "invalid-id"},
		{"user id", "/graphs/g/command", createNode("x"), []string{"X-User-Id", strings.Repeat("u", 129)}, 400, "invalid-id"},
		{"user id no UTF-8", "/graphs/g/command", createNode("x"), []string{"X-User-Id", "\xff"}, 400, "invalid-id"},
		{"query", "/graphs/g/command?foo=1", createNode("x"), nil, 400, "invalid-query"},
		{"wait", "/graphs/g/command?wait=1", createNode("x"), nil, 400, "invalid-query"},
		{"ahead", "/graphs/g/command", `{"type":"CREATE_NODE","payload":{},"clientVersion":9}`, nil, 409, "client-ahead"},
		{"mismatch", "/graphs/g/command", `{"type":"CREATE_NODE","payload":{},"clientVersion":1,"hash":"00"}`, nil, 409, "history-mismatch"},
		{"exists", "/graphs/g/command", `{"type":"CREATE_NODE","payload":{"id":"n1"}}`, nil, 409, "already-exists"},
		{"long", "/graphs/g/command", long, nil, 413, "too-large"},
		{"many", "/graphs/g/batch", `{"operations":[` + strings.Repeat("1,", 990) + "1]}", nil, 202, ""},
		{"no type", "/graphs/g/command", createNode("x"), []string{"Content-Type", ""}, 415, "unsupported-media-type"},
		{"text", "/graphs/g/command", createNode("x"), []string{"Content-Type", "text/plain"}, 415, "unsupported-media-type"},
		{"+json", "/graphs/g/command", createNode("x"), []string{"Content-Type", "application/merge-patch+json"}, 415, "unsupported-media-type"},
		{"brotli", "/graphs/g/command", createNode("x"), []string{"Content-Encoding", "br"}, 415, "unsupported-media-type"},
		{"unknown", "/graphs/g/command", `{"type":"FLY","payload":{}}`, nil, 422, "unknown-command"},
		{"payload", "/graphs/g/command", `{"type":"UPDATE_NODE_TITLE","payload":{"nodeId":"n1","title":7}}`, nil, 422, "invalid-payload"},
		{"field", "/graphs/g/command", `{"type":"CREATE_NODE","payload":{},"colour":1}`, nil, 422, "invalid-payload"},
		{"node", "/graphs/g/command", `{"type":"DELETE_NODE","payload":{"nodeId":"no"}}`, nil, 422, "node-not-found"},
		{"edge", "/graphs/g/command", `{"type":"DELETE_EDGE","payload":{"edgeId":"no"}}`, nil, 422, "edge-not-found"},
		{"reused", "/graphs/g/command", `{"operationId":"op-n1","type":"DELETE_NODE","payload":{"nodeId":"n1"}}`, nil, 422, "operation-id-reused"},
		{"empty batch", "/graphs/g/batch", `{"operations":[]}`, nil, 422, "invalid-payload"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := s.call(http.MethodPost, "/api/v2"+test.path, test.body, test.headers...)
			if test.code == "" {
				if got.status != test.status {
					t.Errorf("got %d %.200s, want %d", got.status, got.raw, test.status)
				}
				return
			}
			wantProblem(t, got, test.status, test.code)
		})
	}
	if head := s.head("g"); head.Version != 1 {
		t.Errorf("head is %d after refusals alone, want 1", head.Version)
	}
}

func TestPointersNameWhatIsWrong(t *testing.T) {
	s := newSite(t)
	got := s.call(http.MethodPost, "/api/v2/graphs/g/command",
		`{"operationId":"op","type":"UPDATE_NODE_TITLE","payload":{"nodeId":"n1","title":7}}`)
	wantProblem(t, got, 422, "invalid-payload")
	field := got.json["errors"].([]any)[0].(map[string]any)
	if got.json["operationId"] != "op" || field["pointer"] != "/payload/title" || field["detail"] == "" {
		t.Errorf("got %s, want operationId and pointer /payload/title", got.raw)
	}
}

func TestChunkedBodyIsLimitedToo(t *testing.T) {
	s := newSite(t)
	request, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, s.http.URL+"/api/v2/graphs/g/command",
		struct{ *bytes.Reader }{bytes.NewReader(bytes.Repeat([]byte("x"), 1<<20+1))})
	request.ContentLength = -1
	request.Header.Set("Content-Type", "application/json")
	response, err := s.http.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("got %d, want 413", response.StatusCode)
	}
}

func TestFaultsOfTheStore(t *testing.T) {
	s := newSite(t)
	tests := []struct {
		err    error
		status int
		code   string
		logs   int
	}{
		{eventstore.ErrUnavailable, 503, "unavailable", 0},
		{&command.Error{Code: command.Unavailable, Detail: "the queue is full", OperationID: "op"}, 503, "unavailable", 0},
		{fmt.Errorf("append: %w", eventstore.ErrUnknown), 504, "outcome-unknown", 0},
		{eventstore.ErrBroken, 503, "unavailable", 1},
		{fmt.Errorf("secret %d", 42), 500, "internal", 1},
	}
	for _, test := range tests {
		s.commands.failWith(func() error { return test.err })
		got := s.call(http.MethodPost, "/api/v2/graphs/g/command", createNode("x"))
		wantProblem(t, got, test.status, test.code)
		if retry := got.header.Get("Retry-After"); (retry != "") != (test.status == 503) {
			t.Errorf("%v: Retry-After is %q", test.err, retry)
		}
		if strings.Contains(string(got.raw), "secret") {
			t.Errorf("%s tells of internals", got.raw)
		}
		if logs := len(s.logged.TakeAll()); logs != test.logs {
			t.Errorf("%v: logged %d times, want %d", test.err, logs, test.logs)
		}
	}
}

func TestAtomicBatchIsOneEvent(t *testing.T) {
	s := newSite(t)
	got := s.call(http.MethodPost, "/api/v2/graphs/g/batch", `{"atomic":true,"operationId":"b","operations":[
		{"type":"CREATE_NODE","payload":{"id":"a"}},{"type":"CREATE_NODE","payload":{"id":"b"}}]}`)
	if got.status != http.StatusAccepted || got.json["version"] != 1.0 || got.json["operationId"] != "b" {
		t.Fatalf("got %d %s, want version 1", got.status, got.raw)
	}
	if results := got.json["result"].(map[string]any)["results"].([]any); len(results) != 2 {
		t.Errorf("got %s, want two results", got.raw)
	}
}

func TestOperationsOfABatchAreAnsweredInOrder(t *testing.T) {
	s := newSite(t)
	body := `{"operations":[{"operationId":"o1","type":"CREATE_NODE","payload":{"id":"a"}},
		{"operationId":"o2","type":"FLY","payload":{}},
		{"operationId":"o3","type":"DELETE_NODE","payload":{"nodeId":"no"}},
		{"operationId":"o4","type":"CREATE_NODE","payload":{"id":"b"}}]}`
	for _, test := range []struct {
		query, status string
		code          int
	}{{"", "processing", 202}, {"?wait=completed", "completed", 200}} {
		got := s.call(http.MethodPost, "/api/v2/graphs/g"+test.status+"/batch"+test.query, body)
		if got.status != test.code {
			t.Fatalf("got %d %s, want %d", got.status, got.raw, test.code)
		}
		results := got.json["results"].([]any)
		for i, want := range []struct {
			version any
			code    any
		}{{1.0, nil}, {nil, "unknown-command"}, {nil, "node-not-found"}, {2.0, nil}} {
			result := results[i].(map[string]any)
			if result["operationId"] != fmt.Sprintf("o%d", i+1) || result["version"] != want.version || result["accepted"] != (want.code == nil) {
				t.Errorf("result %d is %v, want version %v", i, result, want.version)
			}
			if want.code == nil {
				if result["status"] != test.status {
					t.Errorf("result %d is %v, want status %q", i, result, test.status)
				}
			} else if problem := result["error"].(map[string]any); problem["code"] != want.code || problem["type"] != "/problems/"+want.code.(string) {
				t.Errorf("result %d is %v, want code %v", i, result, want.code)
			}
		}
	}
}

func TestOperationTellsWhatBecameOfIt(t *testing.T) {
	s := newSite(t)
	s.createNodes("g", 1)
	got := s.get("/graphs/g/operations/op-n1")
	if got.status != 200 || got.json["operationId"] != "op-n1" || got.json["graphId"] != "g" || got.json["type"] != "CREATE_NODE" ||
		got.json["status"] != "completed" || got.json["version"] != 1.0 || got.json["retries"] != 0.0 || got.json["createdAt"] == nil || got.json["completedAt"] == nil {
		t.Errorf("got %d %s", got.status, got.raw)
	}
	wantProblem(t, s.get("/graphs/g/operations/no"), 404, "not-found")
	wantProblem(t, s.get("/operations/no"), 404, "not-found")
	wantProblem(t, s.get("/operations/a%20b"), 400, "invalid-id")
	wantProblem(t, s.get("/operations/a/b"), 404, "not-found")
}

func TestFailedOperationCarriesItsProblem(t *testing.T) {
	refusal := &command.Error{Code: command.NodeNotFound, Detail: "no node"}
	operation := command.Operation{Outcome: command.Outcome{OperationID: "o", Status: command.StatusFailed}, GraphID: "g",
		Type: "DELETE_NODE", Err: refusal, CreatedAt: 5, CompletedAt: 6}
	wantJSON(t, appendOperation(nil, &operation), `{"operationId":"o","graphId":"g","type":"DELETE_NODE","status":"failed",
		"error":{"type":"/problems/node-not-found","title":"There is no such node","status":422,"detail":"no node","code":"node-not-found","operationId":"o"},
		"retries":0,"createdAt":5,"completedAt":6}`)
}
