package command

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"

	"graphy/eventstore"
	"graphy/projection"
)

// edit is an update of one path, or the creation of an entity, by a client of its own.
type edit struct {
	client string
	body   string
}

// drawDisjoint draws edits of which no two touch the same path of the same entity, one of hard names or a new entity.
func drawDisjoint(t *rapid.T) []edit {
	var edits []edit
	taken := map[string][][]string{}
	for i := range rapid.IntRange(2, 6).Draw(t, "edits") {
		client := fmt.Sprintf("tab-%d", i)
		if rapid.IntRange(0, 4).Draw(t, "create") == 0 {
			edits = append(edits, edit{client, cmd(CreateEdge, fmt.Sprintf(`{"id":"new%d","source":"a","target":"b"}`, i))})
			continue
		}
		id, steps := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "id"), drawSteps(t)
		if steps[0] == "position" || slices.ContainsFunc(taken[id], func(other []string) bool {
			n := min(len(other), len(steps))
			return slices.Equal(other[:n], steps[:n])
		}) {
			continue
		}
		taken[id] = append(taken[id], steps)
		patch := withPath(jsontext.Value("{}"), steps, quoted(rapid.SampledFrom(hardNames).Draw(t, "value")))
		edits = append(edits, edit{client, cmd(UpdateNode, fmt.Sprintf(`{"nodeId":%q,"updates":%s}`, id, patch))})
	}
	return edits
}

// bareState is a world's entities without their stamps.
func (w *world) bareState() string {
	var text strings.Builder
	for _, kind := range []projection.Kind{projection.Node, projection.Edge, projection.Viewport} {
		for id, value := range w.graph.All(kind) {
			fmt.Fprintf(&text, "%s %s %s\n", kind, id, withoutStamps(value))
		}
	}
	return text.String()
}

// TestDisjointEditsCommute: made on one base, in whatever order they arrive, by whatever strategy, nothing conflicts and all
// is there in the end.
func TestDisjointEditsCommute(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tree := drawTree(t, 2)
		edits := drawDisjoint(t)
		strategy := rapid.SampledFrom([]string{"", ClientWins, ServerWins, LastWriteWins, Merge, Manual}).Draw(t, "strategy")
		run := func(edits []edit) string {
			w := newWorld()
			for _, id := range []string{"a", "b"} {
				patch := strings.NewReplacer(`"position":`, `"_":`).Replace(string(tree))
				c, err := Parse([]byte(cmd(BatchUpdate, fmt.Sprintf(`{"nodes":{%q:{"kept":%s}}}`, id, patch))), someone)
				if err != nil {
					t.Skip(err)
				}
				if _, err := w.do("tab", c); err != nil {
					t.Fatal(err)
				}
			}
			for _, edit := range edits {
				c, err := Parse([]byte(edit.body), someone)
				if err != nil {
					t.Fatalf("%s: %v", edit.body, err)
				}
				c.HasBase, c.Base, c.Strategy = true, 2, strategy
				decided, refusal := w.do(edit.client, c)
				if refusal != nil || len(decided.conflicts) > 0 {
					t.Fatalf("%s: %v, %s", edit.body, refusal, briefly(decided.conflicts))
				}
			}
			return w.bareState()
		}
		first := run(edits)
		if second := run(rapid.Permutation(edits).Draw(t, "order")); second != first {
			t.Fatalf("in one order\n%s\nin another\n%s", first, second)
		}
	})
}

