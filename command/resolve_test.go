package command_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"graphy/command"
	"graphy/projection"
)

// openConflict is a scene in which the command mine of tab-1, with a base of version 4, left conflict 6-0 open.
func openConflict(t testing.TB, theirs, mine string) *scene {
	t.Helper()
	s := newScene(t, command.Options{})
	for _, body := range []string{
		say("CREATE_NODE", `{"id":"n1","title":"a","data":{"x":1,"y":1},"position":{"x":0,"y":0}}`),
		say("BATCH_UPDATE", `{"nodes":{"n2":{},"n3":{}}}`),
		say("CREATE_EDGE", `{"id":"e1","source":"n1","target":"n2"}`),
		say("UPDATE_VIEWPORT", `{"x":1,"y":1,"zoom":2}`),
	} {
		s.do("tab-1", body)
	}
	s.do("tab-2", theirs)
	outcome := s.do("tab-1", strings.TrimSuffix(mine, "}")+`,`+base(4)+`,"strategy":"MANUAL","operationId":"mine"}`)
	if _, open := s.site.fold(t).Conflicts.Record("6-0"); !open || outcome.Status != command.StatusConflict {
		t.Fatalf("nothing is open after %s", outcome.Conflict)
	}
	return s
}

func (s *scene) resolve(id, body string) (command.Outcome, error) {
	s.t.Helper()
	return s.submit(resolveCommand(s.t, "tab-3", id, body))
}

const (
	theirTitle = `{"type":"UPDATE_NODE","payload":{"nodeId":"n1","updates":{"title":"b","data":{"x":2}}}}`
	mineTitle  = `{"type":"UPDATE_NODE","payload":{"nodeId":"n1","updates":{"title":"c","data":{"x":3,"z":3}}}}`
	moveView   = `{"type":"UPDATE_VIEWPORT","payload":{"x":5}}`
	mineView   = `{"type":"UPDATE_VIEWPORT","payload":{"y":7}}`
	dropNode   = `{"type":"DELETE_NODE","payload":{"nodeId":"n1"}}`
	theirEdge  = `{"type":"UPDATE_EDGE","payload":{"edgeId":"e1","updates":{"target":"n3"}}}`
	mineEdge   = `{"type":"UPDATE_EDGE","payload":{"edgeId":"e1","updates":{"target":"n1"}}}`
)

