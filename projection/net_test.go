package projection_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"

	"graphy/eventstore"
	"graphy/projection"
	"graphy/projection/projectiontest"
)

// entities is what changes can change of a graph.
func entities(g *projection.Graph) string {
	var b strings.Builder
	for _, kind := range []projection.Kind{projection.Node, projection.Edge} {
		for id, value := range g.All(kind) {
			fmt.Fprintf(&b, "%s %s %s %v\n", kind, id, value, g.Incident(id))
		}
	}
	return fmt.Sprintf("%sviewport %s\n%s", b.String(), g.ViewportValue(), g.Checksum)
}

func TestNet(t *testing.T) {
	const put, patch, remove = projection.Put, projection.Patch, projection.Delete
	const node, edge, viewport = projection.Node, projection.Edge, projection.Viewport
	list := func(changes ...projection.Change) []projection.Change { return changes }
	tests := []struct {
		name        string
		given, want []projection.Change
	}{
		{"nothing", nil, nil},
		{"put", list(change(put, node, "a", `{"id":"a"}`, "")), list(change(put, node, "a", `{"id":"a"}`, ""))},
		{"patches of one property", list(change(patch, node, "a", `{"x":2}`, `{"x":1}`), change(patch, node, "a", `{"x":3}`, `{"x":2}`)),
			list(change(patch, node, "a", `{"x":3}`, `{"x":1}`))},
		{"patches of several properties", list(change(patch, node, "a", `{"b":1,"x":2}`, `{"b":0,"x":1}`), change(patch, node, "a", `{"a":4,"x":3}`, `{"a":5,"x":2}`)),
			list(change(patch, node, "a", `{"a":4,"b":1,"x":3}`, `{"a":5,"b":0,"x":1}`))},
		{"patch and back", list(change(patch, node, "a", `{"x":2}`, `{"x":1}`), change(patch, node, "a", `{"x":1}`, `{"x":2}`)), nil},
		{"patch and partly back", list(change(patch, node, "a", `{"x":2,"y":2}`, `{"x":1,"y":1}`), change(patch, node, "a", `{"x":1}`, `{"x":2}`)),
			list(change(patch, node, "a", `{"y":2}`, `{"y":1}`))},
		{"back, and away again", list(change(patch, node, "a", `{"x":2}`, `{"x":1}`), change(patch, node, "a", `{"x":1}`, `{"x":2}`), change(patch, node, "a", `{"x":3}`, `{"x":1}`)),
			list(change(patch, node, "a", `{"x":3}`, `{"x":1}`))},
		{"added, then removed", list(change(patch, node, "a", `{"x":1}`, `{"x":null}`), change(patch, node, "a", `{"x":null}`, `{"x":1}`)), nil},
		{"removed, then added", list(change(patch, node, "a", `{"x":null}`, `{"x":1}`), change(patch, node, "a", `{"x":2}`, `{"x":null}`)),
			list(change(patch, node, "a", `{"x":2}`, `{"x":1}`))},
		{"changed, then removed", list(change(patch, node, "a", `{"x":2}`, `{"x":1}`), change(patch, node, "a", `{"x":null}`, `{"x":2}`)),
			list(change(patch, node, "a", `{"x":null}`, `{"x":1}`))},
		{"added, then changed", list(change(patch, node, "a", `{"x":2}`, `{"x":null}`), change(patch, node, "a", `{"x":3}`, `{"x":2}`)),
			list(change(patch, node, "a", `{"x":3}`, `{"x":null}`))},
		{"null inside is a value", list(change(patch, node, "a", `{"x":{"y":null}}`, `{"x":1}`), change(patch, node, "a", `{"z":1}`, `{"z":null}`)),
			list(change(patch, node, "a", `{"x":{"y":null},"z":1}`, `{"x":1,"z":null}`))},
		{"names beyond ASCII keep their order", list(change(patch, node, "a", `{"😀":1}`, `{"😀":0}`), change(patch, node, "a", `{"`+"\ufb33"+`":1}`, `{"`+"\ufb33"+`":0}`)),
			list(change(patch, node, "a", `{"😀":1,"`+"\ufb33"+`":1}`, `{"😀":0,"`+"\ufb33"+`":0}`))},
		{"put, then patch", list(change(put, node, "a", `{"id":"a","x":1}`, ""), change(patch, node, "a", `{"x":null,"y":2}`, `{"x":1,"y":null}`)),
			list(change(put, node, "a", `{"id":"a","y":2}`, ""))},
		{"put, then delete", list(change(put, node, "a", `{"id":"a"}`, ""), change(remove, node, "a", "", `{"id":"a"}`)), nil},
		{"patch, then delete", list(change(patch, node, "a", `{"x":2,"y":1}`, `{"x":1,"y":null}`), change(remove, node, "a", "", `{"id":"a","x":2,"y":1}`)),
			list(change(remove, node, "a", "", `{"id":"a","x":1}`))},
		{"patch, then put", list(change(patch, node, "a", `{"x":2}`, `{"x":1}`), change(put, node, "a", `{"id":"a","y":1}`, `{"id":"a","x":2}`)),
			list(change(put, node, "a", `{"id":"a","y":1}`, `{"id":"a","x":1}`))},
		{"delete, then put of the same", list(change(remove, node, "a", "", `{"id":"a"}`), change(put, node, "a", `{"id":"a"}`, "")), nil},
		{"delete, then put: patch where that is smaller", list(change(remove, node, "a", "", `{"id":"a","title":"long enough","x":1}`), change(put, node, "a", `{"id":"a","title":"long enough","x":2}`, "")),
			list(change(patch, node, "a", `{"x":2}`, `{"x":1}`))},
		{"delete, then put: put where that is smaller", list(change(remove, node, "a", "", `{"id":"a","x":1}`), change(put, node, "a", `{"id":"a","y":1}`, "")),
			list(change(put, node, "a", `{"id":"a","y":1}`, `{"id":"a","x":1}`))},
		{"delete, put, delete", list(change(remove, node, "a", "", `{"id":"a"}`), change(put, node, "a", `{"id":"a","x":1}`, ""), change(remove, node, "a", "", `{"id":"a","x":1}`)),
			list(change(remove, node, "a", "", `{"id":"a"}`))},
		{"viewport", list(change(put, viewport, "viewport", `{"x":1,"y":0,"zoom":1}`, ""), change(put, viewport, "viewport", `{"x":2,"y":0,"zoom":1}`, `{"x":1,"y":0,"zoom":1}`)),
			list(change(put, viewport, "viewport", `{"x":2,"y":0,"zoom":1}`, ""))},
		{"viewport and back", list(change(put, viewport, "viewport", `{"x":1,"y":0,"zoom":1}`, ""), change(remove, viewport, "viewport", "", `{"x":1,"y":0,"zoom":1}`)), nil},
		{"node and edge of one id", list(change(patch, node, "a", `{"x":2}`, `{"x":1}`), change(patch, edge, "a", `{"x":1}`, `{"x":2}`)),
			list(change(patch, node, "a", `{"x":2}`, `{"x":1}`), change(patch, edge, "a", `{"x":1}`, `{"x":2}`))},
		{"order", list(
			change(put, viewport, "viewport", `{"x":1,"y":0,"zoom":1}`, ""),
			change(patch, edge, "e4", `{"target":"n2"}`, `{"target":"n1"}`),
			change(remove, edge, "e2", "", `{"id":"e2","source":"n1","target":"n1"}`),
			change(remove, edge, "e1", "", `{"id":"e1","source":"n1","target":"n1"}`),
			change(remove, node, "n1", "", `{"id":"n1"}`),
			change(put, node, "n3", `{"id":"n3"}`, ""),
			change(put, edge, "e3", `{"id":"e3","source":"n3","target":"n3"}`, ""),
			change(patch, node, "n2", `{"x":1}`, `{"x":null}`)), list(
			change(remove, edge, "e1", "", `{"id":"e1","source":"n1","target":"n1"}`),
			change(remove, edge, "e2", "", `{"id":"e2","source":"n1","target":"n1"}`),
			change(patch, node, "n2", `{"x":1}`, `{"x":null}`),
			change(put, node, "n3", `{"id":"n3"}`, ""),
			change(put, edge, "e3", `{"id":"e3","source":"n3","target":"n3"}`, ""),
			change(patch, edge, "e4", `{"target":"n2"}`, `{"target":"n1"}`),
			change(remove, node, "n1", "", `{"id":"n1"}`),
			change(put, viewport, "viewport", `{"x":1,"y":0,"zoom":1}`, ""))},
	}
	for _, test := range tests {
		var net projection.Net
		net.Add(test.given)
		if got, want := string(projection.AppendChanges(nil, net.Changes())), string(projection.AppendChanges(nil, test.want)); got != want {
			t.Errorf("%s:\n got %s\nwant %s", test.name, got, want)
		}
	}
}

