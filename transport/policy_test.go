package transport

import (
	"net/http"
	"testing"

	"graphy/command"
	"graphy/eventstore"
)

func TestPolicyIsSetAndHolds(t *testing.T) {
	s := newSite(t)
	wantJSON(t, s.get("/graphs/g/policy").raw, `{}`)
	s.createNodes("g", 1)
	for _, policy := range []string{`{"/title":"MANUAL","/data/*":"MERGE"}`, `{}`, `{"/title":"SERVER_WINS"}`} {
		got := s.call(http.MethodPut, "/api/v2/graphs/g/policy", policy)
		if got.status != http.StatusOK || got.header.Get("Content-Type") != "application/json" {
			t.Errorf("got %d %s, want 200", got.status, got.raw)
		}
		wantJSON(t, got.raw, policy)
		wantJSON(t, s.get("/graphs/g/policy").raw, policy)
	}
	if head := s.head("g"); head.Version != 4 {
		t.Errorf("head is %d, want one event for each policy", head.Version)
	}
	s.post("g", "/command", "bob", `{"type":"UPDATE_NODE_TITLE","payload":{"nodeId":"n1","title":"bob's"}}`)
	s.post("g", "/command", "ann", `{"type":"UPDATE_NODE_TITLE","payload":{"nodeId":"n1","title":"ann's"},"clientVersion":4}`)
	if got := s.get("/graphs/g/nodes/n1"); got.json["title"] != "bob's" {
		t.Errorf("the policy does not hold: the node is %s", got.raw)
	}
}

func TestPolicyWaitsForTheReadModelsIfAsked(t *testing.T) {
	s := newSite(t)
	if got := s.call(http.MethodPut, "/api/v2/graphs/g/policy", `{}`, "Prefer", "wait"); got.status != http.StatusOK {
		t.Errorf("got %d %s, want 200", got.status, got.raw)
	}
	s = newSite(t, func(o *Options) { o.WaitLimit = 1 })
	got := s.call(http.MethodPut, "/api/v2/graphs/g/policy?wait=completed", `{"":"MANUAL"}`)
	if got.status != http.StatusAccepted {
		t.Errorf("got %d %s, want 202: the read models are slow", got.status, got.raw)
	}
	wantJSON(t, got.raw, `{"":"MANUAL"}`)
}

func TestEveryRefusalOfAPolicy(t *testing.T) {
	s := newSite(t)
	tests := []struct {
		name, path, body string
		headers          []string
		status           int
		code, pointer    string
	}{
		{"empty", "/graphs/g/policy", ``, nil, 400, "malformed-json", ""},
		{"double name", "/graphs/g/policy", `{"/a":"MERGE","/a":"MERGE"}`, nil, 400, "malformed-json", ""},
		{"graph", "/graphs/a%20b/policy", `{}`, nil, 400, "invalid-id", ""},
		{"query", "/graphs/g/policy?dryRun=true", `{}`, nil, 400, "invalid-query", ""},
		{"text", "/graphs/g/policy", `{}`, []string{"Content-Type", "text/plain"}, 415, "unsupported-media-type", ""},
		{"no object", "/graphs/g/policy", `["MERGE"]`, nil, 422, "invalid-payload", ""},
		{"strategy", "/graphs/g/policy", `{"/a":"MERGE","/data/b":"BEST"}`, nil, 422, "invalid-payload", "/~1data~1b"},
		{"strategy in lower case", "/graphs/g/policy", `{"/a":"merge"}`, nil, 422, "invalid-payload", "/~1a"},
		{"no strategy", "/graphs/g/policy", `{"/a":null}`, nil, 422, "invalid-payload", "/~1a"},
		{"no pattern", "/graphs/g/policy", `{"title":"MERGE"}`, nil, 422, "invalid-payload", "/title"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := s.call(http.MethodPut, "/api/v2"+test.path, test.body, test.headers...)
			wantProblem(t, got, test.status, test.code)
			wantPointer(t, got, test.pointer)
		})
	}
	if head := s.head("g"); head.Version != 0 {
		t.Errorf("head is %d after refusals alone, want 0", head.Version)
	}
	s.commands.failWith(func() error { return &command.Error{Code: command.Unavailable, Detail: "the queue is full"} })
	wantProblem(t, s.call(http.MethodPut, "/api/v2/graphs/g/policy", `{}`), 503, "unavailable")
	s.breakModels(eventstore.ErrUnavailable)
	wantProblem(t, s.get("/graphs/g/policy"), 503, "unavailable")
	wantProblem(t, s.get("/graphs/g/policy?at=1"), 400, "invalid-query")
}
