package projection_test

import (
	"math/rand/v2"
	"strconv"
	"testing"

	"graphy/eventstore"
	"graphy/projection"
	"graphy/projection/projectiontest"
)

// moves returns the graph of 200 nodes and a move of one of them.
func moves(b *testing.B) (*projection.Graph, []byte, projection.Event) {
	b.Helper()
	w := projectiontest.NewWriter("g", rand.New(rand.NewPCG(1, 1)))
	for range 200 {
		w.CreateNode()
	}
	entry := w.Move("n1")
	event, err := projection.DecodeEvent(entry.Data)
	if err != nil {
		b.Fatal(err)
	}
	w.Graph.RevertChanges(event.Changes)
	return w.Graph, entry.Data, event
}

func BenchmarkDecodeEvent(b *testing.B) {
	_, data, _ := moves(b)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := projection.DecodeEvent(data); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkApply is one change and its way back, so two writes.
func BenchmarkApply(b *testing.B) {
	graph, _, event := moves(b)
	b.ReportAllocs()
	for b.Loop() {
		if err := graph.ApplyChanges(event.Changes); err != nil {
			b.Fatal(err)
		}
		graph.RevertChanges(event.Changes)
	}
}

// BenchmarkFold is a thousand moves, with and without counting them.
func BenchmarkFold(b *testing.B) {
	w := projectiontest.NewWriter("g", rand.New(rand.NewPCG(1, 1)))
	var created, moved []eventstore.Event
	for range 200 {
		created = append(created, w.CreateNode())
	}
	for i := range 1000 {
		moved = append(moved, w.Move("n"+strconv.Itoa(1+2*(i%200))))
	}
	for _, counted := range []bool{true, false} {
		b.Run("counted="+strconv.FormatBool(counted), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				graph := projection.NewGraph("g")
				if !counted {
					graph.ByType = nil
				}
				if err := graph.Fold(created...); err != nil {
					b.Fatal(err)
				}
				if err := graph.Fold(moved...); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*1200)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

func BenchmarkDifference(b *testing.B) {
	graph, _, event := moves(b)
	before := graph.Value(projection.Node, "n1")
	after := projection.Overlay(before, event.Changes[0].Set)
	b.ReportAllocs()
	for b.Loop() {
		projection.Difference(before, after)
	}
}
