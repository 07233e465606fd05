package projection_test

import (
	"math/rand/v2"
	"testing"

	log "graphy/eventstore/memory"
	"graphy/projection"
	"graphy/projection/memory"
	"graphy/projection/projectiontest"
)

// What a Gathering gathers leads the read models from where it began to where its graph stands.
func TestGathering(t *testing.T) {
	events := log.New()
	models := memory.New(events)
	writer := projectiontest.NewWriter("g", rand.New(rand.NewPCG(1, 2)))
	graph := projection.NewGraph("g")
	for range 20 {
		gathering, from := projection.Gather(graph), graph.Position
		if gathering.Update() != nil {
			t.Fatal("nothing was folded, and there is an update")
		}
		for range 3 {
			page := writer.Events(5)
			projectiontest.Append(t, events, "g", page...)
			if err := gathering.Fold(page...); err != nil {
				t.Fatal(err)
			}
		}
		if err := models.Commit(t.Context(), "g", from, gathering.Update()); err != nil {
			t.Fatal(err)
		}
		projectiontest.Same(t, models, writer.Graph)
	}
	good, poison := writer.CreateNode(), writer.Poison()
	gathering := projection.Gather(graph)
	if err := gathering.Fold(good, poison); err == nil {
		t.Fatal("a poisonous event was folded")
	}
	if update := gathering.Update(); update == nil || update.To.Position != good.Position() || graph.Position != good.Position() {
		t.Errorf("got %+v, want what leads to the last good event", update)
	}
}
