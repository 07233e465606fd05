package command_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"graphy/command"
	"graphy/projection"
)

// TestNotTheOthersDoing: what cannot be done for another reason than what others did since is refused.
func TestNotTheOthersDoing(t *testing.T) {
	drop := func(id string) string { return say("DELETE_NODE", `{"nodeId":"`+id+`"}`) }
	const d1 = `{"type":"DELETE_NODE","payload":{"nodeId":"n1"}}`
	tests := []struct {
		name    string
		by      string
		done    []string
		mine    string
		code    command.Code
		pointer string
	}{
		{"own deletion", "tab-1", []string{drop("n1")}, say("UPDATE_NODE_TITLE", `{"nodeId":"n1","title":"b"}`, base(4)), command.NodeNotFound, "/payload/nodeId"},
		{"others' deletion, no base", "tab-2", []string{drop("n1")}, say("UPDATE_NODE_TITLE", `{"nodeId":"n1","title":"b"}`), command.NodeNotFound, "/payload/nodeId"},
		{"others' deletion, before the base", "tab-2", []string{drop("n1")}, say("UPDATE_NODE_TITLE", `{"nodeId":"n1","title":"b"}`, base(5)), command.NodeNotFound, "/payload/nodeId"},
		{"own deletion of an edge", "tab-1", []string{say("DELETE_EDGE", `{"edgeId":"e1"}`)}, say("UPDATE_EDGE", `{"edgeId":"e1","updates":{}}`, base(4)), command.EdgeNotFound, "/payload/edgeId"},
		{"own deletion twice", "tab-1", []string{drop("n1")}, say("DELETE_NODE", `{"nodeId":"n1"}`, base(4)), command.NodeNotFound, "/payload/nodeId"},
		{"own creation", "tab-1", []string{say("CREATE_NODE", `{"id":"n9"}`)}, say("CREATE_NODE", `{"id":"n9","x":1}`, base(4)), command.AlreadyExists, "/payload/id"},
		{"others' creation, no base", "tab-2", []string{say("CREATE_NODE", `{"id":"n9"}`)}, say("CREATE_NODE", `{"id":"n9","x":1}`), command.AlreadyExists, "/payload/id"},
		{"others' change of what was there", "tab-2", []string{say("UPDATE_NODE_TITLE", `{"nodeId":"n1","title":"b"}`)}, say("CREATE_NODE", `{"id":"n1","x":1}`, base(4)), command.AlreadyExists, "/payload/id"},
		{"edge to what one deleted oneself", "tab-1", []string{drop("n3")}, say("CREATE_EDGE", `{"source":"n1","target":"n3"}`, base(4)), command.NodeNotFound, "/payload/target"},
		{"edge to what others deleted, no base", "tab-2", []string{drop("n3")}, say("CREATE_EDGE", `{"source":"n3","target":"n1"}`), command.NodeNotFound, "/payload/source"},
		{"edge from a deleted node to none", "tab-2", []string{drop("n3")}, say("CREATE_EDGE", `{"source":"n3","target":"n7"}`, base(4)), command.NodeNotFound, "/payload/target"},
		{"update of a changed edge to no node", "tab-2", []string{say("UPDATE_EDGE", `{"edgeId":"e1","updates":{"target":"n3"}}`)}, say("UPDATE_EDGE", `{"edgeId":"e1","updates":{"target":"n7"}}`, base(4), strategyIs("SERVER_WINS")), command.NodeNotFound, "/payload/updates/target"},
		{"update of a deleted edge to no node", "tab-2", []string{say("DELETE_EDGE", `{"edgeId":"e1"}`)}, say("UPDATE_EDGE", `{"edgeId":"e1","updates":{"target":"n7"}}`, base(4)), command.NodeNotFound, "/payload/updates/target"},
		{"update of a changed edge, without a base", "tab-2", []string{drop("n3")}, say("UPDATE_EDGE", `{"edgeId":"e1","updates":{"target":"n3"}}`), command.NodeNotFound, "/payload/updates/target"},
		{"upsert of a changed edge to no node", "tab-2", []string{say("UPDATE_EDGE", `{"edgeId":"e1","updates":{"target":"n3"}}`)}, say("BATCH_UPDATE", `{"edges":[{"id":"e1","source":"n1","target":"n7"}]}`, base(4), strategyIs("SERVER_WINS")), command.NodeNotFound, "/payload/edges/0/target"},
		{"upsert of a deleted edge to no node", "tab-2", []string{say("DELETE_EDGE", `{"edgeId":"e1"}`)}, say("BATCH_UPDATE", `{"edges":[{"id":"e1","source":"n1","target":"n7"}]}`, base(4)), command.NodeNotFound, "/payload/edges/0/target"},
		{"the batch's own deletion, of what others changed", "tab-2", []string{say("UPDATE_NODE_TITLE", `{"nodeId":"n1","title":"b"}`)},
			say("BATCH_UPDATE", `{"operations":[`+d1+`,{"type":"UPDATE_NODE_TITLE","payload":{"nodeId":"n1","title":"c"}}]}`, base(4)), command.NodeNotFound, "/payload/operations/1/payload/nodeId"},
		{"the batch's own deletion, of what others created", "tab-2", []string{say("CREATE_NODE", `{"id":"n9"}`)},
			say("BATCH_UPDATE", `{"operations":[{"type":"DELETE_NODE","payload":{"nodeId":"n9"}},{"type":"CREATE_EDGE","payload":{"source":"n1","target":"n9"}}]}`, base(4)), command.NodeNotFound, "/payload/operations/1/payload/target"},
		{"the batch's own creation, of what others deleted", "tab-2", []string{drop("n1")},
			say("BATCH_UPDATE", `{"operations":[{"type":"CREATE_NODE","payload":{"id":"n1"}},{"type":"CREATE_NODE","payload":{"id":"n1"}}]}`, base(4)), command.AlreadyExists, "/payload/operations/1/payload/id"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newScene(t, command.Options{})
			for _, body := range crossingGiven {
				s.do("tab-1", body)
			}
			for _, body := range test.done {
				s.do(test.by, body)
			}
			_, err := s.try("tab-1", test.mine)
			var refusal *command.Error
			if !errors.As(err, &refusal) || refusal.Code != test.code || len(refusal.Fields) != 1 || refusal.Fields[0].Pointer != test.pointer {
				t.Errorf("got %+v, want %s at %s", err, test.code, test.pointer)
			}
		})
	}
}

