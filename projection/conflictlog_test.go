package projection_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"

	"graphy/projection"
	"graphy/projection/projectiontest"
)

// conflictField returns an event's field conflict with one path for each of paths, "<conflict id> <entity> <path>"; the id is
// "-" for a path that was not left open.
func conflictField(paths ...string) jsontext.Value {
	var list []string
	for _, path := range paths {
		parts := strings.Fields(path)
		text := fmt.Sprintf(`{"kind":"node","id":%q,"path":%q`, parts[1], parts[2])
		if parts[0] != "-" {
			text += fmt.Sprintf(`,"conflictId":%q`, parts[0])
		}
		list = append(list, text+"}")
	}
	return jsontext.Value(`{"resolution":"mixed","paths":[` + strings.Join(list, ",") + `]}`)
}

// advance moves g on by an event without changes, which is the version after g's.
func advance(g *projection.Graph, set func(*projection.Event)) {
	e := event(g.Position.Version+1, "T")
	e.Timestamp = 1000 + int64(e.Version)
	set(&e)
	g.Advance(&e, "")
}

func leave(g *projection.Graph, paths ...string) {
	advance(g, func(e *projection.Event) { e.Conflict = conflictField(paths...) })
}

func resolve(g *projection.Graph, id, choice string) {
	advance(g, func(e *projection.Event) { e.Resolves = &projection.Resolution{ConflictID: id, Choice: choice} })
}

func reopen(g *projection.Graph, id string) {
	advance(g, func(e *projection.Event) { e.Reopens = id })
}

// states returns "<conflict id> <status>" of all records, in order, and checks what must always hold of them.
func states(t interface{ Errorf(string, ...any) }, l *projection.ConflictLog) (states []string) {
	open := 0
	for id, record := range l.All() {
		status := projection.Text(projection.Member(record, "status"))
		states = append(states, id+" "+status)
		found, isOpen := l.Record(id)
		if string(found) != string(record) || isOpen != (status == "open") || (projection.Member(record, "resolved") == nil) != isOpen {
			t.Errorf("record of %s: got %s, open %v", id, found, isOpen)
		}
		var names []string
		for name := range projection.Members(record) {
			names = append(names, string(name))
		}
		if !record.IsValid() || !slices.IsSorted(names) {
			t.Errorf("record of %s is no sorted object: %s", id, record)
		}
		if isOpen {
			open++
		}
	}
	if l.Open() != open {
		t.Errorf("open: got %d, want %d", l.Open(), open)
	}
	return states
}

func TestConflictLog(t *testing.T) {
	g := projection.NewGraph("g")
	steps := []struct {
		name string
		do   func()
		want string
	}{
		{"nothing left open", func() { leave(g, "- n1 /a") }, ""},
		{"the word is in a value", func() {
			advance(g, func(e *projection.Event) {
				e.Conflict = jsontext.Value(`{"paths":[{"kind":"node","id":"n","path":"","base":{"conflictId":"9-9"}}]}`)
			})
		}, ""},
		{"two entities, three paths", func() { leave(g, "3-0 n1 /a", "- n1 /b", "3-1 n2 /a", "3-0 n1 /c") }, "3-0 open,3-1 open"},
		{"one more", func() { leave(g, "4-0 n1 /a") }, "3-0 open,3-1 open,4-0 open"},
		{"resolve", func() { resolve(g, "3-1", "client") }, "3-0 open,3-1 resolved,4-0 open"},
		{"resolve again", func() { resolve(g, "3-1", "server") }, "3-0 open,3-1 resolved,4-0 open"},
		{"resolve unknown", func() { resolve(g, "3-7", "server") }, "3-0 open,3-1 resolved,4-0 open"},
		{"reopen", func() { reopen(g, "3-1") }, "3-0 open,3-1 open,4-0 open"},
		{"reopen what is open", func() { reopen(g, "3-1") }, "3-0 open,3-1 open,4-0 open"},
		{"reopen unknown", func() { reopen(g, "1-1") }, "3-0 open,3-1 open,4-0 open"},
		{"resolve and leave open at once", func() {
			advance(g, func(e *projection.Event) {
				e.Resolves, e.Conflict = &projection.Resolution{ConflictID: "4-0", Choice: "values"}, conflictField("11-0 n1 /a")
			})
		}, "3-0 open,3-1 open,4-0 resolved,11-0 open"},
		{"resolve all", func() { resolve(g, "3-0", "a"); resolve(g, "3-1", "b"); resolve(g, "11-0", "c") },
			"3-0 resolved,3-1 resolved,4-0 resolved,11-0 resolved"},
	}
	for _, step := range steps {
		before, kept := g.Conflicts, maps.Collect(g.Conflicts.All())
		other := projection.NewGraph("other") // goes another way from here
		other.Position, other.Conflicts = g.Position, before
		resolve(other, "3-0", "server")
		elsewhere := states(t, other.Conflicts)
		step.do()
		if got := states(t, other.Conflicts); !slices.Equal(got, elsewhere) {
			t.Errorf("%s: a log that goes another way has changed: got %s, want %s", step.name, got, elsewhere)
		}
		states(t, before)
		if got := strings.Join(states(t, g.Conflicts), ","); got != step.want {
			t.Errorf("%s: got %s, want %s", step.name, got, step.want)
		}
		if !maps.EqualFunc(maps.Collect(before.All()), kept, func(a, b jsontext.Value) bool { return string(a) == string(b) }) {
			t.Errorf("%s: the log before it has changed", step.name)
		}
	}
	want := `{"clientId":"c","conflictId":"3-0","id":"n1","kind":"node","operationId":"op",` +
		`"paths":[{"kind":"node","id":"n1","path":"/a","conflictId":"3-0"},{"kind":"node","id":"n1","path":"/c","conflictId":"3-0"}],` +
		`"resolved":{"choice":"a","timestamp":1012,"userId":"u","version":12},` +
		`"status":"resolved","timestamp":1003,"userId":"u","version":3}`
	if record, _ := g.Conflicts.Record("3-0"); string(record) != want {
		t.Errorf("record:\n got %s\nwant %s", record, want)
	}
}

