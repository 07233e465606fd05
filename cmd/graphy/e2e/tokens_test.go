package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/gorilla/websocket"

	"graphy/transport/auth/authtest"
)

const (
	badToken     = 4501
	notReadable  = 4502
	tokenExpired = 4005
)

// TestTokensOfASecret sends good and bad tokens to a server with a secret, over HTTP, and over WebSocket in both ways.
func TestTokensOfASecret(t *testing.T) {
	t.Parallel()
	s := start(t, "GRAPHY_DATA_DIR=", "GRAPHY_JWT_SECRET="+authtest.Secret, "GRAPHY_JWT_AUDIENCE=graphy", "GRAPHY_JWT_ISSUER=https://id.example")
	graph := newGraph(t)
	issued := func(claims jwt.MapClaims) {
		claims["aud"], claims["iss"] = []string{"other", "graphy"}, "https://id.example"
	}
	token := func(opts ...func(jwt.MapClaims)) string {
		return authtest.Token(t, "ann", map[string]string{graph: "editor"}, append([]func(jwt.MapClaims){issued}, opts...)...)
	}
	good := token()
	none := strings.Join([]string{"eyJhbGciOiJub25lIn0", strings.Split(good, ".")[1], ""}, ".")
	tests := []struct {
		name, token string
		status      int
		closed      int // 0: it stays open
	}{
		{"good", good, 200, 0},
		{"within the leeway", token(authtest.With("nbf", time.Now().Add(10*time.Second).Unix())), 200, 0},
		{"of another graph", authtest.Token(t, "ann", map[string]string{graph + "x": "owner"}, issued), 403, notReadable},
		{"of no role", authtest.Token(t, "ann", map[string]string{graph: "none", "*": "owner"}, issued), 403, notReadable},
		{"absent", "", 401, badToken},
		{"no token", "x", 401, badToken},
		{"forged", good[:len(good)-4] + "AAAA", 401, badToken},
		{"none", none, 401, badToken},
		{"expired", token(authtest.Expires(time.Now().Add(-2 * time.Minute))), 401, badToken},
		{"without an end", token(authtest.With("exp", nil)), 401, badToken},
		{"not yet valid", token(authtest.With("nbf", time.Now().Add(2*time.Minute).Unix())), 401, badToken},
		{"for another audience", token(authtest.With("aud", "other")), 401, badToken},
		{"without an audience", token(authtest.With("aud", nil)), 401, badToken},
		{"of another issuer", token(authtest.With("iss", "https://evil.example")), 401, badToken},
		{"of another secret", authtest.SignWith(t, jwt.SigningMethodHS256, []byte("another"), nil, authtest.Claims("ann", nil, issued)), 401, badToken},
		{"of another HMAC", authtest.SignWith(t, jwt.SigningMethodHS512, []byte(authtest.Secret), nil, authtest.Claims("ann", nil, issued)), 401, badToken},
		{"of a key", authtest.NewKeys(t).Token("ann", map[string]string{"*": "owner"}, issued), 401, badToken},
		{"with roles of a wrong type", token(authtest.With("graphs", "owner")), 401, badToken},
		{"without a user", token(authtest.With("sub", nil)), 401, badToken},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if r := s.get(t, "/graphs/"+graph+"/state", bearer(test.token)...); r.status != test.status {
				t.Errorf("state: got %v, want %d", r, test.status)
			}
			for way, header := range map[string]http.Header{
				"header":      {"Authorization": {"Bearer " + test.token}},
				"subprotocol": {"Sec-Websocket-Protocol": {"graphy.v2, bearer." + test.token}},
			} {
				if got := s.knock(t, graph, header); got != test.closed {
					t.Errorf("WebSocket by %s: closed with %d, want %d", way, got, test.closed)
				}
			}
		})
	}
	for _, secret := range []string{authtest.Secret, good, strings.Split(good, ".")[2]} {
		if strings.Contains(s.output.String(), secret) {
			t.Error("the log holds a secret or a token")
		}
	}
}

