package transport

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestHealthAndReadiness(t *testing.T) {
	s := newSite(t)
	wantJSON(t, s.call(http.MethodGet, "/healthz", "").raw, `{"status":"ok"}`)
	wantJSON(t, s.call(http.MethodGet, "/readyz", "").raw, `{"status":"ready","reasons":[],"warnings":[]}`)
	if got := s.call(http.MethodGet, "/", ""); got.status != http.StatusOK || !strings.Contains(string(got.raw), "/api/v2/graphs") {
		t.Errorf("got %d %s, want a page that says where to go on", got.status, got.raw)
	}
	s.setReady(Readiness{Reasons: []string{`set "maxmemory-policy" to noeviction`}, Warnings: []string{"graph g is parked"}})
	got := s.call(http.MethodGet, "/readyz", "")
	if got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") == "" {
		t.Errorf("got %d, %v", got.status, got.header)
	}
	wantJSON(t, got.raw, `{"status":"not ready","reasons":["set \"maxmemory-policy\" to noeviction"],"warnings":["graph g is parked"]}`)
	s.setReady(Readiness{OK: true})
	if err := s.server.Drain(t.Context()); err != nil {
		t.Error(err)
	}
	if got := s.call(http.MethodGet, "/readyz", ""); got.status != http.StatusServiceUnavailable || !strings.Contains(string(got.raw), "shutting down") {
		t.Errorf("draining: got %d %s", got.status, got.raw)
	}
	if got := s.call(http.MethodGet, "/healthz", ""); got.status != 200 {
		t.Errorf("draining: healthz is %d", got.status)
	}
	s.accept("g", createNode("n1")) // what comes until the listener closes is answered
}

func (s *site) setReady(readiness Readiness) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ready = readiness
}

func TestMetricsAreOperatorsAffair(t *testing.T) {
	s := newSite(t)
	s.createNodes("g", 1)
	s.get("/graphs/a%20b/state")
	wantProblem(t, s.call(http.MethodGet, "/metrics", ""), 404, "not-found")
	admin := func(path string) *httptest.ResponseRecorder {
		recorder := httptest.NewRecorder()
		s.server.AdminHandler().ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, path, nil))
		return recorder
	}
	text := admin("/metrics").Body.String()
	for _, line := range []string{
		`graphy_http_requests_total{method="POST",route="/api/v2/graphs/:graphId/command",status="200"} 1`,
		`graphy_http_requests_total{method="GET",route="/api/v2/graphs/:graphId/state",status="400"} 1`,
		`graphy_http_request_seconds_count{method="POST",route="/api/v2/graphs/:graphId/command"} 1`,
		`graphy_http_long_polls 0`,
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("metrics lack %s", line)
		}
	}
	if got := admin("/readyz"); got.Code != 200 {
		t.Errorf("readyz: got %d", got.Code)
	}
	if got := admin("/api/v2/graphs"); got.Code != 404 {
		t.Errorf("clients' routes are not for this listener: got %d", got.Code)
	}
	New(Services{}, Options{Registry: s.server.opts.Registry}) // a second server may share the registry
}