// TestResolvedConflictsAreBounded: all open ones are kept, of the resolved the 100 that were resolved last; one that was
// reopened counts from its new resolution.
func TestResolvedConflictsAreBounded(t *testing.T) {
	g := projection.NewGraph("g")
	var paths []string
	for n := range 150 {
		paths = append(paths, fmt.Sprintf("1-%d n%d /a", n, n))
	}
	leave(g, paths...)
	for n := range 100 {
		resolve(g, fmt.Sprintf("1-%d", n), "server")
	}
	reopen(g, "1-0")
	resolve(g, "1-0", "client")
	resolve(g, "1-100", "server")
	gone := []string{"1-1"}
	if got := len(states(t, g.Conflicts)); got != 149 {
		t.Errorf("got %d records, want 149", got)
	}
	resolve(g, "1-101", "server")
	gone = append(gone, "1-2")
	for _, id := range gone {
		if record, open := g.Conflicts.Record(id); record != nil || open {
			t.Errorf("%s: got %s, want it dropped", id, record)
		}
	}
	if record, open := g.Conflicts.Record("1-0"); record == nil || open {
		t.Errorf("1-0, resolved again: got %s, %v", record, open)
	}
	if open := g.Conflicts.Open(); open != 48 {
		t.Errorf("got %d open, want 48", open)
	}
	reopen(g, "1-2")
	if record, _ := g.Conflicts.Record("1-2"); record != nil {
		t.Errorf("a dropped record came back: %s", record)
	}
	checkRebuilt(t, g)
}

// checkRebuilt holds the log against the one that is made of its records, now and after the next events.
func checkRebuilt(t interface{ Errorf(string, ...any) }, g *projection.Graph) {
	again := projection.NewGraph("g")
	again.Position, again.Conflicts = g.Position, projection.NewConflictLog(g.Conflicts.All())
	if g.Conflicts.Size() != again.Conflicts.Size() || (g.Conflicts == nil) != (again.Conflicts == nil) {
		t.Errorf("size: got %d, want %d", again.Conflicts.Size(), g.Conflicts.Size())
	}
	original := projection.NewGraph("g")
	original.Position, original.Conflicts = g.Position, g.Conflicts
	for id := range g.Conflicts.All() {
		resolve(original, id, "server")
		resolve(again, id, "server")
		if a, b := fmt.Sprintf("%s", projectiontest.Conflicts(again)), fmt.Sprintf("%s", projectiontest.Conflicts(original)); a != b {
			t.Errorf("the log made of its records:\n got %s\nwant %s", a, b)
			return
		}
	}
}

// TestConflictLogOfRecords: at any point of a history the log equals the one made of its own records.
func TestConflictLogOfRecords(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := writer(t)
		w.CreateNode()
		w.CreateNode()
		for range rapid.IntRange(1, 30).Draw(t, "events") {
			switch rapid.IntRange(0, 3).Draw(t, "kind") {
			case 0:
				w.Conflict("n1", "n3")
			case 1:
				w.Resolve()
			case 2:
				w.Reopen()
			case 3:
				w.Conflict("n1", "n1")
			}
		}
		states(t, w.Graph.Conflicts)
		checkRebuilt(t, w.Graph)
	})
}

func TestCompareConflicts(t *testing.T) {
	want := []string{"", "x", "2-0", "2-1", "2-10", "10-0", "10-2", "18446744073709551615-0"}
	for i := range want {
		for j := range want {
			if got := projection.CompareConflicts(want[i], want[j]); (got < 0) != (i < j) && i > 1 && j > 1 {
				t.Errorf("%q and %q: got %d", want[i], want[j], got)
			}
		}
	}
	for id := range (*projection.ConflictLog)(nil).All() {
		t.Errorf("the empty log has %s", id)
	}
}

// TestConflictOfManyPaths: what one event costs grows with its paths, not with their square.
func TestConflictOfManyPaths(t *testing.T) {
	var text strings.Builder
	for n := range 20000 {
		fmt.Fprintf(&text, `,{"kind":"node","id":"n","path":"/p%d","conflictId":"1-0"}`, n)
	}
	g := projection.NewGraph("g")
	advance(g, func(e *projection.Event) { e.Conflict = jsontext.Value(`{"paths":[` + text.String()[1:] + `]}`) })
	record, _ := g.Conflicts.Record("1-0")
	if paths := projection.Member(record, "paths"); len(paths) != text.Len()+1 {
		t.Errorf("got %d bytes of paths, want %d", len(paths), text.Len()+1)
	}
}

// BenchmarkConflictLog is one more conflict, and its resolution, where 1,000 are open.
func BenchmarkConflictLog(b *testing.B) {
	g := projection.NewGraph("g")
	for n := range 1000 {
		leave(g, fmt.Sprintf("%d-0 n /a", n+1))
	}
	b.ReportAllocs()
	for b.Loop() {
		id := fmt.Sprintf("%d-0", g.Position.Version+1)
		leave(g, id+" n /a")
		resolve(g, id, "server")
	}
}