// TestTheTokenSaysWho sends the name of another user beside a token: it is of no account.
func TestTheTokenSaysWho(t *testing.T) {
	t.Parallel()
	s := start(t, "GRAPHY_DATA_DIR=", "GRAPHY_JWT_SECRET="+authtest.Secret)
	graph := newGraph(t)
	token := bearer(authtest.Token(t, "ann", map[string]string{graph: "editor"}))
	s.accept(t, graph, "CREATE_NODE", object{"id": "n"}, append(token, "X-User-Id: root")...)
	changes := s.get(t, "/graphs/"+graph+"/changes?since=0", token...).object(t)
	if got := changes.text("changes", 0, "userId"); got != "ann" {
		t.Errorf("userId: got %q, want ann", got)
	}
	if r := s.call(t, "DELETE", "/graphs/"+graph, "", token...); r.status != http.StatusForbidden {
		t.Errorf("DELETE by an editor: got %v, want 403", r)
	}
}

// TestTokensOfKeys takes keys away, and the whole JWKS, while the server runs.
func TestTokensOfKeys(t *testing.T) {
	t.Parallel()
	keys := authtest.NewKeys(t)
	s := start(t, "GRAPHY_DATA_DIR=", "GRAPHY_JWKS_URL="+keys.URL)
	graph := newGraph(t)
	everything := map[string]string{"*": "owner"}
	expect := func(what, token string, status, closed int) {
		t.Helper()
		if r := s.get(t, "/graphs/"+graph+"/state", bearer(token)...); r.status != status {
			t.Errorf("%s: got %v, want %d", what, r, status)
		}
		if got := s.knock(t, graph, http.Header{"Authorization": {"Bearer " + token}}); got != closed {
			t.Errorf("%s: the WebSocket closed with %d, want %d", what, got, closed)
		}
	}
	first := keys.Token("ann", everything)
	expect("the first key", first, 200, 0)
	expect("a secret in the place of a key", authtest.Token(t, "eve", everything), 401, badToken)
	keys.Add()
	second := keys.Token("ann", everything)
	expect("a second key", second, 200, 0)
	expect("the first key beside it", first, 200, 0)
	keys.Rotate()
	third := keys.Token("ann", everything)
	expect("the third key", third, 200, 0)
	expect("the first key, taken away", first, 401, badToken)
	expect("the second key, taken away", second, 401, badToken)
	keys.Answer(http.NotFound)
	expect("the third key while the JWKS is away", third, 200, 0)
	expect("the third key, first seen while the JWKS is away", keys.Token("bob", everything), 200, 0)
	expect("a forged one while the JWKS is away", third+"x", 401, badToken)
}

// TestKeysThatComeLate starts a server while its JWKS is away: it starts, says 503 and no more, and needs no restart.
func TestKeysThatComeLate(t *testing.T) {
	t.Parallel()
	keys := authtest.NewKeys(t)
	keys.Answer(http.NotFound)
	s := startUnready(t, "GRAPHY_DATA_DIR=", "GRAPHY_JWKS_URL="+keys.URL)
	graph := newGraph(t)
	token := keys.Token("ann", map[string]string{graph: "viewer"})
	if r := s.get(t, "/graphs/"+graph+"/state", bearer(token)...); r.status != http.StatusServiceUnavailable {
		t.Errorf("without keys: got %v, want 503", r)
	}
	if got := s.knock(t, graph, http.Header{"Authorization": {"Bearer " + token}}); got != websocket.CloseTryAgainLater {
		t.Errorf("without keys: the WebSocket closed with %d, want %d", got, websocket.CloseTryAgainLater)
	}
	if r := s.get(t, "/readyz"); r.status != http.StatusServiceUnavailable || !strings.Contains(string(r.body), "GRAPHY_JWKS_URL") {
		t.Errorf("readyz without keys: got %v, want 503 and the variable", r)
	}
	keys.Answer(nil)
	s.awaitReady(t)
	if r := s.get(t, "/graphs/"+graph+"/state", bearer(token)...); r.status != http.StatusOK {
		t.Errorf("with keys: got %v, want 200", r)
	}
}

