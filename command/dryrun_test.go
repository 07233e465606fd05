package command_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"graphy/command"
	"graphy/eventstore"
)

func dry(c *command.Command) *command.Command {
	c.DryRun = true
	return c
}

// wantDry checks that a dry run foresaw what came of the command.
func wantDry(t tester, what string, foreseen, real command.Outcome) {
	t.Helper()
	if !foreseen.DryRun || foreseen.Status != command.StatusDryRun || foreseen.Hash != "" || foreseen.Duplicate {
		t.Errorf("%s: got %+v", what, foreseen)
	}
	text := func(o command.Outcome) string {
		return fmt.Sprintf("%d %s %s %v %v %s %v", o.Version, o.Result, o.Conflict, o.Undoes, o.Redoes, o.Skipped, o.Reverted)
	}
	if text(foreseen) != text(real) {
		t.Errorf("%s: foreseen %s\ncame %s", what, text(foreseen), text(real))
	}
}

// TestDryRunForeseesAndWritesNothing: whatever the command, the log and the process stay as they were, and sent again in
// earnest it comes out as foreseen.
func TestDryRunForeseesAndWritesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorkshop(t)
		defer w.close()
		w.mixed(rapid.IntRange(0, 12).Draw(t, "before"), "u1", "u2")
		for i := range rapid.IntRange(1, 6).Draw(t, "commands") {
			body := strings.TrimSuffix(command.DrawCommand(t, true), "}") + fmt.Sprintf(`,"operationId":"dry%d"}`, i)
			if head := int(w.folded.Position.Version); head > 0 && rapid.Bool().Draw(t, "base") {
				body = strings.TrimSuffix(body, "}") + fmt.Sprintf(`,"clientVersion":%d}`, rapid.IntRange(0, head).Draw(t, "version"))
			}
			switch rapid.IntRange(0, 4).Draw(t, "kind") {
			case 0:
				body = "undo"
			case 1:
				body = "redo"
			case 2:
				body = restoring(eventstore.Version(rapid.IntRange(0, int(w.folded.Position.Version)).Draw(t, "restored")))
			}
			head := w.folded.Position.Version
			process := rapid.SampledFrom(w.processes).Draw(t, "dry process")
			foreseen, dryErr := process.Do(context.Background(), "g", dry(told(t, "u1", body)))
			if w.fold(); w.folded.Position.Version != head {
				t.Fatalf("a dry run of %s was written", body)
			}
			if process.Head("g") > head {
				t.Fatalf("after a dry run of %s the process believes in version %d, the log is at %d", body, process.Head("g"), head)
			}
			real, err := w.run(told(t, "u1", body), nil)
			if codeOf(err) != codeOf(dryErr) {
				t.Fatalf("%s: foreseen %v, came %v", body, dryErr, err)
			}
			if err == nil && (foreseen.Version != real.Version || fmt.Sprint(foreseen.Undoes, foreseen.Redoes) != fmt.Sprint(real.Undoes, real.Redoes) ||
				skips(foreseen) != skips(real) || len(foreseen.Reverted) != len(real.Reverted)) {
				t.Fatalf("%s: foreseen %+v\ncame %+v", body, foreseen, real)
			}
		}
	})
}

