package redis_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"graphy/eventstore"
	log "graphy/eventstore/redis"
	"graphy/eventstore/redis/redistest"
	"graphy/projection"
	"graphy/projection/projectiontest"
	"graphy/projection/redis"
)

func source(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 5)) }

// TestI5ReadersNeverSeeHalfABatch: every event moves two nodes to one place and draws or removes an edge between
// them; whatever is read while events pour in is of one version whole.
func TestI5ReadersNeverSeeHalfABatch(t *testing.T) {
	store, client := open(t, redistest.Start(t))
	models := redis.New(client, store.Keys(), redis.Options{})
	w := projectiontest.NewWriter("g", source(1))
	projectiontest.Append(t, store, "g", w.CreateNode(), w.CreateNode(), w.Both(-1))
	projector := projectiontest.Project(t, store, models, projection.ProjectorOptions{Linger: time.Nanosecond})
	projectiontest.Await(t, projector, w.Graph)

	ctx, cancel := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for ctx.Err() == nil {
				checkWhole(t, models)
			}
		})
	}
	for i := range 300 {
		projectiontest.Append(t, store, "g", w.Both(i))
	}
	projectiontest.Await(t, projector, w.Graph)
	cancel()
	readers.Wait()
	projectiontest.Same(t, models, w.Graph)
}

func checkWhole(t *testing.T, models *redis.Models) {
	ctx := context.Background()
	graph, err := models.Load(ctx, "g") // fails if checksum and entities are of different versions
	if err != nil {
		t.Errorf("load: %v", err)
		return
	}
	nodes, err := models.Entities(ctx, "g", projection.Node)
	if err != nil || len(nodes) != 2 {
		t.Errorf("nodes: got %d, %v", len(nodes), err)
		return
	}
	var loaded []jsontext.Value
	for _, node := range graph.All(projection.Node) {
		loaded = append(loaded, node)
	}
	for _, pair := range [][]jsontext.Value{nodes, loaded} {
		a, b := projection.Member(pair[0], "position"), projection.Member(pair[1], "position")
		if string(a) != string(b) {
			t.Errorf("half a batch: %s and %s", a, b)
		}
	}
	edges, found, err := models.Incident(ctx, "g", "n1")
	if err != nil || !found {
		t.Errorf("edges at n1: got %v, %v", found, err)
	}
	for _, edge := range edges {
		if edge == nil {
			t.Error("an edge in the set and not in the hash")
		}
	}
}

// TestI3ServerFailsUnderLoad: the server is killed, frozen and stopped while two projectors work; in the end the read
// models are the fold of what the log holds.
func TestI3ServerFailsUnderLoad(t *testing.T) {
	server := redistest.StartOwn(t, "--appendfsync", "always")
	store, client := open(t, server)
	models := redis.New(client, store.Keys(), redis.Options{Timeout: 500 * time.Millisecond})
	opts := projection.ProjectorOptions{Timeout: time.Second, Backoff: time.Millisecond}
	first := projectiontest.Project(t, store, models, opts)
	projectiontest.Project(t, log.New(server.Client(t), server.Client(t), log.Options{Prefix: store.Keys().Prefix}), models, opts)
	w := projectiontest.NewWriter("g", source(1))
	append := func(n int) {
		for range n {
			from := w.Graph.Position
			events := w.Events(3)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			result, err := store.Append(ctx, "g", from, events)
			cancel()
			if err != nil || result.Outcome != eventstore.Applied {
				t.Fatalf("append: %+v, %v", result, err)
			}
		}
	}
	faults := []struct {
		name string
		do   func()
	}{
		{"kill", func() { server.Kill(); server.Restart(t) }},
		{"freeze", func() { server.Freeze(); time.AfterFunc(700*time.Millisecond, server.Thaw) }},
		{"stop", func() { server.Stop(); server.Restart(t) }},
	}
	for _, fault := range faults {
		append(30)
		fault.do()
		append(30)
		projectiontest.Await(t, first, w.Graph)
		projectiontest.Same(t, models, w.Graph)
	}
	if parked := first.Parked(); len(parked) > 0 {
		t.Errorf("parked: %+v", parked)
	}
}

