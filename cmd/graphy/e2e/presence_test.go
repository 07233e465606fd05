package e2e

import (
	"fmt"
	"testing"
	"time"

	"graphy/eventstore/redis/redistest"
)

// seen reads until the client is shown with what is wanted, "null" for one that is gone.
func (s *socket) seen(t testing.TB, client, want string, limit time.Duration) {
	t.Helper()
	for end := time.Now().Add(limit); ; {
		f, err := s.wait(time.Until(end))
		if err != nil {
			t.Fatalf("%s is not shown with %s: %v", client, want, err)
		}
		if f.kind == "presence" && f.text("clientId") == client && encode(f.object["data"]) == want {
			return
		}
	}
}

// A process is killed: what its clients showed goes from those of another, and one of them goes on there, with what it
// missed meanwhile. Presence takes no versions.
func TestClientsOutliveTheirProcess(t *testing.T) {
	t.Parallel()
	backing := redistest.Start(t)
	env := []string{"GRAPHY_REDIS_URL=" + backing.URL, "GRAPHY_KEY_PREFIX=" + backing.Prefix(t)}
	dies, stays := start(t, env...), start(t, env...)
	graph := newGraph(t)
	version := dies.fill(t, graph, 3)
	client, watcher := dies.open(t, graph, "clientId", "tab"), stays.open(t, graph, "clientId", "watcher")
	client.until(t, "sync")
	watcher.until(t, "sync")
	client.send(t, `{"type":"presence","data":{"x":1}}`)
	watcher.seen(t, "tab", `{"x":1}`, 15*time.Second)
	watcher.send(t, `{"type":"presence","data":2}`)
	client.seen(t, "watcher", `2`, 15*time.Second)
	client.send(t, fmt.Sprintf(`{"type":"heartbeat","clientVersion":%d}`, version))
	client.until(t, "heartbeat")
	pause(t.Context(), 2*time.Second) // in which it is saved
	dies.kill()

	stays.accept(t, graph, "CREATE_NODE", object{})
	missed := stays.accept(t, graph, "CREATE_NODE", object{}).version()
	back := stays.open(t, graph, "clientId", "tab")
	sync, _ := back.until(t, "sync")
	if sync.at("reconnected") != true || sync.text("status") != "behind" || sync.version() != missed || uint64(len(sync.list("changes"))) != missed-version {
		t.Errorf("got %.300s, want versions %d to %d, reconnected", sync.raw, version+1, missed)
	}
	back.seen(t, "watcher", `2`, 15*time.Second)
	back.conn.Close()
	watcher.seen(t, "tab", `null`, 20*time.Second)
	if state := stays.state(t, graph, missed); state.version() != missed {
		t.Errorf("the graph is at version %d, want %d", state.version(), missed)
	}
}
