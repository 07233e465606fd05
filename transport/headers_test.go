package transport

import (
	"crypto/tls"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"graphy/transport/auth/authtest"
)

// TestHeadersThatProtect are on every answer, whoever asks for whatever.
func TestHeadersThatProtect(t *testing.T) {
	s := newGuarded(t)
	s.found("g")
	token := authtest.Token(t, "ann", roles{"g": "editor"})
	answers := map[string]reply{
		"welcome": s.call(http.MethodGet, "/", ""), "health": s.call(http.MethodGet, "/healthz", ""), "no route": s.call(http.MethodGet, "/none", ""),
		"state": s.as(token, http.MethodGet, "/api/v2/graphs/g/state", ""), "refused": s.get("/graphs/g/state"),
		"forbidden": s.as(token, http.MethodGet, "/api/v2/graphs/h/state", ""), "no method": s.call(http.MethodPut, "/api/v2/graphs", ""),
		"command": s.as(token, http.MethodPost, "/api/v2/graphs/g/command", createNode("x")), "no upgrade": s.as(token, http.MethodGet, "/api/v2/graphs/g/subscribe", ""),
		"foreign origin": s.get("/graphs", "Origin", "https://evil.example"),
	}
	want := map[string]string{
		"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'", "X-Frame-Options": "DENY",
		"Referrer-Policy": "no-referrer", "Cross-Origin-Resource-Policy": "same-origin",
		"Server": "", "X-Powered-By": "", "Strict-Transport-Security": "",
	}
	for name, answer := range answers {
		for header, value := range want {
			if got := strings.Join(answer.header[header], "|"); got != value {
				t.Errorf("%s: %s is %q, want %q", name, header, got, value)
			}
		}
		if cache := answer.header.Get("Cache-Control"); name != "state" && cache != "no-store" {
			t.Errorf("%s: Cache-Control is %q", name, cache)
		}
		for header, values := range answer.header {
			if strings.Contains(strings.ToLower(strings.Join(values, "")), "go") && header != "Date" {
				t.Errorf("%s: %s %q tells of the server", name, header, values)
			}
		}
	}
}