func TestDryRun(t *testing.T) {
	s, _ := newSite()
	always := func() time.Time { return time.UnixMilli(1000) }
	p := s.start(t, command.Options{Now: always})
	mustTell(t, p, "1 "+newN1)
	for _, line := range []string{`{"operationId":"a","type":"UPDATE_NODE_TITLE","payload":{"nodeId":"n1","title":"x"}}`, "undo", "redo",
		`{"operationId":"b","type":"DELETE_NODE","payload":{"nodeId":"n1"}}`, "undo", restoring(1), restoring(0), "undo"} {
		elsewhere := s.start(t, command.Options{RecentEvents: 1, Now: always})
		for _, process := range []*command.Processor{p, elsewhere, p} {
			foreseen, err := process.Do(t.Context(), "g", dry(told(t, "u1", line)))
			if err != nil || foreseen.Version != s.head(t)+1 {
				t.Fatalf("%s: got %+v, %v", line, foreseen, err)
			}
		}
		foreseen, _ := p.Do(t.Context(), "g", dry(told(t, "u1", line)))
		wantDry(t, line, foreseen, mustTell(t, p, "1 "+line))
	}
	if graph := s.fold(t); graph.Position.Version != 9 {
		t.Errorf("got version %d", graph.Position.Version)
	}
	again, err := p.Do(t.Context(), "g", dry(told(t, "u1", `{"operationId":"a","type":"UPDATE_NODE_TITLE","payload":{"nodeId":"n1","title":"x"}}`)))
	if err != nil || !again.Duplicate || again.Version != 2 || again.DryRun || again.Status != command.StatusProcessing {
		t.Errorf("of what was done: got %+v, %v", again, err)
	}
	_, err = p.Do(t.Context(), "g", dry(told(t, "u1", `{"operationId":"a","type":"UPDATE_NODE_TITLE","payload":{"nodeId":"n1","title":"y"}}`)))
	wantCode(t, "of another request with its id", err, command.OperationIDReused)
}

// TestDryRunOfSeveral: each is decided on what the ones before it would leave.
func TestDryRunOfSeveral(t *testing.T) {
	s, _ := newSite()
	p := s.start(t, command.Options{})
	mustTell(t, p, "1 "+newN2)
	bodies := []string{create("n1"), title("n1", "o1", "x"), title("n9", "o2", "x"), create("n1"), title("n1", "create-n1", "y"), `{"type":"CREATE_EDGE","payload":{"id":"e","source":"n1","target":"n2"}}`}
	for range 2 {
		commands := make([]*command.Command, len(bodies))
		for i, body := range bodies {
			commands[i] = dry(parse(t, body))
		}
		var got []string
		for _, result := range p.DoEach(t.Context(), "g", commands) {
			if result.Err != nil {
				got = append(got, string(codeOf(result.Err)))
				continue
			}
			got = append(got, fmt.Sprintf("%d %s %t", result.Outcome.Version, result.Outcome.Status, result.Outcome.Duplicate))
		}
		if want := "2 dry-run false, 3 dry-run false, node-not-found, 2 dry-run true, operation-id-reused, 4 dry-run false"; strings.Join(got, ", ") != want {
			t.Errorf("got %s\nwant %s", strings.Join(got, ", "), want)
		}
	}
	if head := s.head(t); head != 1 {
		t.Errorf("head: got %d", head)
	}
	mustTell(t, p, "1 "+create("n1")) // its id is not used up
}

// TestDryRunDoesNotForgetWhatCanBeUndone: it costs no more reading than one in earnest.
func TestDryRunDoesNotForgetWhatCanBeUndone(t *testing.T) {
	s, log := newSite()
	p := s.start(t, command.Options{})
	mustTell(t, p, "1 "+newN1)
	for i := range 300 {
		mustTell(t, p, "2 "+updating("n1", fmt.Sprintf(`{"x":%d}`, i)))
	}
	mustTell(t, p, "1 "+updating("n1", `{"y":1}`))
	reads := &counted{Log: log}
	small := (&site{log: reads, models: s.models, recorder: s.recorder}).start(t, command.Options{RecentEvents: 1})
	for i := range 10 {
		mustTell(t, small, "2 "+updating("n1", fmt.Sprintf(`{"z":%d}`, i)))
	}
	reads.reads = 0
	for i := range 5 {
		if _, err := small.Do(t.Context(), "g", dry(told(t, "u1", "undo"))); err != nil {
			t.Fatal(err)
		}
		if reads.reads > 1+i {
			t.Fatalf("%d dry runs read %d pages", i+1, reads.reads)
		}
	}
}
