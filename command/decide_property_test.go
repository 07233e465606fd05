package command

import (
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"pgregory.net/rapid"

	"graphy/projection"
)

// drawValue draws a JSON value over few names, so that values often meet.
func drawValue(t *rapid.T, depth int) string {
	kinds := 6
	if depth == 0 {
		kinds = 4
	}
	switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
	case 0:
		return rapid.SampledFrom([]string{"1", "2", "true", "0.5"}).Draw(t, "scalar")
	case 1:
		return rapid.SampledFrom([]string{`"x"`, `"ä\n"`, `"\""`, `""`}).Draw(t, "text")
	case 2, 3:
		return "null"
	case 4:
		return "[" + drawValue(t, depth-1) + "]"
	}
	return drawObject(t, depth-1, "a", "b", `\"`, "é", "\U0001F600", "\uFB33")
}

func drawObject(t *rapid.T, depth int, names ...string) string {
	var members []string
	for _, name := range names {
		if rapid.IntRange(0, 2).Draw(t, "has") == 0 {
			members = append(members, `"`+name+`":`+drawValue(t, depth))
		}
	}
	return "{" + strings.Join(members, ",") + "}"
}

func TestUpdateIsMergePatch(t *testing.T) {
	names := []string{"data", "label", "x y", "tags", "createdBy", "zz"}
	rapid.Check(t, func(t *rapid.T) {
		before, patch := drawObject(t, 3, names...), drawObject(t, 3, names...)
		w := newWorld()
		create, _ := Parse([]byte(cmd(BatchUpdate, `{"nodes":{"n1":`+before+`}}`)), someone)
		update, _ := Parse([]byte(cmd(UpdateNode, `{"nodeId":"n1","updates":`+patch+`}`)), someone)
		if _, err := w.do("tab-1", create); err != nil {
			t.Fatal(err)
		}
		current := w.graph.Value(projection.Node, "n1")
		decided, err := w.do("tab-1", update)
		if err != nil {
			t.Fatal(err)
		}
		var object, changes any
		if json.Unmarshal(current, &object) != nil || json.Unmarshal([]byte(patch), &changes) != nil {
			t.Fatalf("%s, %s", current, patch)
		}
		merged := mergePatch(object, changes).(map[string]any)
		if len(decided.changes) > 0 {
			merged["updatedAt"] = float64(w.now - 1)
		}
		text, _ := json.Marshal(merged)
		want, _ := projection.Canonical(text)
		if string(decided.result) != string(want) || string(w.graph.Value(projection.Node, "n1")) != string(want) {
			t.Errorf("%s patched with %s:\n got %s\nwant %s", current, patch, decided.result, want)
		}
	})
}

// drawCommand draws a command on few entities, sensible or not.
func drawCommand(t *rapid.T, batches bool) string {
	id := func() string { return rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "id") }
	title := func() string { return rapid.SampledFrom([]string{"x", "y", "z"}).Draw(t, "title") }
	number := func() int { return rapid.IntRange(0, 3).Draw(t, "number") }
	kinds := 11
	if !batches {
		kinds = 9
	}
	switch rapid.IntRange(0, kinds-1).Draw(t, "command") {
	case 0:
		return cmd(CreateNode, fmt.Sprintf(`{"id":%q,"title":%q}`, id(), title()))
	case 1:
		return cmd(CreateEdge, fmt.Sprintf(`{"id":"e%s","source":%q,"target":%q}`, id(), id(), id()))
	case 2:
		return cmd(UpdateNode, fmt.Sprintf(`{"nodeId":%q,"updates":%s}`, id(), drawObject(t, 2, "data", "label")))
	case 3:
		return cmd(UpdateNodePosition, fmt.Sprintf(`{"nodeId":%q,"position":{"x":%d,"y":%d}}`, id(), number(), number()))
	case 4:
		return cmd(UpdateNodeTitle, fmt.Sprintf(`{"nodeId":%q,"title":%q}`, id(), title()))
	case 5:
		return cmd(DeleteNode, fmt.Sprintf(`{"nodeId":%q}`, id()))
	case 6:
		return cmd(UpdateEdge, fmt.Sprintf(`{"edgeId":"e%s","updates":{"target":%q,"label":%q}}`, id(), id(), title()))
	case 7:
		return cmd(DeleteEdge, fmt.Sprintf(`{"edgeId":"e%s"}`, id()))
	case 8:
		return cmd(UpdateViewport, fmt.Sprintf(`{"x":%d,"zoom":%d}`, number(), 1+number()))
	case 9:
		return cmd(BatchUpdate, fmt.Sprintf(`{"nodes":{%q:{"title":%q}},"edges":[{"id":"e%s","source":%q,"target":%q}],"viewport":{"y":%d}}`,
			id(), title(), id(), id(), id(), number()))
	}
	var operations []string
	for range rapid.IntRange(1, 4).Draw(t, "operations") {
		operations = append(operations, drawCommand(t, false))
	}
	return cmd(BatchUpdate, `{"operations":[`+strings.Join(operations, ",")+`]}`)
}