func TestResolve(t *testing.T) {
	tests := []struct {
		name         string
		theirs, mine string
		between      []string // by tab-2, after the conflict
		body         string
		kind, id     string
		then         string // the entity
		changes      int
	}{
		{"client", theirTitle, mineTitle, nil, `{"choice":"client"}`, "node", "n1", `{"data":{"x":3,"y":1,"z":3},"id":"n1","position":{"x":0,"y":0},"title":"c"}`, 1},
		{"server", theirTitle, mineTitle, nil, `{"choice":"server"}`, "node", "n1", `{"data":{"x":2,"y":1,"z":3},"id":"n1","position":{"x":0,"y":0},"title":"b"}`, 0},
		{"values", theirTitle, mineTitle, nil, `{"choice":"values","values":{"/title":"both","/data/x":{"deep":[1]}}}`, "node", "n1", `{"data":{"x":{"deep":[1]},"y":1,"z":3},"id":"n1","position":{"x":0,"y":0},"title":"both"}`, 1},
		{"one of the values", theirTitle, mineTitle, nil, `{"choice":"values","values":{"/title":"d"}}`, "node", "n1", `{"data":{"x":2,"y":1,"z":3},"id":"n1","position":{"x":0,"y":0},"title":"d"}`, 1},
		{"null takes away", theirTitle, mineTitle, nil, `{"choice":"values","values":{"/title":null,"/data/x":null}}`, "node", "n1", `{"data":{"y":1,"z":3},"id":"n1","position":{"x":0,"y":0}}`, 1},
		{"the server's values", theirTitle, mineTitle, nil, `{"choice":"values","values":{"/title":"b"}}`, "node", "n1", `{"data":{"x":2,"y":1,"z":3},"id":"n1","position":{"x":0,"y":0},"title":"b"}`, 0},
		{"client, though written again", theirTitle, mineTitle, []string{say("UPDATE_NODE_TITLE", `{"nodeId":"n1","title":"again"}`)}, `{"choice":"client"}`, "node", "n1", `{"data":{"x":3,"y":1,"z":3},"id":"n1","position":{"x":0,"y":0},"title":"c"}`, 1},
		{"client, though what was around it is gone", theirTitle, mineTitle, []string{say("UPDATE_NODE", `{"nodeId":"n1","updates":{"data":5}}`)}, `{"choice":"client"}`, "node", "n1", `{"data":{"x":3},"id":"n1","position":{"x":0,"y":0},"title":"c"}`, 1},
		{"server, though written again", theirTitle, mineTitle, []string{say("UPDATE_NODE_TITLE", `{"nodeId":"n1","title":"again"}`)}, `{"choice":"server"}`, "node", "n1", `{"data":{"x":2,"y":1,"z":3},"id":"n1","position":{"x":0,"y":0},"title":"again"}`, 0},
		{"client of a removal", say("UPDATE_NODE_TITLE", `{"nodeId":"n1","title":"b"}`), say("UPDATE_NODE", `{"nodeId":"n1","updates":{"title":null}}`), nil, `{"choice":"client"}`, "node", "n1", `{"data":{"x":1,"y":1},"id":"n1","position":{"x":0,"y":0}}`, 1},
		{"position", say("UPDATE_NODE_POSITION", `{"nodeId":"n1","position":{"x":5,"y":5}}`), say("UPDATE_NODE_POSITION", `{"nodeId":"n1","position":{"x":7,"y":7}}`), nil, `{"choice":"values","values":{"/position":{"x":6,"y":6}}}`, "node", "n1", `{"data":{"x":1,"y":1},"id":"n1","position":{"x":6,"y":6},"title":"a"}`, 1},
		{"viewport by client", moveView, mineView, nil, `{"choice":"client"}`, "viewport", "viewport", `{"x":5,"y":7,"zoom":2}`, 1},
		{"viewport by server", moveView, mineView, nil, `{"choice":"server"}`, "viewport", "viewport", `{"x":5,"y":1,"zoom":2}`, 0},
		{"a part of the viewport", moveView, mineView, []string{say("UPDATE_VIEWPORT", `{"zoom":9}`)}, `{"choice":"values","values":{"":{"y":8}}}`, "viewport", "viewport", `{"x":5,"y":8,"zoom":9}`, 1},
		{"delete after all", theirTitle, dropNode, nil, `{"choice":"client"}`, "node", "n1", ``, 2},
		{"delete by values", theirTitle, dropNode, nil, `{"choice":"values","values":{"":null}}`, "node", "n1", ``, 2},
		{"another node in its place", theirTitle, dropNode, nil, `{"choice":"values","values":{"":{"id":"n1","z":1,"createdAt":5}}}`, "node", "n1", `{"id":"n1","z":1}`, 1},
		{"stays, after all", theirTitle, dropNode, nil, `{"choice":"server"}`, "node", "n1", `{"data":{"x":2,"y":1},"id":"n1","position":{"x":0,"y":0},"title":"b"}`, 0},
		{"create over the other", say("CREATE_NODE", `{"id":"n9","x":1}`), say("CREATE_NODE", `{"id":"n9","y":1}`), nil, `{"choice":"client"}`, "node", "n9", `{"id":"n9","y":1}`, 1},
		{"end of an edge", theirEdge, mineEdge, nil, `{"choice":"client"}`, "edge", "e1", `{"id":"e1","source":"n1","target":"n1"}`, 1},
		{"end of an edge by values", theirEdge, mineEdge, nil, `{"choice":"values","values":{"/target":"n2"}}`, "edge", "e1", `{"id":"e1","source":"n1","target":"n2"}`, 1},
		{"update of what was deleted, and made anew since", dropNode, mineTitle, []string{say("CREATE_NODE", `{"id":"n1","fresh":1}`)}, `{"choice":"client"}`, "node", "n1", `{"data":{"x":3,"y":1,"z":3},"id":"n1","position":{"x":0,"y":0},"title":"c"}`, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := openConflict(t, test.theirs, test.mine)
			for _, body := range test.between {
				s.do("tab-2", body)
			}
			before := s.site.fold(t).Value(projection.Kind(test.kind), test.id)
			outcome, err := s.resolve("6-0", test.body)
			if err != nil {
				t.Fatal(err)
			}
			graph := s.site.fold(t)
			now := graph.Value(projection.Kind(test.kind), test.id)
			if got := bareOrNull(now, ""); got != test.then && !(now == nil && test.then == "") {
				t.Errorf("got  %s\nwant %s", got, test.then)
			}
			event := s.event(outcome)
			choice := projection.Text(projection.Member([]byte(test.body), "choice"))
			if event.CommandType != command.Resolve || len(event.Changes) != test.changes || event.Conflict != nil || event.Resolves == nil || *event.Resolves != (projection.Resolution{ConflictID: "6-0", Choice: choice}) {
				t.Errorf("event: got %+v", event)
			}
			if want := `{"changes":` + string(changesOf(event)) + `}`; string(outcome.Result) != want || outcome.Status != command.StatusProcessing {
				t.Errorf("got %s %s\nwant %s", outcome.Status, outcome.Result, want)
			}
			if now != nil && test.kind != "viewport" && test.changes > 0 {
				if created := projection.Member(now, "createdAt"); string(created) != string(projection.Member(before, "createdAt")) || string(projection.Member(now, "updatedAt")) != fmt.Sprint(s.now.Load()) {
					t.Errorf("stamps: got %s, before %s", now, before)
				}
			}
			record, open := graph.Conflicts.Record("6-0")
			if want := fmt.Sprintf(`{"choice":%q,"timestamp":%d,"userId":"u-tab-3","version":%d}`, choice, s.now.Load(), outcome.Version); open || string(projection.Member(record, "resolved")) != want {
				t.Errorf("record: got %s", record)
			}
			_, err = s.resolve("6-0", `{"choice":"server"}`)
			wantCode(t, "resolve twice", err, command.AlreadyResolved)
		})
	}
}

