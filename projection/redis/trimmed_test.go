package redis_test

import (
	"testing"

	"graphy/eventstore"
	"graphy/eventstore/redis/redistest"
	"graphy/projection"
	"graphy/projection/projectiontest"
	"graphy/projection/redis"
)

// TestI3RebuiltFromTrimmedStream: read models that are gone are built anew from the base and what is left of the stream,
// be it nothing.
func TestI3RebuiltFromTrimmedStream(t *testing.T) {
	server := redistest.Start(t)
	for _, floor := range []int{20, 59, 60} {
		store, client := open(t, server)
		models := redis.New(client, store.Keys(), redis.Options{})
		w := projectiontest.NewWriter("g", source(uint64(floor)))
		w.Events(floor)
		snapshot, err := w.Graph.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		rest := w.Events(60 - floor)
		r, err := store.Rewrite(t.Context(), "g", snapshot.Base())
		if err == nil {
			err = r.Write(t.Context(), rest)
		}
		if err != nil {
			t.Fatal(err)
		}
		if committed, err := r.Commit(t.Context(), eventstore.Position{}); err != nil || !committed {
			t.Fatalf("commit: %t, %v", committed, err)
		}
		projector := projectiontest.Project(t, store, models, projection.ProjectorOptions{Snapshots: projection.WithBase(models, store)})
		projectiontest.Await(t, projector, w.Graph)
		projectiontest.Same(t, models, w.Graph)
		stats, err := models.Stats(t.Context(), "g")
		if err != nil || stats.Events != 60 {
			t.Errorf("floor %d: %d events counted, %v, want 60", floor, stats.Events, err)
		}
		projectiontest.Append(t, store, "g", w.Events(5)...)
		projectiontest.Await(t, projector, w.Graph)
		projectiontest.Same(t, models, w.Graph)
	}
}
