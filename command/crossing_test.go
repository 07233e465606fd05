package command_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"graphy/command"
	"graphy/projection"
)

// crossingGiven leads to version 4, on which tab-1 edits.
var crossingGiven = []string{
	say("CREATE_NODE", `{"id":"n1","title":"a"}`),
	say("CREATE_NODE", `{"id":"n2"}`),
	say("CREATE_NODE", `{"id":"n3"}`),
	say("CREATE_EDGE", `{"id":"e1","source":"n1","target":"n2","label":"a"}`),
}

// TestCrossing: creates, updates, upserts and deletes that cross what tab-2 has done since, by every strategy.
func TestCrossing(t *testing.T) {
	const (
		n1, e1 = `{"id":"n1","title":"a"}`, `{"id":"e1","label":"a","source":"n1","target":"n2"}`
		drop1  = `{"type":"DELETE_NODE","payload":{"nodeId":"n1"}}`
		drop3  = `{"type":"DELETE_NODE","payload":{"nodeId":"n3"}}`
		dropE  = `{"type":"DELETE_EDGE","payload":{"edgeId":"e1"}}`
	)
	update := func(patch string) string {
		return `"type":"UPDATE_NODE","payload":{"nodeId":"n1","updates":` + patch + `}`
	}
	updateEdge := func(patch string) string {
		return `"type":"UPDATE_EDGE","payload":{"edgeId":"e1","updates":` + patch + `}`
	}
	batch := func(parts ...string) string {
		return say("BATCH_UPDATE", `{"operations":[`+strings.Join(parts, ",")+`]}`)
	}
	tests := []struct {
		name                 string
		theirs               []string
		mine                 string
		kind, id, path       string
		by                   int
		base, server, client string
		strategy             string // the default
		mergeIsManual        bool
		endGone              bool // the server wins, whatever is asked for
	}{
		{"update of a deleted node", []string{drop1}, update(`{"title":"b"}`), "node", "n1", "", 5, n1, "null", `{"id":"n1","title":"b"}`, "SERVER_WINS", true, false},
		{"update with its last value", []string{say("UPDATE_NODE", `{"nodeId":"n1","updates":{"color":"red"}}`), drop1}, update(`{"title":"b"}`),
			"node", "n1", "", 6, n1, "null", `{"color":"red","id":"n1","title":"b"}`, "SERVER_WINS", true, false},
		{"update with its last value, changed and deleted at once", []string{batch(say("UPDATE_NODE", `{"nodeId":"n1","updates":{"color":"red"}}`), drop1)}, update(`{"title":"b"}`),
			"node", "n1", "", 5, n1, "null", `{"color":"red","id":"n1","title":"b"}`, "SERVER_WINS", true, false},
		{"update of what was deleted, made and deleted", []string{drop1, batch(say("CREATE_NODE", `{"id":"n1","color":"red"}`), drop1)}, update(`{"title":"b"}`),
			"node", "n1", "", 6, n1, "null", `{"color":"red","id":"n1","title":"b"}`, "SERVER_WINS", true, false},
		{"update of what was not there at the base", []string{say("CREATE_NODE", `{"id":"n9","x":1}`), say("DELETE_NODE", `{"nodeId":"n9"}`)},
			`"type":"UPDATE_NODE_TITLE","payload":{"nodeId":"n9","title":"b"}`, "node", "n9", "", 6, "null", "null", `{"id":"n9","title":"b","x":1}`, "SERVER_WINS", true, false},
		{"empty update of a deleted node", []string{drop1}, update(`{}`), "node", "n1", "", 5, n1, "null", n1, "SERVER_WINS", true, false},
		{"update of a deleted edge", []string{dropE}, updateEdge(`{"label":"b"}`), "edge", "e1", "", 5, e1, "null", `{"id":"e1","label":"b","source":"n1","target":"n2"}`, "SERVER_WINS", true, false},
		{"update of an edge that went with its node", []string{drop1}, updateEdge(`{"label":"b"}`), "edge", "e1", "", 5, e1, "null", `{"id":"e1","label":"b","source":"n1","target":"n2"}`, "SERVER_WINS", false, true},
		{"update of it away from that node", []string{drop1}, updateEdge(`{"source":"n3"}`), "edge", "e1", "", 5, e1, "null", `{"id":"e1","label":"a","source":"n3","target":"n2"}`, "SERVER_WINS", true, false},
		{"update of a deleted edge to a deleted node", []string{dropE, drop3}, updateEdge(`{"target":"n3"}`), "edge", "e1", "", 5, e1, "null", `{"id":"e1","label":"a","source":"n1","target":"n3"}`, "SERVER_WINS", false, true},
		{"upsert of a deleted node", []string{drop1}, `"type":"BATCH_UPDATE","payload":{"nodes":{"n1":{"x":1}}}`, "node", "n1", "", 5, n1, "null", `{"id":"n1","x":1}`, "SERVER_WINS", true, false},
		{"upsert of a deleted edge", []string{dropE}, `"type":"BATCH_UPDATE","payload":{"edges":[{"id":"e1","source":"n2","target":"n3"}]}`, "edge", "e1", "", 5, e1, "null", `{"id":"e1","source":"n2","target":"n3"}`, "SERVER_WINS", true, false},
		{"upsert of an edge that went with its node", []string{drop1}, `"type":"BATCH_UPDATE","payload":{"edges":[{"id":"e1","source":"n1","target":"n3"}]}`, "edge", "e1", "", 5, e1, "null", `{"id":"e1","source":"n1","target":"n3"}`, "SERVER_WINS", false, true},
		{"create of a created node", []string{say("CREATE_NODE", `{"id":"n9","x":1}`)}, `"type":"CREATE_NODE","payload":{"id":"n9","x":2}`, "node", "n9", "", 5, "null", `{"id":"n9","x":1}`, `{"id":"n9","x":2}`, "SERVER_WINS", true, false},
		{"create of what was created and changed", []string{say("CREATE_NODE", `{"id":"n9","x":1}`), say("UPDATE_NODE", `{"nodeId":"n9","updates":{"y":1}}`)},
			`"type":"CREATE_NODE","payload":{"id":"n9","x":1}`, "node", "n9", "", 5, "null", `{"id":"n9","x":1,"y":1}`, `{"id":"n9","x":1}`, "SERVER_WINS", true, false},
		{"create of a created edge", []string{say("CREATE_EDGE", `{"id":"e9","source":"n1","target":"n2"}`)}, `"type":"CREATE_EDGE","payload":{"id":"e9","source":"n2","target":"n1"}`,
			"edge", "e9", "", 5, "null", `{"id":"e9","source":"n1","target":"n2"}`, `{"id":"e9","source":"n2","target":"n1"}`, "SERVER_WINS", true, false},
		{"create of a created edge, to a deleted node", []string{say("CREATE_EDGE", `{"id":"e9","source":"n1","target":"n2"}`), drop3}, `"type":"CREATE_EDGE","payload":{"id":"e9","source":"n3","target":"n1"}`,
			"edge", "e9", "", 6, "null", `{"id":"e9","source":"n1","target":"n2"}`, `{"id":"e9","source":"n3","target":"n1"}`, "SERVER_WINS", false, true},
		{"create of what was deleted and made anew", []string{drop1, say("CREATE_NODE", `{"id":"n1","x":1}`)}, `"type":"CREATE_NODE","payload":{"id":"n1","x":2}`,
			"node", "n1", "", 6, n1, `{"id":"n1","x":1}`, `{"id":"n1","x":2}`, "SERVER_WINS", true, false},
		{"upsert of a created node", []string{say("CREATE_NODE", `{"id":"n9","x":1}`)}, `"type":"BATCH_UPDATE","payload":{"nodes":{"n9":{"x":2}}}`, "node", "n9", "", 5, "null", `{"id":"n9","x":1}`, `{"id":"n9","x":2}`, "SERVER_WINS", true, false},
		{"create of a deleted node", []string{drop1}, `"type":"CREATE_NODE","payload":{"id":"n1","x":1}`, "node", "n1", "", 5, n1, "null", `{"id":"n1","x":1}`, "LAST_WRITE_WINS", true, false},
		{"create of a deleted edge", []string{dropE}, `"type":"CREATE_EDGE","payload":{"id":"e1","source":"n1","target":"n3"}`, "edge", "e1", "", 5, e1, "null", `{"id":"e1","source":"n1","target":"n3"}`, "LAST_WRITE_WINS", true, false},
		{"create of an edge from a deleted node", []string{drop1}, `"type":"CREATE_EDGE","payload":{"id":"e9","source":"n1","target":"n3"}`, "edge", "e9", "", 5, "null", "null", `{"id":"e9","source":"n1","target":"n3"}`, "SERVER_WINS", false, true},
		{"create of an edge to a deleted node", []string{drop1}, `"type":"CREATE_EDGE","payload":{"id":"e9","source":"n3","target":"n1"}`, "edge", "e9", "", 5, "null", "null", `{"id":"e9","source":"n3","target":"n1"}`, "SERVER_WINS", false, true},
		{"create of an edge between deleted nodes", []string{drop3, drop1}, `"type":"CREATE_EDGE","payload":{"id":"e9","source":"n1","target":"n3"}`, "edge", "e9", "", 6, "null", "null", `{"id":"e9","source":"n1","target":"n3"}`, "SERVER_WINS", false, true},
		{"upsert of a new edge to a deleted node", []string{drop3}, `"type":"BATCH_UPDATE","payload":{"edges":[{"id":"e9","source":"n1","target":"n3"}]}`, "edge", "e9", "", 5, "null", "null", `{"id":"e9","source":"n1","target":"n3"}`, "SERVER_WINS", false, true},
		{"update of an edge to a deleted node", []string{drop3}, updateEdge(`{"target":"n3"}`), "edge", "e1", "/target", 5, `"n2"`, `"n2"`, `"n3"`, "SERVER_WINS", false, true},
		{"update of an edge from a deleted node", []string{drop3}, updateEdge(`{"source":"n3"}`), "edge", "e1", "/source", 5, `"n1"`, `"n1"`, `"n3"`, "SERVER_WINS", false, true},
		{"upsert of an edge to a deleted node", []string{drop3}, `"type":"BATCH_UPDATE","payload":{"edges":[{"id":"e1","source":"n1","target":"n3","label":"a"}]}`, "edge", "e1", "/target", 5, `"n2"`, `"n2"`, `"n3"`, "SERVER_WINS", false, true},
		{"upsert over a changed property", []string{say("UPDATE_NODE", `{"nodeId":"n1","updates":{"x":1}}`)}, `"type":"BATCH_UPDATE","payload":{"nodes":{"n1":{"title":"a","x":2}}}`, "node", "n1", "/x", 5, "null", "1", "2", "LAST_WRITE_WINS", false, false},
		{"upsert that leaves out a changed property", []string{say("UPDATE_NODE_TITLE", `{"nodeId":"n1","title":"b"}`)}, `"type":"BATCH_UPDATE","payload":{"nodes":{"n1":{}}}`, "node", "n1", "/title", 5, `"a"`, `"b"`, "null", "MERGE", false, false},
		{"delete of a changed node", []string{say("UPDATE_NODE", `{"nodeId":"n1","updates":{"x":1}}`)}, `"type":"DELETE_NODE","payload":{"nodeId":"n1"}`, "node", "n1", "", 5, n1, `{"id":"n1","title":"a","x":1}`, "null", "CLIENT_WINS", false, false},
		{"delete of a changed edge", []string{say("UPDATE_EDGE", `{"edgeId":"e1","updates":{"x":1}}`)}, `"type":"DELETE_EDGE","payload":{"edgeId":"e1"}`, "edge", "e1", "", 5, e1, `{"id":"e1","label":"a","source":"n1","target":"n2","x":1}`, "null", "CLIENT_WINS", false, false},
		{"delete of a created node", []string{say("CREATE_NODE", `{"id":"n9"}`)}, `"type":"DELETE_NODE","payload":{"nodeId":"n9"}`, "node", "n9", "", 5, "null", `{"id":"n9"}`, "null", "CLIENT_WINS", false, false},
		{"delete of what was deleted and made anew", []string{drop1, say("CREATE_NODE", `{"id":"n1"}`)}, `"type":"DELETE_NODE","payload":{"nodeId":"n1"}`, "node", "n1", "", 6, n1, `{"id":"n1"}`, "null", "CLIENT_WINS", false, false},
	}
	for _, test := range tests {
		for _, ask := range []string{"", "CLIENT_WINS", "SERVER_WINS", "LAST_WRITE_WINS", "MERGE", "MANUAL"} {
			for _, late := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%s/late=%v", test.name, ask, late), func(t *testing.T) {
					s := newScene(t, command.Options{})
					for _, body := range crossingGiven {
						s.do("tab-1", body)
					}
					for _, body := range test.theirs {
						s.do("tab-2", body)
					}
					before := s.site.fold(t)
					more := []string{base(4)}
					if ask != "" {
						more = append(more, strategyIs(ask))
					}
					if !late { // than what it conflicts with
						more = append(more, fmt.Sprintf(`"timestamp":%d`, test.by*1000-1))
					}
					outcome := s.do("tab-1", "{"+test.mine+","+strings.Join(more, ",")+"}")

					strategy := ask
					switch {
					case test.endGone:
						strategy = "SERVER_WINS"
					case ask == "":
						strategy = test.strategy
					case ask == "MERGE" && test.mergeIsManual:
						strategy = "MANUAL"
					}
					resolution, written := "server", test.server
					switch {
					case strategy == "MANUAL":
						resolution = "manual"
					case strategy == "CLIENT_WINS", strategy != "SERVER_WINS" && late:
						resolution, written = "client", test.client
					}
					if got, want := brief(outcome.Conflict), fmt.Sprintf("%s/%s %q %s:%s @%d %s|%s|%s|%s", test.kind, test.id, test.path, strategy, resolution,
						test.by, test.base, test.server, test.client, written); got != want {
						t.Errorf("conflict:\n got %s\nwant %s", got, want)
					}
					after := s.site.fold(t)
					now := after.Value(projection.Kind(test.kind), test.id)
					if got := bareOrNull(now, test.path); got != written {
						t.Errorf("now: got %s, want %s", got, written)
					}
					event := s.event(outcome)
					if lost := resolution != "client"; lost != (len(event.Changes) == 0) {
						t.Errorf("changes: got %+v", event.Changes)
					}
					s.checkResult(outcome, test.mine, test.kind, before.Value(projection.Kind(test.kind), test.id), now)
					s.checkPlaced(event, test.id, now)
				})
			}
		}
	}
}