// changesOf returns the changes as an event's JSON has them.
func changesOf(event projection.Event) jsontext.Value {
	return projection.Member(event.AppendJSON(nil), "changes")
}

func TestResolveRefused(t *testing.T) {
	drop1, drop3 := say("DELETE_NODE", `{"nodeId":"n1"}`), say("DELETE_NODE", `{"nodeId":"n3"}`)
	deep := strings.Repeat("[", command.MaxDepth-1) + strings.Repeat("]", command.MaxDepth-1)
	tests := []struct {
		name         string
		theirs, mine string
		between      []string
		id, body     string
		code         command.Code
		pointer      string
	}{
		{"unknown", theirTitle, mineTitle, nil, "6-1", `{"choice":"client"}`, command.NotFound, ""},
		{"of an event without conflict", theirTitle, mineTitle, nil, "5-0", `{"choice":"client"}`, command.NotFound, ""},
		{"of the future", theirTitle, mineTitle, nil, "77-0", `{"choice":"client"}`, command.NotFound, ""},
		{"of version 0", theirTitle, mineTitle, nil, "0-0", `{"choice":"client"}`, command.NotFound, ""},
		{"written otherwise", theirTitle, mineTitle, nil, "06-0", `{"choice":"client"}`, command.NotFound, ""},
		{"no id at all", theirTitle, mineTitle, nil, "\xff\"\x00", `{"choice":"client"}`, command.NotFound, ""},
		{"negative", theirTitle, mineTitle, nil, "-6-0", `{"choice":"client"}`, command.NotFound, ""},
		{"client, and it is gone", theirTitle, mineTitle, []string{drop1}, "6-0", `{"choice":"client"}`, command.EntityGone, ""},
		{"values, and it is gone", theirTitle, mineTitle, []string{drop1}, "6-0", `{"choice":"values","values":{"/title":"x"}}`, command.EntityGone, ""},
		{"update of what was deleted", drop1, mineTitle, nil, "6-0", `{"choice":"client"}`, command.EntityGone, ""},
		{"client, and its node is gone", say("UPDATE_EDGE", `{"edgeId":"e1","updates":{"source":"n2"}}`), say("UPDATE_EDGE", `{"edgeId":"e1","updates":{"source":"n3"}}`), []string{drop3}, "6-0", `{"choice":"client"}`, command.EntityGone, ""},
		{"path that is not open", theirTitle, mineTitle, nil, "6-0", `{"choice":"values","values":{"/title":"x","/data/z":1}}`, command.InvalidPayload, "/values/~1data~1z"},
		{"the whole of it is not open", theirTitle, mineTitle, nil, "6-0", `{"choice":"values","values":{"":{}}}`, command.InvalidPayload, "/values/"},
		{"no pointer", theirTitle, mineTitle, nil, "6-0", `{"choice":"values","values":{"title":"x"}}`, command.InvalidPayload, "/values/title"},
		{"title that is no text", theirTitle, mineTitle, nil, "6-0", `{"choice":"values","values":{"/title":1}}`, command.InvalidPayload, "/values/~1title"},
		{"title too long", theirTitle, mineTitle, nil, "6-0", `{"choice":"values","values":{"/title":"` + strings.Repeat("x", command.MaxTitle+1) + `"}}`, command.TooLarge, "/values/~1title"},
		{"too deep", theirTitle, mineTitle, nil, "6-0", `{"choice":"values","values":{"/data/x":` + deep + `}}`, command.InvalidPayload, "/values/~1data~1x"},
		{"too large", theirTitle, mineTitle, nil, "6-0", `{"choice":"values","values":{"/data/x":"` + strings.Repeat("x", command.MaxEntity) + `"}}`, command.TooLarge, ""},
		{"half a position", say("UPDATE_NODE_POSITION", `{"nodeId":"n1","position":{"x":5,"y":5}}`), say("UPDATE_NODE_POSITION", `{"nodeId":"n1","position":{"x":7,"y":7}}`), nil, "6-0", `{"choice":"values","values":{"/position":{"x":6}}}`, command.InvalidPayload, "/values/~1position/y"},
		{"edge to no node", theirEdge, mineEdge, nil, "6-0", `{"choice":"values","values":{"/target":"n7"}}`, command.NodeNotFound, "/values/~1target"},
		{"edge to nothing", theirEdge, mineEdge, nil, "6-0", `{"choice":"values","values":{"/target":null}}`, command.InvalidPayload, "/values/~1target"},
		{"edge without ends", theirEdge, say("DELETE_EDGE", `{"edgeId":"e1"}`), nil, "6-0", `{"choice":"values","values":{"":{"source":"n1"}}}`, command.InvalidPayload, "/values//target"},
		{"whole edge to no node", theirEdge, say("DELETE_EDGE", `{"edgeId":"e1"}`), nil, "6-0", `{"choice":"values","values":{"":{"source":"n1","target":"n7"}}}`, command.NodeNotFound, "/values//target"},
		{"whole node that is none", theirTitle, dropNode, nil, "6-0", `{"choice":"values","values":{"":7}}`, command.InvalidPayload, "/values/"},
		{"whole node with a bad title", theirTitle, dropNode, nil, "6-0", `{"choice":"values","values":{"":{"title":7}}}`, command.InvalidPayload, "/values//title"},
		{"whole node of another id", theirTitle, dropNode, nil, "6-0", `{"choice":"values","values":{"":{"id":"n2"}}}`, command.InvalidPayload, "/values//id"},
		{"viewport that is none", moveView, mineView, nil, "6-0", `{"choice":"values","values":{"":5}}`, command.InvalidPayload, "/values/"},
		{"no viewport", moveView, mineView, nil, "6-0", `{"choice":"values","values":{"":null}}`, command.InvalidPayload, "/values/"},
		{"viewport without zoom", moveView, mineView, nil, "6-0", `{"choice":"values","values":{"":{"zoom":0}}}`, command.InvalidPayload, "/values//zoom"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := openConflict(t, test.theirs, test.mine)
			for _, body := range test.between {
				s.do("tab-2", body)
			}
			_, err := s.resolve(test.id, test.body)
			var refusal *command.Error
			if !errors.As(err, &refusal) || refusal.Code != test.code {
				t.Fatalf("got %+v, want %s", err, test.code)
			}
			if pointer := ""; test.pointer != "" {
				if len(refusal.Fields) == 1 {
					pointer = refusal.Fields[0].Pointer
				}
				if pointer != test.pointer {
					t.Errorf("pointer: got %q, want %q", pointer, test.pointer)
				}
			}
			if _, err := s.resolve("6-0", `{"choice":"server"}`); err != nil { // also where the entity is gone
				t.Errorf("server: %v", err)
			}
		})
	}
}

