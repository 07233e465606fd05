package projectiontest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"graphy/eventstore"
	"graphy/projection"
)

// Shop is read models, and the workshop that repairs them.
type Shop interface {
	projection.ReadModels
	projection.Workshop
}

// RunWorkshop is the suite that workshops pass. Open returns empty read models, the log that they hold what they write
// against, and somebody to damage them.
func RunWorkshop(t *testing.T, open func(t *testing.T) (Shop, eventstore.Log, Vandal)) {
	t.Run("inspect", func(t *testing.T) { testInspect(t, open) })
	t.Run("TestI3DamageIsNamedAndCured", func(t *testing.T) { testCure(t, open) })
	t.Run("from nothing", func(t *testing.T) { testFromNothing(t, open) })
	t.Run("sets of lost nodes", func(t *testing.T) { testLostNodes(t, open) })
	t.Run("swap refuses", func(t *testing.T) { testSwapRefuses(t, open) })
	t.Run("swap leads on", func(t *testing.T) { testLeadsOn(t, open) })
	t.Run("log of another history", func(t *testing.T) { testOtherLog(t, open) })
	t.Run("stalled", func(t *testing.T) { testSwapEndsStall(t, open) })
	t.Run("big", func(t *testing.T) { testBigSwap(t, open) })
}

// Differences returns what Inspect finds in the read models of a graph that is not as it should be.
func Differences(t testing.TB, shop projection.Workshop, want *projection.Graph) (found []projection.Mismatch, live *projection.Contents) {
	t.Helper()
	var nodes []string
	for id := range want.All(projection.Node) {
		nodes = append(nodes, id)
	}
	live, err := shop.Inspect(context.Background(), want.ID, nodes)
	if err != nil {
		t.Fatalf("inspect %q: %v", want.ID, err)
	}
	live.Compare(projection.ContentsOf(want), func(m projection.Mismatch) bool {
		found = append(found, m)
		return true
	})
	return found, live
}

// Cured checks that the read models are what want says, to the byte.
func Cured(t testing.TB, shop Shop, want *projection.Graph) {
	t.Helper()
	if found, _ := Differences(t, shop, want); len(found) > 0 {
		t.Errorf("%q at version %d: %+v", want.ID, want.Position.Version, found)
	}
	Same(t, shop, want)
}

// Swap stages want beside live, and puts it in.
func Swap(shop projection.Workshop, want *projection.Graph, live *projection.Contents) error {
	staged, err := shop.Stage(context.Background(), want.ID, projection.ContentsOf(want), live)
	if err != nil {
		return err
	}
	if err := staged.Swap(context.Background(), nil); err != nil {
		return errors.Join(err, staged.Discard(context.Background()))
	}
	return nil
}

// given returns a writer of a history that is in the log, and in the read models.
func given(t testing.TB, shop Shop, log eventstore.Log, graph string, source *rand.Rand, events int) *Writer {
	t.Helper()
	w := NewWriter(graph, source)
	Append(t, log, graph, w.Events(events)...)
	commit(t, shop, w, eventstore.Position{})
	return w
}

// commit writes the whole of a writer's graph.
func commit(t testing.TB, shop Shop, w *Writer, from eventstore.Position) {
	t.Helper()
	update := Whole(w.Graph, maps.Clone(w.Graph.ByType))
	update.Reset = true
	if err := shop.Commit(context.Background(), w.Graph.ID, from, update); err != nil {
		t.Fatalf("commit: %v", err)
	}
}

func testInspect(t *testing.T, open func(t *testing.T) (Shop, eventstore.Log, Vandal)) {
	shop, log, _ := open(t)
	Cured(t, shop, projection.NewGraph("nobody"))
	w := given(t, shop, log, "g", rand.New(rand.NewPCG(1, 9)), 300)
	Cured(t, shop, w.Graph)
	live, err := shop.Inspect(t.Context(), "g", nil)
	if err != nil || len(live.Nodes) != w.Graph.Len(projection.Node) || len(live.Incident) == 0 || live.ByType["CREATE_NODE"] == 0 {
		t.Errorf("inspect: got %+v, %v", live, err)
	}

	// A node that is gone has its set looked at where it is named.
	Append(t, log, "g", w.DeleteNode(w.pick(w.ids(projection.Node))))
	if found, _ := Differences(t, shop, w.Graph); len(found) < 4 {
		t.Errorf("a node too many: got %+v", found)
	}
	heard := 0
	live.Compare(projection.ContentsOf(w.Graph), func(projection.Mismatch) bool {
		heard++
		return heard < 2
	})
	if heard != 2 {
		t.Errorf("reported %d times, want 2", heard)
	}
}

