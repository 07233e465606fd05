package redis_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"graphy/eventstore"
	log "graphy/eventstore/redis"
	"graphy/eventstore/redis/redistest"
	"graphy/projection"
	"graphy/projection/projectiontest"
	"graphy/projection/redis"
)

// onCluster returns read models, and the log that they are of, on a cluster: each call is as a process of its own.
func onCluster(t testing.TB, cluster *redistest.Cluster, prefix string) (*redis.Models, *log.Store) {
	client := cluster.Client(t)
	store := log.New(client, cluster.Client(t), log.Options{Prefix: prefix})
	return redis.New(client, store.Keys(), redis.Options{}), store
}

func TestModelsOnCluster(t *testing.T) {
	cluster := redistest.StartCluster(t)
	projectiontest.Run(t, func(t *testing.T) (projection.ReadModels, eventstore.Log) {
		return onCluster(t, cluster, cluster.Prefix(t))
	})
}

func TestSnapshotsOnCluster(t *testing.T) {
	cluster := redistest.StartCluster(t)
	projectiontest.RunSnapshots(t, func(t *testing.T) (projectiontest.Store, eventstore.Log) {
		return onCluster(t, cluster, cluster.Prefix(t))
	})
}

// TestI3SlotsMigrateUnderLoad: slots change hands while two projectors fold what is written; half of a graph's keys here
// and half there, nothing can be committed for a while, and nothing is lost.
func TestI3SlotsMigrateUnderLoad(t *testing.T) {
	cluster := redistest.StartCluster(t)
	prefix := cluster.Prefix(t)
	models, store := onCluster(t, cluster, prefix)
	otherModels, otherStore := onCluster(t, cluster, prefix)
	opts := projection.ProjectorOptions{Timeout: time.Second, Backoff: time.Millisecond}
	first := projectiontest.Project(t, store, models, opts)
	projectiontest.Project(t, otherStore, otherModels, opts)
	writers := make([]*projectiontest.Writer, 4)
	for i := range writers {
		writers[i] = projectiontest.NewWriter(fmt.Sprint("g", i), source(uint64(i)))
	}
	ctx, stop := context.WithCancel(t.Context())
	var writing sync.WaitGroup
	for _, w := range writers {
		writing.Go(func() {
			for i := 0; i < 200 || ctx.Err() == nil; i++ {
				projectiontest.Append(t, store, w.Graph.ID, w.Events(2)...)
				time.Sleep(2 * time.Millisecond) // the more keys, the longer a slot takes
			}
		})
	}
	for round := range 4 {
		for i, w := range writers {
			slot := cluster.Slot(t, store.Keys().Events(w.Graph.ID))
			cluster.MoveSlot(t, slot, cluster.Masters[(i+round)%len(cluster.Masters)], func() { time.Sleep(time.Millisecond) })
		}
	}
	stop()
	writing.Wait()
	for _, w := range writers {
		projectiontest.Await(t, first, w.Graph)
		projectiontest.Same(t, models, w.Graph)
		t.Logf("%s is at version %d", w.Graph.ID, w.Graph.Position.Version)
	}
	if parked := first.Parked(); len(parked) > 0 {
		t.Errorf("parked: %+v", parked)
	}
}

// TestI5ReadsWhileASlotMoves: at every stage of a move, with some keys here and some there, every read finds what is there.
func TestI5ReadsWhileASlotMoves(t *testing.T) {
	cluster := redistest.StartCluster(t)
	models, store := onCluster(t, cluster, cluster.Prefix(t))
	projector := projectiontest.Project(t, store, models, projection.ProjectorOptions{})
	w := projectiontest.NewWriter("g", source(3))
	projectiontest.Append(t, store, "g", w.Events(60)...)
	projectiontest.Await(t, projector, w.Graph)
	stages := 0
	slot := cluster.Slot(t, store.Keys().Events("g"))
	for _, node := range cluster.Masters {
		cluster.MoveSlot(t, slot, node, func() {
			stages++
			projectiontest.Same(t, models, w.Graph)
		})
	}
	if stages < 6 {
		t.Errorf("%d stages were looked at", stages)
	}
}

// TestI5CommitsWhileASlotMoves: a commit that removes keys and writes them again is carried out or waits, also where all
// of its keys are on one side.
func TestI5CommitsWhileASlotMoves(t *testing.T) {
	cluster := redistest.StartCluster(t)
	models, store := onCluster(t, cluster, cluster.Prefix(t))
	w := projectiontest.NewWriter("g", source(3))
	projectiontest.Append(t, store, "g", w.CreateNode(), w.CreateNode(), w.SetViewport(1, 1))
	projectiontest.Append(t, store, "g", w.CreateEdge("n1", "n3"), w.CreateEdge("n3", "n1"), w.Conflict("n1", "n3"))
	reset := projectiontest.Whole(w.Graph, w.Graph.ByType)
	reset.Reset = true
	if err := models.Commit(t.Context(), "g", eventstore.Position{}, reset); err != nil {
		t.Fatal(err)
	}
	at := w.Graph.Position
	viewport := &projection.Update{To: reset.To, Viewport: w.Graph.Value(projection.Viewport, projection.ViewportID)}
	slot, waits := cluster.Slot(t, store.Keys().Events("g")), 0
	for _, node := range cluster.Masters {
		cluster.MoveSlot(t, slot, node, func() {
			for _, update := range []*projection.Update{viewport, reset} { // each leads to where it starts
				if err := models.Commit(t.Context(), "g", at, update); errors.Is(err, eventstore.ErrUnavailable) {
					waits++
				} else if err != nil {
					t.Errorf("commit: %v", err)
				}
				projectiontest.Cured(t, models, w.Graph)
			}
		})
	}
	t.Logf("%d commits had to wait", waits)
}
