package command_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"graphy/command"
	"graphy/eventstore"
	"graphy/projection"
)

// ticking is a clock that moves one millisecond at each look: the n-th command of a test is at time 1000 + n or later.
func ticking() func() time.Time {
	var clock atomic.Int64
	clock.Store(1000)
	return func() time.Time { return time.UnixMilli(clock.Add(1)) }
}

// told reads what a user says: "undo", "redo", each with "!" for force, or a command.
func told(t tester, user, what string) *command.Command {
	t.Helper()
	identity := command.Identity{UserID: user, ClientID: user + "-tab"}
	var c *command.Command
	var err error
	switch what {
	case "undo":
		c, err = command.ParseUndo(nil, identity)
	case "undo!":
		c, err = command.ParseUndo([]byte(`{"force":true}`), identity)
	case "redo":
		c, err = command.ParseRedo(nil, identity)
	case "redo!":
		c, err = command.ParseRedo([]byte(`{"force":true}`), identity)
	default:
		c, err = command.Parse([]byte(what), identity)
	}
	if err != nil {
		t.Fatalf("parse %s: %v", what, err)
	}
	return c
}

// tell has one of u1, u2 … say something: "1 undo", "2 {…}".
func tell(t tester, p *command.Processor, line string) (command.Outcome, error) {
	t.Helper()
	user, what, _ := strings.Cut(line, " ")
	return p.Do(context.Background(), "g", told(t, "u"+user, what))
}

func updating(id, patch string) string {
	return fmt.Sprintf(`{"type":"UPDATE_NODE","payload":{"nodeId":%q,"updates":%s}}`, id, patch)
}

func inGesture(gesture, body string) string {
	return strings.TrimSuffix(body, "}") + fmt.Sprintf(`,"gestureId":%q}`, gesture)
}

func linking(id, source, target string) string {
	return fmt.Sprintf(`{"type":"CREATE_EDGE","payload":{"id":%q,"source":%q,"target":%q}}`, id, source, target)
}

func batching(operations ...string) string {
	return `{"type":"BATCH_UPDATE","payload":{"operations":[` + strings.Join(operations, ",") + `]}}`
}

const (
	newN1  = `{"type":"CREATE_NODE","payload":{"id":"n1","title":"t","position":{"x":0,"y":0},"data":{"a":1,"b":[1]}}}`
	newN2  = `{"type":"CREATE_NODE","payload":{"id":"n2"}}`
	newN3  = `{"type":"CREATE_NODE","payload":{"id":"n3"}}`
	dropN1 = `{"type":"DELETE_NODE","payload":{"nodeId":"n1"}}`
	dropN2 = `{"type":"DELETE_NODE","payload":{"nodeId":"n2"}}`
)