func bareOrNull(value jsontext.Value, path string) string {
	switch {
	case value == nil:
		return "null"
	case path == "":
		return bare(value)
	}
	return valueAt(value, path)
}

// checkResult holds the result against what became of the entity.
func (s *scene) checkResult(outcome command.Outcome, mine, kind string, before, now jsontext.Value) {
	s.t.Helper()
	want := "null"
	if now != nil {
		want = string(now)
	}
	removed := before
	if now != nil {
		removed = jsontext.Value("null")
	}
	switch {
	case strings.Contains(mine, "DELETE_NODE"):
		edges := "[]"
		for path := range projection.Elements(projection.Member(outcome.Result, "deletedEdges")) {
			edges = "[" + string(path) + "]" // n1 has one
		}
		want = fmt.Sprintf(`{"deletedNode":%s,"deletedEdges":%s}`, removed, edges)
	case kind == "edge" && strings.Contains(mine, "DELETE_EDGE"):
		want = fmt.Sprintf(`{"deletedEdge":%s}`, removed)
	case strings.Contains(mine, "BATCH_UPDATE"):
		want = `{"results":[` + want + `]}`
	}
	if string(outcome.Result) != want {
		s.t.Errorf("result:\n got %s\nwant %s", outcome.Result, want)
	}
}

