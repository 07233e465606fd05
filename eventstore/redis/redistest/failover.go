package redistest

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// FailOver kills a node and waits until the others have put its replica in its place. What the replica did not have yet
// is lost.
func (c *Cluster) FailOver(t testing.TB, node *Node) {
	t.Helper()
	node.Kill()
	c.AwaitTakeover(t, node)
}

// AwaitReplicated waits until the replica of a master has what the master has now.
func (c *Cluster) AwaitReplicated(t testing.TB, master *Node) {
	t.Helper()
	replica := c.Replicas[slices.Index(c.Masters, master)]
	for written := master.offset(t, "master_repl_offset:"); replica.offset(t, "slave_repl_offset:") < written; {
		time.Sleep(time.Millisecond) // there is nothing to wait on
	}
}

// offset returns a number of INFO replication.
func (n *Node) offset(t testing.TB, name string) int64 {
	t.Helper()
	_, rest, _ := strings.Cut(n.do(t, "INFO", "replication"), name)
	digits, _, _ := strings.Cut(rest, "\r\n")
	number, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		t.Fatalf("redistest: %s%q: %v", name, digits, err)
	}
	return number
}

// Sever keeps the replica of a master from hearing of it any more. What the master acknowledges from here on is lost when
// it fails.
func (c *Cluster) Sever(t testing.TB, master *Node) {
	t.Helper()
	replica := c.Replicas[slices.Index(c.Masters, master)]
	replica.Configure(t, "masterauth", "refused")
	master.do(t, "CLIENT", "KILL", "TYPE", "replica")
	for strings.Contains(replica.do(t, "INFO", "replication"), "master_link_status:up") {
		time.Sleep(time.Millisecond) // there is nothing to wait on
	}
}

// AwaitTakeover waits until every other node that answers finds all slots served, without the help of node.
func (c *Cluster) AwaitTakeover(t testing.TB, node *Node) {
	t.Helper()
	c.await(t, "the replica has taken over from "+node.Addr, func(other *Node) bool {
		if other == node {
			return true
		}
		info, err := other.try("CLUSTER", "INFO")
		nodes, failure := other.try("CLUSTER", "NODES")
		return err == nil && failure == nil && strings.Contains(info, "cluster_state:ok") && !serves(nodes, node.ID)
	})
}

// serves tells whether a node is a master with slots and well, in the eyes of who printed CLUSTER NODES.
func serves(nodes, id string) bool {
	for line := range strings.Lines(nodes) {
		if fields := strings.Fields(line); fields[0] == id {
			return strings.Contains(fields[2], "master") && len(fields) > 8
		}
	}
	return false
}