func TestUndo(t *testing.T) {
	tests := []struct {
		name    string
		given   []string // who, and what they say
		when    string
		undoes  string // or redoes; "" where it is refused
		skipped string // paths and versions
		node    string // n1 after it, without id and createdAt
		edges   string
		code    command.Code
	}{
		{name: "nothing to undo", when: "1 undo", code: command.NothingToUndo},
		{name: "nothing of one's own", given: []string{"2 " + newN1}, when: "1 undo", code: command.NothingToUndo, node: `{"data":{"a":1,"b":[1]},"position":{"x":0,"y":0},"title":"t","updatedAt":1001}`},
		{name: "nothing to redo", given: []string{"1 " + newN1}, when: "1 redo", code: command.NothingToRedo, node: `{"data":{"a":1,"b":[1]},"position":{"x":0,"y":0},"title":"t","updatedAt":1001}`},
		{name: "create", given: []string{"1 " + newN1}, when: "1 undo", undoes: "[1]"},
		{name: "update, with the time of the last update", given: []string{"1 " + newN1, "1 " + updating("n1", `{"title":"x","data":{"a":2,"c":3}}`)}, when: "1 undo", undoes: "[2]",
			node: `{"data":{"a":1,"b":[1]},"position":{"x":0,"y":0},"title":"t","updatedAt":1001}`},
		{name: "other paths of others stay, and the time is new", given: []string{"1 " + newN1, "1 " + updating("n1", `{"title":"x"}`), "2 " + updating("n1", `{"data":{"a":5}}`)}, when: "1 undo", undoes: "[2]",
			node: `{"data":{"a":5,"b":[1]},"position":{"x":0,"y":0},"title":"t","updatedAt":1007}`},
		{name: "part of data", given: []string{"1 " + newN1, "1 " + updating("n1", `{"data":{"a":2,"c":{"d":1}}}`), "2 " + updating("n1", `{"data":{"a":3,"c":{"e":1}}}`)}, when: "1 undo", undoes: "[2]",
			skipped: `node n1 /data/a u2 3`, node: `{"data":{"a":3,"b":[1],"c":{"e":1}},"position":{"x":0,"y":0},"title":"t","updatedAt":1007}`},
		{name: "by force", given: []string{"1 " + newN1, "1 " + updating("n1", `{"data":{"a":2,"c":3}}`), "2 " + updating("n1", `{"data":{"a":3}}`)}, when: "1 undo!", undoes: "[2]",
			node: `{"data":{"a":1,"b":[1]},"position":{"x":0,"y":0},"title":"t","updatedAt":1007}`},
		{name: "an object that others have put something into stays", given: []string{"1 " + newN1, "1 " + updating("n1", `{"o":{"p":{"q":1}}}`), "2 " + updating("n1", `{"o":{"r":2}}`)}, when: "1 undo", undoes: "[2]",
			node: `{"data":{"a":1,"b":[1]},"o":{"r":2},"position":{"x":0,"y":0},"title":"t","updatedAt":1007}`},
		{name: "and goes when theirs has gone", given: []string{"1 " + newN1, "1 " + updating("n1", `{"o":{"p":{"q":1}}}`), "2 " + updating("n1", `{"o":{"r":2}}`), "2 " + updating("n1", `{"o":{"r":null}}`)}, when: "1 undo", undoes: "[2]",
			node: `{"data":{"a":1,"b":[1]},"position":{"x":0,"y":0},"title":"t","updatedAt":1009}`},
		{name: "an array is one value", given: []string{"1 " + newN1, "1 " + updating("n1", `{"title":"x","data":{"b":[1,2]}}`), "2 " + updating("n1", `{"data":{"b":[1,2,3]}}`)}, when: "1 undo", undoes: "[2]",
			skipped: `node n1 /data/b u2 3`, node: `{"data":{"a":1,"b":[1,2,3]},"position":{"x":0,"y":0},"title":"t","updatedAt":1007}`},
		{name: "a position is one value", given: []string{"1 " + newN1, "1 " + updating("n1", `{"title":"x","position":{"x":1,"y":0}}`), "2 " + updating("n1", `{"position":{"x":1,"y":1}}`)}, when: "1 undo", undoes: "[2]",
			skipped: `node n1 /position u2 3`, node: `{"data":{"a":1,"b":[1]},"position":{"x":1,"y":1},"title":"t","updatedAt":1007}`},
		{name: "nothing is left of the newest", given: []string{"1 " + newN1, "1 " + updating("n1", `{"title":"x"}`), "2 " + updating("n1", `{"data":{"a":5}}`), "1 " + updating("n1", `{"data":{"a":6}}`), "2 " + updating("n1", `{"data":{"a":7}}`)}, when: "1 undo", undoes: "[2]",
			node: `{"data":{"a":7,"b":[1]},"position":{"x":0,"y":0},"title":"t","updatedAt":1011}`},
		{name: "nothing is left of any", given: []string{"2 " + newN1, "1 " + updating("n1", `{"title":"x"}`), "2 " + updating("n1", `{"title":"y"}`)}, when: "1 undo", code: command.NothingToUndo,
			node: `{"data":{"a":1,"b":[1]},"position":{"x":0,"y":0},"title":"y","updatedAt":1005}`},
		{name: "what others have put back is theirs", given: []string{"1 " + newN1, "1 " + inGesture("g", updating("n1", `{"title":"x"}`)), "1 " + inGesture("g", updating("n1", `{"title":"y","data":{"a":2}}`)), "2 " + updating("n1", `{"title":"x"}`)}, when: "1 undo", undoes: "[2 3]",
			node: `{"data":{"a":1,"b":[1]},"position":{"x":0,"y":0},"title":"x","updatedAt":1009}`},
		{name: "what changes nothing is no step", given: []string{"1 " + newN1, "1 " + updating("n1", `{"title":"x"}`), "1 " + updating("n1", `{"title":"x"}`)}, when: "1 undo", undoes: "[2]",
			node: `{"data":{"a":1,"b":[1]},"position":{"x":0,"y":0},"title":"t","updatedAt":1001}`},
		{name: "what changes nothing leaves the redo", given: []string{"1 " + newN1, "1 " + updating("n1", `{"title":"x"}`), "1 undo", "1 " + updating("n1", `{"title":"t"}`)}, when: "1 redo", undoes: "[3]",
			node: `{"data":{"a":1,"b":[1]},"position":{"x":0,"y":0},"title":"x","updatedAt":1003}`},
		{name: "a new command clears the redo", given: []string{"1 " + newN1, "1 " + updating("n1", `{"title":"x"}`), "1 undo", "1 " + newN2}, when: "1 redo", code: command.NothingToRedo,
			node: `{"data":{"a":1,"b":[1]},"position":{"x":0,"y":0},"title":"t","updatedAt":1001}`},
		{name: "one of another user does not", given: []string{"1 " + newN1, "1 undo", "2 " + newN2}, when: "1 redo", undoes: "[2]",
			node: `{"data":{"a":1,"b":[1]},"position":{"x":0,"y":0},"title":"t","updatedAt":1001}`},
		{name: "redo skips alike", given: []string{"1 " + newN1, "1 " + updating("n1", `{"title":"x","data":{"a":2}}`), "1 undo", "2 " + updating("n1", `{"title":"y"}`)}, when: "1 redo", undoes: "[3]", skipped: `node n1 /title u2 4`,
			node: `{"data":{"a":2,"b":[1]},"position":{"x":0,"y":0},"title":"y","updatedAt":1009}`},
		{name: "redo by force", given: []string{"1 " + newN1, "1 " + updating("n1", `{"title":"x","data":{"a":2}}`), "1 undo", "2 " + updating("n1", `{"title":"y"}`)}, when: "1 redo!", undoes: "[3]",
			node: `{"data":{"a":2,"b":[1]},"position":{"x":0,"y":0},"title":"x","updatedAt":1009}`},
		{name: "undo, redo, undo", given: []string{"1 " + newN1, "1 " + updating("n1", `{"title":"x"}`), "1 undo", "1 redo"}, when: "1 undo", undoes: "[2]",
			node: `{"data":{"a":1,"b":[1]},"position":{"x":0,"y":0},"title":"t","updatedAt":1001}`},
		{name: "a batch is one step", given: []string{"1 " + batching(newN1, newN2, linking("e", "n1", "n2"), updating("n1", `{"title":"x"}`))}, when: "1 undo", undoes: "[1]"},
		{name: "a gesture is one step, where its newest event stands", given: []string{"1 " + newN1, "1 " + inGesture("g", updating("n1", `{"title":"a"}`)), "1 " + newN2, "2 " + newN3, "1 " + inGesture("g", updating("n1", `{"title":"b"}`))}, when: "1 undo", undoes: "[2 5]",
			node: `{"data":{"a":1,"b":[1]},"position":{"x":0,"y":0},"title":"t","updatedAt":1001}`},
		{name: "a gesture's id after its undo", given: []string{"1 " + newN1, "1 " + inGesture("g", updating("n1", `{"title":"a"}`)), "1 undo", "1 redo", "1 " + inGesture("g", updating("n1", `{"title":"b"}`))}, when: "1 undo", undoes: "[5]",
			node: `{"data":{"a":1,"b":[1]},"position":{"x":0,"y":0},"title":"a","updatedAt":1003}`},
		{name: "another user's gesture of that id", given: []string{"1 " + newN1, "1 " + inGesture("g", updating("n1", `{"title":"a"}`)), "2 " + inGesture("g", updating("n1", `{"data":{"a":2}}`))}, when: "1 undo", undoes: "[2]",
			node: `{"data":{"a":2,"b":[1]},"position":{"x":0,"y":0},"title":"t","updatedAt":1007}`},
		{name: "a gesture that creates and moves, and others who write elsewhere", given: []string{"1 " + inGesture("g", newN1), "1 " + inGesture("g", updating("n1", `{"position":{"x":9,"y":9}}`)), "2 " + updating("n1", `{"data":{"a":2}}`)}, when: "1 undo", undoes: "[1 2]",
			skipped: "node n1  u2 3", node: `{"data":{"a":2,"b":[1]},"position":{"x":0,"y":0},"title":"t","updatedAt":1007}`},
		{name: "others in the midst of a gesture", given: []string{"1 " + newN1, "1 " + inGesture("g", updating("n1", `{"title":"a"}`)), "2 " + updating("n1", `{"title":"b"}`), "1 " + inGesture("g", updating("n1", `{"title":"c"}`))}, when: "1 undo", undoes: "[2 4]",
			node: `{"data":{"a":1,"b":[1]},"position":{"x":0,"y":0},"title":"b","updatedAt":1009}`},
		{name: "delete brings the edges back", given: []string{"1 " + newN1, "1 " + newN2, "2 " + linking("e", "n1", "n2"), "1 " + dropN1}, when: "1 undo", undoes: "[4]", edges: "e n1 n2",
			node: `{"data":{"a":1,"b":[1]},"position":{"x":0,"y":0},"title":"t","updatedAt":1001}`},
		{name: "but not those whose other end is gone", given: []string{"1 " + newN1, "1 " + newN2, "1 " + newN3, "1 " + linking("e", "n1", "n2"), "1 " + linking("f", "n3", "n1"), "1 " + dropN1, "2 " + dropN2}, when: "1 undo", undoes: "[6]", edges: "f n3 n1", skipped: `edge e  u2 7`,
			node: `{"data":{"a":1,"b":[1]},"position":{"x":0,"y":0},"title":"t","updatedAt":1001}`},
		{name: "nor by force", given: []string{"1 " + newN1, "1 " + newN2, "1 " + linking("e", "n1", "n2"), "1 " + dropN1, "2 " + dropN2}, when: "1 undo!", undoes: "[4]", skipped: `edge e  u2 5`,
			node: `{"data":{"a":1,"b":[1]},"position":{"x":0,"y":0},"title":"t","updatedAt":1001}`},
		{name: "an end that is gone", given: []string{"2 " + newN1, "2 " + newN2, "2 " + newN3, "2 " + linking("e", "n1", "n2"), "1 " + `{"type":"UPDATE_EDGE","payload":{"edgeId":"e","updates":{"source":"n3","label":"l"}}}`, "2 " + dropN1}, when: "1 undo", undoes: "[5]", skipped: `edge e /source u2 6`, edges: "e n3 n2"},
		{name: "an end that is gone, and nothing else", given: []string{"2 " + newN1, "2 " + newN2, "2 " + newN3, "2 " + linking("e", "n1", "n2"), "1 " + `{"type":"UPDATE_EDGE","payload":{"edgeId":"e","updates":{"source":"n3"}}}`, "2 " + dropN1}, when: "1 undo", code: command.NothingToUndo, edges: "e n3 n2"},
		{name: "create that others have written to", given: []string{"1 " + newN1, "2 " + updating("n1", `{"title":"x"}`)}, when: "1 undo", code: command.NothingToUndo,
			node: `{"data":{"a":1,"b":[1]},"position":{"x":0,"y":0},"title":"x","updatedAt":1003}`},
		{name: "create on which others have hung an edge", given: []string{"1 " + batching(newN1, newN2), "2 " + linking("e", "n1", "n1")}, when: "1 undo", undoes: "[1]", skipped: `node n1  u2 2`, edges: "e n1 n1",
			node: `{"data":{"a":1,"b":[1]},"position":{"x":0,"y":0},"title":"t","updatedAt":1001}`},
		{name: "create on which one has hung an edge oneself", given: []string{"1 " + newN1, "1 " + inGesture("g", newN2), "1 " + linking("e", "n1", "n2"), "2 " + newN3, "1 " + inGesture("g", updating("n2", `{"title":"x"}`))}, when: "1 undo", undoes: "[2 5]",
			node: `{"data":{"a":1,"b":[1]},"position":{"x":0,"y":0},"title":"t","updatedAt":1001}`},
		{name: "create that others have hung on, by force", given: []string{"1 " + newN1, "2 " + linking("e", "n1", "n1")}, when: "1 undo!", undoes: "[1]"},
		{name: "create that others have deleted", given: []string{"1 " + newN1, "2 " + dropN1}, when: "1 undo", code: command.NothingToUndo},
		{name: "update of what others have deleted", given: []string{"1 " + newN1, "1 " + newN2, "1 " + batching(updating("n1", `{"title":"x","o":{"p":1}}`), updating("n2", `{"title":"y"}`)), "2 " + dropN1}, when: "1 undo", undoes: "[3]", skipped: "node n1 /o/p u2 4, node n1 /title u2 4"},
		{name: "update of what others have deleted, by force", given: []string{"1 " + newN1, "1 " + updating("n1", `{"title":"x"}`), "2 " + dropN1}, when: "1 undo!", undoes: "[2]",
			node: `{"data":{"a":1,"b":[1]},"position":{"x":0,"y":0},"title":"t","updatedAt":1007}`},
		{name: "what is left is reported once", given: []string{"1 " + newN1, "1 " + newN2, "1 " + inGesture("g", updating("n1", `{"title":"x"}`)), "1 " + inGesture("g", batching(updating("n1", `{"title":"y"}`), updating("n2", `{"title":"y"}`))), "2 " + dropN1}, when: "1 undo", undoes: "[3 4]", skipped: "node n1 /title u2 5"},
		{name: "others have replaced all of data", given: []string{"1 " + newN1, "1 " + updating("n1", `{"title":"x","data":{"a":2,"c":{"d":1}}}`), "2 " + updating("n1", `{"data":"none"}`), "2 " + updating("n1", `{"data":{"c":{"d":1}}}`)}, when: "1 undo", undoes: "[2]",
			skipped: "node n1 /data/a u2 4, node n1 /data/c/d u2 4", node: `{"data":{"c":{"d":1}},"position":{"x":0,"y":0},"title":"t","updatedAt":1009}`},
		{name: "others have replaced data with a text", given: []string{"1 " + newN1, "1 " + updating("n1", `{"title":"x","data":{"a":2}}`), "2 " + updating("n1", `{"data":"none"}`)}, when: "1 undo", undoes: "[2]",
			skipped: "node n1 /data/a u2 3", node: `{"data":"none","position":{"x":0,"y":0},"title":"t","updatedAt":1007}`},
		{name: "back beside another's, though the object was empty in between", given: []string{"1 " + newN1, "1 " + updating("n1", `{"data":{"a":null,"b":null}}`), "2 " + updating("n1", `{"data":{"z":1}}`)}, when: "1 undo", undoes: "[2]",
			node: `{"data":{"a":1,"b":[1],"z":1},"position":{"x":0,"y":0},"title":"t","updatedAt":1007}`},
		{name: "by force its own paths alone", given: []string{"1 " + newN1, "1 " + updating("n1", `{"data":{"a":null,"b":null}}`), "2 " + updating("n1", `{"data":{"a":2,"z":1}}`)}, when: "1 undo!", undoes: "[2]",
			node: `{"data":{"a":1,"b":[1],"z":1},"position":{"x":0,"y":0},"title":"t","updatedAt":1007}`},
		{name: "an object that others made anew and emptied", given: []string{"2 " + newN1, "1 " + updating("n1", `{"o":{"p":1}}`), "2 " + updating("n1", `{"o":null}`), "2 " + updating("n1", `{"o":{"q":1}}`), "2 " + updating("n1", `{"o":{"q":null}}`)}, when: "1 undo", code: command.NothingToUndo,
			node: `{"data":{"a":1,"b":[1]},"o":{},"position":{"x":0,"y":0},"title":"t","updatedAt":1009}`},
		{name: "what others created anew is theirs", given: []string{"1 " + newN1, "1 " + updating("n1", `{"title":"x","k":1}`), "1 " + dropN1, "2 " + `{"type":"CREATE_NODE","payload":{"id":"n1"}}`}, when: "1 undo", code: command.NothingToUndo,
			node: `{"updatedAt":1007}`},
		{name: "by force, too", given: []string{"1 " + newN1, "1 " + updating("n1", `{"title":"x","data":{"a":2,"c":{"d":1}}}`), "2 " + updating("n1", `{"data":"none"}`)}, when: "1 undo!", undoes: "[2]",
			node: `{"data":{"a":1},"position":{"x":0,"y":0},"title":"t","updatedAt":1007}`},
		{name: "a restore", given: []string{"1 " + newN1, "2 " + updating("n1", `{"title":"x"}`), "1 " + `{"type":"RESTORE","payload":{"version":0}}`}, when: "1 undo", undoes: "[3]",
			node: `{"data":{"a":1,"b":[1]},"position":{"x":0,"y":0},"title":"x","updatedAt":1003}`},
		{name: "viewport", given: []string{"1 " + newN1, "1 " + `{"type":"UPDATE_VIEWPORT","payload":{"x":5}}`, "2 " + `{"type":"UPDATE_VIEWPORT","payload":{"y":5}}`}, when: "1 undo", undoes: "[1]"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, _ := newSite()
			now := ticking()
			first := s.start(t, command.Options{Now: now})
			for _, line := range test.given {
				if _, err := tell(t, first, line); err != nil {
					t.Fatalf("given %s: %v", line, err)
				}
			}
			before := s.head(t)
			// A process that never saw the user before decides as one that saw it all.
			dry := told(t, "u"+test.when[:1], test.when[2:])
			dry.DryRun = true
			forgetful := s.start(t, command.Options{RecentEvents: 1, Now: func() time.Time { return time.UnixMilli(1) }})
			foreseen, dryErr := forgetful.Do(t.Context(), "g", dry)
			outcome, err := tell(t, first, test.when)
			wantCode(t, test.when, err, test.code)
			wantCode(t, "elsewhere", dryErr, test.code)
			if err == nil {
				if got := fmt.Sprint(append(outcome.Undoes, outcome.Redoes...)); got != test.undoes || fmt.Sprint(append(foreseen.Undoes, foreseen.Redoes...)) != got {
					t.Errorf("took back %s, elsewhere %v, want %s", got, foreseen.Undoes, test.undoes)
				}
				if got := skips(outcome); got != test.skipped || skips(foreseen) != got {
					t.Errorf("skipped %q, elsewhere %q, want %q", got, skips(foreseen), test.skipped)
				}
				if foreseen.Version != before+1 || outcome.Version != before+1 {
					t.Errorf("versions: got %d, dry %d, want %d", outcome.Version, foreseen.Version, before+1)
				}
			}
			graph := s.fold(t)
			node := projection.Overlay(graph.Value(projection.Node, "n1"), []byte(`{"createdAt":null,"id":null}`))
			if test.node == "" {
				test.node = `{}`
			}
			if string(node) != test.node && !strings.Contains(test.name, "end that is gone") {
				t.Errorf("n1: got %s, want %s", node, test.node)
			}
			var edges []string
			for id := range graph.All(projection.Edge) {
				source, target := graph.Ends(id)
				edges = append(edges, id+" "+source+" "+target)
			}
			if got := strings.Join(edges, ", "); got != test.edges {
				t.Errorf("edges: got %s, want %s", got, test.edges)
			}
		})
	}
}

