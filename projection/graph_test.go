package projection_test

import (
	"errors"
	"flag"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"

	"graphy/eventstore"
	"graphy/projection"
	"graphy/projection/projectiontest"
)

// image is all that can be seen of a graph.
func image(g *projection.Graph) string {
	var b strings.Builder
	b.Write(g.AppendState(nil))
	for id := range g.All(projection.Node) {
		b.WriteString("\n" + id + ": " + strings.Join(g.Incident(id), " "))
	}
	for id := range g.All(projection.Edge) {
		source, target := g.Ends(id)
		b.WriteString("\n" + id + ": " + source + " " + target)
	}
	b.WriteString("\n" + g.LastOperationID + "\n" + strings.Repeat("|", g.Size()%1000))
	return b.String()
}

func writer(t *rapid.T) *projectiontest.Writer {
	return projectiontest.NewWriter("g", rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)))
}

func TestFoldInPartsIsFoldAtOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := writer(t)
		events := w.Events(rapid.IntRange(1, 80).Draw(t, "events"))
		cut := rapid.IntRange(0, len(events)).Draw(t, "cut")
		whole, parts := projection.NewGraph("g"), projection.NewGraph("g")
		if err := errors.Join(whole.Fold(events...), parts.Fold(events[:cut]...), parts.Fold(events[cut:]...)); err != nil {
			t.Fatal(err)
		}
		if a, b, c := image(whole), image(parts), image(w.Graph); a != b || a != c {
			t.Fatalf("folds differ:\n%s\n\n%s\n\n%s", a, b, c)
		}
		if got, want := whole.Checksum.String(), projectiontest.Checksum(whole); got != want {
			t.Fatalf("checksum: got %s, want %s", got, want)
		}
	})
}

