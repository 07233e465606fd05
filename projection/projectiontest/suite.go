package projectiontest

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"graphy/eventstore"
	"graphy/projection"
)

// Run is the suite that read models pass. Open returns empty ones and the log that they hold commits against.
func Run(t *testing.T, open func(t *testing.T) (projection.ReadModels, eventstore.Log)) {
	t.Run("TestI3ReadModelIsFoldOfLog", func(t *testing.T) { testFold(t, open) })
	t.Run("commit", func(t *testing.T) { testCommit(t, open) })
	t.Run("stall", func(t *testing.T) { testStall(t, open) })
	t.Run("delete", func(t *testing.T) { testDelete(t, open) })
	t.Run("TestI3ConflictsComeAndGo", func(t *testing.T) { testConflicts(t, open) })
	t.Run("many entities", func(t *testing.T) { testMany(t, open) })
}

// Append writes events, which chain to the head of the log, and ends the test if they are not applied.
func Append(t testing.TB, log eventstore.Log, graph string, events ...eventstore.Event) {
	t.Helper()
	head, err := log.Head(context.Background(), graph)
	if err != nil {
		t.Fatalf("head of %q: %v", graph, err)
	}
	result, err := log.Append(context.Background(), graph, head, events)
	if err != nil || result.Outcome != eventstore.Applied {
		t.Fatalf("append to %q: %+v, %v", graph, result, err)
	}
}

// Project runs a projector until the test is over.
func Project(t testing.TB, log eventstore.Log, models projection.ReadModels, opts projection.ProjectorOptions) *projection.Projector {
	t.Helper()
	projector := projection.NewProjector(log, models, opts)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- projector.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("projector: %v", err)
		}
	})
	return projector
}

// Await waits until the read models have reached the version of graph, and ends the test if they do not.
func Await(t testing.TB, projector *projection.Projector, graph *projection.Graph) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := projector.Await(ctx, graph.ID, graph.Position.Version); err != nil {
		t.Fatalf("await version %d of %q: %v", graph.Position.Version, graph.ID, err)
	}
}

func testFold(t *testing.T, open func(t *testing.T) (projection.ReadModels, eventstore.Log)) {
	models, log := open(t)
	projector := Project(t, log, models, projection.ProjectorOptions{})
	for seed := range uint64(4) {
		source := rand.New(rand.NewPCG(seed, 1))
		writer := NewWriter("g"+string(rune('0'+seed)), source)
		for range 60 {
			Append(t, log, writer.Graph.ID, writer.Events(1+source.IntN(10))...)
			if source.IntN(6) == 0 {
				Await(t, projector, writer.Graph)
				Same(t, models, writer.Graph)
			}
		}
		Await(t, projector, writer.Graph)
		Same(t, models, writer.Graph)
		Same(t, models, Fold(t, log, writer.Graph.ID))
	}
}

// testConflicts leaves more conflicts than are kept once they are resolved, and resolves and reopens them.
func testConflicts(t *testing.T, open func(t *testing.T) (projection.ReadModels, eventstore.Log)) {
	models, log := open(t)
	projector := Project(t, log, models, projection.ProjectorOptions{Linger: time.Nanosecond})
	writer := NewWriter("g", rand.New(rand.NewPCG(5, 6)))
	Append(t, log, "g", writer.CreateNode(), writer.CreateNode())
	steps := []struct {
		event func() eventstore.Event
		times int
	}{
		{func() eventstore.Event { return writer.Conflict("n1", "n3") }, 70},
		{writer.Resolve, 60}, {writer.Reopen, 1}, {writer.Resolve, 60}, {writer.Reopen, 1}, {writer.SetPolicy, 2}, {writer.Resolve, 30},
	}
	for _, step := range steps {
		for n := range step.times {
			Append(t, log, "g", step.event())
			if n%20 == 0 {
				Await(t, projector, writer.Graph)
				Same(t, models, writer.Graph)
			}
		}
	}
	Await(t, projector, writer.Graph)
	Same(t, models, writer.Graph)
	if records := Conflicts(writer.Graph); len(records) != 100 || writer.Graph.Conflicts.Open() > 0 {
		t.Errorf("got %d records, %d open, want 100 and none", len(records), writer.Graph.Conflicts.Open())
	}
}

