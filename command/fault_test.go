package command_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"graphy/command"
	"graphy/eventstore"
	"graphy/projection"
)

// faults makes calls of a log fail: those named in it, with its error.
type faults struct {
	mu    sync.Mutex
	calls map[string]error
}

func (f *faults) set(err error, calls ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = map[string]error{}
	for _, call := range calls {
		f.calls[call] = err
	}
}

func (f *faults) fail(call, _ string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[call]
}

func TestOutcomeUnknownAndApplied(t *testing.T) {
	s, log := newSite()
	var f faults
	log.Fail = f.fail
	p := s.start(t, command.Options{})
	mustDo(t, p, create("n1"))
	f.set(eventstore.ErrUnknown, "appended")
	_, err := do(t, p, create("n2"))
	wantCode(t, "lost answer", err, command.OutcomeUnknown)
	_, err = do(t, p, create("n3")) // the doubt cannot be settled
	wantCode(t, "while in doubt", err, command.Unavailable)
	f.set(nil)
	outcome := mustDo(t, p, create("n2"))
	if !outcome.Duplicate || outcome.Version != 2 {
		t.Errorf("sent again: got %+v", outcome)
	}
	if outcome := mustDo(t, p, create("n3")); outcome.Duplicate || outcome.Version != 3 {
		t.Errorf("refused before: got %+v", outcome)
	}
	if graph := s.fold(t); graph.Position.Version != 3 {
		t.Errorf("head: got %d", graph.Position.Version)
	}
}

func TestOutcomeUnknownAndNotApplied(t *testing.T) {
	s, log := newSite()
	var f faults
	log.Fail = f.fail
	p, other := s.start(t, command.Options{}), s.start(t, command.Options{})
	mustDo(t, p, create("n1"))
	f.set(eventstore.ErrUnknown, "append")
	_, err := do(t, p, create("n2"))
	wantCode(t, "lost request", err, command.OutcomeUnknown)
	f.set(nil)
	mustDo(t, other, create("n3")) // comes in between: the lost request must not be carried out after it
	if outcome := mustDo(t, p, create("n2")); outcome.Duplicate || outcome.Version != 3 {
		t.Errorf("sent again: got %+v", outcome)
	}

	f.set(eventstore.ErrUnknown, "append")
	_, err = do(t, p, create("n4"))
	wantCode(t, "lost request", err, command.OutcomeUnknown)
	f.set(nil)
	mustDo(t, other, create("n4")) // the sender tries another process
	if outcome := mustDo(t, p, create("n4")); !outcome.Duplicate || outcome.Version != 4 {
		t.Errorf("sent again: got %+v", outcome)
	}
	if graph := s.fold(t); graph.Position.Version != 4 || graph.Len(projection.Node) != 4 {
		t.Errorf("got version %d, %d nodes", graph.Position.Version, graph.Len(projection.Node))
	}
}

func TestUnavailable(t *testing.T) {
	s, log := newSite()
	var f faults
	log.Fail = f.fail
	p, fresh := s.start(t, command.Options{}), s.start(t, command.Options{})
	mustDo(t, p, create("n1"))
	f.set(eventstore.ErrUnavailable, "append", "read", "head", "operations")
	bodies := []string{create("n2"), title("n1", "o1", "x"), `{"operationId":"o2","type":"DELETE_NODE","payload":{"nodeId":"n1"}}`,
		`{"operationId":"o3","type":"DELETE_NODE","payload":{"nodeId":"n9"}}`, `{"type":"UPDATE_VIEWPORT","payload":{"x":1}}`}
	for _, body := range bodies {
		for _, p := range []*command.Processor{p, fresh} {
			_, err := do(t, p, body)
			wantCode(t, body, err, command.Unavailable)
		}
	}
	f.set(nil)
	if head := s.head(t); head != 1 {
		t.Errorf("head: got %d: refused commands are in the log", head)
	}
	// That the graph was rolled back, each event's checksum proves.
	mustDo(t, p, title("n1", "o1", "y"))
	mustDo(t, p, create("n2"))
	mustDo(t, fresh, create("n3"))
	if version := s.fold(t).Position.Version; version != 4 {
		t.Errorf("head: got %d", version)
	}
}

// TestFlappingLog: whatever calls fail, nothing acknowledged is missing, nothing is there twice, nothing refused for
// certain is there.
func TestI1FlappingLog(t *testing.T) {
	s, log := newSite()
	var calls atomic.Int64
	log.Fail = func(call, _ string) error {
		switch n := calls.Add(1); {
		case call == "appended" && n%5 == 0:
			return eventstore.ErrUnknown
		case call == "append" && n%11 == 0:
			return eventstore.ErrUnknown
		case call != "appended" && n%7 == 0:
			return eventstore.ErrUnavailable
		}
		return nil
	}
	processors := []*command.Processor{s.start(t, command.Options{}), s.start(t, command.Options{RecentEvents: 5})}
	var users sync.WaitGroup
	const each = 150
	for user := range 6 {
		users.Go(func() {
			p := processors[user%2]
			for i := range each {
				body := create(fmt.Sprintf("n%d-%d", user, i))
				for try := 0; ; try++ {
					_, err := p.Do(context.Background(), "g", parse(t, body))
					if err == nil {
						break
					}
					if code := codeOf(err); code != command.Unavailable && code != command.OutcomeUnknown || try > 1000 {
						t.Errorf("%s: %v", body, err)
						return
					}
					p = processors[(user+try)%2]
				}
			}
		})
	}
	users.Wait()
	log.Fail = nil
	if graph := s.fold(t); graph.Position.Version != 6*each || graph.Len(projection.Node) != 6*each {
		t.Errorf("got version %d with %d nodes, want %d", graph.Position.Version, graph.Len(projection.Node), 6*each)
	}
}

