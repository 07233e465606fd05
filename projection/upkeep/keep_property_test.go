package upkeep_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"graphy/eventstore"
	"graphy/projection"
	"graphy/projection/projectiontest"
	"graphy/projection/upkeep"
)

// TestI3KeptGraphs: whatever is appended, trimmed, restored, copied, exported and imported, in whatever order: with an
// archive every version of the past is the fold of the events up to it, the log has no hole (I2), and what it holds is what
// was appended.
func TestI3KeptGraphs(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		w := inMemory().archived(newShelf())
		source := rand.New(rand.NewPCG(rapid.Uint64().Draw(r, "seed"), 1))
		histories := map[string][]eventstore.Event{}
		writers := map[string]*projectiontest.Writer{}
		graphs := []string{"g0", "g1"}
		appendTo := func(graph string, n int) {
			events := writers[graph].Events(n)
			projectiontest.Append(t, w.log, graph, events...)
			histories[graph] = append(histories[graph], events...)
		}
		for _, graph := range graphs {
			writers[graph] = projectiontest.NewWriter(graph, source)
			appendTo(graph, 120)
		}
		pick := func() string { return rapid.SampledFrom(graphs).Draw(r, "graph") }
		ok := func(err error) {
			if err != nil {
				r.Fatal(err)
			}
		}
		r.Repeat(atMost(12, map[string]func(*rapid.T){
			"append": func(*rapid.T) {
				appendTo(rapid.SampledFrom(graphs[:2]).Draw(r, "graph"), rapid.IntRange(1, 60).Draw(r, "events"))
			},
			"retain": func(*rapid.T) {
				graph := pick()
				w.follow(t, graph)
				_, err := w.keeper.Retain(t.Context(), graph, upkeep.Policy{Events: rapid.IntRange(100, 200).Draw(r, "kept")}, false)
				ok(err)
			},
			"restore": func(*rapid.T) {
				_, err := w.keeper.Restore(t.Context(), pick(), false)
				ok(err)
			},
			"copy": func(*rapid.T) {
				if len(graphs) > 4 {
					r.Skip()
				}
				from, to := pick(), fmt.Sprint("g", len(graphs))
				at := rapid.IntRange(1, len(histories[from])).Draw(r, "at")
				_, err := w.keeper.Copy(t.Context(), from, to, eventstore.Version(at))
				ok(err)
				graphs = append(graphs, to)
				histories[to] = histories[from][:at:at]
			},
			"export and import": func(*rapid.T) {
				graph := pick()
				var file bytes.Buffer
				_, err := w.keeper.Export(t.Context(), &file, names(graph), nil)
				ok(err)
				if rapid.Bool().Draw(r, "deleted before") {
					ok(w.log.Delete(t.Context(), graph))
				}
				ok(w.keeper.Import(t.Context(), &file, upkeep.ImportOptions{}, func(report upkeep.Imported) {
					if report.Outcome != "unchanged" && report.Outcome != "imported" {
						r.Fatalf("got %+v", report)
					}
				}))
			},
			"": func(*rapid.T) {
				graph := pick()
				history := histories[graph]
				now := w.all(t, w.stores.Log, graph)
				if !sameEvents(now, history) {
					r.Fatalf("%s has %d events, want %d", graph, len(now), len(history))
				}
				at := rapid.IntRange(1, len(history)).Draw(r, "version")
				want := projection.NewGraph(graph)
				ok(want.Fold(history[:at]...))
				got, err := projection.At(t.Context(), w.stores.Log, w.stores.Snapshots, graph, eventstore.Version(at))
				ok(err)
				if !bytes.Equal(got.AppendState(nil), want.AppendState(nil)) || got.Position != want.Position {
					r.Fatalf("%s at version %d: got %s\nwant %s", graph, at, got.AppendState(nil), want.AppendState(nil))
				}
				operations := 0
				held, err := w.log.ReadBackward(t.Context(), graph, 0, 100_000)
				ok(err)
				for _, event := range held {
					decoded, err := projection.DecodeEvent(event.Data)
					ok(err)
					operations += len(decoded.OperationIDs())
				}
				if count, err := w.log.Indexed(t.Context(), graph); err != nil || count != int64(operations) {
					r.Fatalf("%s: %d operations in the index, %v, want %d", graph, count, err, operations)
				}
			},
		}))
	})
}

// atMost lets a run take so many actions: each is as much work as many of another model.
func atMost(steps int, actions map[string]func(*rapid.T)) map[string]func(*rapid.T) {
	for name, act := range actions {
		actions[name] = func(r *rapid.T) {
			if name != "" {
				steps--
			}
			if steps >= 0 {
				act(r)
			}
		}
	}
	return actions
}
