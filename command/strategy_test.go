package command_test

import (
	"fmt"
	"strings"
	"testing"

	"graphy/command"
	"graphy/projection"
)

// TestStrategies sets every strategy on every kind of path: the base is version 4, tab-2 writes at version 5, tab-1 at 6.
func TestStrategies(t *testing.T) {
	given := []string{
		say("CREATE_NODE", `{"id":"n1","title":"a b","position":{"x":0,"y":0},"size":{"w":1,"h":1},"data":{"x":1,"o":{"p":"a b"},"list":[{"a":1}]},"tags":["a","b"],"note":"a b"}`),
		say("BATCH_UPDATE", `{"nodes":{"n2":{},"n3":{}}}`),
		say("CREATE_EDGE", `{"id":"e1","source":"n1","target":"n2","label":"a b","weight":1}`),
		say("UPDATE_VIEWPORT", `{"x":1,"y":1,"zoom":2}`),
	}
	node := func(updates string) string {
		return `"type":"UPDATE_NODE","payload":{"nodeId":"n1","updates":` + updates + `}`
	}
	edge := func(updates string) string {
		return `"type":"UPDATE_EDGE","payload":{"edgeId":"e1","updates":` + updates + `}`
	}
	view := func(parts string) string { return `"type":"UPDATE_VIEWPORT","payload":` + parts }
	tests := []struct {
		name           string
		theirs, mine   string
		kind, id, path string
		base           string
		server, client string
		strategy       string // the default
		merged         string // what MERGE writes; "open": left to people; "": the later write
	}{
		{"position", node(`{"position":{"x":5,"y":0}}`), `"type":"UPDATE_NODE_POSITION","payload":{"nodeId":"n1","position":{"x":0,"y":7}}`,
			"node", "n1", "/position", `{"x":0,"y":0}`, `{"x":5,"y":0}`, `{"x":0,"y":7}`, "CLIENT_WINS", ""},
		{"position in updates", node(`{"position":{"x":5,"y":0}}`), node(`{"position":{"x":0,"y":7}}`),
			"node", "n1", "/position", `{"x":0,"y":0}`, `{"x":5,"y":0}`, `{"x":0,"y":7}`, "CLIENT_WINS", ""},
		{"position removed", node(`{"position":{"x":5,"y":0}}`), node(`{"position":null}`),
			"node", "n1", "/position", `{"x":0,"y":0}`, `{"x":5,"y":0}`, `null`, "CLIENT_WINS", ""},
		{"size", node(`{"size":{"w":2,"h":1}}`), node(`{"size":{"w":1,"h":3}}`),
			"node", "n1", "/size", `{"h":1,"w":1}`, `{"h":1,"w":2}`, `{"h":3,"w":1}`, "CLIENT_WINS", ""},
		{"title", node(`{"title":"a c"}`), `"type":"UPDATE_NODE_TITLE","payload":{"nodeId":"n1","title":"z b"}`,
			"node", "n1", "/title", `"a b"`, `"a c"`, `"z b"`, "MERGE", `"z c"`},
		{"title, overlapping", node(`{"title":"a c"}`), node(`{"title":"a d"}`), "node", "n1", "/title", `"a b"`, `"a c"`, `"a d"`, "MERGE", "open"},
		{"title removed by one", node(`{"title":null}`), node(`{"title":"z b"}`), "node", "n1", "/title", `"a b"`, `null`, `"z b"`, "MERGE", ""},
		{"title removed by the other", node(`{"title":"z b"}`), node(`{"title":null}`), "node", "n1", "/title", `"a b"`, `"z b"`, `null`, "MERGE", ""},
		{"label", edge(`{"label":"a c"}`), edge(`{"label":"z b"}`), "edge", "e1", "/label", `"a b"`, `"a c"`, `"z b"`, "MERGE", `"z c"`},
		{"a node's label is any property", node(`{"label":"a"}`), node(`{"label":"b"}`), "node", "n1", "/label", `null`, `"a"`, `"b"`, "LAST_WRITE_WINS", ""},
		{"an edge's title is any property", edge(`{"title":"a"}`), edge(`{"title":"b"}`), "edge", "e1", "/title", `null`, `"a"`, `"b"`, "LAST_WRITE_WINS", ""},
		{"data.x", node(`{"data":{"x":2}}`), node(`{"data":{"x":3}}`), "node", "n1", "/data/x", "1", "2", "3", "LAST_WRITE_WINS", ""},
		{"data.x removed", node(`{"data":{"x":2}}`), node(`{"data":{"x":null}}`), "node", "n1", "/data/x", "1", "2", "null", "LAST_WRITE_WINS", ""},
		{"data.x under what they removed", node(`{"data":null}`), node(`{"data":{"x":3}}`), "node", "n1", "/data/x", "1", "null", "3", "LAST_WRITE_WINS", ""},
		{"all of data over a part", node(`{"data":{"x":2}}`), node(`{"data":null}`), "node", "n1", "/data",
			`{"list":[{"a":1}],"o":{"p":"a b"},"x":1}`, `{"list":[{"a":1}],"o":{"p":"a b"},"x":2}`, "null", "LAST_WRITE_WINS", ""},
		{"a text below", node(`{"data":{"o":{"p":"a c"}}}`), node(`{"data":{"o":{"p":"z b"}}}`), "node", "n1", "/data/o/p", `"a b"`, `"a c"`, `"z b"`, "LAST_WRITE_WINS", `"z c"`},
		{"tags as sets", node(`{"tags":["a","b","c"]}`), node(`{"tags":["b","z"]}`), "node", "n1", "/tags", `["a","b"]`, `["a","b","c"]`, `["b","z"]`, "LAST_WRITE_WINS", `["b","c","z"]`},
		{"new tags as sets", node(`{"new":["a"]}`), node(`{"new":["b"]}`), "node", "n1", "/new", "null", `["a"]`, `["b"]`, "LAST_WRITE_WINS", `["a","b"]`},
		{"lists with objects", node(`{"data":{"list":[{"a":2}]}}`), node(`{"data":{"list":[]}}`), "node", "n1", "/data/list", `[{"a":1}]`, `[{"a":2}]`, "[]", "LAST_WRITE_WINS", ""},
		{"lists with doubles", node(`{"tags":["a","a"]}`), node(`{"tags":["b"]}`), "node", "n1", "/tags", `["a","b"]`, `["a","a"]`, `["b"]`, "LAST_WRITE_WINS", ""},
		{"new texts", node(`{"new":"a"}`), node(`{"new":"b"}`), "node", "n1", "/new", "null", `"a"`, `"b"`, "LAST_WRITE_WINS", ""},
		{"weight", edge(`{"weight":2}`), edge(`{"weight":3}`), "edge", "e1", "/weight", "1", "2", "3", "LAST_WRITE_WINS", ""},
		{"target", edge(`{"target":"n3"}`), edge(`{"target":"n1"}`), "edge", "e1", "/target", `"n2"`, `"n3"`, `"n1"`, "LAST_WRITE_WINS", "open"},
		{"source", edge(`{"source":"n3"}`), edge(`{"source":"n2"}`), "edge", "e1", "/source", `"n1"`, `"n3"`, `"n2"`, "LAST_WRITE_WINS", "open"},
		{"viewport", view(`{"x":5}`), view(`{"y":7}`), "viewport", "viewport", "", `{"x":1,"y":1,"zoom":2}`, `{"x":5,"y":1,"zoom":2}`, `{"x":5,"y":7,"zoom":2}`, "CLIENT_WINS", ""},
	}
	for _, test := range tests {
		for _, ask := range []string{"", "CLIENT_WINS", "SERVER_WINS", "LAST_WRITE_WINS", "MERGE", "MANUAL"} {
			for _, late := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%s/late=%v", test.name, ask, late), func(t *testing.T) {
					s := newScene(t, command.Options{})
					for _, body := range given {
						s.do("tab-1", body)
					}
					s.do("tab-2", "{"+test.theirs+"}")
					mine := "{" + test.mine + "," + base(4)
					if ask != "" {
						mine += "," + strategyIs(ask)
					}
					if !late {
						mine += fmt.Sprintf(`,"timestamp":%d`, s.now.Load()-1)
					}
					outcome := s.do("tab-1", mine+"}")

					strategy := ask
					if ask == "" {
						strategy = test.strategy
					}
					resolution, written := "server", test.server
					switch {
					case strategy == "MANUAL", strategy == "MERGE" && test.merged == "open":
						resolution = "manual"
					case strategy == "MERGE" && test.merged != "":
						resolution, written = "merged", test.merged
					case strategy == "CLIENT_WINS", strategy != "SERVER_WINS" && late:
						resolution, written = "client", test.client
					}
					if got, want := brief(outcome.Conflict), fmt.Sprintf("%s/%s %q %s:%s @5 %s|%s|%s|%s", test.kind, test.id, test.path, strategy, resolution,
						test.base, test.server, test.client, written); got != want {
						t.Errorf("conflict:\n got %s\nwant %s", got, want)
					}
					if overall := projection.Text(projection.Member(outcome.Conflict, "resolution")); overall != resolution {
						t.Errorf("overall: got %s, want %s", overall, resolution)
					}
					if now := valueAt(s.site.fold(t).Value(projection.Kind(test.kind), test.id), test.path); now != written {
						t.Errorf("now: got %s, want %s", now, written)
					}
					if event := s.event(outcome); (len(event.Changes) == 0) != (written == test.server) {
						t.Errorf("changes: got %+v", event.Changes)
					}
					wantOpen := ""
					if resolution == "manual" {
						wantOpen = "6-0"
					}
					for path := range projection.Elements(projection.Member(outcome.Conflict, "paths")) {
						if id := projection.Text(projection.Member(path, "conflictId")); id != wantOpen {
							t.Errorf("conflict id: got %q, want %q", id, wantOpen)
						}
						if by := string(projection.Member(path, "by")); by != `{"userId":"u-tab-2","clientId":"tab-2","version":5}` {
							t.Errorf("by: got %s", by)
						}
					}
				})
			}
		}
	}
}

