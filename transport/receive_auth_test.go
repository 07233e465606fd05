package transport

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"graphy/transport/auth"
	"graphy/transport/auth/authtest"
)

func authFrame(token string) string { return `{"type":"auth","token":"` + token + `"}` }

// settled returns when everything that was sent before is dealt with.
func (p *peer) settled() {
	p.Helper()
	p.send(`{"type":"heartbeat"}`)
	p.expect("heartbeat")
}

// TestFramesByRole sends each type of frame as each role.
func TestFramesByRole(t *testing.T) {
	s := newGuarded(t)
	s.found("g")
	frames := []struct {
		frame         string
		viewer, other string // the answer to a viewer, and to an editor or an owner: type and code
	}{
		{`{"type":"heartbeat"}`, "heartbeat ", "heartbeat "},
		{`{"type":"heartbeat","clientVersion":1}`, "heartbeat ", "heartbeat "},
		{`{"type":"request_sync"}`, "sync ", "sync "},
		{`{"type":"command","command":"CREATE_NODE","operationId":"OP","payload":{}}`, "revert forbidden", "command_result "},
		{`{"type":"Command","data":{"type":"CREATE_NODE","operationId":"OP","payload":{}}}`, "revert forbidden", "command_result "},
		{`{"type":"command","command":"CREATE_NODE","operationId":"OP","payload":{"id":"n1"}}`, "revert forbidden", "revert already-exists"},
		{`{"type":"command","command":"CREATE_NODE","operationId":"OP","payload":7}`, "revert forbidden", "revert invalid-payload"},
		{`{"type":"command","command":"CREATE_NODE","operationId":"OP","dryRun":true,"payload":{}}`, "revert forbidden", "command_result "},
		{`{"type":"command","command":"CREATE_NODE","operationId":7,"payload":{}}`, "error forbidden", "error invalid-id"},
		{`{"type":"command"`, "error forbidden", "error malformed-json"},
		{`{"type":"undo","operationId":"OP"}`, "revert forbidden", "command_result "},
		{`{"type":"REDO","operationId":"OP"}`, "revert forbidden", "command_result "},
		{`{"type":"nonsense"}`, "error unknown-command", "error unknown-command"},
		{`{"type":"presence","data":{"x":1}}`, "", ""}, // no answer
		{authFrame("x"), "error unauthenticated", "error unauthenticated"},
		{`{"type":"auth"}`, "error unauthenticated", "error unauthenticated"},
		{`{"type":"auth","token":7}`, "error invalid-payload", "error invalid-payload"},
		{`{"type":"auth","token":"x","more":1}`, "error invalid-payload", "error invalid-payload"},
	}
	for role := auth.Viewer; role <= auth.Owner; role++ {
		token := authtest.Token(t, "ann-"+role.String(), roles{"g": role.String()})
		p := &watcher{s.subscribe("g", "", token)}
		p.next()
		for i, test := range frames {
			want := test.other
			if role == auth.Viewer {
				want = test.viewer
			}
			p.send(strings.ReplaceAll(test.frame, "OP", fmt.Sprint(role, "-", i)))
			if want == "" {
				p.send(`{"type":"heartbeat"}`)
				want = "heartbeat "
			}
			if m := p.next(); m.Type+" "+m.Error.Code != want {
				t.Errorf("%s, %s: got %s, want %s", role, test.frame, m.raw, want)
			}
		}
	}
	var tried []string
	for _, test := range frames {
		tried = append(tried, strings.ToLower(frameType([]byte(test.frame))))
	}
	for _, kind := range frameKinds(t) {
		if !slices.Contains(tried, kind) {
			t.Errorf("frames of type %q have no row in the table of who may send what", kind)
		}
	}
}