func checkEdges(t *rapid.T, graph *projection.Graph) {
	for id := range graph.All(projection.Edge) {
		source, target := graph.Ends(id)
		if !graph.Has(projection.Node, source) || !graph.Has(projection.Node, target) {
			t.Fatalf("edge %q from %q to %q dangles", id, source, target)
		}
	}
}

// TestI8NoEdgeWithoutItsNodes and its like: whatever is decided, the fold takes and ends where decide did, its inverse
// leads back, and a refusal leaves nothing.
func TestI8NoEdgeWithoutItsNodes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, folded := newWorld(), projection.NewGraph("g")
		for range rapid.IntRange(1, 30).Draw(t, "commands") {
			client := rapid.SampledFrom([]string{"tab-1", "tab-2"}).Draw(t, "client")
			body := drawCommand(t, true)
			c, err := Parse([]byte(body), someone)
			if err != nil {
				t.Fatalf("%s: %v", body, err)
			}
			head := w.graph.Position.Version
			if rapid.Bool().Draw(t, "hasBase") && head > 0 {
				c.HasBase, c.Base = true, head-min(head, 3)
			}
			before, size := string(w.graph.AppendState(nil)), w.graph.Size()
			if _, refusal := w.do(client, c); refusal != nil {
				if after := string(w.graph.AppendState(nil)); after != before || w.graph.Size() != size {
					t.Fatalf("%s was refused and changed %s to %s", body, before, after)
				}
				continue
			}
			checkEdges(t, w.graph)
			changes := w.refold(t, folded, body)
			after := string(folded.AppendState(nil))
			if want := string(w.graph.AppendState(nil)); after != want {
				t.Fatalf("%s: folded to %s, decided %s", body, after, want)
			}
			position, modified := folded.Position, folded.LastModified
			folded.RevertChanges(changes)
			folded.Position.Version, folded.Position.Hash = head, ""
			if head > 0 {
				folded.Position.Hash, folded.LastModified = w.events[head-1].Hash, w.events[head-1].Timestamp
			} else {
				folded.LastModified = 0
			}
			if got := string(folded.AppendState(nil)); got != before {
				t.Fatalf("%s and its inverse: %s became %s", body, before, got)
			}
			if err := folded.ApplyChanges(changes); err != nil {
				t.Fatal(err)
			}
			folded.Position, folded.LastModified = position, modified
		}
	})
}

func TestDisjointEditsNeverConflict(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld()
		names := []string{"a", "b", "c", "d"}
		for _, id := range names {
			c, _ := Parse([]byte(cmd(CreateNode, `{"id":"`+id+`"}`)), someone)
			if _, err := w.do("tab-0", c); err != nil {
				t.Fatal(err)
			}
		}
		base := w.graph.Position.Version
		for range rapid.IntRange(1, 20).Draw(t, "edits") {
			client := rapid.IntRange(0, 3).Draw(t, "client")
			id := rapid.SampledFrom(names).Draw(t, "id")
			patch := fmt.Sprintf(`{"p%d":%s,"data":{"q%d":%s}}`, client, drawValue(t, 2), client, rapid.SampledFrom([]string{"1", "2", `{"z":null}`, `"x"`, "[]"}).Draw(t, "value"))
			c, err := Parse([]byte(cmd(UpdateNode, `{"nodeId":"`+id+`","updates":`+patch+`}`)), someone)
			if err != nil {
				t.Fatal(err)
			}
			c.HasBase, c.Base = true, base
			decided, refusal := w.do(fmt.Sprintf("tab-%d", client), c)
			if refusal != nil {
				t.Fatal(refusal)
			}
			if len(decided.conflicts) > 0 {
				t.Fatalf("%s by client %d: %s", patch, client, appendConflict(nil, decided.conflicts))
			}
		}
	})
}

// refold folds the newest event into another graph, out of its JSON form, and returns its changes; body is what was
// decided.
func (w *world) refold(t *rapid.T, folded *projection.Graph, body string) []projection.Change {
	event := w.events[len(w.events)-1]
	decoded, err := projection.DecodeEvent(event.AppendJSON(nil))
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	if err := folded.Apply(&decoded, event.Hash); err != nil {
		t.Fatalf("%s: the fold refuses the event: %v", body, err)
	}
	return decoded.Changes
}
