package transport

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"graphy/command"
	"graphy/transport/auth"
	"graphy/transport/auth/authtest"
)

// soon returns when tokens end that a test waits for.
func soon() time.Time { return time.Now().Add(500 * time.Millisecond).Truncate(time.Millisecond) }

// ending is a token's claim that it ends at a time, to the millisecond.
func ending(at time.Time) func(jwt.MapClaims) {
	return authtest.With("exp", float64(at.UnixMilli())/1000)
}

func TestSocketEndsWithItsToken(t *testing.T) {
	t.Parallel()
	s := newGuarded(t)
	ends := soon()
	short := s.subscribe("g", "", authtest.Token(t, "ann", roles{"g": "editor"}, ending(ends)))
	long := s.subscribe("g", "", authtest.Token(t, "ann", roles{"g": "editor"}))
	if code := short.closed(); code != closeTokenExpired {
		t.Errorf("closed with %d, want %d", code, closeTokenExpired)
	}
	if late := time.Since(ends); late < 0 || late > 500*time.Millisecond {
		t.Errorf("closed %v after the token's end", late)
	}
	long.settled()
	eventually(t, "a site that waits for the other token alone", func() bool { return s.server.sockets.expiries.count() == 1 })
	long.leave()
	eventually(t, "a site that waits for no token's end", func() bool { return s.server.sockets.expiries.count() == 0 })
}

// TestNewTokenKeepsTheSocketOpen, and one with less time ends it sooner.
func TestNewTokenKeepsTheSocketOpen(t *testing.T) {
	t.Parallel()
	s := newGuarded(t)
	ends := soon()
	long := authtest.Token(t, "ann", roles{"g": "editor"})
	kept := s.subscribe("g", "", authtest.Token(t, "ann", roles{"g": "editor"}, ending(ends)))
	cut := s.subscribe("g", "", long)
	kept.send(authFrame(long))
	cut.send(authFrame(authtest.Token(t, "ann", roles{"g": "editor"}, ending(ends))))
	if code := cut.closed(); code != closeTokenExpired || time.Now().Before(ends) {
		t.Errorf("closed with %d, %v before the end of the newer token", code, time.Until(ends))
	}
	kept.settled()
	if len(kept.other) > 1 { // the sync
		t.Errorf("a good token was answered: %s", kept.other[1].raw)
	}
}

