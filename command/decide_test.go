package command

import (
	"strconv"
	"strings"
	"testing"

	"graphy/eventstore"
	"graphy/projection"
)

// world is a graph, and how it came about. Its commands are decided from time 1000 on, one a millisecond.
type world struct {
	graph  *projection.Graph
	events history
	now    int64

	policies policies
	limits   Limits
}

func newWorld() *world {
	return &world{graph: projection.NewGraph("g"), now: 1000, limits: usual.limits}
}

func cmd(commandType, payload string) string {
	return `{"type":"` + commandType + `","payload":` + payload + `}`
}

// do decides a command of a client as a session would, and folds its event into the world.
func (w *world) do(client string, c *Command) (decision, *Error) {
	c.ClientID = client
	c.mintEntities()
	since := history(nil)
	if c.HasBase {
		since = w.events.after(c.Base)
	}
	writtenAt := w.now
	if c.Timestamp > 0 {
		writtenAt = min(c.Timestamp, w.now)
	}
	decided, err := decide(w.graph, terms{since: since, now: w.now, writtenAt: writtenAt, policies: w.policies, limits: &w.limits}, c)
	if err != nil {
		return decided, err
	}
	event := &record{Event: projection.Event{Version: w.graph.Position.Version + 1, CommandType: c.Type, OperationID: "o", UserID: "u-" + client,
		ClientID: client, Timestamp: w.now, WrittenAt: writtenAt, Request: c.Request, Operations: decided.operations, Changes: decided.changes,
		Checksum: w.graph.Checksum.String()}}
	event.Hash = eventstore.NextHash(w.graph.Position.Hash, event.AppendJSON(nil))
	w.graph.Advance(&event.Event, event.Hash)
	w.events = append(w.events, event)
	w.now++
	return decided, nil
}

// given is a world in which tab-1 has done all that.
func given(t testing.TB, bodies ...string) *world {
	t.Helper()
	w := newWorld()
	for _, body := range bodies {
		if _, err := w.do("tab-1", mustParse(t, body)); err != nil {
			t.Fatalf("given %s: %v", body, err)
		}
	}
	return w
}

// changesJSON writes changes as their event does, one on each line.
func changesJSON(changes []projection.Change) string {
	event := projection.Event{Changes: changes}
	var lines []string
	for change := range projection.Elements(projection.Member(event.AppendJSON(nil), "changes")) {
		lines = append(lines, string(change))
	}
	return strings.Join(lines, "\n")
}

