package redis_test

import (
	"errors"
	"testing"
	"time"

	"graphy/eventstore"
	"graphy/eventstore/eventstoretest"
	"graphy/eventstore/redis/redistest"
)

// masterOf returns the master that keeps a stream.
func masterOf(t *testing.T, cluster *redistest.Cluster, key string) *redistest.Node {
	return cluster.Owner(t, cluster.Slot(t, key))
}

// A master dies and its replica, which has everything, takes over: nothing acknowledged is missing, and the
// Tail of another process goes on.
func TestI1ReplicaTakesOver(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartClusterWithReplicas(t)
	prefix := cluster.Prefix(t)
	log, _ := dial(t, cluster.URL, prefix)
	other, _ := dial(t, cluster.URL, prefix)
	w := writer{log: log}
	w.mustWrite(t, 100)
	f := startFollower(within(t, 2*patience), t, other, "g")
	f.until(w.position())
	master := masterOf(t, cluster, log.Keys().Events("g"))
	cluster.AwaitReplicated(t, master)
	cluster.FailOver(t, master)
	w.mustWrite(t, 100)
	f.until(w.position())
	w.check(t)
}

// The replica that takes over lacks what was acknowledged last. Whoever followed that history is told: Tails end with
// ErrReset, whatever comes in the place of what was lost, and an append at the lost position is a Conflict.
func TestI4FailoverThatLoses(t *testing.T) {
	tests := []struct {
		name string
		anew int // events in the place of the five that were lost
	}{{"shorter", 0}, {"as long", 5}, {"longer", 9}}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			cluster := redistest.StartClusterWithReplicas(t)
			prefix := cluster.Prefix(t)
			log, _ := dial(t, cluster.URL, prefix)
			other, _ := dial(t, cluster.URL, prefix)
			w := writer{log: log}
			w.mustWrite(t, 20)
			kept := w.position()
			master := masterOf(t, cluster, log.Keys().Events("g"))
			cluster.AwaitReplicated(t, master)
			cluster.Sever(t, master)
			w.mustWrite(t, 5)
			reached, ended := make(chan struct{}), make(chan error, 1)
			go func() {
				var last error
				for event, err := range other.Tail(within(t, patience), "g", 0) {
					if last = err; event.Version == w.position().Version {
						close(reached)
					}
				}
				ended <- last
			}()
			<-reached
			cluster.FailOver(t, master)
			result, err := log.Append(within(t, patience), "g", w.position(), eventstoretest.Numbered(w.position(), 1))
			if err != nil || result.Outcome != eventstore.Conflict || result.Head != kept.Version {
				t.Errorf("append after what was lost: %+v, %v, want Conflict at %d", result, err, kept.Version)
			}
			if test.anew > 0 {
				result, err := log.Append(within(t, patience), "g", kept, eventstoretest.Chain(kept, make([]string, test.anew)...))
				if err != nil || result.Outcome != eventstore.Applied {
					t.Fatalf("append in its place: %+v, %v", result, err)
				}
			}
			select {
			case err := <-ended:
				if !errors.Is(err, eventstore.ErrReset) {
					t.Errorf("the tail ended with %v, want %v", err, eventstore.ErrReset)
				}
			case <-time.After(patience):
				t.Error("the tail goes on")
			}
		})
	}
}