// TestI3BrokenLogParksTheGraph: an entry that was edited in place, a hole and a foreign entry.
func TestI3BrokenLogParksTheGraph(t *testing.T) {
	server := redistest.Start(t)
	store, client := open(t, server)
	models := redis.New(client, store.Keys(), redis.Options{})
	breaks := map[string]func(key string, next eventstore.Event){
		"hole": func(key string, _ eventstore.Event) {
			client.Do(t.Context(), client.B().Xdel().Key(key).Id("5-0").Build())
		},
		"foreign": func(key string, _ eventstore.Event) {
			client.Do(t.Context(), client.B().Xadd().Key(key).Id("11-0").FieldValue().FieldValue("x", "y").Build())
		},
		"flipped": func(key string, next eventstore.Event) { // it folds, but does not chain
			client.Do(t.Context(), client.B().Xadd().Key(key).Id("11-0").FieldValue().FieldValue("event", string(next.Data)).
				FieldValue("hash", "00000000000000000000000000000000").Build())
		},
	}
	for name, break_ := range breaks {
		w := projectiontest.NewWriter(name, source(1))
		projectiontest.Append(t, store, name, w.Events(10)...)
		break_(store.Keys().Events(name), w.Random())
	}
	well := projectiontest.NewWriter("well", source(2))
	projectiontest.Append(t, store, "well", well.Events(10)...)
	projector := projectiontest.Project(t, store, models, projection.ProjectorOptions{Backoff: time.Millisecond})
	projectiontest.Await(t, projector, well.Graph)
	projectiontest.Same(t, models, well.Graph)
	deadline := time.Now().Add(20 * time.Second)
	for len(projector.Parked()) < len(breaks) && time.Now().Before(deadline) {
		time.Sleep(5 * time.Millisecond)
	}
	for _, parked := range projector.Parked() {
		want := eventstore.Version(11)
		if parked.Graph == "hole" {
			want = 5
		}
		if parked.Version != want {
			t.Errorf("%s: parked at %d (%s), want %d", parked.Graph, parked.Version, parked.Cause, want)
		}
		if checkpoint, err := models.Checkpoint(t.Context(), parked.Graph); err != nil || checkpoint.Stalled == "" || checkpoint.Version != want-1 {
			t.Errorf("%s: checkpoint %+v, %v, want version %d, stalled", parked.Graph, checkpoint, err, want-1)
		}
	}
	if got := len(projector.Parked()); got != len(breaks) {
		t.Errorf("got %d parked, want %d", got, len(breaks))
	}
	letters, err := client.Do(t.Context(), client.B().Xrange().Key(store.Keys().DeadLetters()).Start("-").End("+").Build()).AsXRange()
	if err != nil || len(letters) != len(breaks) {
		t.Errorf("dead letters: got %v, %v, want %d", letters, err, len(breaks))
	}
}

// TestDeleteLeavesNoKey: I10, as far as Redis goes.
func TestI10DeleteLeavesNoKey(t *testing.T) {
	server := redistest.StartOwn(t)
	store, client := open(t, server)
	models := redis.New(client, store.Keys(), redis.Options{})
	w := projectiontest.NewWriter("g", source(1))
	projectiontest.Append(t, store, "g", w.Events(300)...)
	projector := projectiontest.Project(t, store, models, projection.ProjectorOptions{})
	projectiontest.Await(t, projector, w.Graph)
	if err := store.Delete(t.Context(), "g"); err != nil {
		t.Fatal(err)
	}
	if err := models.Delete(t.Context(), "g"); err != nil {
		t.Fatal(err)
	}
	keys, err := client.Do(t.Context(), client.B().Keys().Pattern("*").Build()).AsStrSlice()
	if err != nil || len(keys) > 0 {
		t.Errorf("keys left: %v, %v", keys, err)
	}
}

// TestRebuildOfDamagedKeys: whatever was done to the keys, the log brings them back, and no stale set stays behind.
func TestRebuildOfDamagedKeys(t *testing.T) {
	store, client := open(t, redistest.Start(t))
	models := redis.New(client, store.Keys(), redis.Options{})
	w := projectiontest.NewWriter("g", source(3))
	projectiontest.Append(t, store, "g", w.Events(300)...)
	ctx, cancel := context.WithCancel(t.Context())
	projector := projection.NewProjector(store, models, projection.ProjectorOptions{})
	done := make(chan error)
	go func() { done <- projector.Run(ctx) }()
	projectiontest.Await(t, projector, w.Graph)
	cancel()
	<-done
	keys := store.Keys()
	client.Do(t.Context(), client.B().Hset().Key(keys.Nodes("g")).FieldValue().FieldValue("extra", `{"id":"extra"}`).Build())
	client.Do(t.Context(), client.B().Sadd().Key(keys.Incident("g", "extra")).Member("nothing").Build())
	client.Do(t.Context(), client.B().Del().Key(keys.Edges("g")).Build())

	again := projectiontest.Project(t, store, models, projection.ProjectorOptions{})
	projectiontest.Append(t, store, "g", w.Random())
	projectiontest.Await(t, again, w.Graph)
	projectiontest.Same(t, models, w.Graph)
	if left, err := client.Do(t.Context(), client.B().Exists().Key(keys.Incident("g", "extra")).Build()).AsInt64(); err != nil || left != 0 {
		t.Errorf("the set of a node that is not there: %d, %v", left, err)
	}
}

