package command_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"graphy/command"
	"graphy/command/memory"
	"graphy/eventstore"
	eventlog "graphy/eventstore/memory"
	"graphy/projection"
	readmodels "graphy/projection/memory"
	"graphy/projection/projectiontest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// site is a log, read models that nobody projects to unless the test does, and what runs commands on them.
type site struct {
	log      eventstore.Log
	models   projection.ReadModels
	recorder *memory.Recorder
}

func newSite() (*site, *eventlog.Log) {
	log := eventlog.New()
	return &site{log: log, models: readmodels.New(log), recorder: &memory.Recorder{}}, log
}

// start returns a Processor, as another process or another start would have.
func (s *site) start(t testing.TB, opts command.Options) *command.Processor {
	t.Helper()
	p := command.New(s.log, s.models, s.recorder, opts)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := p.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return p
}

var tab1 = command.Identity{UserID: "u1", ClientID: "tab-1"}

// tester is what helpers need of a *testing.T or a *rapid.T.
type tester interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

func parse(t tester, body string) *command.Command {
	t.Helper()
	c, err := command.Parse([]byte(body), tab1)
	if err != nil {
		t.Fatalf("parse %.300s: %v", body, err)
	}
	return c
}

func parseAtomic(t testing.TB, body string) *command.Command {
	t.Helper()
	c, _, _, err := command.ParseBatch([]byte(body), tab1)
	if err != nil || c == nil {
		t.Fatalf("parse %.300s: %v", body, err)
	}
	return c
}

func do(t testing.TB, p *command.Processor, body string) (command.Outcome, error) {
	t.Helper()
	return p.Do(context.Background(), "g", parse(t, body))
}

func mustDo(t testing.TB, p *command.Processor, body string) command.Outcome {
	t.Helper()
	outcome, err := do(t, p, body)
	if err != nil {
		t.Fatalf("%.300s: %v", body, err)
	}
	return outcome
}

func codeOf(err error) command.Code {
	var refusal *command.Error
	if errors.As(err, &refusal) {
		return refusal.Code
	}
	return ""
}

func wantCode(t tester, what string, err error, want command.Code) {
	t.Helper()
	if got := codeOf(err); got != want {
		t.Errorf("%s: got %v, want %q", what, err, want)
	}
}

// fold checks the whole log (I2, and every checksum) and returns what it folds to.
func (s *site) fold(t testing.TB) *projection.Graph {
	t.Helper()
	return projectiontest.Fold(t, s.log, "g")
}

func (s *site) head(t testing.TB) eventstore.Version {
	t.Helper()
	head, err := s.log.Head(context.Background(), "g")
	if err != nil {
		t.Fatal(err)
	}
	return head.Version
}

func create(id string) string {
	return fmt.Sprintf(`{"operationId":"create-%s","type":"CREATE_NODE","payload":{"id":%q,"title":"t"}}`, id, id)
}

func title(id, operation, title string) string {
	return fmt.Sprintf(`{"operationId":%q,"type":"UPDATE_NODE_TITLE","payload":{"nodeId":%q,"title":%q}}`, operation, id, title)
}

func TestAcceptedCommand(t *testing.T) {
	s, _ := newSite()
	p := s.start(t, command.Options{Now: func() time.Time { return time.UnixMilli(5000) }})
	first := mustDo(t, p, create("n1"))
	if first.Version != 1 || first.Status != command.StatusProcessing || first.Duplicate || first.OperationID != "create-n1" ||
		string(first.Result) != `{"createdAt":5000,"id":"n1","title":"t","updatedAt":5000}` || first.Conflict != nil {
		t.Errorf("got %+v", first)
	}
	second := mustDo(t, p, `{"type":"CREATE_NODE","payload":{},"gestureId":"g1","timestamp":4000}`)
	if second.Version != 2 || second.OperationID == "" {
		t.Errorf("minted: got %+v", second)
	}
	third := mustDo(t, p, title("n1", "o3", "t"))
	events, _ := s.log.Read(t.Context(), "g", 0, 10)
	for i, want := range []command.Outcome{first, second, third} {
		event, err := projection.DecodeEvent(events[i].Data)
		if err != nil || event.OperationID != want.OperationID || events[i].Hash != want.Hash || event.UserID != "u1" || event.ClientID != "tab-1" || event.Timestamp != 5000 {
			t.Errorf("event %d: got %s, %v, want %+v", i+1, events[i].Data, err, want)
		}
	}
	if event, _ := projection.DecodeEvent(events[1].Data); event.GestureID != "g1" || event.WrittenAt != 5000 {
		t.Errorf("a write is not earlier than its base: got %+v", event)
	}
	if event, _ := projection.DecodeEvent(events[2].Data); len(event.Changes) != 0 || event.Request == "" {
		t.Errorf("a command that changes nothing is an event: got %+v", event)
	}
	s.fold(t)
}

