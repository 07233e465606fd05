package redistest

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Owner returns the node that a slot belongs to at the moment.
func (c *Cluster) Owner(t testing.TB, slot int) *Node {
	t.Helper()
	for _, node := range c.Nodes() {
		nodes, _ := node.try("CLUSTER", "NODES") // a node that was ended owns nothing
		for line := range strings.Lines(nodes) {
			fields := strings.Fields(line)
			if len(fields) > 8 && strings.Contains(fields[2], "myself") && owns(fields[8:], slot) {
				return node
			}
		}
	}
	t.Fatalf("redistest: nobody owns slot %d", slot)
	return nil
}

// owns tells whether the ranges of a line of CLUSTER NODES contain slot.
func owns(ranges []string, slot int) bool {
	return slices.ContainsFunc(ranges, func(text string) bool {
		first, last, isRange := strings.Cut(text, "-")
		if !isRange {
			last = first
		}
		from, err := strconv.Atoi(first)
		to, failure := strconv.Atoi(last)
		return err == nil && failure == nil && from <= slot && slot <= to
	})
}

// Slot returns the slot of a key.
func (c *Cluster) Slot(t testing.TB, key string) int {
	t.Helper()
	slot, err := strconv.Atoi(c.Masters[0].do(t, "CLUSTER", "KEYSLOT", key))
	if err != nil {
		t.Fatalf("redistest: slot of %q: %v", key, err)
	}
	return slot
}

// MoveSlot moves a slot with all its keys to another master while clients go on, as redis-cli does. After every few
// keys, and before the slot changes hands, it calls pause, if that is not nil: then some keys are here and some there.
func (c *Cluster) MoveSlot(t testing.TB, slot int, to *Node, pause func()) {
	t.Helper()
	from := c.Owner(t, slot)
	if from == to {
		return
	}
	number := strconv.Itoa(slot)
	to.do(t, "CLUSTER", "SETSLOT", number, "IMPORTING", from.ID)
	from.do(t, "CLUSTER", "SETSLOT", number, "MIGRATING", to.ID)
	for {
		keys, err := from.client.Do(t.Context(), from.client.B().ClusterGetkeysinslot().Slot(int64(slot)).Count(4).Build()).AsStrSlice()
		if err != nil {
			t.Fatalf("redistest: keys of slot %d: %v", slot, err)
		}
		if pause != nil {
			pause()
		}
		if len(keys) == 0 {
			break
		}
		from.do(t, append([]string{"MIGRATE", "127.0.0.1", to.port, "", "0", "5000", "KEYS"}, keys...)...)
	}
	for _, node := range append([]*Node{to, from}, c.Masters...) {
		node.do(t, "CLUSTER", "SETSLOT", number, "NODE", to.ID)
	}
	c.awaitEpochs(t)
}

// awaitEpochs waits until the masters agree on the configuration. A slot that moves before may fall between two nodes.
func (c *Cluster) awaitEpochs(t testing.TB) {
	t.Helper()
	c.await(t, "the masters agree on the configuration", func(node *Node) bool {
		first := epochs(c.Masters[0].do(t, "CLUSTER", "NODES"))
		return maps.Equal(epochs(node.do(t, "CLUSTER", "NODES")), first)
	})
}

// epochs returns the epoch of each node's configuration, as CLUSTER NODES tells it.
func epochs(nodes string) map[string]string {
	known := map[string]string{}
	for line := range strings.Lines(nodes) {
		fields := strings.Fields(line)
		known[fields[0]] = fields[6]
	}
	return known
}
