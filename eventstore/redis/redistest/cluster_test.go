package redistest_test

import (
	"fmt"
	"testing"

	"graphy/eventstore/redis/redistest"
)

func TestClusterMovesSlots(t *testing.T) {
	cluster := redistest.StartCluster(t)
	client := cluster.Client(t)
	for i := range 100 {
		key := fmt.Sprintf("{k}%d", i)
		if err := client.Do(t.Context(), client.B().Set().Key(key).Value(key).Build()).Error(); err != nil {
			t.Fatal(err)
		}
	}
	slot := cluster.Slot(t, "{k}")
	for _, node := range cluster.Masters {
		cluster.MoveSlot(t, slot, node, nil)
		if owner := cluster.Owner(t, slot); owner != node {
			t.Errorf("slot %d belongs to %s, want %s", slot, owner.Addr, node.Addr)
		}
		for i := range 100 {
			key := fmt.Sprintf("{k}%d", i)
			if got, err := client.Do(t.Context(), client.B().Get().Key(key).Build()).ToString(); err != nil || got != key {
				t.Fatalf("%s: got %q, %v", key, got, err)
			}
		}
	}
}

func TestReplicaTakesOver(t *testing.T) {
	cluster := redistest.StartClusterWithReplicas(t)
	slot := cluster.Slot(t, "k")
	for i, master := range cluster.Masters {
		if cluster.Owner(t, slot) != master {
			continue
		}
		cluster.FailOver(t, master)
		if got := cluster.Owner(t, slot); got != cluster.Replicas[i] {
			t.Errorf("slot %d belongs to %s, want %s", slot, got.Addr, cluster.Replicas[i].Addr)
		}
	}
}
