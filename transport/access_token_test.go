package transport

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/gorilla/websocket"

	"graphy/transport/auth"
	"graphy/transport/auth/authtest"
)

func TestWaysOfATokenInTheHeader(t *testing.T) {
	s := newGuarded(t)
	good := authtest.Token(t, "ann", roles{"g": "viewer"})
	tests := []struct {
		name      string
		values    []string
		status    int
		challenge string
	}{
		{"none", nil, 401, "Bearer"},
		{"as it should be", []string{"Bearer " + good}, 200, ""},
		{"in lower case", []string{"bearer " + good}, 200, ""},
		{"in upper case", []string{"BEARER " + good}, 200, ""},
		{"with more spaces", []string{"Bearer   " + good + " "}, 200, ""},
		{"empty", []string{""}, 401, "Bearer"},
		{"scheme alone", []string{"Bearer"}, 401, "Bearer"},
		{"nothing behind the scheme", []string{"Bearer  "}, 401, "Bearer"},
		{"without a scheme", []string{good}, 401, "Bearer"},
		{"of another scheme", []string{"Basic " + good}, 401, "Bearer"},
		{"of a scheme that begins alike", []string{"BearerX " + good}, 401, "Bearer"},
		{"twice", []string{"Bearer " + good, "Bearer " + good}, 401, "Bearer"},
		{"with another scheme beside it", []string{"Basic x", "Bearer " + good}, 401, "Bearer"},
		{"two in one line", []string{"Bearer " + good + ", Bearer " + good}, 401, `Bearer error="invalid_token"`},
		{"expired", []string{"Bearer " + authtest.Token(t, "ann", roles{"g": "viewer"}, authtest.Expires(time.Now().Add(-time.Minute)))}, 401, `Bearer error="invalid_token"`},
		{"garbage", []string{"Bearer x"}, 401, `Bearer error="invalid_token"`},
		{"not signed", []string{"Bearer " + authtest.SignWith(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil, authtest.Claims("ann", roles{"g": "viewer"}))}, 401, `Bearer error="invalid_token"`},
		{"signed by another", []string{"Bearer " + authtest.SignWith(t, jwt.SigningMethodHS256, []byte(strings.Repeat("other", 8)), nil, authtest.Claims("ann", roles{"g": "viewer"}))}, 401, `Bearer error="invalid_token"`},
		{"too long", []string{"Bearer " + strings.Repeat("x", 9<<10)}, 401, `Bearer error="invalid_token"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/api/v2/graphs/g/state", nil)
			r.Header["Authorization"] = test.values
			w := httptest.NewRecorder()
			s.server.Handler().ServeHTTP(w, r)
			if w.Code != test.status || w.Header().Get("WWW-Authenticate") != test.challenge {
				t.Errorf("got %d, %q, want %d, %q", w.Code, w.Header().Get("WWW-Authenticate"), test.status, test.challenge)
			}
			for _, value := range test.values {
				if len(value) > 20 && strings.Contains(w.Body.String(), value[len(value)-20:]) {
					t.Errorf("the answer quotes the token: %s", w.Body)
				}
			}
		})
	}
}

func TestATokenInTheQueryIsRefused(t *testing.T) {
	development, guarded := newSite(t), newGuarded(t)
	good := authtest.Token(t, "ann", roles{"*": "owner"})
	for _, s := range []*site{development, guarded} {
		for _, query := range []string{"access_token=" + good, "token=x", "Token=x", "jwt=", "x=" + good, "ticket=" + good, "userId=" + good} {
			for _, path := range []string{"/api/v2/graphs/g/state", "/api/v2/graphs/g/subscribe", "/api/v2/graphs/g/changes"} {
				for _, headers := range [][]string{bearer(good), nil} {
					got := s.call(http.MethodGet, path+"?"+query, "", headers...)
					wantProblem(t, got, 400, "invalid-query")
					for _, way := range []string{"Authorization: Bearer", "bearer.<token>", "/api/v2/tickets"} {
						if !strings.Contains(string(got.raw), way) {
							t.Errorf("%s: the answer does not name the way %q: %s", query, way, got.raw)
						}
					}
					if strings.Contains(string(got.raw), good[:20]) {
						t.Errorf("%s: the answer quotes the token: %s", query, got.raw)
					}
				}
			}
		}
	}
}

// TestNobodyIsWhoTheySayTheyAre: outside development mode the header is as good as none, and the parameter as good as any
// that is not known.
func TestNobodyIsWhoTheySayTheyAre(t *testing.T) {
	s := newGuarded(t)
	good := authtest.Token(t, "ann", roles{"g": "editor"})
	wantProblem(t, s.get("/graphs/g/state", "X-User-Id", "root"), 401, "unauthenticated")
	wantProblem(t, s.get("/graphs/g/state?userId=root"), 401, "unauthenticated")
	wantProblem(t, s.as(good, http.MethodGet, "/api/v2/graphs/g/state?userId=root", ""), 400, "invalid-query")
	if got := s.as(good, http.MethodPost, "/api/v2/graphs/g/command?wait=completed", createNode("n"), "X-User-Id", "root", "X-Client-Id", "tab"); got.status != 200 {
		t.Fatalf("got %d %s", got.status, got.raw)
	}
	event := s.as(good, http.MethodGet, "/api/v2/graphs/g/history", "").json["events"].([]any)[0].(map[string]any)
	if event["userId"] != "ann" || event["clientId"] != "tab" {
		t.Errorf("the event is %v's, at %v, want ann's, at tab", event["userId"], event["clientId"])
	}
	if _, response, err := s.dial("/api/v2/graphs/g/subscribe?userId=root", http.Header{"Authorization": bearer(good)[1:]}); err == nil || response.StatusCode != 400 {
		t.Errorf("userId of a WebSocket: got %v, %v, want 400", response, err)
	}
}

func TestWaysOfATokenOfAWebSocket(t *testing.T) {
	s := newGuarded(t)
	good, bad := authtest.Token(t, "ann", roles{"g": "viewer"}), "e30.e30.e30"
	expired := authtest.Token(t, "ann", roles{"g": "viewer"}, authtest.Expires(time.Now().Add(-time.Minute)))
	const version = "graphy.v2"
	tests := []struct {
		name      string
		header    string // Authorization
		protocols string
		protocol  string // that the server picked
		code      int    // of the close frame, 0 for a session, or of the HTTP answer
	}{
		{"header", "Bearer " + good, "", "", 0},
		{"header and version", "Bearer " + good, version, version, 0},
		{"subprotocol", "", version + ", bearer." + good, version, 0},
		{"subprotocol, the other way round", "", "bearer." + good + "," + version, version, 0},
		{"subprotocol among others", "", "x, bearer." + good + ", " + version + ", y", version, 0},
		{"subprotocol behind a proxy of another scheme", "Basic eDp5", version + ", bearer." + good, version, 0},
		{"none", "", "", "", closeBadToken},
		{"version alone", "", version, version, closeBadToken},
		{"empty subprotocol", "", version + ", bearer.", version, closeBadToken},
		{"bad subprotocol", "", version + ", bearer." + bad, version, closeBadToken},
		{"expired subprotocol", "", version + ", bearer." + expired, version, closeBadToken},
		{"Bearer in upper case", "", version + ", Bearer." + good, version, closeBadToken},
		{"bad header", "Bearer " + bad, version, version, closeBadToken},
		{"both", "Bearer " + good, version + ", bearer." + good, version, closeBadToken},
		{"bad header, good subprotocol", "Bearer " + bad, version + ", bearer." + good, version, closeBadToken},
		{"two subprotocols", "", version + ", bearer." + good + ", bearer." + good, version, closeBadToken},
		{"subprotocol without version", "", "bearer." + good, "", 400},
		{"subprotocol with another version", "", "graphy.v1, bearer." + good, "", 400},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			header := http.Header{}
			if test.header != "" {
				header.Set("Authorization", test.header)
			}
			if test.protocols != "" {
				header.Set("Sec-WebSocket-Protocol", test.protocols)
			}
			p, response, err := s.dial("/api/v2/graphs/g/subscribe", header)
			if test.code == 400 {
				if err == nil || response.StatusCode != 400 {
					t.Fatalf("got %v, %v, want 400", response, err)
				}
				return
			}
			if err != nil {
				t.Fatalf("%v, %+v", err, response)
			}
			if got := response.Header.Get("Sec-WebSocket-Protocol"); got != test.protocol {
				t.Errorf("the server picked subprotocol %q, want %q", got, test.protocol)
			}
			for name, values := range response.Header {
				if strings.Contains(strings.Join(values, ""), good) {
					t.Errorf("the token comes back in %s", name)
				}
			}
			if test.code == 0 {
				p.expect("sync")
			} else if code := p.closed(); code != test.code {
				t.Errorf("closed with %d, want %d", code, test.code)
			}
		})
	}
}

// unsure cannot say yet who a token speaks for.
type unsure struct{}

func (unsure) Verify(context.Context, string) (*auth.Principal, error) {
	return nil, auth.ErrUnavailable
}

func TestTokensThatCannotBeCheckedForNow(t *testing.T) {
	s := newGuarded(t, func(o *Options) { o.Verifier = unsure{} })
	got := s.as("x", http.MethodGet, "/api/v2/graphs/g/state", "")
	wantProblem(t, got, 503, "unavailable")
	if got.header.Get("Retry-After") == "" {
		t.Errorf("headers are %v, want Retry-After", got.header)
	}
	if code := s.subscribe("g", "", "x").closed(); code != websocket.CloseTryAgainLater {
		t.Errorf("closed with %d, want %d", code, websocket.CloseTryAgainLater)
	}
}

// TestOtherNamesInDevelopment: the owner of a name that leads here must not call this server through the browsers of this
// machine.
func TestOtherNamesInDevelopment(t *testing.T) {
	development, listed, guarded := newSite(t), newSite(t, func(o *Options) { o.Origins = []string{"https://editor.example"} }), newGuarded(t)
	good := authtest.Token(t, "ann", roles{"*": "viewer"})
	tests := []struct {
		site   *site
		host   string
		status int
	}{
		{development, "localhost", 200}, {development, "LOCALHOST:3000", 200}, {development, "127.0.0.1:3000", 200}, {development, "[::1]:3000", 200},
		{development, "graphy:3000", 200}, {development, "app.localhost:3000", 200}, {development, "192.168.0.1", 200},
		{development, "evil.example:3000", 403}, {development, "evil.example", 403}, {development, "localhost.evil.example", 403},
		{development, "127.0.0.1.evil.example:3000", 403}, {development, "evil.example.:3000", 403}, {development, "App.Localhost.", 200}, {development, "[2001:db8::1]:3000", 200}, {development, "[::ffff:192.0.2.1]:1", 200},
		{listed, "graphs.example", 200}, {guarded, "graphs.example", 200},
	}
	for _, test := range tests {
		r := httptest.NewRequest(http.MethodGet, "/api/v2/graphs", nil)
		r.Host = test.host
		r.Header.Set("Authorization", "Bearer "+good)
		w := httptest.NewRecorder()
		test.site.server.Handler().ServeHTTP(w, r)
		if w.Code != test.status {
			t.Errorf("%s: got %d %s, want %d", test.host, w.Code, w.Body, test.status)
		}
	}
}
