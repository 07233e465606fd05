package projection_test

import (
	"math/rand/v2"
	"testing"

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

func BenchmarkDifference(b *testing.B) {
	graph, _, event := moves(b)
	before := graph.Value(projection.Node, "n1")
	after := projection.Overlay(before, event.Changes[0].Set)
	b.ReportAllocs()
	for b.Loop() {
		projection.Difference(before, after)
	}
}
