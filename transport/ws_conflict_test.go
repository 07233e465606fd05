package transport

import (
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"graphy/command"
	"graphy/eventstore"
	"graphy/projection"
)

// quiet fails the test if peers got anything they were not asked for.
func quiet(t testing.TB, peers ...*peer) {
	t.Helper()
	for _, p := range peers {
		p.send(`{"type":"heartbeat"}`)
		if p.expect("heartbeat"); len(p.other) > 0 {
			t.Errorf("unasked: %s", p.other[0].raw)
		}
	}
}

// sequence reads the next frames that are no state_update, in the order in which they come.
func (p *peer) sequence(count int) []message {
	p.Helper()
	found := p.other
	p.other = nil
	for len(found) < count {
		m, err := p.read()
		if err != nil {
			p.Fatalf("after %d of %d frames: %v", len(found), count, err)
		}
		if m.Type != "state_update" {
			found = append(found, m)
		}
	}
	return found
}

const lostTitle = `{"resolution":"manual","paths":[{"kind":"node","id":"n1","path":"/title"}]}`

// losing answers each command with a conflict that the server has won.
func losing(c *command.Command) (command.Outcome, error) {
	return command.Outcome{OperationID: c.OperationID, Version: 7, Hash: "6b", Status: command.StatusConflict, DryRun: c.DryRun,
		Duplicate: strings.HasPrefix(c.OperationID, "again"), Conflict: jsontext.Value(lostTitle), Reverted: []command.Reverted{
			{Target: command.Target{Kind: projection.Node, ID: "n1"}, Value: jsontext.Value(`{"id":"n1","title":"theirs"}`)},
			{Target: command.Target{Kind: projection.Edge, ID: "e1"}}}}, nil
}

func retitle(operation, more string) string {
	return `{"type":"command","command":"UPDATE_NODE_TITLE","operationId":"` + operation + `","payload":{"nodeId":"n1","title":"mine"}` + more + `}`
}

func TestConflictAndRevertFollowTheResultToTheSenderAlone(t *testing.T) {
	s := newStage(t)
	s.commands.script = losing
	sender, other := s.join(t, "g", "clientId=same&userId=ann"), s.join(t, "g", "clientId=same&userId=ann")
	const count = 50
	for i := range count {
		sender.send(retitle(fmt.Sprintf("o%d", i), ""))
	}
	frames := sender.sequence(3 * count)
	for i := range count {
		operation := fmt.Sprintf("o%d", i)
		result, conflict, revert := frames[3*i], frames[3*i+1], frames[3*i+2]
		if result.Type != "command_result" || result.OperationID != operation || result.Status != "conflict" || !strings.Contains(string(result.raw), `"conflict":`+lostTitle) {
			t.Fatalf("first of %s is %s", operation, result.raw)
		}
		if want := `{"type":"conflict","operationId":"` + operation + `","version":7,` + lostTitle[1:]; string(conflict.raw) != want {
			t.Fatalf("second of %s is %s, want %s", operation, conflict.raw, want)
		}
		entities := `"entities":[{"kind":"node","id":"n1","value":{"id":"n1","title":"theirs"}},{"kind":"edge","id":"e1","value":null}]}`
		if revert.Type != "revert" || revert.OperationID != operation || revert.Error.Code != "conflict-lost" || revert.Error.Status != 409 ||
			revert.Error.Detail == "" || !strings.HasSuffix(string(revert.raw), entities) {
			t.Fatalf("third of %s is %s, want conflict-lost with %s", operation, revert.raw, entities)
		}
	}
	quiet(t, sender, other)
}

func TestConflictThatTheSenderWonHasNoRevert(t *testing.T) {
	s := newStage(t)
	s.commands.script = func(c *command.Command) (command.Outcome, error) {
		outcome, err := losing(c)
		outcome.Reverted = nil
		return outcome, err
	}
	p := s.join(t, "g", "")
	p.send(retitle("o", ""))
	if frames := p.sequence(2); frames[0].Type != "command_result" || frames[1].Type != "conflict" {
		t.Errorf("got %s, %s", frames[0].raw, frames[1].raw)
	}
	quiet(t, p)
}

func TestDuplicateAndDryRunGetTheResultAlone(t *testing.T) {
	s := newStage(t)
	s.commands.script = losing
	p := s.join(t, "g", "")
	for operation, more := range map[string]string{"again": "", "dry": `,"dryRun":true`} {
		p.send(retitle(operation, more))
		if m := p.expect("command_result"); m.OperationID != operation || !strings.Contains(string(m.raw), `"conflict":`+lostTitle) ||
			(m.Hash == "") != (operation == "dry") {
			t.Errorf("got %s, want the answer to %s", m.raw, operation)
		}
		quiet(t, p)
	}
}