// TestWriteTimes: the write time is the client's, held within that of the base and now.
func TestWriteTimes(t *testing.T) {
	const ofBase, now = 2000, 4000 // theirs is of 3000
	tests := []struct {
		name      string
		base      int
		timestamp string
		written   int64
		wins      bool
	}{
		{"absent", 2, "", now, true},
		{"right before theirs", 2, "2999", 2999, false},
		{"a tie", 2, "3000", 3000, true},
		{"right after", 2, "3001", 3001, true},
		{"of 1970", 2, "0", ofBase, false},
		{"of 1970 and a bit", 2, "1", ofBase, false},
		{"of 3000", 2, "32503680000000", now, true},
		{"of the base", 2, "2000", ofBase, false},
		{"before the base", 2, "1999", ofBase, false},
		{"of 1970, on the empty graph", 0, "0", 1, false},
		{"of the far past, on an older base", 1, "5", 1000, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, recent := range []int{0, 1} {
				s := newScene(t, command.Options{RecentEvents: recent})
				s.do("tab-1", say("CREATE_NODE", `{"id":"n1","x":1}`))
				s.do("tab-1", say("UPDATE_VIEWPORT", `{"x":1}`))
				s.do("tab-2", say("UPDATE_NODE", `{"nodeId":"n1","updates":{"x":2}}`))
				mine := []string{base(test.base)}
				if test.timestamp != "" {
					mine = append(mine, `"timestamp":`+test.timestamp)
				}
				outcome := s.do("tab-1", say("UPDATE_NODE", `{"nodeId":"n1","updates":{"x":3}}`, mine...))
				event := s.event(outcome)
				if event.WrittenAt != test.written || event.Timestamp != now {
					t.Errorf("written at: got %d of %d, want %d", event.WrittenAt, event.Timestamp, test.written)
				}
				if got := valueAt(s.site.fold(t).Value(projection.Node, "n1"), "/x"); got != map[bool]string{true: "3", false: "2"}[test.wins] {
					t.Errorf("got %s, want that it wins: %v (%s)", got, test.wins, outcome.Conflict)
				}
			}
		})
	}
}