// TestResolveIsIdempotent by its operation id, from memory, from the log and on another process.
func TestResolveIsIdempotent(t *testing.T) {
	for _, body := range []string{`{"operationId":"r","choice":"client"}`, `{"operationId":"r","choice":"server"}`, `{"operationId":"r","choice":"values","values":{"/title":"x"}}`} {
		s := openConflict(t, theirTitle, mineTitle)
		first, err := s.resolve("6-0", body)
		if err != nil {
			t.Fatal(err)
		}
		s.do("tab-2", dropNode)
		for name, p := range map[string]*command.Processor{"same": s.p, "from the log": s.site.start(t, command.Options{RecentEvents: 1})} {
			again, err := p.Do(t.Context(), "g", resolveCommand(t, "tab-3", "6-0", body))
			wantAgain(t, name, again, err, first)
			_, err = p.Do(t.Context(), "g", resolveCommand(t, "tab-3", "6-0", `{"operationId":"r","choice":"values","values":{"/title":"y"}}`))
			wantCode(t, name+", another choice", err, command.OperationIDReused)
			_, err = p.Do(t.Context(), "g", resolveCommand(t, "tab-3", "6-1", body))
			wantCode(t, name+", another conflict", err, command.OperationIDReused)
		}
	}
}

// TestResolvedLongAgo: its record is gone, and it is resolved nevertheless; where even the log no longer tells, it is
// unknown.
func TestResolvedLongAgo(t *testing.T) {
	s := openConflict(t, theirTitle, mineTitle)
	var parts []string
	for i := range 100 {
		parts = append(parts, fmt.Sprintf(`{"type":"UPDATE_NODE","payload":{"nodeId":"m%d","updates":{"x":1}}}`, i))
		s.p.Do(t.Context(), "g", parse(t, fmt.Sprintf(`{"type":"CREATE_NODE","payload":{"id":"m%d","x":0}}`, i)))
	}
	at := int(s.site.head(t))
	batch := `{"type":"BATCH_UPDATE","payload":{"operations":[` + strings.Join(parts, ",") + `]}}`
	s.do("tab-2", strings.ReplaceAll(batch, `"x":1`, `"x":2`))
	s.do("tab-1", strings.TrimSuffix(batch, "}")+","+base(at)+`,"strategy":"MANUAL"}`)
	if _, err := s.resolve("6-0", `{"choice":"server"}`); err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		if _, err := s.p.Do(t.Context(), "g", resolveCommand(t, "tab-3", fmt.Sprintf("%d-%d", at+2, i), `{"choice":"client"}`)); err != nil {
			t.Fatal(i, err)
		}
	}
	if record, _ := s.site.fold(t).Conflicts.Record("6-0"); record != nil {
		t.Fatalf("the record is still there: %s", record)
	}
	_, err := s.resolve("6-0", `{"choice":"server"}`)
	wantCode(t, "resolved long ago", err, command.AlreadyResolved)
	_, err = s.resolve("6-1", `{"choice":"server"}`)
	wantCode(t, "of the same event, and unknown", err, command.NotFound)

	log := &trimmedLog{Log: s.site.log}
	p := (&site{log: log, models: s.site.models, recorder: s.site.recorder}).start(t, command.Options{RecentEvents: 1})
	mustDo(t, p, say("UPDATE_VIEWPORT", `{}`, `"dryRun":true`))
	log.floor = 50
	_, err = p.Do(t.Context(), "g", resolveCommand(t, "tab-3", "6-0", `{"choice":"server"}`))
	wantCode(t, "before what the log keeps", err, command.NotFound)
}