func TestNetOfWholeValues(t *testing.T) {
	const one, two = `{"id":"a","title":"long enough","x":1}`, `{"id":"a","title":"long enough","x":2}`
	value := func(text string) jsontext.Value {
		if text == "" {
			return nil
		}
		return jsontext.Value(text)
	}
	tests := []struct {
		name   string
		before []projection.Change // added first
		values [][2]string         // before and after, in order
		want   string
	}{
		{"not there at all", nil, [][2]string{{"", ""}}, `[]`},
		{"unchanged", nil, [][2]string{{one, one}}, `[]`},
		{"new", nil, [][2]string{{"", one}}, `[{"op":"put","kind":"node","id":"a","value":` + one + `}]`},
		{"gone", nil, [][2]string{{one, ""}}, `[{"op":"delete","kind":"node","id":"a","was":` + one + `}]`},
		{"changed", nil, [][2]string{{one, two}}, `[{"op":"patch","kind":"node","id":"a","set":{"x":2},"was":{"x":1}}]`},
		{"there and back", nil, [][2]string{{one, two}, {two, one}}, `[]`},
		{"after a patch", []projection.Change{change(projection.Patch, projection.Node, "a", `{"x":1}`, `{"x":0}`)}, [][2]string{{one, two}},
			`[{"op":"patch","kind":"node","id":"a","set":{"x":2},"was":{"x":0}}]`},
		{"after a patch, gone", []projection.Change{change(projection.Patch, projection.Node, "a", `{"x":1}`, `{"x":null}`)}, [][2]string{{one, ""}},
			`[{"op":"delete","kind":"node","id":"a","was":{"id":"a","title":"long enough"}}]`},
	}
	for _, test := range tests {
		var net projection.Net
		net.Add(test.before)
		for _, values := range test.values {
			net.Entity(projection.Node, "a", value(values[0]), value(values[1]))
		}
		if got := string(projection.AppendChanges(nil, net.Changes())); got != test.want {
			t.Errorf("%s:\n got %s\nwant %s", test.name, got, test.want)
		}
	}
}

