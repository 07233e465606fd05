package command

import (
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"

	"graphy/projection"
)

// briefly writes conflicts as kind/id path by-version base|server|client.
func briefly(paths []conflictPath) string {
	var lines []string
	for _, p := range paths {
		lines = append(lines, fmt.Sprintf("%s/%s %q @%d %s|%s|%s", p.kind, p.id, p.path, p.by.Version, orNull(p.base), orNull(p.server), orNull(p.client)))
	}
	return strings.Join(lines, "\n")
}

func orNull(value jsontext.Value) string {
	if value == nil {
		return "null"
	}
	return string(value)
}

func TestConflicts(t *testing.T) {
	update := func(patch string) string { return cmd(UpdateNode, `{"nodeId":"n1","updates":`+patch+`}`) }
	const (
		start = `{"id":"n1","title":"t0","position":{"x":0,"y":0},"data":{"a":1,"b":{"c":1,"d":1}},"tags":["x"],"é\"":{"\n":1}}`
		n1    = `{"createdAt":1000,"data":{"a":1,"b":{"c":1,"d":1}},"id":"n1","position":{"x":0,"y":0},"tags":["x"],"title":"t0","updatedAt":1000,"é\"":{"\n":1}}`
	)
	move := func(x int) string {
		return cmd(UpdateNodePosition, fmt.Sprintf(`{"nodeId":"n1","position":{"x":%d,"y":0}}`, x))
	}
	tests := []struct {
		name   string
		others []string // by tab-2, after the base, which is version 4
		own    []string // by tab-1, after those
		when   string
		then   string
	}{
		{name: "nothing since", when: update(`{"title":"b"}`)},
		{name: "equal path", others: []string{update(`{"title":"a"}`)}, when: update(`{"title":"b"}`), then: `node/n1 "/title" @5 "t0"|"a"|"b"`},
		{name: "same value", others: []string{update(`{"title":"a"}`)}, when: update(`{"title":"a"}`)},
		{name: "other property", others: []string{update(`{"title":"a"}`)}, when: update(`{"data":{"a":2}}`)},
		{name: "other node", others: []string{cmd(UpdateNode, `{"nodeId":"n2","updates":{"title":"a"}}`)}, when: update(`{"title":"b"}`)},
		{name: "title and position", others: []string{move(5)}, when: cmd(UpdateNodeTitle, `{"nodeId":"n1","title":"b"}`)},
		{name: "position whole", others: []string{move(5)}, when: cmd(UpdateNodePosition, `{"nodeId":"n1","position":{"x":0,"y":7}}`),
			then: `node/n1 "/position" @5 {"x":0,"y":0}|{"x":5,"y":0}|{"x":0,"y":7}`},
		{name: "position by updates", others: []string{move(5)}, when: update(`{"position":{"x":0,"y":7}}`),
			then: `node/n1 "/position" @5 {"x":0,"y":0}|{"x":5,"y":0}|{"x":0,"y":7}`},
		{name: "beside within data", others: []string{update(`{"data":{"a":2}}`)}, when: update(`{"data":{"b":{"c":2}}}`)},
		{name: "beside within data.b", others: []string{update(`{"data":{"b":{"d":2}}}`)}, when: update(`{"data":{"b":{"c":2}}}`)},
		{name: "path above written", others: []string{update(`{"data":{"b":null}}`)}, when: update(`{"data":{"b":{"c":2}}}`),
			then: `node/n1 "/data/b/c" @5 1|null|2`},
		{name: "object replaced above", others: []string{update(`{"data":[1]}`)}, when: update(`{"data":{"b":{"c":2}}}`),
			then: `node/n1 "/data/b/c" @5 1|null|2`},
		{name: "path below written", others: []string{update(`{"data":{"b":{"c":3}}}`)}, when: update(`{"data":{"b":null}}`),
			then: `node/n1 "/data/b" @5 {"c":1,"d":1}|{"c":3,"d":1}|null`},
		{name: "path below replaced by a scalar", others: []string{update(`{"data":{"b":{"c":3}}}`)}, when: update(`{"data":5}`),
			then: `node/n1 "/data" @5 {"a":1,"b":{"c":1,"d":1}}|{"a":1,"b":{"c":3,"d":1}}|5`},
		{name: "arrays whole", others: []string{update(`{"tags":["x","y"]}`)}, when: update(`{"tags":["x","z"]}`), then: `node/n1 "/tags" @5 ["x"]|["x","y"]|["x","z"]`},
		{name: "names that need escapes", others: []string{update(`{"é\"":{"\n":2}}`)}, when: update(`{"é\"":{"\n":3}}`), then: `node/n1 "/é\"/\n" @5 1|2|3`},
		{name: "both removed", others: []string{update(`{"title":null}`)}, when: update(`{"title":null}`)},
		{name: "removed and written", others: []string{update(`{"title":null}`)}, when: update(`{"title":"b"}`), then: `node/n1 "/title" @5 "t0"|null|"b"`},
		{name: "both put into a new object", others: []string{update(`{"new":{"a":1}}`)}, when: update(`{"new":{"b":1}}`)},
		{name: "both put the same name into a new object", others: []string{update(`{"new":{"a":1}}`)}, when: update(`{"new":{"a":2}}`), then: `node/n1 "/new/a" @5 null|1|2`},
		{name: "newest event, oldest base", others: []string{update(`{"title":"a"}`), update(`{"title":"b"}`), update(`{"tags":[]}`)}, when: update(`{"title":"c"}`),
			then: `node/n1 "/title" @6 "t0"|"b"|"c"`},
		{name: "own commands never conflict", own: []string{update(`{"title":"a"}`)}, when: update(`{"title":"b"}`)},
		{name: "several paths, some of which", others: []string{update(`{"title":"a","data":{"a":2}}`)}, when: update(`{"title":"b","data":{"a":2,"z":1},"tags":[]}`),
			then: `node/n1 "/title" @5 "t0"|"a"|"b"`},
		{name: "deleted and created again since", others: []string{cmd(DeleteNode, `{"nodeId":"n1"}`), cmd(CreateNode, `{"id":"n1","title":"a"}`)}, when: update(`{"title":"b"}`),
			then: `node/n1 "/title" @6 "t0"|"a"|"b"`},
		{name: "delete of something changed", others: []string{update(`{"title":"a"}`)}, when: cmd(DeleteNode, `{"nodeId":"n1"}`),
			then: `node/n1 "" @5 ` + n1 + `|` + strings.NewReplacer(`"t0"`, `"a"`, `"updatedAt":1000`, `"updatedAt":1004`).Replace(n1) + `|null`},
		{name: "delete of something that only got an edge", others: []string{cmd(CreateEdge, `{"id":"e2","source":"n1","target":"n2"}`)}, when: cmd(DeleteNode, `{"nodeId":"n1"}`)},
		{name: "upsert over a change", others: []string{cmd(UpdateEdge, `{"edgeId":"e1","updates":{"label":"a"}}`)}, when: cmd(BatchUpdate, `{"edges":[{"id":"e1","source":"n2","target":"n1"}]}`),
			then: `edge/e1 "/label" @5 null|"a"|null`},
		{name: "upsert to the same", others: []string{cmd(UpdateEdge, `{"edgeId":"e1","updates":{"label":"a"}}`)}, when: cmd(BatchUpdate, `{"edges":[{"id":"e1","source":"n1","target":"n2","label":"a"}]}`)},
		{name: "edge and node are different", others: []string{cmd(UpdateEdge, `{"edgeId":"e1","updates":{"label":"a"}}`)}, when: update(`{"label":"b"}`)},
		{name: "edge moved twice", others: []string{cmd(UpdateEdge, `{"edgeId":"e1","updates":{"target":"n1"}}`)}, when: cmd(UpdateEdge, `{"edgeId":"e1","updates":{"target":"n2","source":"n2"}}`),
			then: `edge/e1 "/target" @5 "n2"|"n1"|"n2"`},
		{name: "viewport whole", others: []string{cmd(UpdateViewport, `{"x":5}`)}, when: cmd(UpdateViewport, `{"y":7}`),
			then: `viewport/viewport "" @5 {"x":1,"y":0,"zoom":1}|{"x":5,"y":0,"zoom":1}|{"x":5,"y":7,"zoom":1}`},
		{name: "viewport to the same", others: []string{cmd(UpdateViewport, `{"x":5}`)}, when: cmd(UpdateViewport, `{"x":5}`)},
		{name: "in a batch", others: []string{update(`{"title":"a"}`), cmd(UpdateViewport, `{"x":5}`)},
			when: cmd(BatchUpdate, `{"operations":[`+update(`{"title":"b"}`)+`,`+update(`{"tags":[]}`)+`,`+cmd(UpdateViewport, `{"x":6}`)+`]}`),
			then: `node/n1 "/title" @5 "t0"|"a"|"b"` + "\n" + `viewport/viewport "" @6 {"x":1,"y":0,"zoom":1}|{"x":5,"y":0,"zoom":1}|{"x":6,"y":0,"zoom":1}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := given(t, cmd(CreateNode, start), cmd(CreateNode, `{"id":"n2"}`), cmd(CreateEdge, `{"id":"e1","source":"n1","target":"n2"}`), cmd(UpdateViewport, `{"x":1}`))
			for _, body := range test.others {
				if _, err := w.do("tab-2", mustParse(t, body)); err != nil {
					t.Fatal(err)
				}
			}
			for _, body := range test.own {
				if _, err := w.do("tab-1", mustParse(t, body)); err != nil {
					t.Fatal(err)
				}
			}
			c := mustParse(t, test.when)
			c.HasBase, c.Base = true, 4
			decided, err := w.do("tab-1", c)
			if err != nil {
				t.Fatal(err)
			}
			if got := briefly(decided.conflicts); got != test.then {
				t.Errorf("got\n%s\nwant\n%s", got, test.then)
			}
		})
	}
}

func TestDeletedByOthersSince(t *testing.T) {
	w := given(t, cmd(CreateNode, `{"id":"n1"}`), cmd(CreateNode, `{"id":"n2"}`), cmd(CreateEdge, `{"id":"e1","source":"n1","target":"n2"}`))
	if _, err := w.do("tab-2", mustParse(t, cmd(DeleteNode, `{"nodeId":"n1"}`))); err != nil {
		t.Fatal(err)
	}
	for body, result := range map[string]string{
		cmd(DeleteNode, `{"nodeId":"n1"}`): `{"deletedNode":{"id":"n1"},"deletedEdges":[]}`,
		cmd(DeleteEdge, `{"edgeId":"e1"}`): `{"deletedEdge":{"id":"e1"}}`,
	} {
		c := mustParse(t, body)
		c.HasBase, c.Base = true, 3
		decided, err := w.do("tab-1", c)
		if err != nil || len(decided.changes) > 0 || string(decided.result) != result {
			t.Errorf("%s: got %s, %s, %v", body, changesJSON(decided.changes), decided.result, err)
		}
		if _, err := w.do("tab-1", mustParse(t, body)); err == nil || (err.Code != NodeNotFound && err.Code != EdgeNotFound) {
			t.Errorf("%s without a base: got %v", body, err)
		}
	}
}

func TestConflictJSON(t *testing.T) {
	w := given(t, cmd(CreateNode, `{"id":"n1","title":"a b"}`))
	if _, err := w.do("tab-9", mustParse(t, cmd(UpdateNodeTitle, `{"nodeId":"n1","title":"a c"}`))); err != nil {
		t.Fatal(err)
	}
	c := mustParse(t, `{"clientVersion":1,"type":"UPDATE_NODE","payload":{"nodeId":"n1","updates":{"title":null}}}`)
	decided, err := w.do("tab-1", c)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"resolution":"client","paths":[{"kind":"node","id":"n1","path":"/title","strategy":"MERGE","resolution":"client",` +
		`"base":"a b","server":"a c","client":null,"written":null,"by":{"userId":"u-tab-9","clientId":"tab-9","version":2}}]}`
	if got := string(appendConflict(nil, decided.conflicts)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestValueBefore takes a run of events back from the end, for every entity and every length of run.
func TestValueBefore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld()
		type state map[Target]string
		states := []state{{}}
		for range rapid.IntRange(1, 20).Draw(t, "commands") {
			c, err := Parse([]byte(drawCommand(t, true)), someone)
			if err != nil {
				t.Fatal(err)
			}
			if _, refusal := w.do("tab-1", c); refusal != nil {
				continue
			}
			now := state{}
			for _, kind := range []projection.Kind{projection.Node, projection.Edge, projection.Viewport} {
				for id, value := range w.graph.All(kind) {
					now[Target{kind, id}] = string(value)
				}
			}
			states = append(states, now)
		}
		for version, then := range states {
			for _, known := range states {
				for target := range known {
					got := w.events[version:].valueBefore(target.Kind, target.ID, w.graph.Value(target.Kind, target.ID))
					if string(got) != then[target] {
						t.Fatalf("%v at version %d: got %s, want %s", target, version, got, then[target])
					}
				}
			}
		}
	})
}
