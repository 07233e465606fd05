package projectiontest

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"

	"github.com/cespare/xxhash/v2"
	"github.com/go-json-experiment/json/jsontext"

	"graphy/eventstore"
	"graphy/projection"
)

// Checksum computes a graph's checksum from the definition in the contract with clients.
func Checksum(graph *projection.Graph) string {
	var sum uint64
	for _, kind := range []projection.Kind{projection.Node, projection.Edge, projection.Viewport} {
		for id, value := range graph.All(kind) {
			if kind == projection.Viewport && string(value) == projection.DefaultViewport {
				continue
			}
			canonical, err := projection.Canonical(value)
			if err != nil {
				panic(err)
			}
			sum += xxhash.Sum64String(string(kind) + "\n" + id + "\n" + string(canonical))
		}
	}
	return fmt.Sprintf("%016x", sum)
}

// Conflicts returns the records of a graph's conflict log, in order.
func Conflicts(graph *projection.Graph) (records []jsontext.Value) {
	for _, record := range graph.Conflicts.All() {
		records = append(records, record)
	}
	return records
}

// Fold returns what the whole log of a graph folds to.
func Fold(t testing.TB, log eventstore.Log, graph string) *projection.Graph {
	t.Helper()
	folded := projection.NewGraph(graph)
	for {
		events, err := log.Read(context.Background(), graph, folded.Position.Version, 500)
		if err == nil {
			err = eventstore.VerifyChain(graph, folded.Position, events)
		}
		if err == nil {
			err = folded.Fold(events...)
		}
		if err != nil {
			t.Fatalf("fold of %q: %v", graph, err)
		}
		if len(events) == 0 {
			return folded
		}
	}
}

// Same checks that everything the read models say of a graph is what want says: the state byte for byte, each entity,
// the edges at each node, checksum, checkpoint and counts.
func Same(t testing.TB, models projection.ReadModels, want *projection.Graph) {
	t.Helper()
	ctx := context.Background()
	got, err := models.Load(ctx, want.ID)
	if err != nil {
		t.Errorf("load %q: %v", want.ID, err)
		return
	}
	if a, b := string(got.AppendState(nil)), string(want.AppendState(nil)); a != b {
		t.Errorf("graph %q:\n got %s\nwant %s", want.ID, a, b)
	}
	checkpoint, err := models.Checkpoint(ctx, want.ID)
	if string(checkpoint.Policy) != string(want.Policy) || string(got.Policy) != string(want.Policy) {
		t.Errorf("policy of %q: got %s, loaded %s, want %s", want.ID, checkpoint.Policy, got.Policy, want.Policy)
	}
	checkpoint.Stalled, checkpoint.Policy = "", nil
	wantCheckpoint := projection.Checkpoint{Position: want.Position, Checksum: want.Checksum, LastModified: want.LastModified,
		LastOperationID: want.LastOperationID, Nodes: want.Len(projection.Node), Edges: want.Len(projection.Edge)}
	if err != nil || !reflect.DeepEqual(checkpoint, wantCheckpoint) {
		t.Errorf("checkpoint of %q: got %+v, %v, want %+v", want.ID, checkpoint, err, wantCheckpoint)
	}
	for _, kind := range []projection.Kind{projection.Node, projection.Edge} {
		values, err := models.Entities(ctx, want.ID, kind)
		if err != nil || len(values) != want.Len(kind) {
			t.Errorf("%ss of %q: got %d, %v, want %d", kind, want.ID, len(values), err, want.Len(kind))
		}
	}
	for id := range want.All(projection.Node) {
		var ids []string
		edges, found, err := models.Incident(ctx, want.ID, id)
		for _, edge := range edges {
			ids = append(ids, projection.Text(projection.Member(edge, "id")))
		}
		if wantIDs := want.Incident(id); err != nil || !found || !slices.Equal(ids, wantIDs) {
			t.Errorf("edges at %q of %q: got %v, %v, %v, want %v", id, want.ID, ids, found, err, wantIDs)
		}
	}
	records, err := models.Conflicts(ctx, want.ID)
	if a, b := fmt.Sprintf("%s", records), fmt.Sprintf("%s", Conflicts(want)); err != nil || a != b {
		t.Errorf("conflicts of %q:\n got %s, %v\nwant %s", want.ID, a, err, b)
	}
	if a, b := fmt.Sprintf("%s", Conflicts(got)), fmt.Sprintf("%s", Conflicts(want)); a != b || got.Conflicts.Open() != want.Conflicts.Open() {
		t.Errorf("loaded conflicts of %q:\n got %s\nwant %s", want.ID, a, b)
	}
	stats, err := models.Stats(ctx, want.ID)
	if err != nil || stats.Events != int64(want.Position.Version) || stats.Completed != Completed(want) {
		t.Errorf("stats of %q: got %d events, %d completed, %v, want %d and %d", want.ID, stats.Events, stats.Completed, err,
			want.Position.Version, Completed(want))
	}
	if !maps.Equal(got.ByType, stats.ByType) {
		t.Errorf("events of %q by type: loaded %v, stats %v", want.ID, got.ByType, stats.ByType)
	}
}
