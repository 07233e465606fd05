package e2e

import (
	"fmt"
	"testing"
)

// move is a command of one of two players: of one user with base -1 (what is there) unless it says otherwise.
type move struct {
	player int
	request
}

func say(player int, kind string, payload members) move {
	return move{player, request{kind: kind, payload: payload, base: -1}}
}

func (m move) on(base int) move              { m.base = base; return m }
func (m move) with(strategy string) move     { m.strategy = strategy; return m }
func (m move) inGesture(gesture string) move { m.gesture = gesture; return m }
func (m move) forced() move                  { m.force = true; return m }

func update(player int, node string, updates members) move {
	return say(player, "UPDATE_NODE", members{"nodeId": node, "updates": updates})
}

func createNode(player int, node members) move { return say(player, "CREATE_NODE", node) }

func createEdge(player int, id, source, target string) move {
	return say(player, "CREATE_EDGE", members{"id": id, "source": source, "target": target})
}

// scripts are short games that came of games at random, each by the sentence that it showed.
var scripts = []struct {
	name  string
	moves []move
}{
	{"undo puts a property back beside another's, though the object was empty in between", []move{
		createNode(0, members{"id": "n1", "data": members{"a": 1.0}}), update(0, "n1", members{"data": members{"a": nil}}),
		update(1, "n1", members{"data": members{"z": 1.0}}), say(0, "UNDO", nil)}},
	{"undo leaves an object that another user made and emptied", []move{
		createNode(1, members{"id": "n1"}), update(0, "n1", members{"data": members{"c": 6.0}}), update(1, "n1", members{"data": nil}),
		update(1, "n1", members{"data": members{"b": 3.0}}), update(1, "n1", members{"data": members{"b": nil}}), say(0, "UNDO", nil)}},
	{"the time of the last update is no path: a delete does not conflict with it", []move{
		createNode(0, members{"id": "n1", "title": "w0 w1 w2 w3"}),
		say(0, "UPDATE_NODE_TITLE", members{"nodeId": "n1", "title": "w0a w1 w2 w3"}),
		say(0, "UPDATE_NODE_TITLE", members{"nodeId": "n1", "title": "w0 w1 w2 w3"}),
		say(0, "RESTORE", members{"version": 1.0}), say(1, "DELETE_NODE", members{"nodeId": "n1"}).on(3)}},
	{"a restore of nothing but the time is undone", []move{
		createNode(0, members{"id": "n1", "data": 1.0}), update(0, "n1", members{"data": 2.0}), update(0, "n1", members{"data": 1.0}),
		say(0, "RESTORE", members{"version": 1.0}), say(0, "UNDO", nil), say(0, "REDO", nil)}},
	{"a creation by another user touches what it does not hold, too", []move{
		createNode(0, members{"id": "n1", "title": "w0 w1 w2 w3"}),
		say(0, "UPDATE_NODE_TITLE", members{"nodeId": "n1", "title": "w0a w1 w2 w3"}),
		say(0, "DELETE_NODE", members{"nodeId": "n1"}), createNode(1, members{"id": "n1"}), say(0, "UNDO", nil)}},
	{"a drag is one step, whatever comes between, and is not undone over another's move", []move{
		createNode(0, members{"id": "n1", "position": members{"x": 0.0, "y": 0.0}}), createNode(0, members{"id": "n2"}),
		update(0, "n1", members{"position": members{"x": 1.0, "y": 0.0}}).inGesture("g"),
		update(0, "n2", members{"title": "w0 w1 w2 w3"}), update(1, "n1", members{"position": members{"x": 2.0, "y": 0.0}}),
		update(0, "n1", members{"position": members{"x": 3.0, "y": 0.0}, "size": members{"w": 1.0, "h": 1.0}}).inGesture("g"),
		say(0, "UNDO", nil), say(0, "UNDO", nil), say(0, "REDO", nil), say(0, "REDO", nil)}},
	{"undo of a create keeps the node that another user has hung an edge on", []move{
		createNode(1, members{"id": "n0"}), createNode(0, members{"id": "n1"}), createEdge(1, "e1", "n0", "n1"),
		createNode(0, members{"id": "n2"}), createEdge(0, "e2", "n2", "n2"), say(0, "UNDO", nil), say(0, "UNDO", nil), say(0, "UNDO", nil)}},
	{"a create merged with a creation and a deletion since is left open", []move{
		createNode(0, members{"id": "n1"}), say(0, "DELETE_NODE", members{"nodeId": "n1"}),
		createNode(1, members{"id": "n1", "title": "w0 w1 w2 w3"}).on(0).with("MERGE")}},
	{"a removal merged with a change that was taken back is written", []move{
		createNode(0, members{"id": "n1", "data": 1.0}), update(0, "n1", members{"data": 2.0}), update(0, "n1", members{"data": 1.0}),
		update(1, "n1", members{"data": nil}).on(1).with("MERGE")}},
	{"a delete merged with a change that was taken back deletes", []move{
		createNode(0, members{"id": "n1", "data": 1.0}), update(0, "n1", members{"data": 2.0}), say(0, "UNDO", nil),
		say(1, "DELETE_NODE", members{"nodeId": "n1"}).on(1).with("MERGE")}},
	{"base is the value at the base, not what an operation before it in the batch made of it", []move{
		createNode(0, members{"id": "n1", "title": "w0 w1 w2 w3"}), update(0, "n1", members{"data": 2.0}),
		{1, request{kind: "BATCH", base: 1, parts: []request{
			{kind: "UPDATE_NODE_TITLE", payload: members{"nodeId": "n1", "title": "w0a w1 w2 w3"}},
			{kind: "DELETE_NODE", payload: members{"nodeId": "n1"}}}}}}},
	{"a step of which nothing but the time is left is passed over", []move{
		createNode(0, members{"id": "n1"}), createNode(1, members{"id": "n2"}), createEdge(0, "e1", "n1", "n2"),
		say(0, "UPDATE_EDGE", members{"edgeId": "e1", "updates": members{"target": "n1"}}),
		say(1, "DELETE_NODE", members{"nodeId": "n2"}), say(0, "UNDO", nil), say(0, "REDO", nil)}},
	{"an upsert that takes an edge to a node deleted since loses the end alone", []move{
		createNode(0, members{"id": "n1"}), createNode(0, members{"id": "n2"}), createEdge(0, "e1", "n1", "n1"),
		say(0, "DELETE_NODE", members{"nodeId": "n2"}),
		{1, request{kind: "BATCH_UPDATE", base: 3, parts: []request{
			{kind: "UPSERT_EDGE", payload: members{"id": "e1", "source": "n1", "target": "n2", "label": "w0 w1 w2 w3"}}}}}}},
	{"a forced undo writes its own paths, and not those beside them", []move{
		createNode(0, members{"id": "n1", "data": members{"b": 6.0}}), update(0, "n1", members{"data": members{"b": nil}}),
		update(1, "n1", members{"data": members{"deep": members{"a": 3.0}}}), say(0, "UNDO", nil).forced()}},
	{"a move back beside a removal of what is gone leaves what others put there", []move{
		createNode(0, members{"id": "n1", "data": members{"a": 1.0}}), update(0, "n1", members{"data": 4.0}),
		update(1, "n1", members{"data": members{"a": nil, "deep": members{"a": 2.0}}}).on(1).with("SERVER_WINS")}},
}

func TestModelScripts(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		for _, script := range scripts {
			t.Run(script.name, func(t *testing.T) {
				g := newGame(t, s)
				players := g.players(t, 1)
				for _, m := range script.moves {
					p := players[2*m.player] // of different users, over HTTP
					r := p.identify(m.request)
					p.remember(r)
					if err := p.post(r, s, false); err != nil {
						t.Fatal(fmt.Errorf("%s: %w", m.kind, err))
					}
				}
				g.finish(t, 1, players)
			})
		}
	})
}