// skips returns what was skipped: kind, id, path, user and version of each.
func skips(outcome command.Outcome) string {
	var list []string
	for s := range projection.Elements(outcome.Skipped) {
		by := projection.Member(s, "by")
		list = append(list, fmt.Sprintf("%s %s %s %s %s", projection.Text(projection.Member(s, "kind")), projection.Text(projection.Member(s, "id")),
			projection.Text(projection.Member(s, "path")), projection.Text(projection.Member(by, "userId")), projection.Member(by, "version")))
	}
	return strings.Join(list, ", ")
}

// TestUndoOfAWideChange of an object of which others have written one member: the work is no more than its size asks for.
func TestUndoOfAWideChange(t *testing.T) {
	s, _ := newSite()
	p := s.start(t, command.Options{Timeout: time.Minute})
	wide := func(value int) string {
		members := make([]string, 10_000)
		for i := range members {
			members[i] = fmt.Sprintf(`"k%d":%d`, i, value)
		}
		return `{"data":{` + strings.Join(members, ",") + `}}`
	}
	mustTell(t, p, "1 "+newN1)
	mustTell(t, p, "1 "+updating("n1", wide(1)))
	mustTell(t, p, "1 "+updating("n1", wide(2)))
	mustTell(t, p, "2 "+updating("n1", `{"data":{"k500":7}}`))
	start := time.Now()
	if outcome := mustTell(t, p, "1 undo"); skips(outcome) != "node n1 /data/k500 u2 4" {
		t.Errorf("skipped %s", skips(outcome))
	}
	if took := time.Since(start); took > 5*time.Second { // some 10 ms; minutes if it looks through all for each
		t.Errorf("took %v", took)
	}
	data := projection.Member(s.fold(t).Value(projection.Node, "n1"), "data")
	for name, value := range projection.Members(data) {
		if want := map[bool]string{true: "7", false: "1"}[string(name) == "k500"]; strings.HasPrefix(string(name), "k") && string(value) != want {
			t.Fatalf("%s: got %s, want %s", name, value, want)
		}
	}
}