// checkPlaced: what comes back or takes a place keeps its time of creation; its edges do not come back.
func (s *scene) checkPlaced(event projection.Event, id string, now jsontext.Value) {
	s.t.Helper()
	for _, change := range event.Changes {
		if change.Op == projection.Delete {
			continue
		}
		if change.ID != id {
			s.t.Errorf("writes %s %s", change.Kind, change.ID)
		}
		if updated := projection.Member(now, "updatedAt"); string(updated) != fmt.Sprint(s.now.Load()) {
			s.t.Errorf("updatedAt: got %s", updated)
		}
	}
}

// TestComesBackAsItWas: with its time of creation, and without its edges.
func TestComesBackAsItWas(t *testing.T) {
	for _, mine := range []string{say("UPDATE_NODE_TITLE", `{"nodeId":"n1","title":"b"}`, base(4), strategyIs("CLIENT_WINS")),
		say("BATCH_UPDATE", `{"nodes":{"n1":{"title":"b"}}}`, base(4), strategyIs("CLIENT_WINS"))} {
		s := newScene(t, command.Options{})
		for _, body := range crossingGiven {
			s.do("tab-1", body)
		}
		s.do("tab-2", say("DELETE_NODE", `{"nodeId":"n1"}`))
		outcome := s.do("tab-1", mine)
		graph := s.site.fold(t)
		if got, want := string(graph.Value(projection.Node, "n1")), `{"createdAt":1000,"id":"n1","title":"b","updatedAt":6000}`; got != want || graph.Has(projection.Edge, "e1") {
			t.Errorf("got %s, edge %s", got, graph.Value(projection.Edge, "e1"))
		}
		if changes := s.event(outcome).Changes; len(changes) != 1 || changes[0].Op != projection.Put || changes[0].Was != nil {
			t.Errorf("changes: %+v", changes)
		}
	}
}