// drawContested draws a command on few entities and few paths, so that much conflicts.
func drawContested(t *rapid.T) string {
	id := func() string { return rapid.SampledFrom([]string{"a", "b"}).Draw(t, "id") }
	value := rapid.SampledFrom([]string{"1", "2", `"x y"`, `"x z"`, `"w y"`, `["p"]`, `["q","p"]`, "null", `{"i":1}`, `{"j":2}`, "{}", `{"i":null}`, `[{}]`, `{"\n":{"\\n":1}}`, `{"\n":{"\n":2}}`})
	patch := func() string {
		var members []string
		for _, name := range []string{"x", `\"`, "data", `~/`, "title", "position", "label"} {
			switch {
			case rapid.IntRange(0, 3).Draw(t, "has") > 0:
			case name == "title":
				members = append(members, fmt.Sprintf(`"title":%s`, rapid.SampledFrom([]string{`"x y"`, `"x z"`, `"w y"`, `""`}).Draw(t, "title")))
			case name == "position":
				members = append(members, fmt.Sprintf(`"position":{"x":%d,"y":0}`, rapid.IntRange(0, 2).Draw(t, "position")))
			default:
				members = append(members, fmt.Sprintf(`"%s":%s`, name, value.Draw(t, "value")))
			}
		}
		return "{" + strings.Join(members, ",") + "}"
	}
	with := func(object, more string) string {
		if object == "{}" {
			return "{" + more + "}"
		}
		return strings.TrimSuffix(object, "}") + "," + more + "}"
	}
	one := func() string {
		switch rapid.IntRange(0, 9).Draw(t, "command") {
		case 0:
			return cmd(CreateNode, with(patch(), fmt.Sprintf(`"id":%q`, id())))
		case 1:
			return cmd(CreateEdge, with(patch(), fmt.Sprintf(`"id":"e%s","source":%q,"target":%q`, id(), id(), id())))
		case 2, 3, 4:
			return cmd(UpdateNode, fmt.Sprintf(`{"nodeId":%q,"updates":%s}`, id(), patch()))
		case 5:
			return cmd(DeleteNode, fmt.Sprintf(`{"nodeId":%q}`, id()))
		case 6:
			return cmd(UpdateEdge, fmt.Sprintf(`{"edgeId":"e%s","updates":%s}`, id(), with(patch(), fmt.Sprintf(`"target":%q`, id()))))
		case 7:
			return cmd(DeleteEdge, fmt.Sprintf(`{"edgeId":"e%s"}`, id()))
		}
		return cmd(UpdateViewport, fmt.Sprintf(`{"x":%d}`, rapid.IntRange(0, 2).Draw(t, "x")))
	}
	switch rapid.IntRange(0, 9).Draw(t, "form") {
	case 0:
		return cmd(BatchUpdate, fmt.Sprintf(`{"nodes":{%q:%s},"edges":[%s]}`, id(), patch(), with(patch(), fmt.Sprintf(`"id":"e%s","source":%q,"target":%q`, id(), id(), id()))))
	case 1:
		var parts []string
		for range rapid.IntRange(1, 4).Draw(t, "parts") {
			parts = append(parts, one())
		}
		return cmd(BatchUpdate, `{"operations":[`+strings.Join(parts, ",")+`]}`)
	}
	return one()
}

