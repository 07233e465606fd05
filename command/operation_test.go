package command_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"graphy/command"
	"graphy/eventstore"
)

// brokenRecorder is a Recorder out of reach.
type brokenRecorder struct{}

func (brokenRecorder) Record(...command.Entry) {}
func (brokenRecorder) Find(context.Context, string) (command.Entry, bool, error) {
	return command.Entry{}, false, eventstore.ErrUnavailable
}

func TestOperation(t *testing.T) {
	s, _ := newSite()
	p := s.start(t, command.Options{})
	created := mustDo(t, p, create("n1"))
	batch, err := p.Do(t.Context(), "g", parseAtomic(t, `{"atomic":true,"operationId":"b","operations":[`+create("n2")+`,`+title("n1", "p2", "x")+`]}`))
	if err != nil {
		t.Fatal(err)
	}
	_, err = do(t, p, title("n9", "bad", "x"))
	wantCode(t, "bad", err, command.NodeNotFound)

	behind := s.start(t, command.Options{})
	mustDo(t, behind, create("n3"))
	deleted := mustDo(t, p, `{"operationId":"d","type":"DELETE_NODE","payload":{"nodeId":"n1"}}`)

	check := func(status string) {
		t.Helper()
		for _, p := range []*command.Processor{p, behind, s.start(t, command.Options{RecentEvents: 1})} {
			for _, graph := range []string{"g", ""} {
				for _, want := range []struct {
					id, commandType string
					outcome         command.Outcome
				}{{"create-n1", command.CreateNode, created}, {"b", command.Batch, batch}, {"d", command.DeleteNode, deleted}} {
					got, err := p.Operation(t.Context(), graph, want.id)
					if err != nil || got.GraphID != "g" || got.Type != want.commandType || got.Status != status || got.Version != want.outcome.Version ||
						got.Hash != want.outcome.Hash || got.OperationID != want.id || string(got.Result) != string(want.outcome.Result) ||
						got.CreatedAt == 0 || (got.CompletedAt != 0) != (status == command.StatusCompleted) || got.Err != nil {
						t.Errorf("operation %q of %q: got %+v (%s), %v, want %+v (%s)", want.id, graph, got, got.Result, err, want.outcome, want.outcome.Result)
					}
				}
				got, err := p.Operation(t.Context(), graph, "bad")
				if err != nil || got.Status != command.StatusFailed || got.Err == nil || got.Err.Code != command.NodeNotFound || got.Version != 0 || got.Type != command.UpdateNodeTitle {
					t.Errorf("refused: got %+v, %v", got, err)
				}
				_, err = p.Operation(t.Context(), graph, "never")
				wantCode(t, "unknown", err, command.NotFound)
			}
			got, err := p.Operation(t.Context(), "g", "p2")
			if err != nil || got.Type != command.UpdateNodeTitle || got.Version != batch.Version || got.OperationID != "p2" || got.Status != status {
				t.Errorf("a part: got %+v (%s), %v", got, got.Result, err)
			}
			_, err = p.Operation(t.Context(), "other", "create-n1")
			wantCode(t, "of another graph", err, command.NotFound)
		}
	}
	check(command.StatusProcessing)
	project(t, s)
	check(command.StatusCompleted)
}

func TestOperationWithoutRecorder(t *testing.T) {
	s, log := newSite()
	p := command.New(s.log, s.models, brokenRecorder{}, command.Options{})
	defer p.Close(context.Background())
	mustDo(t, p, create("n1"))
	if got, err := p.Operation(t.Context(), "g", "create-n1"); err != nil || got.Version != 1 {
		t.Errorf("in the log: got %+v, %v", got, err)
	}
	for graph, id := range map[string]string{"g": "never", "": "create-n1"} {
		_, err := p.Operation(t.Context(), graph, id)
		wantCode(t, "without a recorder", err, command.Unavailable)
	}
	log.Fail = func(string, string) error { return eventstore.ErrUnavailable }
	_, err := p.Operation(t.Context(), "g", "create-n1")
	wantCode(t, "without a log", err, command.Unavailable)
	if !errors.Is(err, eventstore.ErrUnavailable) {
		t.Errorf("the cause is lost: %v", err)
	}
}

// TestRefusedForItsFormIsFailed: what never reached a session can be asked about all the same.
func TestRefusedForItsFormIsFailed(t *testing.T) {
	s, _ := newSite()
	p := s.start(t, command.Options{})
	for _, body := range []string{
		`{"operationId":"bad","type":"CREATE_NODE","payload":{"title":1}}`,
		`{"type":"command","command":"CREATE_NODE","operationId":"bad","payload":{"title":1}}`,
	} {
		identity := command.Identity{UserID: "u"}
		parse := command.Parse
		if body[2:6] == "type" {
			parse = command.ParseFrame
		}
		_, err := parse([]byte(body), identity)
		_, dry := parse([]byte(strings.Replace(body, `"bad"`, `"dry","dryRun":true`, 1)), identity)
		p.Refused("g", identity, dry)
		if _, err := p.Operation(t.Context(), "g", "dry"); codeOf(err) != command.NotFound {
			t.Errorf("a dry run of %s left something behind: %v", body, err)
		}
		p.Refused("g", identity, err)
		got, err := p.Operation(t.Context(), "g", "bad")
		if err != nil || got.Status != command.StatusFailed || got.Type != command.CreateNode || got.Err.Code != command.InvalidPayload {
			t.Errorf("%s: got %+v, %v", body, got, err)
		}
	}
}
