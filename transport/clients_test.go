package transport

import (
	"fmt"
	"testing"
	"time"

	"graphy/eventstore"
	"graphy/projection"
)

// sharingClients starts servers that remember their clients together.
func sharingClients(t *testing.T, count int, change ...func(*socketLimits)) (servers []*stage, shared *sightings) {
	shared = &sightings{}
	base := newStage(t)
	for range count {
		servers = append(servers, base.process(t, func(s *Services) { s.Clients = shared }, change...))
	}
	return servers, shared
}

// back connects a client that has a graph, and checks the sync it gets.
func (s *stage) back(t *testing.T, query, status string, reconnected bool, has *projection.Graph) *peer {
	t.Helper()
	p := s.dial(t, "g", query)
	p.graph = has
	if m := p.expect("sync"); m.Status != status || m.Reconnected != reconnected {
		t.Errorf("%s: got %.300s, want %s, reconnected %v", query, m.raw, status, reconnected)
	}
	p.reach(s.commands.position("g"))
	return p
}

// beats reports what the client has applied.
func (p *peer) beats() {
	p.Helper()
	p.send(`{"type":"heartbeat","clientVersion":` + fmt.Sprint(p.graph.Position.Version) + `}`)
	p.expect("heartbeat")
}

// remembered waits until the last connection of a client is remembered at a version.
func remembered(t *testing.T, shared *sightings, client string, left bool, version eventstore.Version) {
	t.Helper()
	eventually(t, "it is remembered", func() bool {
		seen := shared.of(client)
		if len(seen) == 0 {
			return false
		}
		last := seen[len(seen)-1]
		return last.Known && last.Left == left && last.Has.Version == version
	})
}

func TestI4ComesBackToAnotherProcess(t *testing.T) {
	on, shared := sharingClients(t, 2)
	on[0].commands.move(t, "g", 3)
	p := on[0].join(t, "g", "clientId=a")
	p.leave()
	remembered(t, shared, "a", true, 3)
	on[0].commands.move(t, "g", 4)
	p = on[1].back(t, "clientId=a", "behind", true, p.graph)
	on[0].commands.move(t, "g", 1)
	p.reach(on[0].commands.position("g"))
	p.leave()
	remembered(t, shared, "a", true, 8)
	p = on[0].back(t, "clientId=a", "in_sync", true, p.graph) // where it was first, and had less
	p.leave()

	on[1].back(t, "clientId=a&userId=thief", "full", false, nil)
	other := on[1].dial(t, "h", "clientId=a")
	if m := other.expect("sync"); m.Reconnected {
		t.Errorf("other graph: got %s", m.raw)
	}
}

// TestI4ComesBackAfterItsProcessWasKilled: nobody said that it left, and what it had is what it reported last.
func TestI4ComesBackAfterItsProcessWasKilled(t *testing.T) {
	on, shared := sharingClients(t, 2)
	on[0].commands.move(t, "g", 3)
	p := on[0].join(t, "g", "clientId=a")
	p.beats()
	remembered(t, shared, "a", false, 3)
	had := on[0].at(t, "g", 3)
	on[0].commands.move(t, "g", 2)
	p.reach(on[0].commands.position("g"))
	on[0].server.services.Commands = nil // it is not asked any more
	p = on[1].back(t, "clientId=a", "behind", true, had)
	p.beats()
	remembered(t, shared, "a", false, 5)
	p.conn.Close()
	remembered(t, shared, "a", true, 5)
	on[1].back(t, "clientId=a", "in_sync", true, p.graph)
}

// TestI4OneIdOnSeveralConnections: what one tab has is not taken for what another has that uses the same id.
func TestI4OneIdOnSeveralConnections(t *testing.T) {
	on, shared := sharingClients(t, 2)
	on[0].commands.move(t, "g", 3)
	slow, quick := on[0].join(t, "g", "clientId=a"), on[0].join(t, "g", "clientId=a")
	slow.beats()
	on[0].commands.move(t, "g", 2)
	quick.reach(on[0].commands.position("g"))
	quick.beats()
	behind := on[0].at(t, "g", 3)
	slow.conn.Close()
	quick.conn.Close()
	eventually(t, "both are remembered", func() bool {
		seen := shared.of("a")
		return len(seen) == 2 && seen[0].Left && seen[1].Left
	})
	on[1].back(t, "clientId=a", "full", false, nil)
	on[0].back(t, "clientId=a&clientVersion=3", "behind", true, behind)
}

// TestComesBackWithoutRedis: what this process remembers itself serves.
func TestComesBackWithoutRedis(t *testing.T) {
	on, shared := sharingClients(t, 2)
	on[0].commands.move(t, "g", 3)
	shared.setAway(true)
	gone := func() bool { return len(on[0].server.sockets.open()) == 0 }
	p := on[0].join(t, "g", "clientId=a")
	p.leave()
	eventually(t, "it is gone", gone)
	p = on[0].back(t, "clientId=a", "in_sync", true, p.graph)
	on[1].back(t, "clientId=a", "full", false, nil).leave()
	p.leave()
	eventually(t, "saving was tried", func() bool {
		shared.mu.Lock()
		defer shared.mu.Unlock()
		return shared.saves > 0
	})
	shared.setAway(false)
	eventually(t, "what could not be saved is saved later", func() bool { return len(shared.of("a")) == 3 })
}

// TestClientsAreSavedAgain: those who are here are not forgotten, and those who report much are saved seldom.
func TestClientsAreSavedAgain(t *testing.T) {
	on, shared := sharingClients(t, 1, func(l *socketLimits) { l.remember = time.Second })
	on[0].commands.move(t, "g", 1)
	p := on[0].join(t, "g", "clientId=a")
	start := time.Now()
	for range 500 {
		p.beats()
	}
	remembered(t, shared, "a", false, 1)
	first := shared.of("a")[0].At
	eventually(t, "it is saved again and again", func() bool { return shared.of("a")[0].At.Sub(first) > time.Second })
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if most := int(time.Since(start)/(time.Second/refreshPart)) + 2; shared.saves > most {
		t.Errorf("%d calls in %v, want %d at most", shared.saves, time.Since(start), most)
	}
}

// TestClientsAreSavedAtTheEnd: a process that ends saves what its clients had.
func TestClientsAreSavedAtTheEnd(t *testing.T) {
	on, shared := sharingClients(t, 2)
	on[0].commands.move(t, "g", 3)
	p := on[0].join(t, "g", "clientId=a")
	p.beats()
	on[0].stop()
	seen := shared.of("a")
	if len(seen) != 1 || !seen[0].Left || !seen[0].Known || seen[0].Has.Version != 3 {
		t.Errorf("remembered: %+v, want version 3, left", seen)
	}
	on[1].back(t, "clientId=a", "in_sync", true, p.graph)
}

// TestClientsOfADeletedGraph: what a client had of a graph's last life counts for nothing.
func TestClientsOfADeletedGraph(t *testing.T) {
	on, shared := sharingClients(t, 1)
	on[0].commands.move(t, "g", 9)
	p := on[0].join(t, "g", "clientId=a")
	p.beats()
	remembered(t, shared, "a", false, 9)
	if err := on[0].commands.Delete(t.Context(), "g"); err != nil {
		t.Fatal(err)
	}
	for p.syncs < 2 {
		if _, err := p.read(); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "it is known to have nothing", func() bool {
		on[0].server.sockets.clients.refresh(time.Now().Add(time.Hour))
		seen := shared.of("a")[0]
		return !seen.Known && seen.Has.Version == 0
	})
}
