package transport

import (
	"testing"

	"graphy/eventstore"
	"graphy/projection"
)

func TestReconnect(t *testing.T) {
	s := newStage(t)
	s.commands.move(t, "g", 3)
	gone := func(p *peer, politely bool) *projection.Graph {
		if politely {
			p.leave()
		} else {
			p.conn.Close()
		}
		eventually(t, "it is gone", func() bool { return len(s.server.sockets.open()) == 0 })
		return p.graph
	}
	back := func(query, status string, reconnected bool, has *projection.Graph) *peer {
		t.Helper()
		p := s.dial(t, "g", query)
		p.graph = has
		if m := p.expect("sync"); m.Status != status || m.Reconnected != reconnected {
			t.Errorf("%s: got %.300s, want %s, reconnected %v", query, m.raw, status, reconnected)
		}
		p.reach(s.commands.position("g"))
		return p
	}
	had := gone(s.join(t, "g", "clientId=a"), true)
	s.commands.move(t, "g", 2)
	had = gone(back("clientId=a", "behind", true, had), true)
	had = gone(back("clientId=a", "in_sync", true, had), false)
	had = gone(back("clientId=a&userId=other", "full", false, had), false) // another user's client of that name
	p := back("clientId=a", "in_sync", true, had)                          // cut off: what it said at first counts
	s.commands.move(t, "g", 2)
	reported := s.at(t, "g", 6)
	p.reach(s.commands.position("g"))
	p.send(`{"type":"heartbeat","clientVersion":6}`)
	if m := p.expect("heartbeat"); m.Version != 7 {
		t.Errorf("got %s, want version 7", m.raw)
	}
	gone(p, false)
	had = gone(back("clientId=a", "behind", true, reported), true) // cut off: what it reported counts
	gone(back("clientId=a&clientVersion=7", "in_sync", true, had), true)

	had = gone(s.join(t, "g", "clientId=b"), false) // cut off, and it never said what it had
	had = gone(back("clientId=b", "full", true, had), true)
	if err := s.commands.Delete(t.Context(), "g"); err != nil {
		t.Fatal(err)
	}
	s.commands.move(t, "g", 9)
	back("clientId=b", "conflict", true, had) // it knows another history
}

func TestRequestSync(t *testing.T) {
	s := newStage(t)
	s.commands.move(t, "g", 10)
	p := s.join(t, "g", "")
	tests := []struct {
		frame, status string
		has           eventstore.Version // the peer's graph is set back to that
		changes       int
	}{
		{`{"type":"request_sync"}`, "full", 10, 0},
		{`{"type":"Request_Sync","clientVersion":10}`, "in_sync", 10, 0},
		{`{"type":"request_sync","clientVersion":4}`, "behind", 4, 6},
		{`{"type":"request_sync","clientVersion":10,"hash":"00"}`, "conflict", 10, 0},
		{`{"type":"request_sync","clientVersion":11}`, "conflict", 10, 0},
	}
	for _, test := range tests {
		p.graph = s.at(t, "g", test.has)
		p.send(test.frame)
		m := p.expect("sync")
		if m.Status != test.status || m.Version != 10 || len(m.Changes) != test.changes || (m.State != nil) == (test.status == "in_sync" || test.status == "behind") {
			t.Errorf("%s: got %.300s, want %s", test.frame, m.raw, test.status)
		}
	}
	s.commands.move(t, "g", 5)
	p.reach(s.commands.position("g"))
}

func TestI4RequestSyncWhileOthersWrite(t *testing.T) {
	s := newStage(t)
	s.commands.move(t, "g", 1)
	p := s.join(t, "g", "")
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.commands.move(t, "g", 3000)
	}()
	for range 50 {
		p.send(`{"type":"request_sync"}`)
		p.expect("sync")
	}
	<-done
	p.reach(s.commands.position("g"))
}

func TestUnwelcome(t *testing.T) {
	s := newStage(t)
	s.server.opts.Development = false
	if code := s.dial(t, "g", "").closed(); code != closeBadToken {
		t.Errorf("closed with %d, want 4501", code)
	}
}