// first appends the creation of two nodes and an edge between them, and returns the update from nothing to there.
func first(t *testing.T, log eventstore.Log, graph string) (*Writer, *projection.Update) {
	t.Helper()
	writer := NewWriter(graph, rand.New(rand.NewPCG(1, 2)))
	Append(t, log, graph, writer.CreateNode(), writer.CreateNode())
	nodes := writer.ids(projection.Node)
	Append(t, log, graph, writer.CreateEdge(nodes[0], nodes[1]))
	return writer, Whole(writer.Graph, map[string]int64{"CREATE_NODE": 2, "CREATE_EDGE": 1})
}

// Whole returns the update that writes the whole of graph.
func Whole(graph *projection.Graph, byType map[string]int64) *projection.Update {
	update := &projection.Update{To: projection.Checkpoint{Position: graph.Position, Checksum: graph.Checksum,
		LastModified: graph.LastModified, LastOperationID: graph.LastOperationID,
		Nodes: graph.Len(projection.Node), Edges: graph.Len(projection.Edge), Policy: graph.Policy},
		Nodes: map[string]jsontext.Value{}, Edges: map[string]jsontext.Value{}, Link: map[string][]string{},
		Conflicts: maps.Collect(graph.Conflicts.All()),
		ByType:    byType, Completed: Completed(graph), Viewport: graph.Value(projection.Viewport, projection.ViewportID)}
	for id, value := range graph.All(projection.Node) {
		update.Nodes[id] = value
		if edges := graph.Incident(id); len(edges) > 0 {
			update.Link[id] = edges
		}
	}
	for id, value := range graph.All(projection.Edge) {
		update.Edges[id] = value
	}
	return update
}

func testCommit(t *testing.T, open func(t *testing.T) (projection.ReadModels, eventstore.Log)) {
	models, log := open(t)
	ctx := t.Context()
	writer, update := first(t, log, "g")
	zero, at := eventstore.Position{}, writer.Graph.Position
	other := eventstore.Position{Version: at.Version, Hash: "00000000000000000000000000000000"}

	unlogged := *update
	unlogged.To.Position = other
	ahead := *update
	ahead.To.Version++
	steps := []struct {
		name   string
		from   eventstore.Position
		update *projection.Update
		err    error
	}{
		{"from elsewhere", at, update, projection.ErrStale},
		{"to another history", zero, &unlogged, projection.ErrStale},
		{"ahead of the log", zero, &ahead, projection.ErrStale},
		{"first", zero, update, nil},
		{"again", zero, update, nil},
		{"from another history", other, update, nil}, // it is where it was to lead
		{"back to another history", other, &ahead, projection.ErrStale},
	}
	for _, step := range steps {
		if err := models.Commit(ctx, "g", step.from, step.update); !errors.Is(err, step.err) {
			t.Errorf("%s: got %v, want %v", step.name, err, step.err)
		}
	}
	Same(t, models, writer.Graph)
	if records, err := models.Conflicts(ctx, "nobody"); len(records) > 0 || err != nil {
		t.Errorf("conflicts of no graph: got %s, %v", records, err)
	}
	if _, found, err := models.Incident(ctx, "g", "nobody"); found || err != nil {
		t.Errorf("edges at no node: got %v, %v", found, err)
	}
	if value, err := models.Entity(ctx, "g", projection.Node, "nobody"); value != nil || err != nil {
		t.Errorf("no node: got %s, %v", value, err)
	}

	Append(t, log, "g", writer.Conflict("n1", "n3"), writer.SetPolicy())
	settled := Whole(writer.Graph, map[string]int64{"UPDATE_NODE": 1, "SET_POLICY": 1})
	settled.Completed = 0 // none more
	if err := models.Commit(ctx, "g", at, settled); err != nil {
		t.Errorf("conflicts and policy: %v", err)
	}
	Same(t, models, writer.Graph)

	// A reset leaves nothing of what was there.
	writer.Graph.Conflicts, writer.Graph.Policy = nil, nil
	update, at = Whole(writer.Graph, map[string]int64{"CREATE_NODE": 5}), writer.Graph.Position
	reset := *update
	reset.Reset = true
	if err := models.Commit(ctx, "g", other, &reset); err != nil && !errors.Is(err, projection.ErrStale) {
		t.Errorf("reset from elsewhere: %v", err)
	}
	if err := models.Commit(ctx, "g", at, &reset); err != nil {
		t.Errorf("reset: %v", err)
	}
	Same(t, models, writer.Graph)
}