func TestWriteTime(t *testing.T) {
	s, _ := newSite()
	now := int64(1000)
	p := s.start(t, command.Options{Now: func() time.Time { now += 1000; return time.UnixMilli(now / 1000 * 1000) }, RecentEvents: 1})
	mustDo(t, p, create("n1")) // at least 2000
	for i := range 5 {
		mustDo(t, p, title("n1", fmt.Sprint("o", i), "x"))
	}
	events, _ := s.log.Read(t.Context(), "g", 0, 10)
	base, _ := projection.DecodeEvent(events[1].Data)
	for _, test := range []struct{ timestamp, want int64 }{{1, base.Timestamp}, {base.Timestamp + 7, base.Timestamp + 7}, {1 << 50, 0}} {
		outcome := mustDo(t, p, fmt.Sprintf(`{"type":"DELETE_NODE","payload":{"nodeId":"n1"},"clientVersion":2,"timestamp":%d}`, test.timestamp))
		mustDo(t, p, `{"type":"CREATE_NODE","payload":{"id":"n1"}}`)
		events, _ := s.log.Read(t.Context(), "g", outcome.Version-1, 1)
		event, err := projection.DecodeEvent(events[0].Data)
		if test.want == 0 {
			test.want = event.Timestamp
		}
		if err != nil || event.WrittenAt != test.want {
			t.Errorf("timestamp %d: written at %d (%v), want %d", test.timestamp, event.WrittenAt, err, test.want)
		}
	}
}

// gate lets a log's appends wait until it is opened, and counts them.
type gate struct {
	open    chan struct{}
	mu      sync.Mutex
	appends int
}

func (g *gate) fail(call, _ string) error {
	if call == "append" {
		<-g.open
		g.mu.Lock()
		g.appends++
		g.mu.Unlock()
	}
	return nil
}

func TestGroupCommit(t *testing.T) {
	s, log := newSite()
	g := &gate{open: make(chan struct{})}
	log.Fail = g.fail
	p := s.start(t, command.Options{BatchLength: 100})
	const count = 1000
	versions := make(chan eventstore.Version, count)
	for i := range count {
		p.Submit(t.Context(), "g", parse(t, `{"type":"CREATE_NODE","payload":{}}`), func(outcome command.Outcome, err error) {
			if err != nil {
				t.Errorf("command %d: %v", i, err)
			}
			versions <- outcome.Version
		})
	}
	close(g.open)
	for range count {
		<-versions
	}
	if g.appends < count/100 || g.appends > count/100+1 {
		t.Errorf("%d commands took %d appends", count, g.appends)
	}
	if head := s.fold(t).Position.Version; head != count {
		t.Errorf("head: got %d, want %d", head, count)
	}
}

func TestOwnMovesKeepTheirOrder(t *testing.T) {
	s, _ := newSite()
	processors := []*command.Processor{s.start(t, command.Options{}), s.start(t, command.Options{})}
	mustDo(t, processors[0], create("n0"))
	mustDo(t, processors[0], create("n1"))
	var users sync.WaitGroup
	const moves = 300
	for user := range 2 {
		users.Go(func() {
			var answers sync.WaitGroup
			for x := range moves {
				answers.Add(1)
				body := fmt.Sprintf(`{"type":"UPDATE_NODE_POSITION","payload":{"nodeId":"n%d","position":{"x":%d,"y":0}},"clientVersion":2}`, user, x+1)
				processors[user].Submit(t.Context(), "g", parse(t, body), func(_ command.Outcome, err error) {
					if err != nil {
						t.Error(err)
					}
					answers.Done()
				})
			}
			answers.Wait()
		})
	}
	users.Wait()
	seen := map[string]int{}
	for after := eventstore.Version(2); ; after++ {
		events, _ := s.log.Read(t.Context(), "g", after, 1)
		if len(events) == 0 {
			break
		}
		event, _ := projection.DecodeEvent(events[0].Data)
		id := event.Changes[0].ID
		seen[id]++
		if want := fmt.Sprintf(`{"x":%d,"y":0}`, seen[id]); string(projection.Member(event.Changes[0].Set, "position")) != want {
			t.Fatalf("move %d of %s: got %s", seen[id], id, event.Changes[0].Set)
		}
	}
	if seen["n0"] != moves || seen["n1"] != moves {
		t.Errorf("moves: got %v", seen)
	}
	s.fold(t)
}

