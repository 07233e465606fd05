package redis_test

import (
	"slices"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"graphy/eventstore/redis/redistest"
)

// onKinds runs a test with nodes on one server and on a cluster.
func onKinds(t *testing.T, test func(t *testing.T, on site, start func(grace time.Duration) *node)) {
	run := func(t *testing.T, connect func(testing.TB) rueidis.Client, prefix string) {
		on := site{client: connect(t)}
		on.keys.Prefix = prefix
		test(t, on, func(grace time.Duration) *node { return newNode(t, connect, prefix, grace) })
	}
	t.Run("server", func(t *testing.T) {
		server := redistest.Start(t)
		run(t, server.Client, server.Prefix(t))
	})
	t.Run("cluster", func(t *testing.T) {
		cluster := redistest.StartCluster(t)
		run(t, cluster.Client, cluster.Prefix(t))
	})
}

func TestI4ClientComesBackElsewhere(t *testing.T) {
	onKinds(t, func(t *testing.T, on site, start func(time.Duration) *node) {
		a, b, c := start(0), start(0), start(0)
		a.create("g", 3)
		one := a.open("g", "clientId=tab&userId=u")
		one.syncs("full", false, 3, 0)
		one.beats(3)
		one.leave()
		remembered(t, b, "g", "u", "tab", true, 3)
		c.create("g", 2)

		b.open("g", "clientId=tab&userId=thief").syncs("full", false, 5, 0)
		b.open("other", "clientId=tab&userId=u").syncs("full", false, 0, 0)
		two := b.open("g", "clientId=tab&userId=u")
		two.syncs("behind", true, 5, 2)
		two.beats(5)
		remembered(t, c, "g", "u", "tab", false, 5)
		c.create("g", 1)
		if f := two.next("state_update"); f.Version != 6 {
			t.Errorf("got %+v, want version 6", f)
		}

		b.kill()
		three := c.open("g", "clientId=tab&userId=u")
		three.syncs("behind", true, 6, 1)
		three.beats(6)
		three.leave()
		remembered(t, a, "g", "u", "tab", true, 6)
		four := a.open("g", "clientId=tab&userId=u&clientVersion=6") // where an older sighting of it is remembered
		four.syncs("in_sync", true, 6, 0)
		a.stop() // drained: told to come back
		five := c.open("g", "clientId=tab&userId=u")
		five.syncs("in_sync", true, 6, 0)
	})
}

// TestNeededByClients: the lowest version that clients of all nodes still need.
func TestNeededByClients(t *testing.T) {
	server := redistest.Start(t)
	prefix := server.Prefix(t)
	const grace = time.Second
	a, b := newNode(t, server.Client, prefix, grace), newNode(t, server.Client, prefix, grace)
	a.create("g", 9)
	needs := func(want string) {
		t.Helper()
		eventually(t, want+" is needed", func() bool { return needed(t, a.clients, "g") == want })
	}
	needs("none")
	slow, quick, silent := a.open("g", "clientId=slow"), b.open("g", "clientId=quick"), b.open("g", "clientId=silent")
	needs("9") // all were sent the state
	slow.beats(4)
	quick.beats(7)
	needs("4")
	slow.beats(6)
	needs("6")
	slow.conn.Close()
	until := time.Now().Add(grace / 2)
	eventually(t, "it is within its grace", func() bool { return needed(t, b.clients, "g") != "6" || time.Now().After(until) })
	needs("7") // its grace is over
	quick.leave()
	needs("9")
	time.AfterFunc(2*grace, func() { silent.conn.Close() })
	until = time.Now().Add(2 * grace)
	eventually(t, "one that is there counts for as long as it is", func() bool { return needed(t, b.clients, "g") != "9" || time.Now().After(until) })
	if time.Now().Before(until) {
		t.Errorf("%s is needed while one with 9 is connected", needed(t, b.clients, "g"))
	}
	needs("none")
}

// TestI10NoKeyIsLeft: everybody has left, in good order or not, and after the grace period no key tells of them.
func TestI10NoKeyIsLeft(t *testing.T) {
	onKinds(t, func(t *testing.T, on site, start func(time.Duration) *node) {
		nodes := []*node{start(time.Second), start(time.Second)}
		about := func() (keys []string) {
			for _, key := range on.all(t) {
				key = key[len(on.keys.Prefix):]
				if len(key) > 7 && (key[:7] == "client:" || key[:5] == "user:" && key[len(key)-8:] == ":session" || key[len(key)-9:] == ":versions") {
					keys = append(keys, key)
				}
			}
			return keys
		}
		nodes[0].create("g", 2)
		var tabs []*tab
		for i, query := range []string{"clientId=a", "clientId=b&userId=u", "clientId=c", "", "clientId=a"} {
			c := nodes[i%2].open("g", query)
			c.beats(2)
			c.send(`{"type":"presence","data":1}`)
			tabs = append(tabs, c)
		}
		eventually(t, "all are remembered", func() bool {
			keys := about()
			return slices.Contains(keys, "client:a") && slices.Contains(keys, "client:b") && slices.Contains(keys, "client:c") &&
				slices.Contains(keys, "graph:{g}:versions") && slices.Contains(keys, "user:u:session")
		})
		for i, c := range tabs {
			if i%2 == 0 {
				c.leave()
			} else {
				c.conn.Close()
			}
		}
		eventually(t, "no key is left", func() bool { return len(about()) == 0 })
	})
}