// TestI11WrongTypeHarmsNobodyElse: a state key of another type, which no rebuild gets past.
func TestI11WrongTypeHarmsNobodyElse(t *testing.T) {
	store, client := open(t, redistest.Start(t))
	models := redis.New(client, store.Keys(), redis.Options{})
	sick, well := projectiontest.NewWriter("sick", source(1)), projectiontest.NewWriter("well", source(2))
	client.Do(t.Context(), client.B().Set().Key(store.Keys().State("sick")).Value("x").Build())
	projectiontest.Append(t, store, "sick", sick.Events(5)...)
	projectiontest.Append(t, store, "well", well.Events(5)...)
	projector := projectiontest.Project(t, store, models, projection.ProjectorOptions{Shards: 1, Backoff: time.Millisecond})
	projectiontest.Await(t, projector, well.Graph) // found by the sweep, as nobody rang after the start
	projectiontest.Same(t, models, well.Graph)
	client.Do(t.Context(), client.B().Del().Key(store.Keys().State("sick")).Build())
	projectiontest.Await(t, projector, sick.Graph)
	projectiontest.Same(t, models, sick.Graph)
}

// writers returns writers of 16 graphs of 200 nodes, which are in the log.
func writers(b *testing.B, store *log.Store) (writers []*projectiontest.Writer) {
	for i := range 16 {
		w := projectiontest.NewWriter(fmt.Sprint("g", i), source(uint64(i)))
		var events []eventstore.Event
		for range 200 {
			events = append(events, w.CreateNode())
		}
		projectiontest.Append(b, store, w.Graph.ID, events...)
		writers = append(writers, w)
	}
	return writers
}

func bursts(writers []*projectiontest.Writer, n int) (bursts [][]eventstore.Event) {
	for range n {
		for _, w := range writers {
			var events []eventstore.Event
			for i := range 20 {
				events = append(events, w.Move(fmt.Sprint("n", 1+2*i)))
			}
			bursts = append(bursts, events)
		}
	}
	return bursts
}

// BenchmarkLive is moves on 16 graphs in bursts of 20, one after the other, from append to commit.
func BenchmarkLive(b *testing.B) {
	store, client := open(b, redistest.Start(b))
	projector := projectiontest.Project(b, store, redis.New(client, store.Keys(), redis.Options{}), projection.ProjectorOptions{})
	writers := writers(b, store)
	for _, w := range writers {
		projectiontest.Await(b, projector, w.Graph)
	}
	all := bursts(writers, 100)
	for b.Loop() {
		b.StopTimer()
		if all == nil {
			all = bursts(writers, 100)
		}
		b.StartTimer()
		for i, events := range all {
			projectiontest.Append(b, store, writers[i%16].Graph.ID, events...)
		}
		for _, w := range writers {
			projectiontest.Await(b, projector, w.Graph)
		}
		all = nil
	}
	b.ReportMetric(float64(b.N*100*16*20)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkCatchUp is a projector that starts over logs of 16 graphs and 2200 events each.
func BenchmarkCatchUp(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		store, client := open(b, redistest.Start(b))
		writers := writers(b, store)
		for i, events := range bursts(writers, 100) {
			projectiontest.Append(b, store, writers[i%16].Graph.ID, events...)
		}
		b.StartTimer()
		projector := projectiontest.Project(b, store, redis.New(client, store.Keys(), redis.Options{}), projection.ProjectorOptions{})
		for _, w := range writers {
			projectiontest.Await(b, projector, w.Graph)
		}
	}
	b.ReportMetric(float64(b.N*16*2200)/b.Elapsed().Seconds(), "events/s")
}
