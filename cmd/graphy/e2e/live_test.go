package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"
)

// In the reference a thousand of two thousand broadcasts bore a version already used (I4).
func TestI4EveryBroadcastHasItsOwnVersion(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		graph, writers, each := newGraph(t), 20, 100
		base := s.fill(t, graph, writers)
		subscribers := []*socket{s.open(t, graph), s.open(t, graph), s.open(t, graph)}
		next := make([]uint64, len(subscribers))
		for i, one := range subscribers {
			next[i] = one.expect(t, "sync").version() + 1
		}
		failOn(t, together(writers, func(writer int) error {
			for i := range each {
				body := command("UPDATE_NODE_POSITION", object{"nodeId": fmt.Sprint("n", writer), "position": object{"x": i, "y": writer}})
				if _, err := s.tryCommand(t.Context(), graph, body, []string{fmt.Sprint("X-User-Id: u", writer)}, 202); err != nil {
					return err
				}
			}
			return nil
		}))
		for i, one := range subscribers {
			for version := next[i]; version <= base+uint64(writers*each); version++ {
				if f := one.expect(t, "state_update"); f.version() != version {
					t.Fatalf("I4: subscriber %d got version %d, want %d", i, f.version(), version)
				}
			}
		}
	})
}

// The reference sent the revert of a failing command to everyone, three times.
func TestRevertGoesToTheSenderOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		graph := newGraph(t)
		s.fillSettled(t, graph, 2)
		sender, other, twin := s.open(t, graph, "clientId", "a"), s.open(t, graph, "clientId", "b"), s.open(t, graph, "clientId", "a")
		for _, one := range []*socket{sender, other, twin} {
			one.expect(t, "sync")
		}
		sender.send(t, wsCommand("UPDATE_NODE_TITLE", object{"nodeId": "nobody", "title": "x"}, "operationId", "bad-"+graph))
		revert := sender.expect(t, "revert")
		if revert.text("operationId") != "bad-"+graph || revert.text("error", "code") != "node-not-found" {
			t.Errorf("revert: %.300s", revert.raw)
		}
		entity, _ := revert.at("entities", 0).(map[string]any)
		if value, there := entity["value"]; entity["kind"] != "node" || entity["id"] != "nobody" || value != nil || !there {
			t.Errorf("the revert's entities: %v", revert.at("entities"))
		}
		// What comes next, for everybody, is the next good command.
		sender.send(t, wsCommand("UPDATE_NODE_TITLE", object{"nodeId": "n0", "title": "y"}, "operationId", "good-"+graph))
		seen := map[string]int{}
		for range 2 {
			seen[sender.next(t).kind]++
		}
		if seen["command_result"] != 1 || seen["state_update"] != 1 {
			t.Errorf("after the revert the sender got %v", seen)
		}
		for _, one := range []*socket{other, twin} {
			if f := one.expect(t, "state_update"); f.text("operationId") != "good-"+graph {
				t.Errorf("the others got %.300s", f.raw)
			}
		}
	})
}

// In the reference a client that joined while others wrote got updates before its snapshot.
func TestI4SnapshotComesBeforeUpdates(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		graph, writers, each := newGraph(t), 6, 120
		base := s.fill(t, graph, 300)
		last := base + uint64(writers*each)
		rng := random(t)
		known := make([]uint64, 16)
		for i := range known {
			known[i] = rng.Uint64N(3)
		}
		failOn(t, together(writers+len(known), func(i int) error {
			if i >= writers {
				return s.join(graph, known[i-writers] == 0, base, last)
			}
			for move := range each {
				body := command("UPDATE_NODE_POSITION", object{"nodeId": fmt.Sprint("n", i), "position": object{"x": move, "y": i}})
				if _, err := s.tryCommand(t.Context(), graph, body, []string{fmt.Sprint("X-User-Id: u", i)}, http.StatusAccepted); err != nil {
					return err
				}
			}
			return nil
		}))
		s.fold(t, graph)
	})
}

// join comes back again and again while others write, with a version or without, and at last stays until version last.
func (s *server) join(graph string, fresh bool, base, last uint64) error {
	replica := newReplica()
	for turn := range 6 {
		query := url.Values{}
		if !fresh && turn > 0 {
			query.Set("clientVersion", fmt.Sprint(replica.version))
			query.Set("hash", replica.hash)
		}
		socket, err := dial(s.wsURL(graph, query))
		if err != nil {
			return err
		}
		f := &follower{replica: replica}
		until := base + (last-base)*uint64(turn+1)/6
		for !f.synced || f.version < until {
			message, err := socket.wait(20e9)
			if err == nil {
				err = f.take(message)
			}
			if err != nil {
				socket.conn.Close()
				return fmt.Errorf("turn %d at version %d: %w", turn, f.version, err)
			}
		}
		socket.conn.Close()
	}
	return nil
}