// TestWriteTimeIsKept: what was written late counts as written when it was.
func TestWriteTimeIsKept(t *testing.T) {
	s := newScene(t, command.Options{})
	s.do("tab-1", say("CREATE_NODE", `{"id":"n1","x":1}`))
	s.do("tab-2", say("UPDATE_NODE", `{"nodeId":"n1","updates":{"x":2}}`, `"timestamp":1500`))
	if outcome := s.do("tab-1", say("UPDATE_NODE", `{"nodeId":"n1","updates":{"x":3}}`, base(1), `"timestamp":1499`)); !strings.Contains(brief(outcome.Conflict), ":server") {
		t.Errorf("written before: got %s", outcome.Conflict)
	}
	if outcome := s.do("tab-1", say("UPDATE_NODE", `{"nodeId":"n1","updates":{"x":3}}`, base(1), `"timestamp":1501`)); !strings.Contains(brief(outcome.Conflict), ":client") {
		t.Errorf("written after, and before it arrived: got %s", outcome.Conflict)
	}
}

// TestMergedTitleOverItsLimit is left to people.
func TestMergedTitleOverItsLimit(t *testing.T) {
	long := strings.Repeat("x", command.MaxTitle*2/3)
	for limit, want := range map[int]string{0: "manual", 2*len(long) + 2: "manual", 2*len(long) + 3: "merged"} {
		s := newScene(t, command.Options{Limits: command.Limits{Title: limit}})
		s.do("tab-1", say("CREATE_NODE", `{"id":"n1","title":"a b c"}`))
		s.do("tab-2", say("UPDATE_NODE_TITLE", `{"nodeId":"n1","title":"`+long+` b c"}`))
		outcome := s.do("tab-1", say("UPDATE_NODE_TITLE", `{"nodeId":"n1","title":"a b `+long+`"}`, base(1)))
		if got := brief(outcome.Conflict); !strings.HasPrefix(got, `node/n1 "/title" MERGE:`+want+` @2`) {
			t.Errorf("limit %d: got %.100s, %s, want %s", limit, got, outcome.Status, want)
		}
	}
}