func testStall(t *testing.T, open func(t *testing.T) (projection.ReadModels, eventstore.Log)) {
	models, log := open(t)
	ctx := t.Context()
	writer, update := first(t, log, "g")
	letter := projection.DeadLetter{Graph: "g", Version: 1, Cause: "poison", Attempts: 3, Payload: []byte("{}"), Time: 1}
	for range 2 {
		if err := models.Stall(ctx, "g", eventstore.Position{}, letter); err != nil {
			t.Fatalf("stall: %v", err)
		}
	}
	if got, err := models.Checkpoint(ctx, "g"); err != nil || got.Stalled != "poison" || got.Version != 0 {
		t.Errorf("stalled: got %+v, %v", got, err)
	}
	if err := models.Commit(ctx, "g", eventstore.Position{}, update); err != nil {
		t.Fatalf("commit: %v", err)
	}
	if got, err := models.Checkpoint(ctx, "g"); err != nil || got.Stalled != "" {
		t.Errorf("a commit ends a stall: got %+v, %v", got, err)
	}
	Same(t, models, writer.Graph)
	if err := models.Stall(ctx, "g", eventstore.Position{}, letter); !errors.Is(err, projection.ErrStale) {
		t.Errorf("stall at an old checkpoint: got %v, want ErrStale", err)
	}
}

func testDelete(t *testing.T, open func(t *testing.T) (projection.ReadModels, eventstore.Log)) {
	models, log := open(t)
	ctx := t.Context()
	for range 2 {
		writer, update := first(t, log, "g")
		if err := models.Commit(ctx, "g", eventstore.Position{}, update); err != nil {
			t.Fatalf("commit: %v", err)
		}
		Same(t, models, writer.Graph)
		if err := log.Delete(ctx, "g"); err != nil {
			t.Fatalf("delete log: %v", err)
		}
		for range 2 {
			if err := models.Delete(ctx, "g"); err != nil {
				t.Fatalf("delete: %v", err)
			}
		}
		Same(t, models, projection.NewGraph("g"))
	}
}

// testMany writes, replaces and removes more than fits into one call of a script's unpack.
func testMany(t *testing.T, open func(t *testing.T) (projection.ReadModels, eventstore.Log)) {
	models, log := open(t)
	projector := Project(t, log, models, projection.ProjectorOptions{})
	writer := NewWriter("g", rand.New(rand.NewPCG(3, 4)))
	var nodes, edges []projection.Change
	for range 5000 {
		id := writer.id("n")
		nodes = append(nodes, writer.set(projection.Node, id, `{"id":"`+id+`"}`))
	}
	Append(t, log, "g", writer.Write("BATCH_UPDATE", nodes...))
	for range 5000 {
		id := writer.id("e")
		edges = append(edges, writer.set(projection.Edge, id, `{"id":"`+id+`","source":"n1","target":"n2"}`))
	}
	Append(t, log, "g", writer.Write("BATCH_UPDATE", edges...))
	Await(t, projector, writer.Graph)
	if _, err := models.Load(t.Context(), "g"); err != nil {
		t.Fatalf("load: %v", err)
	}
	Append(t, log, "g", writer.DeleteNode("n1"))
	Await(t, projector, writer.Graph)
	Same(t, models, writer.Graph)
}