func TestStrictTransportSecurity(t *testing.T) {
	trusting := New(Services{}, Options{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}})
	tests := []struct {
		name, peer string
		encrypted  bool
		said       []string
		want       string
	}{
		{"plain", "192.0.2.1:1", false, nil, ""},
		{"encrypted", "198.51.100.1:1", true, nil, "max-age=31536000"},
		{"a trusted proxy says so", "192.0.2.1:1", false, []string{"https"}, "max-age=31536000"},
		{"a trusted proxy denies it", "192.0.2.1:1", false, []string{"http"}, ""},
		{"anybody says so", "198.51.100.1:1", false, []string{"https"}, ""},
		{"said twice", "192.0.2.1:1", false, []string{"https", "http"}, ""},
	}
	for _, test := range tests {
		r := httptest.NewRequest(http.MethodGet, "/healthz", nil)
		r.RemoteAddr = test.peer
		if test.encrypted {
			r.TLS = &tls.ConnectionState{}
		}
		r.Header["X-Forwarded-Proto"] = test.said
		w := httptest.NewRecorder()
		trusting.Handler().ServeHTTP(w, r)
		if got := w.Header().Get("Strict-Transport-Security"); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

// TestForeignOrigins: pages of other origins get nothing, whatever token they have got hold of, by HTTP or WebSocket.
func TestForeignOrigins(t *testing.T) {
	listed := newGuarded(t, func(o *Options) {
		o.Origins = []string{"https://editor.example", "http://localhost:5173", "app://editor", "null"}
	})
	own := newGuarded(t)
	token := authtest.Token(t, "ann", roles{"g": "owner"})
	tests := []struct {
		site    *site
		origin  string
		allowed bool
	}{
		{listed, "https://editor.example", true}, {listed, "http://localhost:5173", true}, {listed, "app://editor", true},
		{listed, "null", false}, {listed, "", false}, {listed, "https://evil.example", false}, {listed, "https://editor.example.evil.example", false},
		{listed, "https://sub.editor.example", false}, {listed, "https://editorXexample", false}, {listed, "http://editor.example", false},
		{listed, "https://editor.example:8443", false}, {listed, "https://editor.example/", false}, {listed, "https://EDITOR.example", false},
		{listed, "https://editor.example@evil.example", false}, {listed, "https://editor.example\x00.evil.example", false},
		{listed, "http://localhost:5174", false}, {listed, "*", false}, {listed, listed.http.URL, false},
		{own, own.http.URL, true}, {own, "null", false}, {own, "http://localhost", false}, {own, "http://127.0.0.1", false}, {own, "http://evil.example", false},
		{own, own.http.URL + ".evil.example", false}, {own, strings.Replace(own.http.URL, "http://", "http://evil.", 1), false},
		{own, strings.Replace(own.http.URL, "http://", "ftp://", 1), false},
	}
	for _, test := range tests {
		header := http.Header{"Origin": {test.origin}, "Authorization": {"Bearer " + token}}
		r := httptest.NewRequest(http.MethodPost, test.site.http.URL+"/api/v2/tickets", strings.NewReader(`{"graphId":"g"}`))
		r.Header = header.Clone()
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		test.site.server.Handler().ServeHTTP(w, r)
		if (w.Code == 201) != test.allowed || (w.Header().Get("Access-Control-Allow-Origin") == test.origin && test.origin != "") != test.allowed {
			t.Errorf("%q: got %d, %v, want allowed to be %v", test.origin, w.Code, w.Header(), test.allowed)
		}
		if w.Header().Get("Access-Control-Allow-Credentials") != "" || !strings.Contains(w.Header().Get("Vary"), "Origin") {
			t.Errorf("%q: headers are %v", test.origin, w.Header())
		}
		if strings.Contains(test.origin, "\x00") {
			continue // no client sends it
		}
		p, response, err := test.site.dial("/api/v2/graphs/g/subscribe", header)
		if (err == nil) != test.allowed || err != nil && response.StatusCode != 403 {
			t.Errorf("%q: WebSocket: got %v, %v, want allowed to be %v", test.origin, err, response, test.allowed)
		}
		if err == nil {
			p.expect("sync")
		}
	}
}

// TestPreflight lets pages of allowed origins send what the API takes and read what it answers.
func TestPreflight(t *testing.T) {
	s := newGuarded(t, func(o *Options) { o.Origins = []string{"https://editor.example"} })
	words := func(list string) []string {
		return slices.Sorted(maps.Keys(maps.Collect(func(yield func(string, bool) bool) {
			for word := range strings.SplitSeq(list, ",") {
				if !yield(strings.ToLower(strings.TrimSpace(word)), true) {
					return
				}
			}
		})))
	}
	got := s.call(http.MethodOptions, "/api/v2/graphs/g/command", "", "Origin", "https://editor.example", "Access-Control-Request-Method", "POST",
		"Access-Control-Request-Headers", "authorization, content-type")
	if got.status != 204 {
		t.Fatalf("got %d %s, want 204 without a token", got.status, got.raw)
	}
	for _, name := range []string{"authorization", "content-type", "content-encoding", "last-event-id", "if-none-match", "prefer", "x-client-id"} {
		if !slices.Contains(words(got.header.Get("Access-Control-Allow-Headers")), name) {
			t.Errorf("%s may not be sent: %v", name, got.header)
		}
	}
	exposed := words(s.get("/graphs", "Origin", "https://editor.example").header.Get("Access-Control-Expose-Headers"))
	for _, name := range []string{"etag", "x-cache", "allow", "retry-after", "ratelimit", "ratelimit-policy"} {
		if !slices.Contains(exposed, name) {
			t.Errorf("%s may not be read: %v", name, exposed)
		}
	}
	got = s.call(http.MethodOptions, "/api/v2/graphs/g/command", "", "Origin", "https://evil.example", "Access-Control-Request-Method", "POST")
	wantProblem(t, got, 403, "forbidden")
	if got.header.Get("Access-Control-Allow-Origin") != "" || got.header.Get("Access-Control-Allow-Methods") != "" {
		t.Errorf("headers are %v", got.header)
	}
}