func drawPolicy(t *rapid.T) string {
	rules := map[string]string{}
	for _, pattern := range []string{"", "/*", "/x", "/data", "/*/i", "/data/i", "/title"} {
		if rapid.IntRange(0, 4).Draw(t, "rule") == 0 {
			rules[pattern] = rapid.SampledFrom([]string{ClientWins, ServerWins, LastWriteWins, Merge, Manual}).Draw(t, "strategy")
		}
	}
	text, err := json.Marshal(rules, json.Deterministic(true))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// state is all entities at a version.
type state map[Target]jsontext.Value

func (w *world) state() state {
	now := state{{projection.Viewport, projection.ViewportID}: jsontext.Value(projection.DefaultViewport)}
	for _, kind := range []projection.Kind{projection.Node, projection.Edge, projection.Viewport} {
		for id, value := range w.graph.All(kind) {
			now[Target{kind, id}] = value
		}
	}
	return now
}

// checkConflicts holds what an event says of its conflicts against the states at the base, before and after it.
func checkConflicts(t *rapid.T, body string, paths []conflictPath, batch bool, base, before, after state) {
	last := map[string]int{}
	for i, p := range paths {
		last[fmt.Sprint(p.kind, p.id, p.path)] = i
	}
	for i, p := range paths {
		steps, _ := pointerSteps(p.path)
		at := func(s state) string { return orNull(lookup(s[Target{p.kind, p.id}], steps)) }
		what := fmt.Sprintf("%s: %s %s %q %s:%s", body, p.kind, p.id, p.path, p.strategy, p.resolution)
		if got := orNull(p.base); got != at(base) {
			t.Fatalf("%s: base %s, want %s", what, got, at(base))
		}
		if got := orNull(p.server); !batch && got != at(before) {
			t.Fatalf("%s: server %s, want %s", what, got, at(before))
		}
		if got := orNull(p.settlement.written); !batch && got != at(after) {
			t.Fatalf("%s: written %s, want %s", what, got, at(after))
		}
		if orNull(p.server) == orNull(p.client) {
			t.Fatalf("%s: both have %s", what, p.server)
		}
		if (p.resolution == toManual) != (p.conflictID != "") || p.by == nil {
			t.Fatalf("%s: conflict id %q, by %v", what, p.conflictID, p.by)
		}
		if last[fmt.Sprint(p.kind, p.id, p.path)] != i && !batch {
			t.Fatalf("%s: twice", what)
		}
		switch p.resolution {
		case toServer, toManual:
			if orNull(p.settlement.written) != orNull(p.server) {
				t.Fatalf("%s: written %s, server %s", what, p.settlement.written, p.server)
			}
		case toClient:
			if orNull(p.settlement.written) != orNull(p.client) {
				t.Fatalf("%s: written %s, client %s", what, p.settlement.written, p.client)
			}
		}
	}
}

// TestI8WhateverConflicts: whatever the strategies, policies, bases and write times: no edge lacks a node, the fold takes the
// event and ends where decide did, a refusal leaves nothing and has a cause, and what the event says of its conflicts is so.
func TestI8WhateverConflicts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, folded := newWorld(), projection.NewGraph("g")
		policy, err := ParsePolicyConfig([]byte(drawPolicy(t)))
		if err != nil {
			t.Fatal(err)
		}
		w.policies.graph = policy
		states := []state{w.state()}
		for range rapid.IntRange(2, 25).Draw(t, "commands") {
			body := drawContested(t)
			c, err := Parse([]byte(body), someone)
			if err != nil {
				t.Fatalf("%s: %v", body, err)
			}
			head := int(w.graph.Position.Version)
			c.HasBase, c.Base = true, w.graph.Position.Version-min(w.graph.Position.Version, eventstore.Version(rapid.IntRange(0, 8).Draw(t, "age")))
			c.Strategy = rapid.SampledFrom([]string{"", "", ClientWins, ServerWins, LastWriteWins, Merge, Manual}).Draw(t, "strategy")
			c.Timestamp = int64(rapid.IntRange(0, 1).Draw(t, "timed")) * (w.now - int64(rapid.IntRange(0, 5).Draw(t, "late")))
			before := string(w.graph.AppendState(nil))
			decided, refusal := w.do(rapid.SampledFrom([]string{"tab-1", "tab-2", "tab-3"}).Draw(t, "client"), c)
			if refusal != nil {
				if after := string(w.graph.AppendState(nil)); after != before || refusal.Code == Internal {
					t.Fatalf("%s was refused with %v (%v), and changed %s to %s", body, refusal, refusal.cause, before, after)
				}
				continue
			}
			checkEdges(t, w.graph)
			w.refold(t, folded, body)
			if got, want := string(folded.AppendState(nil)), string(w.graph.AppendState(nil)); got != want {
				t.Fatalf("%s: folded to %s, decided %s", body, got, want)
			}
			states = append(states, w.state())
			checkConflicts(t, body, decided.conflicts, c.Operations != nil, states[c.Base], states[head], states[head+1])
		}
	})
}