// TestMergedEndNeedsItsNode: ids that merge by words to the id of no node are left to people.
func TestMergedEndNeedsItsNode(t *testing.T) {
	s := newScene(t, command.Options{})
	s.do("tab-1", say("BATCH_UPDATE", `{"nodes":{"a-b":{},"x-b":{},"a-y":{}},"edges":[{"id":"e1","source":"a-b","target":"a-b"}]}`))
	s.do("tab-2", say("UPDATE_EDGE", `{"edgeId":"e1","updates":{"target":"x-b"}}`))
	outcome := s.do("tab-1", say("UPDATE_EDGE", `{"edgeId":"e1","updates":{"target":"a-y"}}`, base(1), strategyIs("MERGE")))
	if got, want := brief(outcome.Conflict), `edge/e1 "/target" MERGE:manual @2 "a-b"|"x-b"|"a-y"|"x-b"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestThereAndBack: others have changed a path and changed it back. It is a conflict, and a merge keeps the one change.
func TestThereAndBack(t *testing.T) {
	for mine, want := range map[string]string{
		`"b c"`: `node/n1 "/title" MERGE:merged @3 "a c"|"a c"|"b c"|"b c"`,
		`null`:  `node/n1 "/title" MERGE:merged @3 "a c"|"a c"|null|null`,
	} {
		s := newScene(t, command.Options{})
		s.do("tab-1", say("CREATE_NODE", `{"id":"n1","title":"a c"}`))
		s.do("tab-2", say("UPDATE_NODE_TITLE", `{"nodeId":"n1","title":"x"}`))
		s.do("tab-2", say("UPDATE_NODE_TITLE", `{"nodeId":"n1","title":"a c"}`))
		outcome := s.do("tab-1", say("UPDATE_NODE", `{"nodeId":"n1","updates":{"title":`+mine+`}}`, base(1)))
		if got := brief(outcome.Conflict); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if now := valueAt(s.site.fold(t).Value(projection.Node, "n1"), "/title"); now != mine {
			t.Errorf("now: got %s, want %s", now, mine)
		}
	}
}

// TestPartialWins: every path goes its own way, and all are reported.
func TestPartialWins(t *testing.T) {
	s := newScene(t, command.Options{})
	s.do("tab-1", say("CREATE_NODE", `{"id":"n1","title":"a b","data":{"x":1,"y":1},"position":{"x":0,"y":0},"free":1}`))
	if _, err := s.submit(policyCommand(t, `{"/data/x":"SERVER_WINS","/data/y":"MANUAL"}`)); err != nil {
		t.Fatal(err)
	}
	s.do("tab-2", say("UPDATE_NODE", `{"nodeId":"n1","updates":{"title":"a c","data":{"x":2,"y":2},"position":{"x":5,"y":5}}}`))
	outcome := s.do("tab-1", say("UPDATE_NODE", `{"nodeId":"n1","updates":{"title":"z b","data":{"x":3,"y":3,"z":3},"position":{"x":7,"y":7},"free":2}}`, base(2)))
	want := `node/n1 "/data/x" SERVER_WINS:server @3 1|2|3|2
node/n1 "/data/y" MANUAL:manual @3 1|2|3|2
node/n1 "/position" CLIENT_WINS:client @3 {"x":0,"y":0}|{"x":5,"y":5}|{"x":7,"y":7}|{"x":7,"y":7}
node/n1 "/title" MERGE:merged @3 "a b"|"a c"|"z b"|"z c"`
	if got := brief(outcome.Conflict); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if overall := projection.Text(projection.Member(outcome.Conflict, "resolution")); overall != "mixed" {
		t.Errorf("overall: got %s", overall)
	}
	if got, want := bare(s.site.fold(t).Value(projection.Node, "n1")), `{"data":{"x":2,"y":2,"z":3},"free":2,"id":"n1","position":{"x":7,"y":7},"title":"z c"}`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestRemovalOfWhatIsGone: to take away what others took away, or made into something else, is no conflict, and does not
// undo what they did.
func TestRemovalOfWhatIsGone(t *testing.T) {
	for theirs, then := range map[string]string{`[1]`: `{"data":[1],"id":"n1"}`, `5`: `{"data":5,"id":"n1"}`, `null`: `{"id":"n1"}`, `{"x":null}`: `{"data":{"y":1},"id":"n1"}`} {
		s := newScene(t, command.Options{})
		s.do("tab-1", say("CREATE_NODE", `{"id":"n1","data":{"x":1,"y":1}}`))
		s.do("tab-2", say("UPDATE_NODE", `{"nodeId":"n1","updates":{"data":`+theirs+`}}`))
		outcome := s.do("tab-1", say("UPDATE_NODE", `{"nodeId":"n1","updates":{"data":{"x":null}}}`, base(1)))
		if outcome.Conflict != nil || len(s.event(outcome).Changes) > 0 || bare(outcome.Result) != then {
			t.Errorf("%s: got %s, %s, want %s", theirs, outcome.Conflict, outcome.Result, then)
		}
	}
}

// TestConflictIDInAValue: what stands in a value leaves nothing open.
func TestConflictIDInAValue(t *testing.T) {
	s := newScene(t, command.Options{})
	s.do("tab-1", say("CREATE_NODE", `{"id":"n1","x":1}`))
	s.do("tab-2", say("UPDATE_NODE", `{"nodeId":"n1","updates":{"x":[{"conflictId":"3-0"}]}}`))
	outcome := s.do("tab-1", say("UPDATE_NODE", `{"nodeId":"n1","updates":{"x":[{"conflictId":"3-0"},1]}}`, base(1)))
	if outcome.Conflict == nil || outcome.Status != command.StatusProcessing {
		t.Errorf("got %s, %s", outcome.Status, outcome.Conflict)
	}
	_, err := s.submit(resolveCommand(t, "tab-1", "3-0", `{"choice":"client"}`))
	wantCode(t, "resolve", err, command.NotFound)
}
