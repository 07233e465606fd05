package redistest

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"go.uber.org/goleak"
)

// Cluster is a running Redis Cluster, its slots spread evenly over its masters. Its methods are for one goroutine at a
// time.
type Cluster struct {
	URL     string // redis+cluster://127.0.0.1:port,127.0.0.1:port…
	Masters []*Node
	// Replicas has one for each master, in the order of Masters, or is empty.
	Replicas []*Node
}

// Node is a server of a cluster.
type Node struct {
	*Server
	ID string // by which the others know it

	client rueidis.Client
}

const (
	slots   = 16384
	masters = 3
)

// StartCluster returns a cluster of three masters for this test alone, ended with it; args are added to the command
// line of each.
func StartCluster(t testing.TB, args ...string) *Cluster {
	t.Helper()
	return startCluster(t, false, args)
}

// StartClusterWithReplicas is StartCluster with a replica for each master, that takes over where the master is gone
// for a second or two.
func StartClusterWithReplicas(t testing.TB, args ...string) *Cluster {
	t.Helper()
	return startCluster(t, true, append([]string{"--cluster-node-timeout", "1500", "--cluster-replica-validity-factor", "0",
		"--repl-diskless-sync-delay", "0"}, args...))
}

func startCluster(t testing.TB, replicas bool, args []string) *Cluster {
	t.Helper()
	c := &Cluster{}
	for range masters {
		c.Masters = append(c.Masters, startNode(t, args))
		if replicas {
			c.Replicas = append(c.Replicas, startNode(t, args))
		}
	}
	addresses := make([]string, 0, 2*masters)
	for i, node := range c.Nodes() {
		addresses = append(addresses, node.Addr)
		node.do(t, "CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1))
	}
	for _, node := range c.Nodes() {
		for _, other := range c.Nodes() {
			if other != node {
				node.do(t, "CLUSTER", "MEET", "127.0.0.1", other.port, other.bus)
			}
		}
	}
	c.URL = "redis+cluster://" + strings.Join(addresses, ",")
	for i, node := range c.Masters {
		node.do(t, "CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(i*slots/masters), strconv.Itoa((i+1)*slots/masters-1))
	}
	c.await(t, "all know each other", func(node *Node) bool {
		return strings.Count(node.do(t, "CLUSTER", "NODES"), " connected") == len(c.Nodes())
	})
	for i, node := range c.Replicas {
		node.do(t, "CLUSTER", "REPLICATE", c.Masters[i].ID)
	}
	c.AwaitReady(t)
	return c
}

func startNode(t testing.TB, args []string) *Node {
	t.Helper()
	server := StartOwn(t, append([]string{"--cluster-enabled", "yes"}, args...)...)
	node := &Node{Server: server, client: server.Client(t)}
	node.ID = node.do(t, "CLUSTER", "MYID")
	return node
}

// Nodes returns the masters and replicas.
func (c *Cluster) Nodes() []*Node { return append(append([]*Node{}, c.Masters...), c.Replicas...) }

// Client returns a client of the whole cluster that retries nothing but follows redirections, closed with the test.
func (c *Cluster) Client(t testing.TB) rueidis.Client {
	t.Helper()
	var addresses []string
	for _, node := range c.Nodes() {
		addresses = append(addresses, node.Addr)
	}
	option := clientOption(addresses...)
	option.ForceSingleClient = false
	client, err := rueidis.NewClient(option)
	if err != nil {
		t.Fatalf("redistest: connect to %s: %v", c.URL, err)
	}
	t.Cleanup(client.Close)
	return client
}

// IgnoreLingering are the goroutines of the driver that end by themselves seconds after a client of a cluster is closed.
func IgnoreLingering() []goleak.Option {
	return []goleak.Option{
		goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*call).DelayDo.func1"),
		goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*clusterClient).redirectOrNew.func1"),
		goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*clusterClient)._refresh.func2"),
	}
}

// Prefix returns a fresh key prefix.
func (c *Cluster) Prefix(t testing.TB) string { return c.Masters[0].Prefix(t) }

// AwaitReady waits until every node finds all slots served, and every replica has what its master has.
func (c *Cluster) AwaitReady(t testing.TB) {
	t.Helper()
	c.await(t, "all slots are served", func(node *Node) bool {
		info, nodes := node.do(t, "CLUSTER", "INFO"), node.do(t, "CLUSTER", "NODES")
		return strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_slots_ok:16384") &&
			strings.Count(nodes, "slave ") == len(c.Replicas)
	})
	c.await(t, "the replicas follow", func(node *Node) bool {
		info := node.do(t, "INFO", "replication")
		return strings.Contains(info, "role:master") || strings.Contains(info, "master_link_status:up")
	})
}

func (c *Cluster) await(t testing.TB, what string, done func(*Node) bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for _, node := range c.Nodes() {
		for !done(node) {
			if time.Now().After(deadline) {
				t.Fatalf("redistest: cluster: still not: %s: %s", what, node.do(t, "CLUSTER", "NODES"))
			}
			time.Sleep(10 * time.Millisecond) // there is nothing to wait on
		}
	}
}

// Configure changes a setting of the node while it runs.
func (n *Node) Configure(t testing.TB, name, value string) {
	t.Helper()
	n.do(t, "CONFIG", "SET", name, value)
}

// KillSubscriptions cuts all connections to the node that are subscribed to anything.
func (n *Node) KillSubscriptions(t testing.TB) {
	t.Helper()
	n.do(t, "CLIENT", "KILL", "TYPE", "pubsub")
}

// do sends a command to this very node and returns its answer as text.
func (n *Node) do(t testing.TB, command ...string) string {
	t.Helper()
	answer, err := n.try(command...)
	if err != nil {
		t.Fatalf("redistest: %s: %v: %v", n.Addr, command, err)
	}
	return answer
}

func (n *Node) try(command ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	answer, err := n.client.Do(ctx, n.client.B().Arbitrary(command...).Build()).ToAny()
	return strings.TrimPrefix(fmt.Sprint(answer), "txt:"), err // the mark of a verbatim text
}