func TestApplyThenRevertIsIdentity(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := writer(t)
		g := projection.NewGraph("g")
		for _, entry := range w.Events(rapid.IntRange(1, 60).Draw(t, "events")) {
			event, err := projection.DecodeEvent(entry.Data)
			if err != nil {
				t.Fatal(err)
			}
			before := image(g)
			if err := g.ApplyChanges(event.Changes); err != nil {
				t.Fatal(err)
			}
			g.RevertChanges(event.Changes)
			if after := image(g); after != before {
				t.Fatalf("%s\nbefore %s\nafter  %s", entry.Data, before, after)
			}
			if err := g.Apply(&event, entry.Hash); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func change(op projection.Op, kind projection.Kind, id, value, was string) projection.Change {
	c := projection.Change{Op: op, Kind: kind, ID: id}
	if value != "" && op == projection.Patch {
		c.Set = jsontext.Value(value)
	} else if value != "" {
		c.Value = jsontext.Value(value)
	}
	if was != "" {
		c.Was = jsontext.Value(was)
	}
	return c
}

// TestI8NoDanglingEdges: whatever an event says, no fold leads to an edge without both its nodes; what is refused
// leaves no trace.
func TestI8NoDanglingEdges(t *testing.T) {
	const a, b, e = `{"id":"a"}`, `{"id":"b"}`, `{"id":"e","source":"a","target":"b"}`
	given := []projection.Change{
		change(projection.Put, projection.Node, "a", a, ""), change(projection.Put, projection.Node, "b", b, ""),
		change(projection.Put, projection.Edge, "e", e, ""),
	}
	tests := []struct {
		name    string
		changes []projection.Change
	}{
		{"edge to nothing", []projection.Change{change(projection.Put, projection.Edge, "f", `{"id":"f","source":"a","target":"x"}`, "")}},
		{"edge from nothing", []projection.Change{change(projection.Put, projection.Edge, "f", `{"id":"f","source":"x","target":"a"}`, "")}},
		{"edge without ends", []projection.Change{change(projection.Put, projection.Edge, "f", `{"id":"f"}`, "")}},
		{"edge moved away", []projection.Change{change(projection.Patch, projection.Edge, "e", `{"target":"x"}`, `{"target":"b"}`)}},
		{"edge loses its end", []projection.Change{change(projection.Patch, projection.Edge, "e", `{"target":null}`, `{"target":"b"}`)}},
		{"node deleted under an edge", []projection.Change{change(projection.Delete, projection.Node, "a", "", a)}},
		{"node deleted first", []projection.Change{change(projection.Delete, projection.Node, "a", "", a), change(projection.Delete, projection.Edge, "e", "", e)}},
		{"second change bad", []projection.Change{change(projection.Put, projection.Node, "c", `{"id":"c"}`, ""), change(projection.Delete, projection.Node, "a", "", a)}},
		{"put over nothing with was", []projection.Change{change(projection.Put, projection.Node, "c", `{"id":"c"}`, `{"id":"c"}`)}},
		{"put over something without was", []projection.Change{change(projection.Put, projection.Node, "a", a, "")}},
		{"patch of nothing", []projection.Change{change(projection.Patch, projection.Node, "c", `{"x":1}`, `{"x":null}`)}},
		{"delete of nothing", []projection.Change{change(projection.Delete, projection.Edge, "f", "", e)}},
		{"entity under another id", []projection.Change{change(projection.Put, projection.Node, "c", a, "")}},
		{"patch of the id", []projection.Change{change(projection.Patch, projection.Node, "a", `{"id":"c"}`, `{"id":"a"}`)}},
	}
	for _, test := range tests {
		g := projection.NewGraph("g")
		if err := g.ApplyChanges(given); err != nil {
			t.Fatal(err)
		}
		before := image(g)
		if err := g.ApplyChanges(test.changes); !errors.Is(err, projection.ErrEvent) {
			t.Errorf("%s: got %v, want ErrEvent", test.name, err)
		}
		if after := image(g); after != before {
			t.Errorf("%s: the refused changes left a trace:\nbefore %s\nafter  %s", test.name, before, after)
		}
	}
}

// TestWasMustBeTrue: an event whose was is not what is there would not be its own inverse.
func TestWasMustBeTrue(t *testing.T) {
	g := projection.NewGraph("g")
	if err := g.ApplyChanges([]projection.Change{change(projection.Put, projection.Node, "a", `{"id":"a","x":1}`, "")}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []projection.Change{
		change(projection.Patch, projection.Node, "a", `{"x":2}`, `{"x":3}`),
		change(projection.Patch, projection.Node, "a", `{"x":2}`, `{}`),
		change(projection.Patch, projection.Node, "a", `{"x":2}`, `{"x":1,"y":null}`),
		change(projection.Delete, projection.Node, "a", "", `{"id":"a"}`),
		change(projection.Put, projection.Node, "a", `{"id":"a"}`, `{"id":"a"}`),
	} {
		if err := g.ApplyChanges([]projection.Change{c}); !errors.Is(err, projection.ErrEvent) {
			t.Errorf("%s %s over x 1: got %v, want ErrEvent", c.Op, c.Was, err)
		}
	}
}

func TestFoldRefuses(t *testing.T) {
	w := projectiontest.NewWriter("g", rand.New(rand.NewPCG(1, 1)))
	events := w.Events(20)
	tests := []struct {
		name   string
		change func(entry *eventstore.Event)
		err    error
	}{
		{"garbage", func(e *eventstore.Event) { e.Data = []byte("{") }, projection.ErrEvent},
		{"other version inside", func(e *eventstore.Event) { e.Data = events[9].Data }, projection.ErrEvent},
		{"hole", func(e *eventstore.Event) { *e = events[11] }, projection.ErrEvent},
		{"wrong checksum", func(e *eventstore.Event) {
			event, _ := projection.DecodeEvent(e.Data)
			event.Checksum = "0000000000000000"
			e.Data = event.AppendJSON(nil)
		}, projection.ErrChecksum},
	}
	for _, test := range tests {
		g := projection.NewGraph("g")
		if err := g.Fold(events[:10]...); err != nil {
			t.Fatal(err)
		}
		before, entry := image(g), events[10]
		test.change(&entry)
		if err := g.Fold(entry); !errors.Is(err, test.err) {
			t.Errorf("%s: got %v, want %v", test.name, err, test.err)
		}
		if image(g) != before {
			t.Errorf("%s: left a trace", test.name)
		}
		if err := g.Fold(events[10:]...); err != nil {
			t.Errorf("%s: the good events after it: %v", test.name, err)
		}
	}
}

var update = flag.Bool("update", false, "rewrite the golden files")

// TestGoldenHistory holds codec, fold and checksum against a recorded history: what was written once is read for ever.
func TestGoldenHistory(t *testing.T) {
	const name = "../testdata/projection/history.jsonl"
	if *update {
		w := projectiontest.NewWriter("golden", rand.New(rand.NewPCG(42, 42)))
		var text []byte
		for _, event := range w.Events(60) {
			text = append(append(text, event.Data...), '\n')
		}
		if err := errors.Join(os.MkdirAll("../testdata/projection", 0o755), os.WriteFile(name, text, 0o644),
			os.WriteFile("../testdata/projection/state.json", append(w.Graph.AppendState(nil), '\n'), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	history, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("../testdata/projection/state.json")
	if err != nil {
		t.Fatal(err)
	}
	g := projection.NewGraph("golden")
	for line := range strings.Lines(string(history)) {
		data := []byte(strings.TrimSuffix(line, "\n"))
		entry := eventstore.Event{Version: g.Position.Version + 1, Data: data, Hash: eventstore.NextHash(g.Position.Hash, data)}
		if err := g.Fold(entry); err != nil {
			t.Fatalf("fold %s: %v", line, err)
		}
		if got, want := g.Checksum.String(), projectiontest.Checksum(g); got != want {
			t.Fatalf("version %d: checksum %s, want %s", g.Position.Version, got, want)
		}
	}
	if got := string(g.AppendState(nil)) + "\n"; got != string(want) {
		t.Errorf("state:\n got %s\nwant %s", got, want)
	}
	if !jsontext.Value(want).IsValid() {
		t.Error("the state is not JSON")
	}
}

func TestIncidentOfLoop(t *testing.T) {
	g := projection.NewGraph("g")
	if err := g.ApplyChanges([]projection.Change{change(projection.Put, projection.Node, "a", `{"id":"a"}`, ""),
		change(projection.Put, projection.Edge, "e", `{"id":"e","source":"a","target":"a"}`, "")}); err != nil {
		t.Fatal(err)
	}
	if got := g.Incident("a"); !slices.Equal(got, []string{"e"}) {
		t.Errorf("edges at a: got %v", got)
	}
	if nodes := maps.Collect(g.All(projection.Node)); len(nodes) != 1 {
		t.Errorf("nodes: got %v", nodes)
	}
}
