package redis_test

import (
	"testing"

	"graphy/eventstore"
	"graphy/eventstore/eventstoretest"
	"graphy/eventstore/redis"
	"graphy/eventstore/redis/redistest"
)

// The suite on three nodes: scripts keep to one slot, channels are sharded.
func TestConformanceOnCluster(t *testing.T) {
	cluster := redistest.StartCluster(t)
	eventstoretest.Run(t, func(t *testing.T) eventstore.Log {
		log, _ := dial(t, cluster.URL, cluster.Prefix(t))
		return log
	})
}

func TestMaintainerOnCluster(t *testing.T) {
	cluster := redistest.StartCluster(t)
	eventstoretest.RunMaintainer(t, func(t *testing.T) (eventstore.Log, eventstore.Maintainer) {
		log, _ := dial(t, cluster.URL, cluster.Prefix(t))
		return log, log
	})
}

func TestCheckOfCluster(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t)
	_, client := dial(t, cluster.URL, "")
	if report, err := redis.Check(t.Context(), client); err != nil || !report.Ready() || len(report.Problems) > 0 {
		t.Errorf("got %+v, %v, want no problem", report, err)
	}
	cluster.Masters[1].Configure(t, "maxmemory-policy", "allkeys-lru")
	if report, err := redis.Check(t.Context(), client); err != nil || report.Ready() {
		t.Errorf("with one node that evicts: got %+v, %v, want not ready", report, err)
	}
}