func TestOneHundredStepsCanBeUndone(t *testing.T) {
	s, _ := newSite()
	p := s.start(t, command.Options{})
	for i := range 103 {
		mustTell(t, p, "1 "+create(fmt.Sprint("n", i)))
	}
	other := s.start(t, command.Options{RecentEvents: 7})
	for i := range 100 {
		if outcome := mustTell(t, other, "1 undo"); outcome.Undoes[0] != eventstore.Version(103-i) {
			t.Fatalf("undo %d: got %v", i, outcome.Undoes)
		}
	}
	for _, p := range []*command.Processor{p, other, s.start(t, command.Options{})} {
		_, err := tell(t, p, "1 undo")
		wantCode(t, "the 101st", err, command.NothingToUndo)
	}
	for range 60 {
		mustTell(t, p, "1 redo")
	}
	mustTell(t, p, "1 "+create("new"))
	for i := range 61 {
		mustTell(t, p, "1 undo")
		_ = i
	}
	_, err := tell(t, p, "1 undo")
	wantCode(t, "what has fallen off does not come back", err, command.NothingToUndo)
	if graph := s.fold(t); graph.Len(projection.Node) != 3 {
		t.Errorf("got %d nodes", graph.Len(projection.Node))
	}
}

func mustTell(t tester, p *command.Processor, line string) command.Outcome {
	t.Helper()
	outcome, err := tell(t, p, line)
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return outcome
}
