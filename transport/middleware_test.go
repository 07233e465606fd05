package transport

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"graphy/command"
)

func TestUnknownRoutesAndMethods(t *testing.T) {
	s := newSite(t)
	for _, path := range []string{"/nope", "/api/v2", "/api/v2/graphs/g/state/", "/api/v2/graphs/g/conflicts/1-0", "/api/v2/graphs/g/undo/x", "/metrics", "/api/v1/graphs", "/api/v2/graphs/g/diff/x"} {
		wantProblem(t, s.call(http.MethodGet, path, ""), 404, "not-found")
	}
	for path, allowed := range map[string]string{"/api/v2/graphs/g/command": "POST", "/api/v2/graphs/g": "DELETE", "/api/v2/graphs/g/undo": "POST",
		"/api/v2/graphs/g/redo": "POST", "/api/v2/graphs/g/conflicts/1-0/resolve": "POST"} {
		got := s.call(http.MethodGet, path, "")
		wantProblem(t, got, 405, "method-not-allowed")
		if !strings.Contains(got.header.Get("Allow"), allowed) {
			t.Errorf("%s: Allow is %q, want %s in it", path, got.header.Get("Allow"), allowed)
		}
	}
	for method, path := range map[string]string{http.MethodPut: "/api/v2/graphs/g/state", http.MethodPost: "/api/v2/graphs/g/policy", http.MethodDelete: "/api/v2/graphs/g/conflicts"} {
		wantProblem(t, s.call(method, path, "{}"), 405, "method-not-allowed")
	}
	if got := s.call(http.MethodHead, "/api/v2/graphs/g/undo", ""); got.status != 405 || len(got.raw) > 0 {
		t.Errorf("HEAD: got %d %q", got.status, got.raw)
	}
	for _, path := range []string{"/history", "/conflicts", "/policy"} {
		if got := s.call(http.MethodHead, "/api/v2/graphs/g"+path, ""); got.status != 200 || len(got.raw) > 0 || got.header.Get("Content-Length") == "" {
			t.Errorf("HEAD: got %d %q", got.status, got.raw)
		}
	}
	if got := s.call(http.MethodHead, "/api/v2/graphs/g/nodes/x", ""); got.status != 404 || len(got.raw) > 0 {
		t.Errorf("HEAD: got %d %q", got.status, got.raw)
	}
}

func TestHeadersOfEveryAnswer(t *testing.T) {
	s := newSite(t)
	for _, path := range []string{"/healthz", "/nothing", "/api/v2/graphs", "/api/v2/graphs/g/state"} {
		header := s.call(http.MethodGet, path, "").header
		if header.Get("X-Content-Type-Options") != "nosniff" || header.Get("Content-Security-Policy") == "" ||
			header.Get("Server") != "" || header.Get("X-Powered-By") != "" || !strings.HasPrefix(header.Get("Vary"), "Origin") {
			t.Errorf("%s: headers are %v", path, header)
		}
	}
}

func TestOrigins(t *testing.T) {
	development := newSite(t)
	listed := newSite(t, func(o *Options) { o.Origins = []string{"https://editor.example"} })
	tests := []struct {
		site    *site
		origin  string
		allowed bool
	}{
		{development, development.http.URL, true},
		{development, "http://localhost:8080", true},
		{development, "https://127.1.2.3", true},
		{development, "http://[::1]:5173", true},
		{development, "http://localhost.evil.example", false},
		{development, "http://127.0.0.1.evil.example", false},
		{development, "http://evil.example", false},
		{development, "null", false},
		{development, "chrome-extension://abc", false},
		{development, "http://user@localhost", false},
		{listed, "https://editor.example", true},
		{listed, "https://editor.example:444", false},
		{listed, "http://editor.example", false},
		{listed, "https://EDITOR.example.evil.example", false},
		{listed, "http://localhost", false},
	}
	for _, test := range tests {
		got := test.site.get("/graphs", "Origin", test.origin)
		if !test.allowed {
			wantProblem(t, got, 403, "forbidden")
			if got.header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s: refused, and allowed by header", test.origin)
			}
			continue
		}
		if got.status != 200 || got.header.Get("Access-Control-Allow-Origin") != test.origin {
			t.Errorf("%s: got %d, %v", test.origin, got.status, got.header)
		}
	}
	preflight := development.call(http.MethodOptions, "/api/v2/graphs/g/command", "", "Origin", "http://localhost:1", "Access-Control-Request-Method", "PUT",
		"Access-Control-Request-Headers", "content-type")
	if preflight.status != 204 || preflight.header.Get("Access-Control-Allow-Origin") != "http://localhost:1" ||
		!strings.Contains(preflight.header.Get("Access-Control-Allow-Methods"), "PUT") || !strings.Contains(preflight.header.Get("Access-Control-Allow-Headers"), "Content-Type") {
		t.Errorf("preflight: got %d, %v", preflight.status, preflight.header)
	}
	wantProblem(t, development.call(http.MethodOptions, "/api/v2/graphs/g/command", "", "Origin", "http://evil.example", "Access-Control-Request-Method", "POST"), 403, "forbidden")
}

func TestOwnOriginOutsideDevelopment(t *testing.T) {
	s := New(Services{}, Options{})
	for origin, allowed := range map[string]bool{"http://graphs.example:3000": true, "https://graphs.example:3000": true, "http://graphs.example": false, "http://localhost": false} {
		r := httptest.NewRequest(http.MethodGet, "http://graphs.example:3000/", nil)
		r.Header.Set("Origin", origin)
		if got := s.originAllowed(r); got != allowed {
			t.Errorf("%s: got %v, want %v", origin, got, allowed)
		}
	}
	r := httptest.NewRequest(http.MethodGet, "http://graphs.example:3000/", nil)
	r.Header["Origin"] = []string{"http://graphs.example:3000", "http://evil.example"}
	if s.originAllowed(r) {
		t.Error("two origins were let in")
	}
}