func TestI11BrokenLogStopsItsGraphOnly(t *testing.T) {
	s, _ := newSite()
	data := []byte(`{"version":1,"commandType":"POISON"}`)
	poison := eventstore.Event{Version: 1, Data: data, Hash: eventstore.NextHash("", data)}
	if _, err := s.log.Append(t.Context(), "bad", eventstore.Position{}, []eventstore.Event{poison}); err != nil {
		t.Fatal(err)
	}
	p := s.start(t, command.Options{})
	for range 3 {
		_, err := p.Do(t.Context(), "bad", parse(t, create("n1")))
		wantCode(t, "poisoned", err, command.Unavailable)
		if outcome, err := p.Do(t.Context(), "good", parse(t, create("n1"))); err != nil || outcome.Version != 1 {
			t.Errorf("the other graph: got %+v, %v", outcome, err)
		}
	}
	if err := p.Delete(t.Context(), "bad"); err != nil {
		t.Errorf("a damaged graph can be deleted: %v", err)
	}
	if outcome, err := p.Do(t.Context(), "bad", parse(t, create("n1"))); err != nil || outcome.Version != 1 {
		t.Errorf("anew: got %+v, %v", outcome, err)
	}
}

func TestFullQueueAcceptsNothing(t *testing.T) {
	s, log := newSite()
	g := &gate{open: make(chan struct{})}
	log.Fail = g.fail
	p := s.start(t, command.Options{QueueLength: 10, BatchLength: 1})
	answers := make(chan error, 100)
	submit := func(id string) {
		p.Submit(t.Context(), "g", parse(t, create(id)), func(_ command.Outcome, err error) { answers <- err })
	}
	for i := range 50 {
		submit(fmt.Sprint("n", i))
	}
	refused := 0
	for len(answers) > 0 {
		wantCode(t, "full", <-answers, command.Unavailable)
		refused++
	}
	if refused < 38 || refused > 40 {
		t.Errorf("%d of 50 were refused at a length of 10", refused)
	}
	if results := p.DoEach(t.Context(), "g", []*command.Command{parse(t, create("x")), parse(t, create("y"))}); codeOf(results[0].Err) != command.Unavailable || codeOf(results[1].Err) != command.Unavailable {
		t.Errorf("all or none: got %+v", results)
	}
	close(g.open)
	for range 50 - refused {
		if err := <-answers; err != nil {
			t.Error(err)
		}
	}
	if head := s.fold(t).Position.Version; int(head) != 50-refused {
		t.Errorf("head: got %d, want %d", head, 50-refused)
	}
}

func TestAnswersComeInTime(t *testing.T) {
	s, log := newSite()
	hang := make(chan struct{})
	slow := &slowLog{Log: log, hang: hang}
	s.log = slow
	p := s.start(t, command.Options{Timeout: 300 * time.Millisecond})
	begun := time.Now()
	var answers sync.WaitGroup
	for i := range 20 {
		answers.Add(1)
		p.Submit(t.Context(), "g", parse(t, create(fmt.Sprint("n", i))), func(_ command.Outcome, err error) {
			if code := codeOf(err); code != command.Unavailable && code != command.OutcomeUnknown {
				t.Errorf("command %d: got %v", i, err)
			}
			answers.Done()
		})
	}
	answers.Wait()
	if took := time.Since(begun); took > 3*time.Second {
		t.Errorf("answered after %v", took)
	}
	close(hang)
	mustDo(t, p, create("n0"))
	s.fold(t)
}

// slowLog holds appends back until hang is closed, as a frozen server does.
type slowLog struct {
	eventstore.Log
	hang chan struct{}
}

func (l *slowLog) Append(ctx context.Context, stream string, expected eventstore.Position, events []eventstore.Event) (eventstore.AppendResult, error) {
	select {
	case <-l.hang:
		return l.Log.Append(ctx, stream, expected, events)
	case <-ctx.Done():
		return eventstore.AppendResult{}, fmt.Errorf("%w: %w", eventstore.ErrUnknown, ctx.Err())
	}
}

// TestI11FaultOfOurs: a command that brings deciding down is refused alone; what was decided along with it goes on, and
// nothing of it is left behind.
func TestI11FaultOfOurs(t *testing.T) {
	s, _ := newSite()
	p := s.start(t, command.Options{RecentEvents: 1, Snapshots: struct{ projection.Snapshots }{}}) // each call panics
	for i := range 5 {
		mustDo(t, p, create(fmt.Sprintf("n%d", i)))
	}
	parse := func(body string) *command.Command {
		c, err := command.Parse([]byte(body), command.Identity{UserID: "u"})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	restore := `{"type":"RESTORE","payload":{"version":1}`
	results := p.DoEach(t.Context(), "g", []*command.Command{parse(create("n5")), parse(restore + `}`), parse(create("n6"))})
	for i, want := range []command.Code{"", command.Internal, ""} {
		if got := codeOf(results[i].Err); got != want {
			t.Errorf("command %d: got %v, want %q", i, results[i].Err, want)
		}
	}
	_, err := do(t, p, restore+`,"dryRun":true}`)
	wantCode(t, "dry run", err, command.Internal)
	if outcome := mustDo(t, p, create("n7")); outcome.Version != 8 {
		t.Errorf("afterwards: got version %d, want 8", outcome.Version)
	}
	if nodes := s.fold(t).Len(projection.Node); nodes != 8 {
		t.Errorf("got %d nodes, want 8", nodes)
	}
}
