package projectiontest

import (
	"context"
	"math/rand/v2"
	"strconv"
	"testing"

	"graphy/eventstore"
	"graphy/projection"
)

// LongHistory appends so many events over 1,000 nodes, their creation and then moves, and saves a snapshot of every
// 1,000th state.
func LongHistory(t testing.TB, log eventstore.Log, snapshots projection.Snapshots, graph string, events int) {
	t.Helper()
	w := NewWriter(graph, rand.New(rand.NewPCG(7, 7)))
	for range events / 1000 {
		page := make([]eventstore.Event, 1000)
		var nodes []string
		if w.Graph.Position.Version > 0 {
			nodes = w.ids(projection.Node)
		}
		for i := range page {
			if nodes == nil {
				page[i] = w.CreateNode()
			} else {
				page[i] = w.Move(nodes[w.rand.IntN(len(nodes))])
			}
		}
		Append(t, log, graph, page...)
		snapshot, err := w.Graph.Snapshot()
		if err == nil {
			err = snapshots.Save(context.Background(), graph, snapshot)
		}
		if err != nil {
			t.Fatalf("snapshot of version %d: %v", w.Graph.Position.Version, err)
		}
	}
}

// BenchmarkAt times the state at versions of a log of 100,000 events over 1,000 nodes with a snapshot at every 1,000th:
// right at a snapshot, in the middle between two, and right before the next, which is the worst; and how many events are
// read for it.
func BenchmarkAt(b *testing.B, log eventstore.Log, snapshots projection.Snapshots) {
	const events = 100_000
	LongHistory(b, log, snapshots, "g", events)
	for _, version := range []eventstore.Version{50_000, 50_500, 50_999, 99_999} {
		b.Run("version="+strconv.Itoa(int(version)), func(b *testing.B) {
			counting := &countingLog{Log: log}
			b.ReportAllocs()
			for b.Loop() {
				counting.events, counting.calls = 0, 0
				if g, err := projection.At(b.Context(), counting, snapshots, "g", version); err != nil || g.Position.Version != version {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(counting.events), "events-read/op")
			b.ReportMetric(float64(counting.calls), "reads/op")
		})
	}
}

// countingLog counts what was read.
type countingLog struct {
	eventstore.Log
	events, calls int
}

func (l *countingLog) Read(ctx context.Context, stream string, after eventstore.Version, limit int) ([]eventstore.Event, error) {
	events, err := l.Log.Read(ctx, stream, after, limit)
	l.events += len(events)
	l.calls++
	return events, err
}
