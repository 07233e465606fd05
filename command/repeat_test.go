package command_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"graphy/command"
	"graphy/eventstore"
)

func TestRepeatedOperationAppliesOnce(t *testing.T) {
	s, _ := newSite()
	p := s.start(t, command.Options{})
	small, other := s.start(t, command.Options{RecentEvents: 1}), s.start(t, command.Options{})
	first := mustDo(t, p, create("n1"))
	mustDo(t, p, create("n2"))
	edge := mustDo(t, p, `{"operationId":"e","type":"CREATE_EDGE","payload":{"source":"n1","target":"n2"}}`)
	moved := mustDo(t, p, title("n1", "o1", "x"))
	noop := mustDo(t, p, title("n1", "o2", "x"))
	deleted := mustDo(t, p, `{"operationId":"d","type":"DELETE_NODE","payload":{"nodeId":"n1"}}`)
	for name, p := range map[string]*command.Processor{"same": p, "forgetful": small, "other": other, "restarted": s.start(t, command.Options{RecentEvents: 2})} {
		for _, base := range []string{"", `,"clientVersion":0`, `,"clientVersion":3`, `,"clientVersion":99`, `,"clientVersion":2,"hash":"ff"`, `,"timestamp":1,"gestureId":"g"`} {
			again := func(body string, first command.Outcome) {
				t.Helper()
				outcome, err := do(t, p, strings.TrimSuffix(body, "}")+base+"}")
				wantAgain(t, name+" "+body+base, outcome, err, first)
			}
			again(create("n1"), first) // its preconditions no longer hold
			again(`{"operationId":"e","type":"CREATE_EDGE","payload":{"source":"n1","target":"n2"}}`, edge)
			again(title("n1", "o1", "x"), moved)
			again(title("n1", "o2", "x"), noop)
			again(`{"operationId":"d","type":"DELETE_NODE","payload":{"nodeId":"n1"}}`, deleted)
		}
		for _, body := range []string{create("n9"), title("n1", "o1", "y"), title("n2", "o1", "x"),
			`{"operationId":"o1","type":"UPDATE_NODE","payload":{"nodeId":"n1","updates":{"title":"x"}}}`,
			`{"operationId":"d","type":"DELETE_NODE","payload":{"nodeId":"n2"}}`} {
			body = strings.Replace(body, "create-n9", "create-n1", 1)
			_, err := do(t, p, body)
			wantCode(t, name+" "+body, err, command.OperationIDReused)
			var refusal *command.Error
			if errors.As(err, &refusal) && (len(refusal.Fields) != 1 || refusal.Fields[0].Pointer != "/operationId") {
				t.Errorf("%s: got %+v", body, refusal.Fields)
			}
		}
	}
	if head := s.head(t); head != 6 {
		t.Errorf("head: got %d, want 6", head)
	}
	s.fold(t)
}

func TestRepeatedWithinOneAppend(t *testing.T) {
	s, log := newSite()
	g := &gate{open: make(chan struct{})}
	log.Fail = g.fail
	p := s.start(t, command.Options{})
	type result struct {
		command.Outcome
		err error
	}
	answers := make(chan result, 6)
	for _, body := range []string{create("n0"), create("n1"), create("n1"), create("n1"), title("n1", "create-n1", "x"), create("n2")} {
		p.Submit(t.Context(), "g", parse(t, body), func(outcome command.Outcome, err error) { answers <- result{outcome, err} })
	}
	close(g.open)
	byID, duplicates, reused := map[string]eventstore.Version{}, 0, 0
	for range 6 {
		answer := <-answers
		if codeOf(answer.err) == command.OperationIDReused {
			reused++
			continue
		}
		if answer.err != nil {
			t.Fatal(answer.err)
		}
		if version := byID[answer.OperationID]; version != 0 && version != answer.Version {
			t.Errorf("%s: versions %d and %d", answer.OperationID, version, answer.Version)
		}
		byID[answer.OperationID] = answer.Version
		if answer.Duplicate {
			duplicates++
		}
	}
	if duplicates != 2 || reused != 1 || s.fold(t).Position.Version != 3 {
		t.Errorf("got %d duplicates, %d reused, head %d", duplicates, reused, s.head(t))
	}
}