// testFromNothing builds read models that are not there, with and without a look at that, and while a projector comes.
func testFromNothing(t *testing.T, open func(t *testing.T) (Shop, eventstore.Log, Vandal)) {
	shop, log, _ := open(t)
	for i, inspected := range []bool{true, false} {
		w := NewWriter(fmt.Sprint("g", i), rand.New(rand.NewPCG(4, 4)))
		Append(t, log, w.Graph.ID, w.Events(100)...)
		_, live := Differences(t, shop, w.Graph)
		if !inspected {
			live = nil
		}
		if err := Swap(shop, w.Graph, live); err != nil {
			t.Fatalf("swap: %v", err)
		}
		Cured(t, shop, w.Graph)
	}
	w := NewWriter("late", rand.New(rand.NewPCG(5, 5)))
	Append(t, log, "late", w.Events(50)...)
	_, live := Differences(t, shop, w.Graph)
	old := NewWriter("late", rand.New(rand.NewPCG(5, 5)))
	old.Events(50)
	Append(t, log, "late", w.Events(50)...)
	commit(t, shop, old, eventstore.Position{})
	if err := Swap(shop, w.Graph, live); !errors.Is(err, projection.ErrStale) {
		t.Errorf("swap of what was inspected before a commit: got %v, want ErrStale", err)
	}
	Cured(t, shop, old.Graph)
	if err := Swap(shop, w.Graph, nil); err != nil {
		t.Errorf("swap of the whole: %v", err)
	}
	Cured(t, shop, w.Graph)
}

// testLostNodes loses nodes, and leaves their incidence sets behind with what should not be in them.
func testLostNodes(t *testing.T, open func(t *testing.T) (Shop, eventstore.Log, Vandal)) {
	shop, log, vandal := open(t)
	w := NewWriter("g", rand.New(rand.NewPCG(1, 2)))
	Append(t, log, "g", w.CreateNode(), w.CreateNode(), w.CreateNode())
	nodes := idsOf(w.Graph, projection.Node)
	Append(t, log, "g", w.CreateEdge(nodes[0], nodes[1]))
	commit(t, shop, w, eventstore.Position{})
	for _, whole := range []bool{true, false} {
		for _, node := range nodes {
			vandal.Field(t, "g", "nodes", node, "")
			vandal.Member(t, "g", node, "nobody", true)
		}
		found, live := Differences(t, shop, w.Graph)
		if len(found) != 6 {
			t.Errorf("got %+v, want three nodes and their sets", found)
		}
		if whole {
			live = nil
		}
		if err := Swap(shop, w.Graph, live); err != nil {
			t.Fatalf("swap: %v", err)
		}
		Cured(t, shop, w.Graph)
	}
}

func testSwapRefuses(t *testing.T, open func(t *testing.T) (Shop, eventstore.Log, Vandal)) {
	shop, log, _ := open(t)
	ctx := t.Context()
	w := given(t, shop, log, "g", rand.New(rand.NewPCG(1, 2)), 60)
	_, live := Differences(t, shop, w.Graph)
	old := projection.ContentsOf(w.Graph)
	first := w.Graph.Position
	stage := func(contents, live *projection.Contents) projection.Staged {
		staged, err := shop.Stage(ctx, "g", contents, live)
		if err != nil {
			t.Fatalf("stage: %v", err)
		}
		return staged
	}
	refuses := func(name string, staged projection.Staged, update *projection.Update) {
		t.Helper()
		if err := staged.Swap(ctx, update); !errors.Is(err, projection.ErrStale) {
			t.Errorf("%s: got %v, want ErrStale", name, err)
		}
		Cured(t, shop, w.Graph)
	}

	twice := stage(old, nil)
	if err := twice.Swap(ctx, nil); err != nil {
		t.Errorf("swap at the same version: %v", err)
	}
	refuses("twice", twice, nil)
	discarded := stage(old, nil)
	if err := errors.Join(discarded.Discard(ctx), discarded.Discard(ctx)); err != nil {
		t.Errorf("discard: %v", err)
	}
	refuses("discarded", discarded, nil)
	unlogged := *old
	unlogged.Checkpoint.Version++
	refuses("ahead of the log", stage(&unlogged, nil), nil)
	unlogged.Checkpoint.Position = eventstore.Position{Version: first.Version, Hash: "00000000000000000000000000000000"}
	refuses("of another history", stage(&unlogged, nil), nil)
	refuses("of nothing", stage(projection.ContentsOf(projection.NewGraph("g")), nil), nil)

	before := stage(old, live)
	Append(t, log, "g", w.Events(5)...)
	update := Whole(w.Graph, w.Graph.ByType)
	update.Reset = true
	if err := before.Swap(ctx, update); err == nil {
		t.Error("swap with a reset is no error")
	}
	commit(t, shop, w, first)
	refuses("moved", before, nil)
	refuses("behind", stage(old, nil), nil)
	uncounted := *old
	uncounted.ByType = nil
	if _, err := shop.Stage(ctx, "g", &uncounted, nil); !errors.Is(err, projection.ErrUncounted) {
		t.Errorf("stage without counts: got %v, want ErrUncounted", err)
	}
}

