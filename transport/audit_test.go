package transport

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"graphy/command"
	"graphy/transport/auth"
	"graphy/transport/auth/authtest"
)

// TestAuditOfASite goes through what is put down, and looks for what must not be.
func TestAuditOfASite(t *testing.T) {
	logs, watch := watched()
	s := newGuarded(t, watch)
	s.found("g")
	ann := authtest.Token(t, "ann", roles{"g": "owner"})
	eve := authtest.Token(t, "eve", roles{"g": "viewer"})
	expired := authtest.Token(t, "ann", nil, authtest.Expires(time.Now().Add(-time.Minute)))
	var secrets []string
	for _, token := range []string{ann, eve, expired} {
		secrets = append(secrets, token, token[len(token)-20:])
	}
	steps := []struct {
		name string
		do   func()
		what string
		want map[string]any
	}{
		{"no token", func() { s.get("/graphs/g/state", "X-Client-Id", "tab") }, "denied", map[string]any{"code": "unauthenticated", "graphId": "g", "clientId": "tab", "userId": nil}},
		{"expired", func() { s.as(expired, http.MethodGet, "/api/v2/graphs/h/state", "") }, "denied", map[string]any{"code": "unauthenticated", "graphId": "h"}},
		{"may not read", func() { s.as(eve, http.MethodGet, "/api/v2/graphs/h/state", "") }, "denied", map[string]any{"code": "forbidden", "graphId": "h", "userId": "eve"}},
		{"may not write", func() { s.as(eve, http.MethodPost, "/api/v2/graphs/g/command", createNode("secretnode")) }, "denied", map[string]any{"code": "forbidden", "graphId": "g", "userId": "eve"}},
		{"ticket of another graph", func() { s.as(eve, http.MethodPost, "/api/v2/tickets", `{"graphId":"i"}`) }, "denied", map[string]any{"code": "forbidden", "graphId": "i", "userId": "eve"}},
		{"foreign origin", func() { s.get("/graphs", "Origin", "https://evil.example") }, "denied", map[string]any{"code": "forbidden", "reason": `command: forbidden: origin "https://evil.example" may not call this server`}},
		{"ticket", func() { secrets = append(secrets, s.ticket(ann, "g", "X-Client-Id", "tab-1")) }, "ticket issued", map[string]any{"userId": "ann", "clientId": "tab-1", "graphId": "g"}},
		{"policy", func() { s.as(ann, http.MethodPut, "/api/v2/graphs/g/policy", `{"/title":"MERGE"}`) }, "policy set", map[string]any{"userId": "ann", "graphId": "g", "version": uint64(4)}},
		{"bad ticket", func() { s.subscribe("j", "ticket=x", "").closed() }, "denied", map[string]any{"code": "unauthenticated", "graphId": "j"}},
		{"subscribe", func() { s.subscribe("k", "", eve).closed() }, "denied", map[string]any{"code": "forbidden", "graphId": "k", "userId": "eve"}},
		{"command of a viewer", func() {
			p := s.subscribe("l", "clientId=tab-2", authtest.Token(t, "vic", roles{"l": "viewer"}))
			p.send(`{"type":"command","command":"CREATE_NODE","operationId":"o","payload":{"id":"secretnode"}}`)
			p.expect("revert")
		}, "denied", map[string]any{"code": "forbidden", "graphId": "l", "userId": "vic", "clientId": "tab-2"}},
		{"token of another user", func() {
			p := s.subscribe("m", "", authtest.Token(t, "vic", roles{"m": "viewer"}))
			p.send(authFrame(ann))
			p.expect("error")
		}, "denied", map[string]any{"code": "forbidden", "graphId": "m", "userId": "vic"}},
		{"delete", func() { s.as(ann, http.MethodDelete, "/api/v2/graphs/g", "") }, "graph deleted", map[string]any{"userId": "ann", "graphId": "g"}},
	}
	for _, step := range steps {
		logs.TakeAll()
		step.do()
		entries := logs.FilterLoggerName("audit").TakeAll()
		if len(entries) != 1 || entries[0].Message != step.what || entries[0].Level != zapcore.InfoLevel {
			t.Errorf("%s: got %v, want one entry %q", step.name, entries, step.what)
			continue
		}
		fields := entries[0].ContextMap()
		for name, want := range step.want {
			if fields[name] != want {
				t.Errorf("%s: %s is %v, want %v", step.name, name, fields[name], want)
			}
		}
		if fields["address"] != "127.0.0.1" {
			t.Errorf("%s: address is %v, want 127.0.0.1", step.name, fields["address"])
		}
		for _, secret := range append(secrets, "secretnode") {
			if strings.Contains(fmt.Sprint(fields), secret) {
				t.Errorf("%s: %v holds %q", step.name, fields, secret)
			}
		}
	}
	logs.TakeAll()
	s.as(eve, http.MethodGet, "/api/v2/graphs/l/nodes?token=x", "")
	s.as(ann, http.MethodGet, "/api/v2/graphs/g/nodes/none", "")
	if got := logs.FilterLoggerName("audit").All(); len(got) > 0 {
		t.Errorf("%v was put down: it is no denial", got)
	}
}