func TestI1RepeatedOnTwoProcessesAtOnce(t *testing.T) {
	s, _ := newSite()
	processors := []*command.Processor{s.start(t, command.Options{}), s.start(t, command.Options{RecentEvents: 3}), s.start(t, command.Options{})}
	const count = 200
	outcomes := make([][count]command.Outcome, len(processors))
	var all sync.WaitGroup
	for i, p := range processors {
		for j := range count {
			all.Add(1)
			body := fmt.Sprintf(`{"operationId":"o%d","type":"CREATE_NODE","payload":{"title":"t%d"}}`, j, j)
			p.Submit(t.Context(), "g", parse(t, body), func(outcome command.Outcome, err error) {
				defer all.Done()
				if err != nil {
					t.Errorf("operation %d on process %d: %v", j, i, err)
				}
				outcomes[i][j] = outcome
			})
		}
	}
	all.Wait()
	for j := range count {
		firsts := 0
		for i := range processors {
			outcome := outcomes[i][j]
			if outcome.Version != outcomes[0][j].Version || !bytes.Equal(outcome.Result, outcomes[0][j].Result) {
				t.Errorf("operation %d: answers %+v and %+v", j, outcome, outcomes[0][j])
			}
			if !outcome.Duplicate {
				firsts++
			}
		}
		if firsts != 1 {
			t.Errorf("operation %d was done %d times", j, firsts)
		}
	}
	if head := s.fold(t).Position.Version; head != count {
		t.Errorf("head: got %d, want %d", head, count)
	}
}

func TestRepeatedBatches(t *testing.T) {
	s, _ := newSite()
	p := s.start(t, command.Options{})
	batch := func(id string, parts ...string) string {
		return `{"atomic":true,` + id + `"operations":[` + strings.Join(parts, ",") + `]}`
	}
	whole := batch(`"operationId":"b",`, create("n1"), title("n1", "p2", "x"), `{"type":"CREATE_NODE","payload":{}}`)
	first, err := p.Do(t.Context(), "g", parseAtomic(t, whole))
	if err != nil {
		t.Fatal(err)
	}
	upsert := `{"operationId":"u","type":"BATCH_UPDATE","payload":{"nodes":{"n1":{"title":"y"},"n2":{}},"edges":[{"source":"n1","target":"n2"}],"viewport":{"x":1}}}`
	second := mustDo(t, p, upsert)
	mustDo(t, p, `{"type":"DELETE_NODE","payload":{"nodeId":"n1"}}`)
	mustDo(t, p, `{"type":"UPDATE_VIEWPORT","payload":{"x":7}}`)
	for name, p := range map[string]*command.Processor{"same": p, "forgetful": s.start(t, command.Options{RecentEvents: 1})} {
		outcome, err := p.Do(t.Context(), "g", parseAtomic(t, whole))
		wantAgain(t, name+" batch", outcome, err, first)
		outcome, err = do(t, p, upsert)
		wantAgain(t, name+" upsert", outcome, err, second)

		outcome, err = do(t, p, title("n1", "p2", "x"))
		if err != nil || !outcome.Duplicate || outcome.Version != 1 || !strings.Contains(string(outcome.Result), `"title":"x"`) {
			t.Errorf("%s: a part alone: got %+v (%s), %v", name, outcome, outcome.Result, err)
		}
		_, err = do(t, p, title("n1", "p2", "z"))
		wantCode(t, name+": a part alone, changed", err, command.OperationIDReused)
		_, err = do(t, p, create("n1"))
		wantCode(t, name+": a part alone", err, "")
		for _, id := range []string{"", `"operationId":"b2",`, `"operationId":"b",`} {
			_, err = p.Do(t.Context(), "g", parseAtomic(t, batch(id, `{"type":"CREATE_NODE","payload":{}}`, title("n1", "p2", "x"))))
			wantCode(t, name+": a batch with an id done before", err, command.OperationIDReused)
			want := "/operations/1/operationId"
			if strings.Contains(id, `"b"`) {
				want = "/operationId"
			}
			var refusal *command.Error
			if errors.As(err, &refusal) && (len(refusal.Fields) != 1 || refusal.Fields[0].Pointer != want) {
				t.Errorf("%s: got %+v, want %s", name, refusal.Fields, want)
			}
		}
	}
	if head := s.head(t); head != 4 {
		t.Errorf("head: got %d, want 4", head)
	}
	s.fold(t)
}