// TestReplacedByACreate keeps the time of creation, and says what was there.
func TestReplacedByACreate(t *testing.T) {
	s := newScene(t, command.Options{})
	s.do("tab-2", say("CREATE_NODE", `{"id":"n1","x":1}`))
	outcome := s.do("tab-1", say("CREATE_NODE", `{"id":"n1","x":2}`, base(0), strategyIs("CLIENT_WINS")))
	changes := s.event(outcome).Changes
	if len(changes) != 1 || string(changes[0].Value) != `{"createdAt":1000,"id":"n1","updatedAt":2000,"x":2}` || string(changes[0].Was) != `{"createdAt":1000,"id":"n1","updatedAt":1000,"x":1}` {
		t.Errorf("got %+v", changes)
	}
}

// TestCrossingWithoutConflict: what is equal, or gone already, is accepted without changes.
func TestCrossingWithoutConflict(t *testing.T) {
	tests := []struct{ name, theirs, mine, result string }{
		{"same body", say("CREATE_NODE", `{"id":"n9","x":1,"y":null}`), say("CREATE_NODE", `{"id":"n9","x":1.0,"createdAt":7}`, base(4)), `{"createdAt":5000,"id":"n9","updatedAt":5000,"x":1}`},
		{"same edge", say("CREATE_EDGE", `{"id":"e9","source":"n1","target":"n2"}`), say("CREATE_EDGE", `{"id":"e9","source":"n1","target":"n2"}`, base(4)), `{"createdAt":5000,"id":"e9","source":"n1","target":"n2","updatedAt":5000}`},
		{"same upsert of a created node", say("CREATE_NODE", `{"id":"n9","x":1}`), say("BATCH_UPDATE", `{"nodes":{"n9":{"x":1}}}`, base(4)), `{"results":[{"createdAt":5000,"id":"n9","updatedAt":5000,"x":1}]}`},
		{"same upsert of a changed node", say("UPDATE_NODE_TITLE", `{"nodeId":"n1","title":"b"}`), say("BATCH_UPDATE", `{"nodes":{"n1":{"title":"b"}}}`, base(4)), `{"results":[{"createdAt":1000,"id":"n1","title":"b","updatedAt":5000}]}`},
		{"same update", say("UPDATE_NODE_TITLE", `{"nodeId":"n1","title":"b"}`), say("UPDATE_NODE", `{"nodeId":"n1","updates":{"title":"b"}}`, base(4)), `{"createdAt":1000,"id":"n1","title":"b","updatedAt":5000}`},
		{"deletes of a node", say("DELETE_NODE", `{"nodeId":"n1"}`), say("DELETE_NODE", `{"nodeId":"n1"}`, base(4)), `{"deletedNode":{"id":"n1"},"deletedEdges":[]}`},
		{"deletes of an edge", say("DELETE_EDGE", `{"edgeId":"e1"}`), say("DELETE_EDGE", `{"edgeId":"e1"}`, base(4)), `{"deletedEdge":{"id":"e1"}}`},
		{"delete of an edge that went with its node", say("DELETE_NODE", `{"nodeId":"n1"}`), say("DELETE_EDGE", `{"edgeId":"e1"}`, base(4)), `{"deletedEdge":{"id":"e1"}}`},
		{"an edge to its node again", say("UPDATE_EDGE", `{"edgeId":"e1","updates":{"target":"n3"}}`), say("UPDATE_EDGE", `{"edgeId":"e1","updates":{"target":"n3"}}`, base(4)), `{"createdAt":4000,"id":"e1","label":"a","source":"n1","target":"n3","updatedAt":5000}`},
	}
	for _, test := range tests {
		for _, ask := range []string{"", "CLIENT_WINS", "SERVER_WINS", "LAST_WRITE_WINS", "MERGE", "MANUAL"} {
			s := newScene(t, command.Options{})
			for _, body := range crossingGiven {
				s.do("tab-1", body)
			}
			s.do("tab-2", test.theirs)
			mine := test.mine
			if ask != "" {
				mine = strings.TrimSuffix(mine, "}") + "," + strategyIs(ask) + "}"
			}
			outcome := s.do("tab-1", mine)
			if outcome.Conflict != nil || len(s.event(outcome).Changes) > 0 || string(outcome.Result) != test.result {
				t.Errorf("%s, %s: got %s, %s", test.name, ask, outcome.Conflict, outcome.Result)
			}
		}
	}
}