// frameKinds returns the types of frames that sessions take, as receiveFrame tells them apart.
func frameKinds(t *testing.T) (kinds []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "receive.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, declared := range file.Decls {
		if function, ok := declared.(*ast.FuncDecl); ok && function.Name.Name == "receiveFrame" {
			ast.Inspect(function, func(n ast.Node) bool {
				if clause, ok := n.(*ast.CaseClause); ok {
					for _, value := range clause.List {
						if literal, ok := value.(*ast.BasicLit); ok {
							kinds = append(kinds, strings.Trim(literal.Value, `"`))
						}
					}
				}
				return true
			})
		}
	}
	if len(kinds) < 7 {
		t.Fatalf("receiveFrame takes %v: this test does not find its cases", kinds)
	}
	return kinds
}

// TestNothingIsTakenFromThoseWhoAreNotLetIn: what they send behind the handshake is not looked at.
func TestNothingIsTakenFromThoseWhoAreNotLetIn(t *testing.T) {
	s := newGuarded(t)
	for token, code := range map[string]int{"x": closeBadToken, "": closeBadToken, authtest.Token(t, "eve", roles{"h": "owner"}): closeForbidden} {
		p := s.subscribe("g", "", token)
		for _, frame := range []string{`{"type":"command","command":"CREATE_NODE","payload":{}}`, `{"type":"request_sync"}`,
			authFrame(authtest.Token(t, "eve", roles{"g": "owner"})), `{"type":"command","command":"CREATE_NODE","payload":{}}`} {
			_ = p.conn.WriteMessage(websocket.TextMessage, []byte(frame)) // fails once the server has closed
		}
		_, data, err := p.conn.ReadMessage()
		if closeCode(err) != code && closeCode(err) != 0 { // it may be cut before all is read
			t.Errorf("got %q, %v, want a close frame with %d", data, err, code)
		}
	}
	if head := s.head("g"); head.Version != 0 {
		t.Errorf("the graph is at version %d", head.Version)
	}
}

// watcher reads what answers it, and passes over what others do.
type watcher struct{ *peer }

func (w *watcher) next() message {
	w.Helper()
	for {
		m := w.frame()
		if m.Type != "state_update" && m.Type != "presence" {
			return m
		}
	}
}

// TestRefusedCommandsLeaveNoTrace: the id that a viewer names may be that of somebody else's command.
func TestRefusedCommandsLeaveNoTrace(t *testing.T) {
	s := newGuarded(t)
	s.found("g")
	viewer := authtest.Token(t, "eve", roles{"g": "viewer"})
	before := s.as(viewer, http.MethodGet, "/api/v2/graphs/g/operations/op1-g", "")
	p := &watcher{s.subscribe("g", "", viewer)}
	p.next()
	for _, payload := range []string{`{}`, `7`} {
		for _, id := range []string{"op1-g", "unknown"} {
			frame := `"command":"CREATE_NODE","operationId":"` + id + `","payload":` + payload + `}`
			p.send(`{"type":"command",` + frame)
			if m := p.next(); m.Error.Code != "forbidden" || m.OperationID != id {
				t.Errorf("got %s, want %s forbidden", m.raw, id)
			}
			wantProblem(t, s.as(viewer, http.MethodPost, "/api/v2/graphs/g/command", `{`+strings.Replace(frame, "command", "type", 1)), 403, "forbidden")
		}
	}
	if after := s.as(viewer, http.MethodGet, "/api/v2/graphs/g/operations/op1-g", ""); string(after.raw) != string(before.raw) {
		t.Errorf("the operation was\n%s, and is\n%s", before.raw, after.raw)
	}
	wantProblem(t, s.as(viewer, http.MethodGet, "/api/v2/graphs/g/operations/unknown", ""), 404, "not-found")
	if s.head("g").Version != 3 {
		t.Errorf("the graph is at %d, want 3", s.head("g").Version)
	}
}

