package command_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"graphy/command"
	"graphy/command/memory"
	"graphy/eventstore"
	logredis "graphy/eventstore/redis"
	"graphy/eventstore/redis/redistest"
	"graphy/projection"
	modelsredis "graphy/projection/redis"
)

// clusterSite is a site on a cluster; each call is as a process of its own.
func clusterSite(t *testing.T, cluster *redistest.Cluster, prefix string) *site {
	client := cluster.Client(t)
	store := logredis.New(client, cluster.Client(t), logredis.Options{Prefix: prefix})
	return &site{log: store, models: modelsredis.New(client, store.Keys(), modelsredis.Options{}), recorder: &memory.Recorder{}}
}

// Two processes send the same operations, a few at a time, while the graph's slot wanders from node to node: each is
// there once, and both are told so.
func TestI1I2WhileSlotsMigrate(t *testing.T) {
	cluster := redistest.StartCluster(t)
	prefix := cluster.Prefix(t)
	sites := []*site{clusterSite(t, cluster, prefix), clusterSite(t, cluster, prefix)}
	const count = 300
	outcomes := make([][count]command.Outcome, len(sites))
	var all sync.WaitGroup
	for i, s := range sites {
		p := s.start(t, command.Options{})
		all.Go(func() {
			for j := range count {
				outcome, err := do(t, p, create(fmt.Sprint("n", j)))
				for codeOf(err) == command.Unavailable || codeOf(err) == command.OutcomeUnknown {
					outcome, err = do(t, p, create(fmt.Sprint("n", j)))
				}
				if err != nil {
					t.Errorf("operation %d on process %d: %v", j, i, err)
				}
				outcomes[i][j] = outcome
				time.Sleep(5 * time.Millisecond) // for longer than the slot takes to move
			}
		})
	}
	slot := cluster.Slot(t, logredis.Keys{Prefix: prefix}.Events("g"))
	for round := range 9 {
		cluster.MoveSlot(t, slot, cluster.Masters[round%3], func() { time.Sleep(50 * time.Millisecond) })
	}
	all.Wait()
	for j := range count {
		if outcomes[0][j].Version != outcomes[1][j].Version || string(outcomes[0][j].Result) != string(outcomes[1][j].Result) {
			t.Errorf("operation %d: answers %+v and %+v", j, outcomes[0][j], outcomes[1][j])
		}
	}
	if graph := sites[1].fold(t); graph.Position.Version != count || graph.Len(projection.Node) != count {
		t.Errorf("got version %d with %d nodes", graph.Position.Version, graph.Len(projection.Node))
	}
}

// A failover loses what was acknowledged last: the session that has it in memory finds out, and goes on from what there
// is. What was lost can be sent again, as if it had never been.
func TestI2FailoverThatLoses(t *testing.T) {
	cluster := redistest.StartClusterWithReplicas(t)
	s := clusterSite(t, cluster, cluster.Prefix(t))
	p := s.start(t, command.Options{})
	for i := range 10 {
		mustDo(t, p, create(fmt.Sprint("kept", i)))
	}
	master := cluster.Owner(t, cluster.Slot(t, "graph:{g}:events"))
	cluster.AwaitReplicated(t, master)
	cluster.Sever(t, master)
	for i := range 5 {
		mustDo(t, p, create(fmt.Sprint("lost", i)))
	}
	cluster.FailOver(t, master)
	retry := func(body string) command.Outcome {
		for deadline := time.Now().Add(20 * time.Second); ; {
			outcome, err := do(t, p, body)
			if err == nil {
				return outcome
			}
			if code := codeOf(err); code != command.Unavailable && code != command.OutcomeUnknown || time.Now().After(deadline) {
				t.Fatalf("%s: %v", body, err)
			}
		}
	}
	for i := range 5 {
		if outcome := retry(create(fmt.Sprint("new", i))); outcome.Version != eventstore.Version(11+i) {
			t.Errorf("after the failover: version %d, want %d", outcome.Version, 11+i)
		}
	}
	if outcome := retry(create("lost3")); outcome.Duplicate || outcome.Version != 16 {
		t.Errorf("what was lost, again: %+v", outcome)
	}
	if graph := s.fold(t); graph.Position.Version != 16 || graph.Len(projection.Node) != 16 {
		t.Errorf("got version %d with %d nodes", graph.Position.Version, graph.Len(projection.Node))
	}
}