// fold returns the graph that events fold to.
func fold(t interface{ Fatal(...any) }, events []eventstore.Event) *projection.Graph {
	g := projection.NewGraph("g")
	if err := g.Fold(events...); err != nil {
		t.Fatal(err)
	}
	return g
}

// pastHistory draws a history in which what was deleted comes back, as undo and restore make it: random events, and
// now and then the way back to an earlier version.
func pastHistory(t *rapid.T) []eventstore.Event {
	w := writer(t)
	events := w.Events(rapid.IntRange(1, 40).Draw(t, "events"))
	for range rapid.IntRange(0, 3).Draw(t, "restores") {
		version := rapid.IntRange(0, len(events)).Draw(t, "restored version")
		events = append(events, w.Write("RESTORE", projection.Diff(w.Graph, fold(t, events[:version]))...))
		events = append(events, w.Events(rapid.IntRange(0, 20).Draw(t, "more"))...)
	}
	return events
}

// TestNetLeadsWhereTheEventsLead also goes back again, and looks at what makes net changes minimal.
func TestNetLeadsWhereTheEventsLead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := pastHistory(t)
		from := rapid.IntRange(0, len(events)).Draw(t, "from")
		to := rapid.IntRange(from, len(events)).Draw(t, "to")
		var net projection.Net
		for _, entry := range events[from:to] {
			event, err := projection.DecodeEvent(entry.Data)
			if err != nil {
				t.Fatal(err)
			}
			net.Add(event.Changes)
		}
		leadsTo(t, fold(t, events[:from]), net.Changes(), fold(t, events[:to]))
	})
}

func TestDiffLeadsFromOneGraphToTheOther(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := pastHistory(t)
		before := fold(t, events[:rapid.IntRange(0, len(events)).Draw(t, "before")])
		after := fold(t, events[:rapid.IntRange(0, len(events)).Draw(t, "after")])
		leadsTo(t, before, projection.Diff(before, after), after)
		if same := projection.Diff(after, after); len(same) > 0 {
			t.Fatalf("a graph differs from itself: %s", projection.AppendChanges(nil, same))
		}
	})
}

// leadsTo checks that changes lead from before to after and back, as an event's do, with one change for each entity
// that differs and none for others.
func leadsTo(t *rapid.T, before *projection.Graph, changes []projection.Change, after *projection.Graph) {
	text := projection.AppendChanges(nil, changes)
	event, err := projection.DecodeEvent(fmt.Appendf(nil, `{"version":1,"commandType":"X","operationId":"o","changes":%s,"checksum":"x"}`, text))
	if err != nil {
		t.Fatal(err)
	}
	start, end := entities(before), entities(after)
	seen := map[string]bool{}
	for _, c := range event.Changes {
		key := string(c.Kind) + c.ID
		if seen[key] || string(before.Value(c.Kind, c.ID)) == string(after.Value(c.Kind, c.ID)) {
			t.Fatalf("%s %s is in %s twice, or does not differ", c.Kind, c.ID, text)
		}
		seen[key] = true
	}
	if err := before.ApplyChanges(event.Changes); err != nil {
		t.Fatalf("apply %s: %v", text, err)
	}
	if got := entities(before); got != end {
		t.Fatalf("%s leads to\n%s\nwant\n%s", text, got, end)
	}
	before.RevertChanges(event.Changes)
	if got := entities(before); got != start {
		t.Fatalf("%s reverted leads to\n%s\nwant\n%s", text, got, start)
	}
}

// TestNetKeepsNothingOfTheEvents: what is handed to Add may be written over, as memory that is used again is.
func TestNetKeepsNothingOfTheEvents(t *testing.T) {
	w := projectiontest.NewWriter("g", rand.New(rand.NewPCG(3, 3)))
	var net, control projection.Net
	for _, entry := range w.Events(300) {
		kept, err := projection.DecodeEvent(entry.Data)
		if err != nil {
			t.Fatal(err)
		}
		control.Add(kept.Changes)
		data := []byte(string(entry.Data))
		event, err := projection.DecodeEvent(data)
		if err != nil {
			t.Fatal(err)
		}
		net.Add(event.Changes)
		for i := range data {
			data[i] = 'x'
		}
	}
	if got, want := string(projection.AppendChanges(nil, net.Changes())), string(projection.AppendChanges(nil, control.Changes())); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}