func TestDecide(t *testing.T) {
	n1 := cmd(CreateNode, `{"id":"n1","title":"one","position":{"x":1,"y":2},"data":{"a":1,"b":{"c":2}}}`)
	n2, n3 := cmd(CreateNode, `{"id":"n2"}`), cmd(CreateNode, `{"id":"n3"}`)
	e1, e2 := cmd(CreateEdge, `{"id":"e1","source":"n1","target":"n2"}`), cmd(CreateEdge, `{"id":"e2","source":"n2","target":"n1"}`)
	loop := cmd(CreateEdge, `{"id":"loop","source":"n1","target":"n1"}`)
	const (
		n1Value   = `{"createdAt":1000,"data":{"a":1,"b":{"c":2}},"id":"n1","position":{"x":1,"y":2},"title":"one","updatedAt":1000}`
		e1Value   = `{"createdAt":1002,"id":"e1","source":"n1","target":"n2","updatedAt":1002}`
		e2Value   = `{"createdAt":1003,"id":"e2","source":"n2","target":"n1","updatedAt":1003}`
		loopValue = `{"createdAt":1004,"id":"loop","source":"n1","target":"n1","updatedAt":1004}`
	)
	tests := []struct {
		name   string
		given  []string
		when   string
		then   string // the changes
		result string
		err    refused
	}{
		{name: "create node", when: cmd(CreateNode, `{"id":"n1","title":"one","createdAt":5,"updatedAt":6}`),
			then:   `{"op":"put","kind":"node","id":"n1","value":{"createdAt":2000,"id":"n1","title":"one","updatedAt":2000}}`,
			result: `{"createdAt":2000,"id":"n1","title":"one","updatedAt":2000}`},
		{name: "create node twice", given: []string{n1}, when: cmd(CreateNode, `{"id":"n1"}`), err: refused{AlreadyExists, "/payload/id", ""}},
		{name: "node and edge of one id", given: []string{n1, n2}, when: cmd(CreateEdge, `{"id":"n1","source":"n1","target":"n2"}`),
			then:   `{"op":"put","kind":"edge","id":"n1","value":{"createdAt":2000,"id":"n1","source":"n1","target":"n2","updatedAt":2000}}`,
			result: `{"createdAt":2000,"id":"n1","source":"n1","target":"n2","updatedAt":2000}`},
		{name: "edge of one id twice", given: []string{n1, n2, e1}, when: cmd(CreateEdge, `{"id":"e1","source":"n2","target":"n1"}`),
			err: refused{AlreadyExists, "/payload/id", ""}},
		{name: "edge from nowhere", given: []string{n1}, when: cmd(CreateEdge, `{"source":"n2","target":"n1"}`), err: refused{NodeNotFound, "/payload/source", ""}},
		{name: "edge to nowhere", given: []string{n1}, when: cmd(CreateEdge, `{"source":"n1","target":"n2"}`), err: refused{NodeNotFound, "/payload/target", ""}},
		{name: "update writes only what differs", given: []string{n1},
			when:   cmd(UpdateNode, `{"nodeId":"n1","updates":{"title":"one","data":{"b":{"c":3}},"new":[1],"createdAt":7,"updatedAt":8}}`),
			then:   `{"op":"patch","kind":"node","id":"n1","set":{"data":{"a":1,"b":{"c":3}},"new":[1],"updatedAt":2000},"was":{"data":{"a":1,"b":{"c":2}},"new":null,"updatedAt":1000}}`,
			result: `{"createdAt":1000,"data":{"a":1,"b":{"c":3}},"id":"n1","new":[1],"position":{"x":1,"y":2},"title":"one","updatedAt":2000}`},
		{name: "update removes", given: []string{n1}, when: cmd(UpdateNode, `{"nodeId":"n1","updates":{"title":null,"data":{"a":null},"position":null,"no":null}}`),
			then:   `{"op":"patch","kind":"node","id":"n1","set":{"data":{"b":{"c":2}},"position":null,"title":null,"updatedAt":2000},"was":{"data":{"a":1,"b":{"c":2}},"position":{"x":1,"y":2},"title":"one","updatedAt":1000}}`,
			result: `{"createdAt":1000,"data":{"b":{"c":2}},"id":"n1","updatedAt":2000}`},
		{name: "update that changes nothing", given: []string{n1}, when: cmd(UpdateNode, `{"nodeId":"n1","updates":{"title":"one","data":{"a":1,"x":null},"updatedAt":9}}`), result: n1Value},
		{name: "update nothing", given: []string{n1}, when: cmd(UpdateNode, `{"nodeId":"n1","updates":{}}`), result: n1Value},
		{name: "update of no node", given: []string{n1}, when: cmd(UpdateNode, `{"nodeId":"n2","updates":{}}`), err: refused{NodeNotFound, "/payload/nodeId", ""}},
		{name: "position is replaced whole", given: []string{cmd(CreateNode, `{"id":"n1","position":{"x":1,"y":2,"z":3},"size":{"w":1,"h":2}}`)},
			when:   cmd(UpdateNode, `{"nodeId":"n1","updates":{"position":{"x":1,"y":5},"size":{"w":3}}}`),
			then:   `{"op":"patch","kind":"node","id":"n1","set":{"position":{"x":1,"y":5},"size":{"w":3},"updatedAt":2000},"was":{"position":{"x":1,"y":2,"z":3},"size":{"h":2,"w":1},"updatedAt":1000}}`,
			result: `{"createdAt":1000,"id":"n1","position":{"x":1,"y":5},"size":{"w":3},"updatedAt":2000}`},
		{name: "move", given: []string{n1}, when: cmd(UpdateNodePosition, `{"nodeId":"n1","position":{"x":-1.5,"y":2}}`),
			then:   `{"op":"patch","kind":"node","id":"n1","set":{"position":{"x":-1.5,"y":2},"updatedAt":2000},"was":{"position":{"x":1,"y":2},"updatedAt":1000}}`,
			result: `{"createdAt":1000,"data":{"a":1,"b":{"c":2}},"id":"n1","position":{"x":-1.5,"y":2},"title":"one","updatedAt":2000}`},
		{name: "move to the same place", given: []string{n1}, when: cmd(UpdateNodePosition, `{"nodeId":"n1","position":{"x":1.0,"y":2}}`), result: n1Value},
		{name: "move of no node", when: cmd(UpdateNodePosition, `{"nodeId":"n1","position":{"x":1,"y":2}}`), err: refused{NodeNotFound, "/payload/nodeId", ""}},
		{name: "title", given: []string{n1}, when: cmd(UpdateNodeTitle, `{"nodeId":"n1","title":"\"2\""}`),
			then:   `{"op":"patch","kind":"node","id":"n1","set":{"title":"\"2\"","updatedAt":2000},"was":{"title":"one","updatedAt":1000}}`,
			result: `{"createdAt":1000,"data":{"a":1,"b":{"c":2}},"id":"n1","position":{"x":1,"y":2},"title":"\"2\"","updatedAt":2000}`},
		{name: "title of no node", when: cmd(UpdateNodeTitle, `{"nodeId":"n1","title":""}`), err: refused{NodeNotFound, "/payload/nodeId", ""}},
		{name: "delete node with its edges", given: []string{n1, n2, e1, e2, loop, n3}, when: cmd(DeleteNode, `{"nodeId":"n1"}`),
			then: `{"op":"delete","kind":"edge","id":"e1","was":` + e1Value + "}\n" + `{"op":"delete","kind":"edge","id":"e2","was":` + e2Value + "}\n" +
				`{"op":"delete","kind":"edge","id":"loop","was":` + loopValue + "}\n" + `{"op":"delete","kind":"node","id":"n1","was":` + n1Value + "}",
			result: `{"deletedNode":` + n1Value + `,"deletedEdges":[` + e1Value + `,` + e2Value + `,` + loopValue + `]}`},
		{name: "delete lone node", given: []string{n1, n2}, when: cmd(DeleteNode, `{"nodeId":"n1"}`),
			then: `{"op":"delete","kind":"node","id":"n1","was":` + n1Value + "}", result: `{"deletedNode":` + n1Value + `,"deletedEdges":[]}`},
		{name: "delete no node", given: []string{n1}, when: cmd(DeleteNode, `{"nodeId":"n2"}`), err: refused{NodeNotFound, "/payload/nodeId", ""}},
		{name: "one's own deletion since is no excuse", given: []string{n1, cmd(DeleteNode, `{"nodeId":"n1"}`)},
			when: `{"type":"DELETE_NODE","payload":{"nodeId":"n1"},"clientVersion":1}`, err: refused{NodeNotFound, "/payload/nodeId", ""}},
		{name: "update edge", given: []string{n1, n2, e1, n3}, when: cmd(UpdateEdge, `{"edgeId":"e1","updates":{"target":"n3","label":"x"}}`),
			then:   `{"op":"patch","kind":"edge","id":"e1","set":{"label":"x","target":"n3","updatedAt":2000},"was":{"label":null,"target":"n2","updatedAt":1002}}`,
			result: `{"createdAt":1002,"id":"e1","label":"x","source":"n1","target":"n3","updatedAt":2000}`},
		{name: "update edge to nowhere", given: []string{n1, n2, e1}, when: cmd(UpdateEdge, `{"edgeId":"e1","updates":{"target":"n9"}}`), err: refused{NodeNotFound, "/payload/updates/target", ""}},
		{name: "update no edge", given: []string{n1}, when: cmd(UpdateEdge, `{"edgeId":"n1","updates":{}}`), err: refused{EdgeNotFound, "/payload/edgeId", ""}},
		{name: "delete edge", given: []string{n1, n2, e1}, when: cmd(DeleteEdge, `{"edgeId":"e1"}`),
			then: `{"op":"delete","kind":"edge","id":"e1","was":` + e1Value + "}", result: `{"deletedEdge":` + e1Value + `}`},
		{name: "delete no edge", given: []string{n1}, when: cmd(DeleteEdge, `{"edgeId":"e1"}`), err: refused{EdgeNotFound, "/payload/edgeId", ""}},
		{name: "first viewport is completed", when: cmd(UpdateViewport, `{"x":5}`),
			then: `{"op":"put","kind":"viewport","id":"viewport","value":{"x":5,"y":0,"zoom":1}}`, result: `{"x":5,"y":0,"zoom":1}`},
		{name: "viewport is completed from head", given: []string{cmd(UpdateViewport, `{"x":5,"zoom":2}`)}, when: cmd(UpdateViewport, `{"y":1,"zoom":2.0}`),
			then: `{"op":"patch","kind":"viewport","id":"viewport","set":{"y":1},"was":{"y":0}}`, result: `{"x":5,"y":1,"zoom":2}`},
		{name: "viewport as it counts", when: cmd(UpdateViewport, `{"x":0,"y":0,"zoom":1}`), result: `{"x":0,"y":0,"zoom":1}`},
		{name: "empty viewport", given: []string{cmd(UpdateViewport, `{"x":5}`)}, when: cmd(UpdateViewport, `{}`), result: `{"x":5,"y":0,"zoom":1}`},
		{name: "update beyond the size of an entity", given: []string{cmd(CreateNode, `{"id":"n1","a":"`+strings.Repeat("a", MaxEntity/2)+`"}`)},
			when: cmd(UpdateNode, `{"nodeId":"n1","updates":{"b":"`+strings.Repeat("b", MaxEntity/2)+`"}}`), err: refused{TooLarge, "/payload/updates", ""}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := given(t, test.given...)
			w.now = 2000
			before := string(w.graph.AppendState(nil))
			decided, err := w.do("tab-1", mustParse(t, test.when))
			if test.err != (refused{}) {
				checkRefusal(t, test.when, err, test.err)
				if after := string(w.graph.AppendState(nil)); after != before {
					t.Errorf("a refusal changed the graph to %.500s", after)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := changesJSON(decided.changes); got != test.then {
				t.Errorf("changes:\n got %.500s\nwant %.500s", got, test.then)
			}
			if string(decided.result) != test.result {
				t.Errorf("result:\n got %.500s\nwant %.500s", decided.result, test.result)
			}
			if len(decided.conflicts) > 0 {
				t.Errorf("conflicts: got %s", appendConflict(nil, decided.conflicts))
			}
		})
	}
}

func TestRoom(t *testing.T) {
	w := newWorld()
	for i := range MaxNodes {
		id := "n" + strconv.Itoa(i)
		if err := w.graph.Load(projection.Node, id, bareEntity(id)); err != nil {
			t.Fatal(err)
		}
	}
	_, err := w.do("tab-1", mustParse(t, cmd(CreateNode, `{"id":"n"}`)))
	checkRefusal(t, "one node too many", err, refused{TooLarge, "/payload", ""})
	_, err = w.do("tab-1", mustParse(t, cmd(BatchUpdate, `{"nodes":{"n0":{"title":"x"}}}`)))
	if err != nil {
		t.Errorf("replace in a full graph: %v", err)
	}
	if _, err = w.do("tab-1", mustParse(t, cmd(BatchUpdate, `{"operations":[{"type":"DELETE_NODE","payload":{"nodeId":"n0"}},{"type":"CREATE_NODE","payload":{"id":"n0"}}]}`))); err != nil {
		t.Errorf("delete and create in a full graph: %v", err)
	}
	w.limits.Nodes = MaxNodes + 1
	if _, err = w.do("tab-1", mustParse(t, cmd(CreateNode, `{"id":"n"}`))); err != nil {
		t.Errorf("one node more, with a higher limit: %v", err)
	}
	_, err = w.do("tab-1", mustParse(t, cmd(CreateNode, `{"id":"more"}`)))
	checkRefusal(t, "one node over the higher limit", err, refused{TooLarge, "/payload", ""})
}