func TestTokensThatASocketDoesNotTake(t *testing.T) {
	t.Parallel()
	s := newGuarded(t)
	ends := soon()
	expired := time.Now().Add(-time.Minute)
	p := s.subscribe("g", "", authtest.Token(t, "ann", roles{"g": "editor"}, ending(ends)))
	p.expect("sync")
	for _, test := range []struct{ name, token, code string }{
		{"another user's", authtest.Token(t, "bob", roles{"g": "owner"}), "forbidden"},
		{"another user's, an admin", authtest.Token(t, "bob", roles{"*": "owner"}, authtest.Admin), "forbidden"},
		{"expired", authtest.Token(t, "ann", roles{"g": "owner"}, authtest.Expires(expired)), "unauthenticated"},
		{"for another graph", authtest.Token(t, "ann", roles{"h": "owner"}), "forbidden"},
		{"for all graphs but this", authtest.Token(t, "ann", roles{"*": "owner", "g": "none"}), "forbidden"},
		{"bad", "e30.e30.e30", "unauthenticated"},
		{"none", "", "unauthenticated"},
		{"a ticket", s.ticket(authtest.Token(t, "ann", roles{"g": "owner"}), "g"), "unauthenticated"},
	} {
		p.send(authFrame(test.token))
		m := p.expect("error")
		if m.Error.Code != test.code {
			t.Errorf("%s: got %s, want %s", test.name, m.raw, test.code)
		}
		if len(test.token) > 20 && strings.Contains(string(m.raw), test.token[:20]) {
			t.Errorf("%s: the answer quotes the token: %s", test.name, m.raw)
		}
	}
	p.send(`{"type":"command","command":"CREATE_NODE","payload":{"id":"n"}}`) // the old token still counts,
	p.expect("command_result")
	if code := p.closed(); code != closeTokenExpired { // and ends
		t.Errorf("closed with %d, want %d", code, closeTokenExpired)
	}
}

// TestNewTokenCountsAtOnce: commands in front of it go by the old one, commands behind it by the new one, though nothing
// waits in between.
func TestNewTokenCountsAtOnce(t *testing.T) {
	s := newGuarded(t)
	token := func(role string) string { return authtest.Token(t, "ann", roles{"g": role}) }
	p := &watcher{s.subscribe("g", "", token("viewer"))}
	p.next()
	want := make(map[string]string)
	for i := range 50 {
		role, answer := "editor", "command_result"
		if i%2 == 0 {
			role, answer = "viewer", "revert"
		}
		id := fmt.Sprint("o", i)
		want[id] = answer
		p.send(authFrame(token(role)))
		p.send(`{"type":"command","command":"CREATE_NODE","operationId":"` + id + `","payload":{}}`)
	}
	for range 50 {
		if m := p.next(); m.Type != want[m.OperationID] {
			t.Errorf("got %s, want %s", m.raw, want[m.OperationID])
		}
	}
}

// TestNewTokenAmongJoinedFrames is the same within one message of a session with batch=true.
func TestNewTokenAmongJoinedFrames(t *testing.T) {
	s := newGuarded(t)
	token := func(role string) string { return authtest.Token(t, "ann", roles{"g": role}) }
	p := s.subscribe("g", "batch=true", token("viewer"))
	p.expect("sync")
	create := func(id string) string {
		return `{"type":"command","command":"CREATE_NODE","operationId":"` + id + `","payload":{}}`
	}
	p.send(strings.Join([]string{create("a"), authFrame(token("owner")), create("b"), authFrame(token("viewer")), create("c")}, "\n"))
	if m := p.expect("command_result"); m.OperationID != "b" {
		t.Errorf("got %s, want b to be accepted alone", m.raw)
	}
	one, other := p.expect("revert"), p.expect("revert") // what comes with them is read side by side
	if one.OperationID+other.OperationID != "ac" && other.OperationID+one.OperationID != "ac" {
		t.Errorf("got %s and %s, want a and c to be refused", one.raw, other.raw)
	}
}

func TestTokensInDevelopmentChangeNothing(t *testing.T) {
	s := newSite(t)
	p := s.subscribe("g", "userId=ann", "x")
	p.expect("sync")
	for _, token := range []string{"x", "", authtest.Token(t, "bob", nil)} {
		p.send(authFrame(token))
	}
	p.send(`{"type":"command","command":"CREATE_NODE","payload":{"id":"n"}}`)
	p.expect("command_result")
	if len(p.other) > 0 || s.server.sockets.expiries.count() != 0 {
		t.Errorf("got %v, and %d sessions that end", p.other, s.server.sockets.expiries.count())
	}
}