// TestStatusOfAConflict: a conflict for as long as one is open that the operation left.
func TestStatusOfAConflict(t *testing.T) {
	s := openConflict(t, theirTitle, mineTitle)
	status := func() string {
		t.Helper()
		project(t, s.site)
		operation, err := s.p.Operation(t.Context(), "g", "mine")
		if err != nil {
			t.Fatal(err)
		}
		if (operation.CompletedAt != 0) != (operation.Status == command.StatusCompleted) {
			t.Errorf("%s, and completed at %d", operation.Status, operation.CompletedAt)
		}
		return operation.Status
	}
	if got := status(); got != command.StatusConflict {
		t.Errorf("open: got %s", got)
	}
	if _, err := s.resolve("6-0", `{"choice":"client"}`); err != nil {
		t.Fatal(err)
	}
	if got := status(); got != command.StatusCompleted {
		t.Errorf("resolved: got %s", got)
	}
	undo, err := command.ParseUndo(nil, identityOf("tab-3"))
	if err != nil {
		t.Fatal(err)
	}
	if outcome, err := s.submit(undo); err != nil || s.event(outcome).Reopens != "6-0" {
		t.Fatalf("undo: %+v, %v", outcome, err)
	}
	if got := status(); got != command.StatusConflict {
		t.Errorf("reopened: got %s", got)
	}
	again, err := s.try("tab-1", strings.TrimSuffix(mineTitle, "}")+`,`+base(4)+`,"strategy":"MANUAL","operationId":"mine"}`)
	if err != nil || !again.Duplicate || again.Status != command.StatusConflict {
		t.Errorf("again: got %+v, %v", again, err)
	}
}

