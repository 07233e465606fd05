package command

import (
	"strings"
	"testing"
)

// mustParseBatch reads the operations of an atomic batch.
func mustParseBatch(t testing.TB, operations ...string) *Command {
	t.Helper()
	body := `{"atomic":true,"operations":[` + strings.Join(operations, ",") + `]}`
	batch, _, _, err := ParseBatch([]byte(body), someone)
	if err != nil {
		t.Fatalf("parse %s: %v", body, err)
	}
	return batch
}

func TestDecideBatch(t *testing.T) {
	create := func(id string) string { return cmd(CreateNode, `{"id":"`+id+`"}`) }
	edge := cmd(CreateEdge, `{"id":"e1","source":"n1","target":"n2"}`)
	title := func(id, title string) string {
		return cmd(UpdateNodeTitle, `{"nodeId":"`+id+`","title":"`+title+`"}`)
	}
	tests := []struct {
		name   string
		given  []string
		when   []string // operations of an atomic batch; if it is one, a BATCH_UPDATE
		then   string
		result string
		err    refused
	}{
		{name: "each sees what went before", when: []string{create("n1"), create("n2"), edge, title("n1", "t")},
			then: `{"op":"put","kind":"node","id":"n1","value":{"createdAt":2000,"id":"n1","updatedAt":2000}}` + "\n" +
				`{"op":"put","kind":"node","id":"n2","value":{"createdAt":2000,"id":"n2","updatedAt":2000}}` + "\n" +
				`{"op":"put","kind":"edge","id":"e1","value":{"createdAt":2000,"id":"e1","source":"n1","target":"n2","updatedAt":2000}}` + "\n" +
				`{"op":"patch","kind":"node","id":"n1","set":{"title":"t"},"was":{"title":null}}`,
			result: `{"results":[{"createdAt":2000,"id":"n1","updatedAt":2000},{"createdAt":2000,"id":"n2","updatedAt":2000},` +
				`{"createdAt":2000,"id":"e1","source":"n1","target":"n2","updatedAt":2000},{"createdAt":2000,"id":"n1","title":"t","updatedAt":2000}]}`},
		{name: "results as of each operation", given: []string{create("n1")},
			when: []string{title("n1", "a"), title("n1", "a"), cmd(DeleteNode, `{"nodeId":"n1"}`), create("n1")},
			result: `{"results":[{"createdAt":1000,"id":"n1","title":"a","updatedAt":2000},{"createdAt":1000,"id":"n1","title":"a","updatedAt":2000},` +
				`{"deletedNode":{"createdAt":1000,"id":"n1","title":"a","updatedAt":2000},"deletedEdges":[]},{"createdAt":2000,"id":"n1","updatedAt":2000}]}`,
			then: `{"op":"patch","kind":"node","id":"n1","set":{"title":"a","updatedAt":2000},"was":{"title":null,"updatedAt":1000}}` + "\n" +
				`{"op":"delete","kind":"node","id":"n1","was":{"createdAt":1000,"id":"n1","title":"a","updatedAt":2000}}` + "\n" +
				`{"op":"put","kind":"node","id":"n1","value":{"createdAt":2000,"id":"n1","updatedAt":2000}}`},
		{name: "created twice within", when: []string{create("n1"), create("n1")}, err: refused{AlreadyExists, "/operations/1/payload/id", ""}},
		{name: "edge before its nodes", given: []string{create("n1")}, when: []string{edge, create("n2")}, err: refused{NodeNotFound, "/operations/0/payload/target", ""}},
		{name: "update of what was deleted within", given: []string{create("n1")}, when: []string{create("n2"), cmd(DeleteNode, `{"nodeId":"n1"}`), title("n1", "x")},
			err: refused{NodeNotFound, "/operations/2/payload/nodeId", ""}},
		{name: "edge that fell with its node", given: []string{create("n1"), create("n2"), edge},
			when: []string{cmd(DeleteNode, `{"nodeId":"n2"}`), cmd(DeleteEdge, `{"edgeId":"e1"}`)}, err: refused{EdgeNotFound, "/operations/1/payload/edgeId", ""}},
		{name: "the last is bad", given: []string{create("n1")}, when: []string{title("n1", "a"), cmd(UpdateViewport, `{"x":1}`), cmd(DeleteNode, `{"nodeId":"n1"}`), cmd(UpdateEdge, `{"edgeId":"e","updates":{}}`)},
			err: refused{EdgeNotFound, "/operations/3/payload/edgeId", ""}},
		{name: "upserts", given: []string{cmd(CreateNode, `{"id":"n1","title":"old","data":1}`)},
			when: []string{cmd(BatchUpdate, `{"nodes":{"n1":{"title":"new","createdAt":5},"n2":{}},"edges":[{"id":"e1","source":"n1","target":"n2"}],"viewport":{"x":1}}`)},
			result: `{"results":[{"createdAt":1000,"id":"n1","title":"new","updatedAt":2000},{"createdAt":2000,"id":"n2","updatedAt":2000},` +
				`{"createdAt":2000,"id":"e1","source":"n1","target":"n2","updatedAt":2000},{"x":1,"y":0,"zoom":1}]}`,
			then: `{"op":"put","kind":"node","id":"n1","value":{"createdAt":1000,"id":"n1","title":"new","updatedAt":2000},"was":{"createdAt":1000,"data":1,"id":"n1","title":"old","updatedAt":1000}}` + "\n" +
				`{"op":"put","kind":"node","id":"n2","value":{"createdAt":2000,"id":"n2","updatedAt":2000}}` + "\n" +
				`{"op":"put","kind":"edge","id":"e1","value":{"createdAt":2000,"id":"e1","source":"n1","target":"n2","updatedAt":2000}}` + "\n" +
				`{"op":"put","kind":"viewport","id":"viewport","value":{"x":1,"y":0,"zoom":1}}`},
		{name: "upsert of the same", given: []string{cmd(CreateNode, `{"id":"n1","title":"t"}`)}, when: []string{cmd(BatchUpdate, `{"nodes":{"n1":{"title":"t","id":"n1"}}}`)},
			result: `{"results":[{"createdAt":1000,"id":"n1","title":"t","updatedAt":1000}]}`},
		{name: "upsert moves an edge", given: []string{create("n1"), create("n2"), edge}, when: []string{cmd(BatchUpdate, `{"edges":[{"id":"e1","source":"n2","target":"n1"}]}`)},
			result: `{"results":[{"createdAt":1002,"id":"e1","source":"n2","target":"n1","updatedAt":2000}]}`,
			then:   `{"op":"put","kind":"edge","id":"e1","value":{"createdAt":1002,"id":"e1","source":"n2","target":"n1","updatedAt":2000},"was":{"createdAt":1002,"id":"e1","source":"n1","target":"n2","updatedAt":1002}}`},
		{name: "upsert of an edge to nowhere", given: []string{create("n1")}, when: []string{cmd(BatchUpdate, `{"nodes":{"n2":{}},"edges":[{"source":"n1","target":"n2"},{"source":"n1","target":"n3"}]}`)},
			err: refused{NodeNotFound, "/payload/edges/1/target", ""}},
		{name: "operations of BATCH_UPDATE", given: []string{create("n1")}, when: []string{cmd(BatchUpdate, `{"operations":[`+title("n1", "x")+`,`+title("n9", "x")+`]}`)},
			err: refused{NodeNotFound, "/payload/operations/1/payload/nodeId", ""}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := given(t, test.given...)
			w.now = 2000
			before, size := string(w.graph.AppendState(nil)), w.graph.Size()
			var c *Command
			if len(test.when) == 1 {
				c = mustParse(t, test.when[0])
			} else {
				c = mustParseBatch(t, test.when...)
			}
			decided, err := w.do("tab-1", c)
			if test.err != (refused{}) {
				checkRefusal(t, test.name, err, test.err)
				if after := string(w.graph.AppendState(nil)); after != before || w.graph.Size() != size {
					t.Errorf("a refusal changed the graph from %s to %s", before, after)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := changesJSON(decided.changes); got != test.then {
				t.Errorf("changes:\n got %s\nwant %s", got, test.then)
			}
			if string(decided.result) != test.result {
				t.Errorf("result:\n got %s\nwant %s", decided.result, test.result)
			}
			changes := 0
			for i, operation := range decided.operations {
				if changes += operation.Changes; operation.ID == "" || operation.Request == "" || operation.Type == "" {
					t.Errorf("operation %d: got %+v", i, operation)
				}
			}
			if changes != len(decided.changes) || len(decided.operations) != len(c.Operations) {
				t.Errorf("operations: got %+v for %d changes", decided.operations, len(decided.changes))
			}
		})
	}
}

// mergePatch is RFC 7396's pseudo code, on decoded values.
func mergePatch(target, patch any) any {
	changes, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	object, ok := target.(map[string]any)
	if !ok {
		object = map[string]any{}
	}
	for name, value := range changes {
		if value == nil {
			delete(object, name)
		} else {
			object[name] = mergePatch(object[name], value)
		}
	}
	return object
}