// TestTokensWithinTheLeeway are good for a request, since clocks differ; nothing that lasts goes by them.
func TestTokensWithinTheLeeway(t *testing.T) {
	lenient, err := auth.New(auth.Options{Secret: authtest.Secret, Leeway: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	s := newGuarded(t, func(o *Options) { o.Verifier = lenient })
	ended := authtest.Token(t, "ann", roles{"g": "editor"}, ending(time.Now().Add(-10*time.Second)))
	if got := s.as(ended, http.MethodPost, "/api/v2/graphs/g/command", createNode("n")); got.status != 202 {
		t.Errorf("command: got %d %s, want 202", got.status, got.raw)
	}
	wantProblem(t, s.as(ended, http.MethodPost, "/api/v2/tickets", `{"graphId":"g"}`), 401, "unauthenticated")
	if code := s.subscribe("g", "", ended).closed(); code != closeTokenExpired {
		t.Errorf("WebSocket: closed with %d, want %d", code, closeTokenExpired)
	}
	p := s.subscribe("g", "", authtest.Token(t, "ann", roles{"g": "editor"}))
	p.expect("sync")
	p.send(authFrame(ended))
	if m := p.expect("error"); m.Error.Code != "unauthenticated" {
		t.Errorf("got %s, want unauthenticated", m.raw)
	}
	p.settled()
}

// TestCommandsUnderWayWhenTheTokenEnds are answered, further ones are not taken, and then the socket is closed.
func TestCommandsUnderWayWhenTheTokenEnds(t *testing.T) {
	t.Parallel()
	s := newGuarded(t)
	release := make(chan struct{})
	s.commands.submitWith(func(cmd *command.Command, reply func(command.Outcome, error)) {
		go func() {
			<-release
			reply(command.Outcome{OperationID: cmd.OperationID, Version: 1, Hash: "6b", Status: command.StatusProcessing}, nil)
		}()
	})
	ends := soon()
	p := &watcher{s.subscribe("g", "", authtest.Token(t, "ann", roles{"g": "editor"}, ending(ends)))}
	p.next()
	p.send(`{"type":"command","command":"CREATE_NODE","operationId":"early","payload":{}}`)
	p.settled()
	time.Sleep(time.Until(ends.Add(50 * time.Millisecond))) // the clock is what is tested
	p.send(`{"type":"command","command":"CREATE_NODE","operationId":"late","payload":{}}`)
	if m := p.next(); m.Type != "revert" || m.OperationID != "late" || m.Error.Code != "unauthenticated" {
		t.Errorf("got %s, want late to be refused", m.raw)
	}
	close(release)
	if m := p.next(); m.Type != "command_result" || m.OperationID != "early" {
		t.Errorf("got %s, want the result of early", m.raw)
	}
	if code := p.closed(); code != closeTokenExpired {
		t.Errorf("closed with %d, want %d", code, closeTokenExpired)
	}
}

// TestTokenThatEndsWhileARequestIsCarriedOut: who was let in gets the answer.
func TestTokenThatEndsWhileARequestIsCarriedOut(t *testing.T) {
	t.Parallel()
	s := newGuarded(t)
	ends := soon()
	token := authtest.Token(t, "ann", roles{"g": "editor"}, ending(ends))
	s.commands.answerWith(func(cmd *command.Command) (command.Outcome, error) {
		time.Sleep(time.Until(ends.Add(20 * time.Millisecond)))
		return command.Outcome{OperationID: cmd.OperationID, Version: 1, Hash: "6b", Status: command.StatusProcessing}, nil
	})
	if got := s.as(token, http.MethodPost, "/api/v2/graphs/g/command", createNode("n")); got.status != 202 {
		t.Errorf("got %d %s, want 202", got.status, got.raw)
	}
	wantProblem(t, s.as(token, http.MethodPost, "/api/v2/graphs/g/command", createNode("n")), 401, "unauthenticated")
}

// TestUnansweredCommandsDoNotKeepTheSocketOpen for long.
func TestUnansweredCommandsDoNotKeepTheSocketOpen(t *testing.T) {
	t.Parallel()
	s := newGuarded(t)
	s.commands.submitWith(func(*command.Command, func(command.Outcome, error)) {})
	ends := soon()
	p := s.subscribe("g", "", authtest.Token(t, "ann", roles{"g": "editor"}, ending(ends)))
	p.expect("sync")
	p.send(`{"type":"command","command":"CREATE_NODE","operationId":"o","payload":{}}`)
	if code := p.closed(); code != closeTokenExpired {
		t.Errorf("closed with %d, want %d", code, closeTokenExpired)
	}
	if late := time.Since(ends); late < expiryAnswers/2 || late > expiryAnswers+time.Second {
		t.Errorf("closed %v after the token's end, want %v", late, expiryAnswers)
	}
}

// TestI10ExpiredSessionsLeaveNothing ends many sessions by their tokens at about the same time.
func TestI10ExpiredSessionsLeaveNothing(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	t.Run("site", func(t *testing.T) {
		s := newGuarded(t)
		var peers []*peer
		for i := range 50 {
			token := authtest.Token(t, fmt.Sprint("u", i), roles{"*": "viewer"}, ending(time.Now().Add(500*time.Millisecond+time.Duration(i)*5*time.Millisecond)))
			peers = append(peers, s.subscribe(fmt.Sprint("g", i%3), "", token))
		}
		for _, p := range peers {
			if code := p.closed(); code != closeTokenExpired {
				t.Errorf("closed with %d, want %d", code, closeTokenExpired)
			}
			p.conn.Close()
		}
		eventually(t, "a site without sessions", func() bool { return s.server.sockets.expiries.count() == 0 })
	})
}

// TestExpiriesAgainstAModel sets, changes, forgets and ends sessions in any order, with times of its own.
func TestExpiriesAgainstAModel(t *testing.T) {
	start := time.Now().Add(time.Hour) // so that no timer fires
	rapid.Check(t, func(t *rapid.T) {
		var e expiries
		defer e.stop()
		now := start
		model := map[*session]time.Time{} // when each is to end
		sessions := make([]*session, 8)
		for i := range sessions {
			sessions[i] = &session{}
			sessions[i].principal.Store(&auth.Principal{})
		}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			s := rapid.SampledFrom(sessions).Draw(t, "session")
			later := now.Add(time.Duration(rapid.IntRange(1, 10).Draw(t, "seconds")) * time.Second)
			switch rapid.SampledFrom([]string{"set", "set", "forget", "renew", "busy", "idle", "pass", "pass"}).Draw(t, "step") {
			case "set":
				s.principal.Store(&auth.Principal{Expires: later})
				e.set(s, later)
				model[s] = later
			case "forget":
				e.forget(s)
				delete(model, s)
			case "renew": // the new token has come, and was not set yet
				if _, in := model[s]; in && s.principal.Load().Expires.Before(later) {
					s.principal.Store(&auth.Principal{Expires: later})
					model[s] = later
				}
			case "busy":
				s.inFlight.Store(1)
			case "idle":
				s.inFlight.Store(0)
			case "pass":
				now = later
				due := e.takeDue(now)
				for _, s := range due {
					if ends, in := model[s]; !in || ends.After(now) || s.inFlight.Load() > 0 && now.Before(ends.Add(expiryAnswers)) {
						t.Fatalf("at %v a session was taken that ends at %v", now, ends)
					}
					delete(model, s)
				}
				for s, ends := range model {
					if s.inFlight.Load() == 0 && ends.Before(now) && s.ends.Before(now) {
						t.Fatalf("at %v a session was left that ended at %v", now, ends)
					}
				}
			}
			if e.count() != len(model) {
				t.Fatalf("%d sessions wait for their end, want %d", e.count(), len(model))
			}
			for i, s := range e.pending {
				if s.place != i+1 || i > 0 && s.ends.Before(e.pending[(i-1)/2].ends) {
					t.Fatalf("session %d of %d is out of place", i, len(e.pending))
				}
			}
		}
	})
}

// stop takes out all sessions.
func (e *expiries) stop() {
	for e.count() > 0 {
		e.forget(e.pending[0])
	}
}
