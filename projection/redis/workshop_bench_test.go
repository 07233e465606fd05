package redis_test

import (
	"fmt"
	"testing"
	"time"

	log "graphy/eventstore/redis"
	"graphy/eventstore/redis/redistest"
	"graphy/projection"
	"graphy/projection/projectiontest"
	"graphy/projection/redis"
)

// BenchmarkWorkshop is a graph of so many nodes, each with an edge to the next: looked at; and built anew, all of it, whose
// last step is what readers and writers may have to wait for.
func BenchmarkWorkshop(b *testing.B) {
	for _, nodes := range []int{100, 1000, 20_000} {
		store, client := open(b, redistest.Start(b))
		models := redis.New(client, store.Keys(), redis.Options{Timeout: time.Minute})
		graph := chain(b, store, nodes)
		if err := projectiontest.Swap(models, graph, nil); err != nil {
			b.Fatal(err)
		}
		want := projection.ContentsOf(graph)
		b.Run(fmt.Sprintf("nodes=%d/inspect", nodes), func(b *testing.B) {
			b.ReportAllocs()
			before := redisCPU(b, client)
			for b.Loop() {
				live, err := models.Inspect(b.Context(), "g", nil)
				if err != nil {
					b.Fatal(err)
				}
				live.Compare(want, func(m projection.Mismatch) bool { b.Fatalf("got %+v", m); return false })
			}
			b.ReportMetric(float64((redisCPU(b, client)-before).Microseconds())/1000/float64(b.N), "redis-ms/op")
		})
		b.Run(fmt.Sprintf("nodes=%d/rebuild", nodes), func(b *testing.B) {
			b.ReportAllocs()
			var swaps time.Duration
			before := redisCPU(b, client)
			for b.Loop() {
				staged, err := models.Stage(b.Context(), "g", want, nil)
				if err != nil {
					b.Fatal(err)
				}
				start := time.Now()
				if err := staged.Swap(b.Context(), nil); err != nil {
					b.Fatal(err)
				}
				swaps += time.Since(start)
			}
			b.ReportMetric(float64(swaps.Microseconds())/1000/float64(b.N), "swap-ms/op")
			b.ReportMetric(float64((redisCPU(b, client)-before).Microseconds())/1000/float64(b.N), "redis-ms/op")
		})
	}
}

// chain appends a graph of nodes in a row.
func chain(b *testing.B, store *log.Store, nodes int) *projection.Graph {
	w := projectiontest.NewWriter("g", source(1))
	var ids []string
	for len(ids) < nodes {
		var changes []projection.Change
		for range min(1000, nodes-len(ids)) {
			id := fmt.Sprint("n", len(ids))
			value := fmt.Appendf(nil, `{"createdAt":1760000000000,"id":%q,"position":{"x":%d,"y":40},"title":"a node","updatedAt":1760000000000}`, id, len(ids))
			changes = append(changes, projection.Change{Op: projection.Put, Kind: projection.Node, ID: id, Value: value})
			ids = append(ids, id)
		}
		projectiontest.Append(b, store, "g", w.Write("BATCH", changes...))
	}
	for from := 1; from < nodes; from += 1000 {
		var changes []projection.Change
		for n := from; n < min(from+1000, nodes); n++ {
			value := fmt.Appendf(nil, `{"id":"e%d","source":%q,"target":%q}`, n, ids[n-1], ids[n])
			changes = append(changes, projection.Change{Op: projection.Put, Kind: projection.Edge, ID: fmt.Sprint("e", n), Value: value})
		}
		projectiontest.Append(b, store, "g", w.Write("BATCH", changes...))
	}
	return w.Graph
}
