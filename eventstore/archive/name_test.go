package archive

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"graphy/eventstore"
)

var someGraph = rapid.Custom(func(t *rapid.T) string {
	return rapid.StringMatching(`[A-Za-z0-9._~:@-]{1,128}`).Filter(func(id string) bool { return checkGraph(id) == nil }).Draw(t, "graph")
})

func TestGraphPrefix(t *testing.T) {
	tests := []struct{ graph, want string }{
		{"board-1_x", "board-1_x/"},
		{"v1.2", "v1.2/"},
		{".hidden", "~2ehidden/"},
		{"dot.", "dot~2e/"},
		{"Aa~:@", "~41a~7e~3a~40/"},
		{strings.Repeat("a", 128), strings.Repeat("a", 128) + "/"},
		{strings.Repeat("A", 70), strings.Repeat("~41", 66) + "~/" + strings.Repeat("~41", 4) + "/"},
	}
	for _, test := range tests {
		if got := graphPrefix(test.graph); got != test.want {
			t.Errorf("%q: got %q, want %q", test.graph, got, test.want)
		}
	}
}

// Every id has a name of its own, also for who takes upper for lower case, that a Store can keep, and that no other one's
// is the beginning of.
func TestNamesOfGraphs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		one, other := someGraph.Draw(t, "one"), someGraph.Draw(t, "other")
		if rapid.Bool().Draw(t, "differ in case") {
			other = strings.ToUpper(one)
		}
		prefix := graphPrefix(one)
		if err := checkName(prefix + "x"); err != nil {
			t.Fatal(err)
		}
		for part := range strings.SplitSeq(strings.TrimSuffix(prefix, "/"), "/") {
			if strings.HasPrefix(part, ".") || strings.HasSuffix(part, ".") {
				t.Fatalf("part %q has a dot at an end", part)
			}
		}
		if got, ok := graphOf(strings.TrimSuffix(prefix, "/")); !ok || got != one {
			t.Fatalf("%q comes back as %q, %v", one, got, ok)
		}
		if lower := strings.ToLower(prefix); one != other && strings.HasPrefix(strings.ToLower(graphPrefix(other)), lower) {
			t.Fatalf("%q stands under %q", other, one)
		}
	})
}

func TestNamesOfObjects(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := history(eventstore.Position{}, 5, rapid.String().Draw(t, "mark"))
		from := rapid.IntRange(0, 3).Draw(t, "from")
		want := Segment{GraphID: someGraph.Draw(t, "graph"), From: before(events, from), To: endOf(events)}
		if got, ok := parseName(want.name()); !ok || got != want {
			t.Fatalf("%q: got %v, %v, want %v", want.name(), got, ok, want)
		}
		name := baseName(want.GraphID, want.To)
		if got, ok := parseName(name); !ok || got.From != want.To || got.To != want.To {
			t.Fatalf("%q: got %v, %v", name, got, ok)
		}
	})
}

func FuzzParseName(f *testing.F) {
	events := history(eventstore.Position{}, 2, "m")
	f.Add(Segment{GraphID: "g", To: endOf(events)}.name())
	f.Add(Segment{GraphID: "G.x", From: events[0].Position(), To: endOf(events)}.name())
	f.Add(baseName("g", endOf(events)))
	f.Add("g/00000000000000000000-0-00000000000000000000-0.events.zst")
	f.Add("~2e~2e/x.base.zst")
	f.Fuzz(func(t *testing.T, name string) {
		segment, ok := parseName(name)
		if !ok {
			return
		}
		if segment.name() != name && baseName(segment.GraphID, segment.To) != name {
			t.Fatalf("%q is read as %v", name, segment)
		}
		if checkName(name) != nil {
			t.Fatalf("%q is no name, and read as %v", name, segment)
		}
	})
}