func TestNobodyIsLetInOutsideDevelopment(t *testing.T) {
	s := newSite(t, func(o *Options) { o.Development = false })
	for _, path := range []string{"/graphs", "/graphs/g/state", "/graphs/g/changes", "/graphs/g/nodes", "/graphs/g/history", "/operations/o"} {
		wantProblem(t, s.get(path, "X-User-Id", "root"), 401, "unauthenticated")
	}
	got := s.call(http.MethodPost, "/api/v2/graphs/g/command", createNode("x"))
	wantProblem(t, got, 401, "unauthenticated")
	if got.header.Get("WWW-Authenticate") != "Bearer" {
		t.Errorf("headers are %v, want a challenge", got.header)
	}
	wantProblem(t, s.call(http.MethodDelete, "/api/v2/graphs/g", ""), 401, "unauthenticated")
	if got := s.call(http.MethodGet, "/healthz", ""); got.status != 200 {
		t.Errorf("healthz: got %d", got.status)
	}
}

func TestWhoSends(t *testing.T) {
	s := newSite(t)
	for i, test := range []struct{ header, query, want string }{
		{"", "", "anonymous"}, {"ann", "", "ann"}, {"", "bob", "bob"}, {"ann", "bob", "ann"}, {"", "J%C3%BCrgen+M", "Jürgen M"},
	} {
		query := ""
		if test.query != "" {
			query = "?userId=" + test.query
		}
		got := s.call(http.MethodPost, "/api/v2/graphs/g/command"+query, createNode(strings.Repeat("n", i+1)), "X-User-Id", test.header)
		if got.status != http.StatusAccepted {
			t.Fatalf("%+v: got %d %s", test, got.status, got.raw)
		}
		newest := s.get("/graphs/g/history?limit=1").json["events"].([]any)[0].(map[string]any)
		if newest["userId"] != test.want {
			t.Errorf("%+v: the event is %v's", test, newest["userId"])
		}
	}
}

func TestRolesThatAreOffAreNotRouted(t *testing.T) {
	s := newSite(t, func(o *Options) { o.API = false })
	wantProblem(t, s.get("/graphs"), 404, "not-found")
	wantProblem(t, s.call(http.MethodPost, "/api/v2/graphs/g/command", createNode("x")), 404, "not-found")
	if got := s.call(http.MethodGet, "/readyz", ""); got.status != 200 {
		t.Errorf("readyz: got %d", got.status)
	}
	s = newSite(t, func(o *Options) { o.Realtime = false })
	wantProblem(t, s.get("/graphs/g/subscribe"), 404, "not-found")
	wantProblem(t, s.call(http.MethodGet, "/ws?graphId=g", ""), 404, "not-found")
}

func TestPanicIsA500(t *testing.T) {
	s := newSite(t)
	s.commands.failWith(func() error { panic("secret") })
	got := s.call(http.MethodPost, "/api/v2/graphs/g/command", createNode("x"))
	wantProblem(t, got, 500, "internal")
	if strings.Contains(string(got.raw), "secret") {
		t.Errorf("%s tells of internals", got.raw)
	}
	entries := s.logged.TakeAll()
	if len(entries) != 1 || !strings.Contains(entries[0].ContextMap()["stack"].(string), "TestPanicIsA500") {
		t.Errorf("logged %v, want one entry with the stack", entries)
	}
	s.commands.failWith(nil)
	s.accept("g", createNode("x"))
}

func TestPanicAfterTheAnswerBeganCutsIt(t *testing.T) {
	s := newSite(t)
	handler := s.server.protect(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"half":`))
		panic("late")
	}))
	defer func() {
		if cause := recover(); cause != http.ErrAbortHandler {
			t.Errorf("got panic %v, want http.ErrAbortHandler", cause)
		}
	}()
	handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
}

// TestI10NothingIsLeftBehind ends a site with requests of all kinds behind it and counts goroutines.
func TestI10NothingIsLeftBehind(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	t.Run("site", func(t *testing.T) {
		s := newSite(t)
		s.createNodes("g", 3)
		s.get("/graphs/g/state", "Accept-Encoding", "gzip")
		s.get("/graphs/g/changes?since=3&wait=10")
		ctx, cancel := context.WithCancel(t.Context())
		request, _ := http.NewRequestWithContext(ctx, http.MethodGet, s.http.URL+"/api/v2/graphs/g/changes?since=3&wait=30000", nil)
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			if response, err := s.http.Client().Do(request); err == nil {
				_ = response.Body.Close()
			}
		}()
		s.awaitPolls(1)
		cancel() // the client leaves while it waits
		<-gone
		s.awaitPolls(0)
	})
}

func TestEveryCodeHasAStatusAndATitle(t *testing.T) {
	for code, known := range statuses {
		got := problemOf(&command.Error{Code: code, Detail: "detail"})
		if got.status != known.status || got.title == "" || http.StatusText(got.status) == "" {
			t.Errorf("%s: got %+v", code, got)
		}
	}
	if got := problemOf(&command.Error{Code: "new-code", Detail: "secret", OperationID: "o"}); got.status != 500 || got.detail == "secret" || got.operationID != "o" {
		t.Errorf("a code that is not in the table: got %+v", got)
	}
}