func TestDoEach(t *testing.T) {
	s, _ := newSite()
	p := s.start(t, command.Options{})
	_, commands, errs, err := command.ParseBatch([]byte(`{"operationId":"b","operations":[{"type":"CREATE_NODE","payload":{"id":"n1"}},
		{"type":"DELETE_NODE","payload":{"nodeId":"n9"}},{"type":"NO","payload":{}},{"type":"UPDATE_NODE_TITLE","payload":{"nodeId":"n1","title":"x"}}]}`), tab1)
	if err != nil || errs[2] == nil {
		t.Fatalf("got %v, %v", errs, err)
	}
	for round := range 2 {
		results := p.DoEach(t.Context(), "g", commands)
		if results[0].Outcome.Version != 1 || results[0].Outcome.OperationID != "b.0" || codeOf(results[1].Err) != command.NodeNotFound ||
			results[2].Err != nil || results[2].Outcome.Version != 0 || results[3].Outcome.Version != 2 || results[0].Outcome.Duplicate != (round == 1) {
			t.Errorf("round %d: got %+v", round, results)
		}
	}
	if got := p.DoEach(t.Context(), "g", []*command.Command{nil}); len(got) != 1 {
		t.Errorf("nothing to do: got %v", got)
	}
}

func TestDeleteStartsAnew(t *testing.T) {
	s, _ := newSite()
	p, other := s.start(t, command.Options{}), s.start(t, command.Options{})
	mustDo(t, p, create("n1"))
	mustDo(t, p, create("n2"))
	mustDo(t, other, title("n1", "o", "x"))
	if err := p.Delete(t.Context(), "g"); err != nil {
		t.Fatal(err)
	}
	if outcome := mustDo(t, p, create("n1")); outcome.Version != 1 || outcome.Duplicate {
		t.Errorf("anew: got %+v", outcome)
	}
	if _, err := do(t, other, title("n2", "o", "x")); codeOf(err) != command.NodeNotFound {
		t.Errorf("the other process: got %v", err)
	}
	if outcome := mustDo(t, other, create("n3")); outcome.Version != 2 {
		t.Errorf("the other process: got %+v", outcome)
	}
	s.fold(t)
	if err := p.Delete(t.Context(), "unknown"); err != nil {
		t.Errorf("delete of nothing: %v", err)
	}
}

func TestBaseChecks(t *testing.T) {
	s, _ := newSite()
	p := s.start(t, command.Options{RecentEvents: 2})
	hashes := []eventstore.Hash{""}
	for i := range 6 {
		hashes = append(hashes, mustDo(t, p, create(fmt.Sprint("n", i))).Hash)
	}
	processors := []*command.Processor{p, s.start(t, command.Options{}), s.start(t, command.Options{RecentEvents: 1})}
	for i, test := range []struct {
		base, hash eventstore.Version // hash: whose
		want       command.Code
	}{
		{6, 6, ""}, {0, 0, ""}, {1, 1, ""}, {4, 4, ""}, {5, 5, ""},
		{0, 1, command.HistoryMismatch}, {1, 2, command.HistoryMismatch}, {6, 5, command.HistoryMismatch}, {6, 0, command.HistoryMismatch},
		{1 << 52, 6, command.ClientAhead}, {50, 0, command.ClientAhead},
	} {
		for j, p := range processors {
			_, err := do(t, p, fmt.Sprintf(`{"operationId":"o-%d-%d","type":"UPDATE_VIEWPORT","payload":{},"clientVersion":%d,"hash":%q}`, i, j, test.base, hashes[test.hash]))
			wantCode(t, fmt.Sprintf("base %d with the hash of %d", test.base, test.hash), err, test.want)
		}
	}
	head := s.head(t)
	_, err := do(t, p, fmt.Sprintf(`{"type":"UPDATE_VIEWPORT","payload":{},"clientVersion":%d}`, head+1))
	wantCode(t, "one ahead", err, command.ClientAhead)
}

// TestRefusalsAreDecidedAtTheHead: a session that has not heard of another's appends must not refuse what they allow.
func TestRefusalsAreDecidedAtTheHead(t *testing.T) {
	s, _ := newSite()
	a, b := s.start(t, command.Options{}), s.start(t, command.Options{})
	mustDo(t, b, create("n0"))
	mustDo(t, a, create("n1"))
	mustDo(t, b, title("n1", "o1", "x"))
	last := mustDo(t, a, create("n2"))
	outcome := mustDo(t, b, fmt.Sprintf(`{"type":"DELETE_NODE","payload":{"nodeId":"n2"},"clientVersion":%d,"hash":%q}`, last.Version, last.Hash))
	if outcome.Version != last.Version+1 {
		t.Errorf("got %+v", outcome)
	}
	_, err := do(t, a, create("n0"))
	if codeOf(err) != "" { // the same operation: its first answer
		t.Errorf("repeated: got %v", err)
	}
	_, err = do(t, a, `{"type":"DELETE_NODE","payload":{"nodeId":"n2"}}`)
	wantCode(t, "deleted by the other", err, command.NodeNotFound)
}