// TestSocketsEndWithTheirTokens lets a token end under an open socket.
func TestSocketsEndWithTheirTokens(t *testing.T) {
	t.Parallel()
	s := start(t, "GRAPHY_DATA_DIR=", "GRAPHY_JWT_SECRET="+authtest.Secret)
	graph := newGraph(t)
	ends := time.Now().Add(3 * time.Second).Truncate(time.Second)
	token := authtest.Token(t, "ann", map[string]string{graph: "editor"}, authtest.Expires(ends))
	socket := s.openAs(t, graph, http.Header{"Authorization": {"Bearer " + token}})
	socket.expect(t, "sync")
	if got := socket.closeCode(t); got != tokenExpired {
		t.Errorf("closed with %d, want %d", got, tokenExpired)
	}
	if now := time.Now(); now.Before(ends) || now.After(ends.Add(5*time.Second)) {
		t.Errorf("closed at %v, want soon after %v", now, ends)
	}
}

// TestStartRefused starts servers that would protect nothing: each says what to change, and ends.
func TestStartRefused(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, says string
		env        []string
	}{
		{"a short secret", "GRAPHY_JWT_SECRET", []string{"GRAPHY_JWT_SECRET=Zq8vT3nLw0yRb5KcXh2m"}},
		{"a known secret", "GRAPHY_JWT_SECRET", []string{"GRAPHY_JWT_SECRET=a-string-secret-at-least-256-bits-long"}},
		{"one repeated byte", "GRAPHY_JWT_SECRET", []string{"GRAPHY_JWT_SECRET=" + strings.Repeat("q", 64)}},
		{"a short secret beside keys", "GRAPHY_JWT_SECRET", []string{"GRAPHY_JWT_SECRET=Zq8vT3nLw0yRb5KcXh2m", "GRAPHY_JWKS_URL=https://id.example/jwks"}},
		{"keys in the clear", "https", []string{"GRAPHY_JWKS_URL=http://id.example/jwks"}},
		{"an audience without tokens", "GRAPHY_JWT_AUDIENCE", []string{"GRAPHY_JWT_AUDIENCE=graphy"}},
		{"too much leeway", "GRAPHY_JWT_LEEWAY", []string{"GRAPHY_JWT_SECRET=" + authtest.Secret, "GRAPHY_JWT_LEEWAY=61s"}},
		{"everybody on every address", "loopback", []string{"GRAPHY_ADDR=0.0.0.0:0"}},
		{"everybody on every address, in short", "loopback", []string{"GRAPHY_ADDR=:0"}},
		{"everybody on every address, v6", "loopback", []string{"GRAPHY_ADDR=[::]:0"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s, err := launch(append(test.env, "GRAPHY_DATA_DIR=")...)
			t.Cleanup(s.kill)
			if err == nil {
				t.Fatalf("the server started:\n%s", s.output)
			}
			if code := s.exitCode(t, 10*time.Second); code != 1 {
				t.Errorf("exit code %d, want 1", code)
			}
			said := s.output.String()
			if !strings.Contains(said, test.says) {
				t.Errorf("the server said %q, want a word of %s", said, test.says)
			}
			for _, pair := range test.env {
				if name, value, _ := strings.Cut(pair, "="); name == "GRAPHY_JWT_SECRET" && strings.Contains(said, value) {
					t.Errorf("the server told the secret: %q", said)
				}
			}
		})
	}
}

// bearer returns the headers of a token; none for no token.
func bearer(token string) []string {
	if token == "" {
		return nil
	}
	return []string{"Authorization: Bearer " + token}
}

// openAs subscribes with headers.
func (s *server) openAs(t testing.TB, graph string, header http.Header) *socket {
	t.Helper()
	conn, response, err := websocket.DefaultDialer.Dial(s.wsURL(graph, nil), header)
	if err != nil {
		status := "no answer"
		if response != nil {
			status = response.Status
		}
		t.Fatalf("subscribe to %s: %v: %s", graph, err, status)
	}
	socket := &socket{conn: conn, frames: make(chan frame, 1<<10)}
	go socket.read()
	t.Cleanup(func() { conn.Close() })
	return socket
}

// knock subscribes and returns the code with which the server closes the socket, 0 if it syncs instead.
func (s *server) knock(t testing.TB, graph string, header http.Header) int {
	t.Helper()
	socket := s.openAs(t, graph, header)
	defer socket.conn.Close()
	if f, err := socket.wait(5 * time.Second); err == nil {
		if f.kind != "sync" {
			t.Errorf("the first frame is %.200s", f.raw)
		}
		return 0
	}
	return socket.closeCode(t)
}