// testLeadsOn puts in what was staged, and in the same step what has come since.
func testLeadsOn(t *testing.T, open func(t *testing.T) (Shop, eventstore.Log, Vandal)) {
	shop, log, vandal := open(t)
	for round, whole := range []bool{false, true} {
		w := given(t, shop, log, fmt.Sprint("g", round), rand.New(rand.NewPCG(1, 2)), 60)
		id, nodes := w.Graph.ID, idsOf(w.Graph, projection.Node)
		vandal.Field(t, id, "nodes", nodes[0], `{"id":"n1"}`)
		_, live := Differences(t, shop, w.Graph)
		if whole {
			live = nil
		}
		staged, err := shop.Stage(t.Context(), id, projection.ContentsOf(w.Graph), live)
		if err != nil {
			t.Fatal(err)
		}
		edge := w.set(projection.Edge, "late", fmt.Sprintf(`{"id":"late","source":%q,"target":%q}`, nodes[0], nodes[1]))
		Append(t, log, id, w.Write("CREATE_EDGE", edge))
		update := &projection.Update{To: Whole(w.Graph, nil).To, Edges: map[string]jsontext.Value{"late": edge.Value},
			Link: map[string][]string{nodes[0]: {"late"}, nodes[1]: {"late"}}, ByType: map[string]int64{"CREATE_EDGE": 1}}
		if err := staged.Swap(t.Context(), update); err != nil {
			t.Fatalf("swap: %v", err)
		}
		Cured(t, shop, w.Graph)
	}
}

// testOtherLog has the log lose its history to a shorter one: the read models follow it back.
func testOtherLog(t *testing.T, open func(t *testing.T) (Shop, eventstore.Log, Vandal)) {
	shop, log, _ := open(t)
	given(t, shop, log, "g", rand.New(rand.NewPCG(1, 2)), 60)
	if err := log.Delete(t.Context(), "g"); err != nil {
		t.Fatal(err)
	}
	w := NewWriter("g", rand.New(rand.NewPCG(7, 2)))
	Append(t, log, "g", w.Events(20)...)
	_, live := Differences(t, shop, w.Graph)
	if err := Swap(shop, w.Graph, live); err != nil {
		t.Errorf("swap: %v", err)
	}
	Cured(t, shop, w.Graph)
}

func testSwapEndsStall(t *testing.T, open func(t *testing.T) (Shop, eventstore.Log, Vandal)) {
	shop, log, _ := open(t)
	w := given(t, shop, log, "g", rand.New(rand.NewPCG(1, 2)), 30)
	letter := projection.DeadLetter{Graph: "g", Version: 31, Cause: "poison", Attempts: 3, Payload: []byte("{}"), Time: 1}
	if err := shop.Stall(t.Context(), "g", w.Graph.Position, letter); err != nil {
		t.Fatal(err)
	}
	found, live := Differences(t, shop, w.Graph)
	if len(found) > 0 || live.Checkpoint.Stalled != "poison" {
		t.Errorf("a stalled graph: got %+v, %q", found, live.Checkpoint.Stalled)
	}
	if err := Swap(shop, w.Graph, live); err != nil {
		t.Fatal(err)
	}
	if got, err := shop.Checkpoint(t.Context(), "g"); err != nil || got.Stalled != "" {
		t.Errorf("a swap ends a stall: got %+v, %v", got, err)
	}
	Cured(t, shop, w.Graph)
}

// testBigSwap stages more than fits into one call, with a node that has more edges than fit into one.
func testBigSwap(t *testing.T, open func(t *testing.T) (Shop, eventstore.Log, Vandal)) {
	shop, log, vandal := open(t)
	w := NewWriter("g", rand.New(rand.NewPCG(3, 4)))
	var changes []projection.Change
	for n := range 5000 {
		id := fmt.Sprint("n", n)
		changes = append(changes, w.set(projection.Node, id, `{"id":"`+id+`"}`))
	}
	Append(t, log, "g", w.Write("BATCH_UPDATE", changes...))
	changes = nil
	for n := range 5000 {
		id := fmt.Sprint("e", n)
		changes = append(changes, w.set(projection.Edge, id, fmt.Sprintf(`{"id":"%s","source":"n1","target":"n%d"}`, id, n)))
	}
	Append(t, log, "g", w.Write("BATCH_UPDATE", changes...))
	for _, live := range []*projection.Contents{nil, {}} {
		if live != nil {
			vandal.Member(t, "g", "n7", "e7", false)
			vandal.Member(t, "g", "n1", "e8", false)
			if _, live = Differences(t, shop, w.Graph); live == nil {
				t.Fatal("nothing found")
			}
		}
		if err := Swap(shop, w.Graph, live); err != nil {
			t.Fatalf("swap: %v", err)
		}
		if found, _ := Differences(t, shop, w.Graph); len(found) > 0 {
			t.Errorf("got %d mismatches, the first %+v", len(found), found[0])
		}
	}
	if err := shop.Delete(t.Context(), "g"); err != nil {
		t.Fatal(err)
	}
	if found, _ := Differences(t, shop, projection.NewGraph("g")); len(found) > 0 {
		t.Errorf("left: %+v", found)
	}
}
