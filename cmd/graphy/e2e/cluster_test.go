package e2e

import (
	"fmt"
	"testing"
	"time"

	logredis "graphy/eventstore/redis"
	"graphy/eventstore/redis/redistest"
)

// Two processes on a cluster, written to over HTTP and WebSocket, while the slots of their graphs wander from node to node
// and subscriptions are cut: nothing acknowledged is lost or there twice (I1), no version is missing (I2), and no
// subscriber sees a hole (I4).
func TestI1I2I4ClusterUnderTraffic(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t)
	prefix := cluster.Prefix(t)
	env := []string{"GRAPHY_REDIS_URL=" + cluster.URL, "GRAPHY_KEY_PREFIX=" + prefix}
	servers := []*server{start(t, env...), start(t, env...)}
	l := put(t, 3, servers...)
	l.awaitMore(t, 100)
	keys := logredis.Keys{Prefix: prefix}
	for round := range 4 {
		for i, graph := range l.graphs {
			cluster.MoveSlot(t, cluster.Slot(t, keys.Events(graph)), cluster.Masters[(i+round)%3], func() { time.Sleep(time.Millisecond) })
		}
		for _, node := range cluster.Masters {
			node.KillSubscriptions(t)
		}
		l.awaitMore(t, 100)
	}
	l.verify(t, servers[1])
}

// A master dies with acknowledged events that its replica does not have. Redis has lost them; whoever saw them is told, by
// a sync or the end of the connection, and never shown a version of the one history on top of the other.
func TestI4FailoverThatLoses(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartClusterWithReplicas(t)
	prefix := cluster.Prefix(t)
	env := []string{"GRAPHY_REDIS_URL=" + cluster.URL, "GRAPHY_KEY_PREFIX=" + prefix}
	writes, follows := start(t, env...), start(t, env...)
	graph := newGraph(t)
	kept := writes.fillSettled(t, graph, 20)
	sockets := []*socket{writes.open(t, graph), follows.open(t, graph)}
	followers := []*follower{{replica: newReplica()}, {replica: newReplica()}}
	follow := func(done func(f *follower) bool) {
		t.Helper()
		for i, f := range followers {
			for deadline := time.Now().Add(30 * time.Second); !done(f); {
				message, err := sockets[i].wait(time.Second)
				switch {
				case err == nil:
					failOn(t, []error{f.take(message)})
				case err == errSilent && time.Now().Before(deadline):
				case err == errSilent:
					t.Fatalf("subscriber %d stands at version %d %s", i, f.version, f.hash)
				default: // told by the end of its connection: it shows what it has
					f.synced = false
					sockets[i] = []*server{writes, follows}[i].open(t, graph, "clientVersion", fmt.Sprint(f.version), "hash", f.hash)
				}
			}
		}
	}
	master := cluster.Owner(t, cluster.Slot(t, logredis.Keys{Prefix: prefix}.Events(graph)))
	cluster.AwaitReplicated(t, master)
	cluster.Sever(t, master)
	for i := range 5 {
		writes.accept(t, graph, "CREATE_NODE", object{"id": fmt.Sprint("lost", i)})
	}
	follow(func(f *follower) bool { return f.synced && f.version == kept+5 })
	cluster.FailOver(t, master)

	var last object
	await(t, 30*time.Second, "commands are accepted again", func() bool {
		r, err := writes.try(t.Context(), "POST", "/graphs/"+graph+"/command", encode(command("CREATE_NODE", object{"id": "anew"})))
		last = decode(r.body)
		return err == nil && r.status == 202
	})
	if last.version() != kept+1 {
		t.Errorf("the first command after the failover has version %d, want %d", last.version(), kept+1)
	}
	for i := range 10 {
		last = writes.accept(t, graph, "CREATE_NODE", object{"id": fmt.Sprint("new", i)})
	}
	follow(func(f *follower) bool { return f.synced && f.version == last.version() && f.hash == last.text("hash") })
	for i, s := range []*server{writes, follows} {
		if difference := s.fold(t, graph).differs(followers[i].replica); difference != "" {
			t.Errorf("subscriber %d: %s", i, difference)
		}
		state := s.state(t, graph, last.version())
		if state.text("hash") != last.text("hash") {
			t.Errorf("the read model is of another history: %s, want %s", state.text("hash"), last.text("hash"))
		}
	}
}