// TestUpsertMergesWhatItLeft: what an upsert says as its base did is as others made it, where the two are merged.
func TestUpsertMergesWhatItLeft(t *testing.T) {
	s := newScene(t, command.Options{})
	for _, body := range crossingGiven {
		s.do("tab-1", body)
	}
	s.do("tab-2", say("UPDATE_NODE", `{"nodeId":"n1","updates":{"title":"b","new":{"x":1}}}`))
	outcome := s.do("tab-1", say("BATCH_UPDATE", `{"nodes":{"n1":{"title":"a","mine":1}}}`, base(4), strategyIs("MERGE")))
	want := `node/n1 "/new" MERGE:merged @5 null|{"x":1}|null|{"x":1}` + "\n" + `node/n1 "/title" MERGE:merged @5 "a"|"b"|"a"|"b"`
	if got := brief(outcome.Conflict); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got, want := bare(s.site.fold(t).Value(projection.Node, "n1")), `{"id":"n1","mine":1,"new":{"x":1},"title":"b"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestNewestChangeOfExistenceDecides whose doing it is that something is not there.
func TestNewestChangeOfExistenceDecides(t *testing.T) {
	s := newScene(t, command.Options{})
	s.do("tab-1", say("CREATE_NODE", `{"id":"n1"}`))
	s.do("tab-2", say("DELETE_NODE", `{"nodeId":"n1"}`))
	s.do("tab-1", say("CREATE_NODE", `{"id":"n1"}`))
	s.do("tab-1", say("DELETE_NODE", `{"nodeId":"n1"}`))
	_, err := s.try("tab-1", say("UPDATE_NODE_TITLE", `{"nodeId":"n1","title":"x"}`, base(1)))
	wantCode(t, "deleted by others, then by oneself", err, command.NodeNotFound)
	s.do("tab-1", say("CREATE_NODE", `{"id":"n1"}`))
	s.do("tab-2", say("DELETE_NODE", `{"nodeId":"n1"}`))
	if outcome := s.do("tab-1", say("UPDATE_NODE_TITLE", `{"nodeId":"n1","title":"x"}`, base(1))); !strings.Contains(brief(outcome.Conflict), "@6 ") {
		t.Errorf("got %s", outcome.Conflict)
	}
}

// TestRestOfAnUpdateGoesOn: of an edge's update only the end is lost that others have deleted.
func TestRestOfAnUpdateGoesOn(t *testing.T) {
	for _, mine := range []string{say("UPDATE_EDGE", `{"edgeId":"e1","updates":{"target":"n3","source":"n2","label":"b"}}`, base(4), strategyIs("CLIENT_WINS")),
		say("BATCH_UPDATE", `{"edges":[{"id":"e1","target":"n3","source":"n2","label":"b"}]}`, base(4), strategyIs("CLIENT_WINS"))} {
		s := newScene(t, command.Options{})
		for _, body := range crossingGiven {
			s.do("tab-1", body)
		}
		s.do("tab-2", say("DELETE_NODE", `{"nodeId":"n3"}`))
		outcome := s.do("tab-1", mine)
		if got, want := brief(outcome.Conflict), `edge/e1 "/target" SERVER_WINS:server @5 "n2"|"n2"|"n3"|"n2"`; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if got, want := bare(s.site.fold(t).Value(projection.Edge, "e1")), `{"id":"e1","label":"b","source":"n2","target":"n2"}`; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// TestOwnCommandsNeverConflict: a client sent them in that order, whatever base they bear.
func TestOwnCommandsNeverConflict(t *testing.T) {
	s := newScene(t, command.Options{})
	for _, body := range crossingGiven {
		s.do("tab-1", body)
	}
	for _, body := range []string{
		say("UPDATE_NODE_TITLE", `{"nodeId":"n1","title":"b"}`, base(4)),
		say("UPDATE_NODE_TITLE", `{"nodeId":"n1","title":"c"}`, base(4)),
		say("UPDATE_NODE", `{"nodeId":"n1","updates":{"title":null}}`, base(1)),
		say("UPDATE_VIEWPORT", `{"x":1}`, base(0)), say("UPDATE_VIEWPORT", `{"x":2}`, base(0)),
		say("BATCH_UPDATE", `{"nodes":{"n1":{"title":"d"}}}`, base(2)),
		say("DELETE_NODE", `{"nodeId":"n1"}`, base(1)),
		say("CREATE_NODE", `{"id":"n1"}`, base(1)),
	} {
		if outcome := s.do("tab-1", body); outcome.Conflict != nil {
			t.Errorf("%s: got %s", body, outcome.Conflict)
		}
	}
}

// TestBatchesConflict: each operation by its own strategy, each after the ones before it.
func TestBatchesConflict(t *testing.T) {
	s := newScene(t, command.Options{})
	for _, body := range crossingGiven {
		s.do("tab-1", body)
	}
	s.do("tab-2", say("BATCH_UPDATE", `{"operations":[{"type":"UPDATE_NODE","payload":{"nodeId":"n1","updates":{"x":1,"y":1}}},{"type":"UPDATE_NODE","payload":{"nodeId":"n2","updates":{"x":1}}},{"type":"DELETE_NODE","payload":{"nodeId":"n3"}}]}`))
	batch, _, _, err := command.ParseBatch([]byte(`{"atomic":true,"clientVersion":4,"strategy":"SERVER_WINS","operations":[
		{"type":"UPDATE_NODE","payload":{"nodeId":"n1","updates":{"x":2}}},
		{"type":"UPDATE_NODE","payload":{"nodeId":"n1","updates":{"x":3,"y":3}},"strategy":"MANUAL"},
		{"type":"UPDATE_NODE","payload":{"nodeId":"n2","updates":{"x":2,"z":1}},"strategy":"MANUAL"},
		{"type":"UPDATE_NODE","payload":{"nodeId":"n1","updates":{"x":4}},"strategy":"CLIENT_WINS"},
		{"type":"UPDATE_NODE","payload":{"nodeId":"n3","updates":{"x":2}},"strategy":"CLIENT_WINS"},
		{"type":"CREATE_EDGE","payload":{"id":"e9","source":"n3","target":"n1"}},
		{"type":"UPDATE_NODE","payload":{"nodeId":"n1","updates":{"x":5}},"strategy":"SERVER_WINS"}]}`), identityOf("tab-1"))
	if err != nil {
		t.Fatal(err)
	}
	outcome, err := s.submit(batch)
	if err != nil {
		t.Fatal(err)
	}
	want := `node/n1 "/x" SERVER_WINS:server @5 null|1|2|1
node/n1 "/x" MANUAL:manual @5 null|1|3|1
node/n1 "/y" MANUAL:manual @5 null|1|3|1
node/n2 "/x" MANUAL:manual @5 null|1|2|1
node/n1 "/x" CLIENT_WINS:client @5 null|1|4|4
node/n3 "" CLIENT_WINS:client @5 {"id":"n3"}|null|{"id":"n3","x":2}|{"id":"n3","x":2}
node/n1 "/x" SERVER_WINS:server @5 null|4|5|4`
	if got := brief(outcome.Conflict); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	var ids []string
	for path := range projection.Elements(projection.Member(outcome.Conflict, "paths")) {
		ids = append(ids, projection.Text(projection.Member(path, "conflictId")))
	}
	if got, want := strings.Join(ids, ","), ",6-0,6-0,6-1,,,"; got != want {
		t.Errorf("conflict ids: got %s, want %s", got, want)
	}
	if open := s.site.fold(t).Conflicts.Open(); open != 2 {
		t.Errorf("open: got %d", open)
	}
	if !s.site.fold(t).Has(projection.Edge, "e9") {
		t.Error("the batch brought the node back, and its edge was lost")
	}
}

// TestEachOfABatchConflicts on its own, in an event of its own.
func TestEachOfABatchConflicts(t *testing.T) {
	s := newScene(t, command.Options{})
	for _, body := range crossingGiven {
		s.do("tab-1", body)
	}
	s.do("tab-2", say("UPDATE_NODE", `{"nodeId":"n1","updates":{"x":1,"y":1}}`))
	_, commands, _, err := command.ParseBatch([]byte(`{"clientVersion":4,"strategy":"MANUAL","operations":[
		{"type":"UPDATE_NODE","payload":{"nodeId":"n1","updates":{"x":2}}},
		{"type":"UPDATE_NODE","payload":{"nodeId":"n1","updates":{"y":2}},"strategy":"CLIENT_WINS"},
		{"type":"UPDATE_NODE","payload":{"nodeId":"n1","updates":{"x":3}},"clientVersion":5}]}`), identityOf("tab-1"))
	if err != nil {
		t.Fatal(err)
	}
	results := s.p.DoEach(t.Context(), "g", commands)
	for i, want := range []string{`node/n1 "/x" MANUAL:manual @5 null|1|2|1`, `node/n1 "/y" CLIENT_WINS:client @5 null|1|2|2`, ""} {
		if results[i].Err != nil || brief(results[i].Outcome.Conflict) != want || int(results[i].Outcome.Version) != 6+i {
			t.Errorf("%d: got %+v", i, results[i])
		}
	}
}

// TestBaseBeforeWhatTheLogKeeps is refused, whether or not something conflicts; one that is not needed is not read.
func TestBaseBeforeWhatTheLogKeeps(t *testing.T) {
	s := newScene(t, command.Options{RecentEvents: 1})
	for _, body := range crossingGiven {
		s.do("tab-1", body)
	}
	s.do("tab-2", say("UPDATE_NODE", `{"nodeId":"n1","updates":{"x":1}}`))
	s.do("tab-2", say("UPDATE_NODE", `{"nodeId":"n1","updates":{"x":2}}`))
	log := &trimmedLog{Log: s.site.log}
	p := (&site{log: log, models: s.site.models, recorder: s.site.recorder}).start(t, command.Options{RecentEvents: 1})
	mustDo(t, p, say("UPDATE_VIEWPORT", `{}`, `"dryRun":true`)) // which loads the graph
	log.floor = 4
	for version := range 7 {
		c, err := command.Parse([]byte(say("UPDATE_NODE", `{"nodeId":"n1","updates":{"x":3}}`, base(version), `"dryRun":true`)), identityOf("tab-1"))
		if err != nil {
			t.Fatal(err)
		}
		outcome, err := p.Do(t.Context(), "g", c)
		switch {
		case version < 4:
			wantCode(t, fmt.Sprint(version), err, command.HistoryTrimmed)
		case err != nil || (outcome.Conflict != nil) != (version < 6):
			t.Errorf("version %d: got %+v, %v", version, outcome, err)
		}
	}
}

// TestRestoreChecksItsBase as any command does.
func TestRestoreChecksItsBase(t *testing.T) {
	s := newScene(t, command.Options{})
	first := s.do("tab-1", say("CREATE_NODE", `{"id":"n1"}`))
	s.do("tab-2", say("UPDATE_VIEWPORT", `{"x":1}`))
	restore := func(more ...string) error {
		_, err := s.try("tab-1", say("RESTORE", `{"version":1}`, more...))
		return err
	}
	wantCode(t, "ahead", restore(base(3)), command.ClientAhead)
	wantCode(t, "another history", restore(base(1), `"hash":"00"`), command.HistoryMismatch)
	wantCode(t, "an old base", restore(base(1), `"hash":"`+string(first.Hash)+`"`), "")
}
