package projectiontest

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"graphy/eventstore"
	"graphy/projection"
)

// Vandal damages read models behind their back.
type Vandal interface {
	// Field sets a field of one of a graph's hashes (state, nodes, edges, viewport, conflicts, stats), or removes it if value
	// is "". It tells whether there is such a field.
	Field(t testing.TB, graph, hash, field, value string) bool

	// Member adds an edge to a node's incidence set, or removes it.
	Member(t testing.TB, graph, node, edge string, is bool)

	// Retype puts a key of another type in the place of one of a graph's hashes, or of an incidence set ("incident:n1"). It
	// is false where keys have no types.
	Retype(t testing.TB, graph, key string) bool
}

// testCure damages anything, finds it, and repairs it.
func testCure(t *testing.T, open func(t *testing.T) (Shop, eventstore.Log, Vandal)) {
	shop, log, vandal := open(t)
	rounds := 0
	rapid.Check(t, func(r *rapid.T) {
		rounds++
		source := rand.New(rand.NewPCG(rapid.Uint64().Draw(r, "seed"), 3))
		w := given(t, shop, log, fmt.Sprint("g", rounds), source, rapid.IntRange(1, 80).Draw(r, "events"))
		damages := []string{}
		for range rapid.IntRange(1, 4).Draw(r, "damages") {
			if what := damage(t, r, vandal, w.Graph); what != "" {
				damages = append(damages, what)
			}
		}
		found, live := Differences(t, shop, w.Graph)
		if (len(found) > 0) != (len(damages) > 0) {
			r.Fatalf("damaged %v, found %+v", damages, found)
		}
		if rapid.Bool().Draw(r, "whole") {
			live = nil
		}
		if err := Swap(shop, w.Graph, live); err != nil {
			r.Fatalf("damaged %v, swap: %v", damages, err)
		}
		if found, _ := Differences(t, shop, w.Graph); len(found) > 0 {
			r.Fatalf("damaged %v, still: %+v", damages, found)
		}
		Same(t, shop, w.Graph)
		from := w.Graph.Position
		Append(t, log, w.Graph.ID, w.Events(3)...)
		commit(t, shop, w, from)
		Cured(t, shop, w.Graph)
	})
}

// damage does one thing to the read models that are those of graph, and says what; "" if there was nothing to do.
func damage(t testing.TB, r *rapid.T, vandal Vandal, graph *projection.Graph) string {
	hash := rapid.SampledFrom([]string{"state", "nodes", "edges", "viewport", "conflicts", "stats", "incident"}).Draw(r, "hash")
	retype := rapid.IntRange(0, 5).Draw(r, "retype") == 0
	switch nodes := idsOf(graph, projection.Node); {
	case hash == "incident" && len(nodes) == 0:
		return ""
	case hash == "incident":
		return damageSet(t, r, vandal, graph, rapid.SampledFrom(nodes).Draw(r, "node"), retype)
	case retype:
		return said(vandal.Retype(t, graph.ID, hash), hash+" of another type")
	}
	field := rapid.SampledFrom(append(fieldsOf(graph, hash), "foreign")).Draw(r, "field")
	value := rapid.SampledFrom([]string{"", "7000", "garbage", `{"id":"x"}`}).Draw(r, "value")
	if value == "" && (field == "foreign" || hash == "viewport" && graph.Len(projection.Viewport) == 0) {
		return "" // it would undo what was done before
	}
	return said(vandal.Field(t, graph.ID, hash, field, value), fmt.Sprintf("%s.%s = %q", hash, field, value))
}

// damageSet damages the incidence set of a node.
func damageSet(t testing.TB, r *rapid.T, vandal Vandal, graph *projection.Graph, node string, retype bool) string {
	if retype {
		return said(vandal.Retype(t, graph.ID, "incident:"+node), "set of "+node+" of another type")
	}
	edges := graph.Incident(node)
	if len(edges) == 0 || rapid.Bool().Draw(r, "more") {
		vandal.Member(t, graph.ID, node, "nobody", true)
		return node + " with nobody"
	}
	edge := rapid.SampledFrom(edges).Draw(r, "edge")
	vandal.Member(t, graph.ID, node, edge, false)
	return node + " without " + edge
}

func said(done bool, what string) string {
	if !done {
		return ""
	}
	return what
}

// fieldsOf returns the fields of one of the hashes of a graph.
func fieldsOf(graph *projection.Graph, hash string) (fields []string) {
	switch hash {
	case "nodes":
		return idsOf(graph, projection.Node)
	case "edges":
		return idsOf(graph, projection.Edge)
	case "state":
		return []string{"version", "hash", "checksum", "lastModified", "lastOperationId", "nodes", "edges"}
	case "viewport":
		return []string{"x", "y", "zoom"}
	case "stats":
		return slices.Sorted(maps.Keys(graph.ByType))
	}
	for id := range graph.Conflicts.All() {
		fields = append(fields, id)
	}
	return fields
}

func idsOf(graph *projection.Graph, kind projection.Kind) (ids []string) {
	for id := range graph.All(kind) {
		ids = append(ids, id)
	}
	return ids
}