// TestTooManyConflicts: a command that would leave one too many is refused as a whole.
func TestTooManyConflicts(t *testing.T) {
	s := newScene(t, command.Options{})
	const each = command.MaxOperations
	var creates, updates []string
	for i := range each {
		creates = append(creates, fmt.Sprintf(`{"type":"CREATE_NODE","payload":{"id":"m%d","x":0}}`, i))
		updates = append(updates, fmt.Sprintf(`{"type":"UPDATE_NODE","payload":{"nodeId":"m%d","updates":{"x":1}}}`, i))
	}
	batch := func(parts []string, more ...string) string {
		return say("BATCH_UPDATE", `{"operations":[`+strings.Join(parts, ",")+`]}`, more...)
	}
	mustDo(t, s.p, batch(creates))
	other, err := command.Parse([]byte(strings.ReplaceAll(batch(updates), `"x":1`, `"x":2`)), identityOf("tab-2"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.p.Do(t.Context(), "g", other); err != nil {
		t.Fatal(err)
	}
	for i := range command.MaxConflicts/each - 1 {
		if outcome := mustDo(t, s.p, batch(updates, base(1), strategyIs("MANUAL"))); outcome.Status != command.StatusConflict {
			t.Fatalf("batch %d: got %s", i, outcome.Status)
		}
	}
	mustDo(t, s.p, batch(updates[1:], base(1), strategyIs("MANUAL")))
	before := s.site.fold(t)
	_, err = do(t, s.p, batch(updates[:2], base(1), strategyIs("MANUAL")))
	wantCode(t, "two more, with room for one", err, command.TooLarge)
	if after := s.site.fold(t); after.Position != before.Position || before.Conflicts.Open() != command.MaxConflicts-1 {
		t.Errorf("at version %d, %d open", after.Position.Version, after.Conflicts.Open())
	}
	mustDo(t, s.p, batch(updates[:1], base(1), strategyIs("MANUAL")))
	_, err = do(t, s.p, say("UPDATE_NODE", `{"nodeId":"m1","updates":{"x":1}}`, base(1), strategyIs("MANUAL")))
	wantCode(t, "one too many", err, command.TooLarge)
	mustDo(t, s.p, say("UPDATE_NODE", `{"nodeId":"m1","updates":{"x":1}}`, base(1), strategyIs("CLIENT_WINS")))
}