func TestUndoAndRedoFrames(t *testing.T) {
	s := newStage(t)
	commands := make(chan *command.Command, 1)
	s.commands.script = func(c *command.Command) (command.Outcome, error) {
		commands <- c
		outcome := command.Outcome{OperationID: c.OperationID, Version: 7, Hash: "6b", Status: command.StatusProcessing, DryRun: c.DryRun}
		if outcome.Undoes = []eventstore.Version{4, 5}; c.Type == "REDO" {
			outcome.Undoes, outcome.Redoes = nil, []eventstore.Version{6}
		}
		return outcome, nil
	}
	sender, other := s.join(t, "g", "clientId=tab&userId=ann"), s.join(t, "g", "clientId=tab&userId=ann")
	tests := []struct{ frame, kind, members string }{
		{`{"type":"undo","operationId":"o"}`, "UNDO", `"undoes":[4,5],"skipped":[]`},
		{`{"operationId":"o","force":true,"type":"REDO"}`, "REDO", `"redoes":[6],"skipped":[]`},
		{`{"type":"Undo","operationId":"o","clientId":"else","dryRun":true}`, "UNDO", `"undoes":[4,5],"skipped":[]`},
	}
	for _, test := range tests {
		sender.send(test.frame)
		m := sender.expect("command_result")
		if m.OperationID != "o" || m.Version != 7 || !strings.Contains(string(m.raw), test.members) {
			t.Errorf("%s: got %s, want %s", test.frame, m.raw, test.members)
		}
		if seen := <-commands; seen.Type != test.kind || seen.UserID != "ann" || seen.ClientID != "tab" || seen.DryRun != strings.Contains(test.frame, "dryRun") {
			t.Errorf("%s: the command is %+v", test.frame, seen)
		}
	}
	quiet(t, sender, other)
}

func TestRefusedUndoIsReverted(t *testing.T) {
	s := newStage(t)
	s.commands.script = func(c *command.Command) (command.Outcome, error) {
		code := command.NothingToUndo
		if c.Type == "REDO" {
			code = command.NothingToRedo
		}
		return command.Outcome{}, &command.Error{Code: code, Detail: "there is none", OperationID: c.OperationID}
	}
	sender, other := s.join(t, "g", "clientId=tab"), s.join(t, "g", "clientId=tab")
	for kind, code := range map[string]string{"undo": "nothing-to-undo", "redo": "nothing-to-redo"} {
		sender.send(`{"type":"` + kind + `","operationId":"o"}`)
		if m := sender.expect("revert"); m.OperationID != "o" || m.Error.Code != code || m.Error.Status != 409 || !strings.HasSuffix(string(m.raw), `"entities":[]}`) {
			t.Errorf("got %s, want %s without entities", m.raw, code)
		}
	}
	quiet(t, sender, other)
}

// join connects to a graph over the WebSocket and takes the first sync.
func (s *site) join(graph, query string) *peer {
	s.t.Helper()
	return (&stage{http: s.http}).join(s.t, graph, query)
}

func TestConflictAndUndoThroughTheWholeServer(t *testing.T) {
	s := newSite(t)
	s.createNodes("g", 1)
	ann, beside, bob := s.join("g", "clientId=a1&userId=ann"), s.join("g", "clientId=a2&userId=ann"), s.join("g", "clientId=b&userId=bob")
	bob.send(retitle("bob", ""))
	if m := bob.expect("command_result"); m.Status != "processing" || strings.Contains(string(m.raw), `"conflict"`) {
		t.Fatalf("got %s", m.raw)
	}
	late := `{"type":"command","command":"UPDATE_NODE","operationId":"ann","clientVersion":1,"strategy":"MANUAL","payload":{"nodeId":"n1","updates":{"title":"ann's","data":{"a":1}}}}`
	ann.send(late)
	frames := ann.sequence(3)
	if frames[0].Type != "command_result" || frames[0].Version != 3 || frames[0].Status != "conflict" {
		t.Errorf("first is %s", frames[0].raw)
	}
	if text := string(frames[1].raw); frames[1].Type != "conflict" || !strings.Contains(text, `"conflictId":"3-0"`) || !strings.Contains(text, `"resolution":"manual"`) {
		t.Errorf("second is %s", text)
	}
	if revert := frames[2]; revert.Type != "revert" || revert.Error.Code != "conflict-lost" || len(revert.Entities) != 1 ||
		!strings.Contains(string(revert.Entities[0].Value), `"title":"mine"`) || !strings.Contains(string(revert.Entities[0].Value), `"data":{"a":1}`) {
		t.Errorf("third is %s", revert.raw)
	}
	ann.send(late)
	if m := ann.expect("command_result"); m.Version != 3 || m.Status != "conflict" || !strings.Contains(string(m.raw), `"duplicate":true`) {
		t.Errorf("repeated: got %s", m.raw)
	}
	quiet(t, ann, beside, bob)

	bob.send(`{"type":"undo","operationId":"back"}`)
	if m := bob.expect("command_result"); m.Version != 4 || m.OperationID != "back" || !strings.Contains(string(m.raw), `"undoes":[2],"skipped":[]`) {
		t.Errorf("undo: got %s", m.raw)
	}
	bob.send(`{"type":"undo","operationId":"more"}`)
	if m := bob.expect("revert"); m.OperationID != "more" || m.Error.Code != "nothing-to-undo" || len(m.Entities) > 0 {
		t.Errorf("undo: got %s", m.raw)
	}
	beside.send(`{"type":"undo"}`) // what another tab of the user did
	if m := beside.expect("command_result"); m.Version != 5 || !strings.Contains(string(m.raw), `"undoes":[3]`) {
		t.Errorf("undo from another tab: got %s", m.raw)
	}
	ann.send(`{"type":"redo"}`)
	if m := ann.expect("command_result"); m.Version != 6 || !strings.Contains(string(m.raw), `"redoes":[5]`) {
		t.Errorf("redo: got %s", m.raw)
	}
	for _, p := range []*peer{ann, beside, bob} {
		p.reach(s.head("g"))
	}
	quiet(t, ann, beside, bob)
}
