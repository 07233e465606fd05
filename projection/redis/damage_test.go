package redis_test

import (
	"errors"
	"maps"
	"testing"
	"time"

	"graphy/eventstore/redis/redistest"
	"graphy/projection"
	"graphy/projection/projectiontest"
	"graphy/projection/redis"
)

// TestProjectorCuresDamage: keys are damaged while a projector has the graph in memory, or before it has loaded it; what a
// commit or a load comes upon is built anew from the log.
func TestProjectorCuresDamage(t *testing.T) {
	store, client := open(t, redistest.Start(t))
	models := redis.New(client, store.Keys(), redis.Options{})
	vandal := vandal{client, store.Keys()}
	damages := map[string]func(graph string){
		"nodes":    func(graph string) { vandal.Retype(t, graph, "nodes") },
		"incident": func(graph string) { vandal.Retype(t, graph, "incident:n1") },
		"viewport": func(graph string) { vandal.Retype(t, graph, "viewport") },
		"stats":    func(graph string) { vandal.Retype(t, graph, "stats") },
		"counts":   func(graph string) { vandal.Field(t, graph, "stats", "CREATE_NODE", "garbage") },
	}
	opts := projection.ProjectorOptions{Backoff: time.Millisecond}
	var writers []*projectiontest.Writer
	before := maps.Clone(damages)
	before["counts that no commit comes upon"] = func(graph string) { vandal.Field(t, graph, "stats", "REDO", "garbage") }
	for name, damage := range before {
		w := projectiontest.NewWriter("before-"+name, source(1))
		projectiontest.Append(t, store, w.Graph.ID, w.CreateNode(), w.CreateNode())
		if err := projectiontest.Swap(models, w.Graph, nil); err != nil {
			t.Fatal(err)
		}
		damage(w.Graph.ID)
		writers = append(writers, w)
	}
	projector := projectiontest.Project(t, store, models, opts)
	for name, damage := range damages {
		w := projectiontest.NewWriter("after-"+name, source(1))
		projectiontest.Append(t, store, w.Graph.ID, w.CreateNode(), w.CreateNode())
		projectiontest.Await(t, projector, w.Graph)
		damage(w.Graph.ID)
		writers = append(writers, w)
	}
	for _, w := range writers {
		projectiontest.Append(t, store, w.Graph.ID, w.CreateEdge("n1", "n3"), w.CreateNode())
		projectiontest.Append(t, store, w.Graph.ID, w.SetViewport(1, 2))
		projectiontest.Await(t, projector, w.Graph)
		projectiontest.Cured(t, models, w.Graph)
	}
	if parked := projector.Parked(); len(parked) > 0 {
		t.Errorf("parked: %+v", parked)
	}
}

// TestDamagedCountsHideNothing: a graph is read and written to without its counts.
func TestDamagedCountsHideNothing(t *testing.T) {
	store, client := open(t, redistest.Start(t))
	models := redis.New(client, store.Keys(), redis.Options{})
	w := projectiontest.NewWriter("g", source(1))
	projectiontest.Append(t, store, "g", w.Events(20)...)
	for _, damage := range []func(vandal){
		func(v vandal) { v.Field(t, "g", "stats", "CREATE_NODE", "x") },
		func(v vandal) { v.Retype(t, "g", "stats") },
	} {
		if err := projectiontest.Swap(models, w.Graph, nil); err != nil {
			t.Fatal(err)
		}
		damage(vandal{client, store.Keys()})
		graph, err := models.Load(t.Context(), "g")
		if err != nil || graph.ByType != nil || graph.Checksum != w.Graph.Checksum {
			t.Errorf("load: got %v, want a graph without counts", err)
		}
		if _, err := models.Stats(t.Context(), "g"); !errors.Is(err, redis.ErrDamaged) {
			t.Errorf("stats: got %v, want ErrDamaged", err)
		}
	}
}

// TestI11UnreadableCheckpointParks: where nothing can be noted, the graph is parked nevertheless, until it is repaired.
func TestI11UnreadableCheckpointParks(t *testing.T) {
	store, client := open(t, redistest.Start(t))
	models := redis.New(client, store.Keys(), redis.Options{})
	vandal := vandal{client, store.Keys()}
	sick, well := projectiontest.NewWriter("sick", source(1)), projectiontest.NewWriter("well", source(2))
	projectiontest.Append(t, store, "sick", sick.Events(20)...)
	if err := projectiontest.Swap(models, sick.Graph, nil); err != nil {
		t.Fatal(err)
	}
	for _, damage := range []func(){
		func() { vandal.Retype(t, "sick", "state") },
		func() { vandal.Field(t, "sick", "state", "version", "garbage") },
	} {
		damage()
		projector := projectiontest.Project(t, store, models, projection.ProjectorOptions{Backoff: time.Millisecond, Sweep: 10 * time.Millisecond})
		projectiontest.Append(t, store, "sick", sick.Events(1)...)
		projectiontest.Append(t, store, "well", well.Events(5)...)
		projectiontest.Await(t, projector, well.Graph)
		for start := time.Now(); len(projector.Parked()) == 0; time.Sleep(time.Millisecond) {
			if time.Since(start) > 20*time.Second {
				t.Fatal("not parked")
			}
		}
		if found, _ := projectiontest.Differences(t, models, sick.Graph); len(found) == 0 || found[0].Kind != "damage" {
			t.Errorf("found %+v, want damage", found)
		}
		if err := rebuild(t, store, models, "sick", false); err != nil {
			t.Fatal(err)
		}
		projectiontest.Append(t, store, "sick", sick.Events(1)...)
		projectiontest.Await(t, projector, sick.Graph)
		projectiontest.Cured(t, models, sick.Graph)
		projectiontest.Same(t, models, well.Graph)
	}
}