// auditor returns an audit that goes to the returned place.
func auditor() (*audit, *observer.ObservedLogs) {
	core, logs := observer.New(zapcore.InfoLevel)
	return newAudit(zap.New(core)), logs
}

// state returns how many kinds of denials are held, and whether a timer runs.
func (a *audit) state() (kinds int, waits bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.held), a.timer != nil
}

var errDenied = refuse(forbidden, "no")

// TestDenialsThatRepeatAreCounted runs in a time of its own.
func TestDenialsThatRepeatAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, logs := auditor()
		eve := &caller{Identity: command.Identity{UserID: "eve"}}
		repeated := func() (counts []any) {
			synctest.Wait()
			for _, entry := range logs.TakeAll() {
				counts = append(counts, entry.ContextMap()["repeated"])
			}
			return counts
		}
		want := func(when string, want ...any) {
			t.Helper()
			if got := repeated(); !slices.Equal(got, want) {
				t.Errorf("%s: got %v, want %v", when, got, want)
			}
		}
		for range 1000 {
			a.denied(eve, "g", errDenied)
		}
		want("at once", any(nil))
		a.denied(eve, "h", errDenied)
		a.denied(eve, "g", auth.ErrInvalid)
		a.denied(&caller{}, "g", errDenied)
		want("of other kinds", nil, nil, nil)
		time.Sleep(auditPause)
		want("a second later", int64(999))
		a.denied(eve, "g", errDenied)
		want("within the next second")
		time.Sleep(auditPause)
		want("after it", int64(1))
		time.Sleep(auditPause)
		want("and nothing more")
		a.denied(eve, "g", errDenied)
		want("as the first again", any(nil))
		time.Sleep(2 * auditPause)
		if kinds, waits := a.state(); kinds != 0 || waits {
			t.Errorf("%d kinds are kept, a timer runs: %v, want nothing", kinds, waits)
		}
	})
}

// TestFloodOfDenialsIsBounded: what an attacker can make up as they like, they cannot fill the log with.
func TestFloodOfDenialsIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, logs := auditor()
		who := &caller{address: netip.MustParseAddr("192.0.2.1")}
		for i := range 10_000 {
			a.denied(who, fmt.Sprint("g", i), errDenied)
		}
		if kinds, _ := a.state(); kinds > auditKinds+1 {
			t.Errorf("%d kinds are kept, want at most %d", kinds, auditKinds+1)
		}
		time.Sleep(auditPause)
		synctest.Wait()
		entries, total := logs.TakeAll(), 0
		for _, entry := range entries {
			count, _ := entry.ContextMap()["repeated"].(int64)
			total += max(1, int(count))
		}
		if len(entries) > auditKinds+2 || total != 10_000 {
			t.Errorf("got %d entries of %d denials, want at most %d of 10000", len(entries), total, auditKinds+2)
		}
		time.Sleep(2 * auditPause)
	})
}
