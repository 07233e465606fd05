package command_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"graphy/command"
	"graphy/eventstore"
	"graphy/eventstore/redis/redistest"
	"graphy/projection"
)

// counted is a log that counts the pages read from it.
type counted struct {
	eventstore.Log
	reads int
}

func (l *counted) Read(ctx context.Context, stream string, after eventstore.Version, limit int) ([]eventstore.Event, error) {
	l.reads++
	return l.Log.Read(ctx, stream, after, limit)
}

func (l *counted) ReadBackward(ctx context.Context, stream string, before eventstore.Version, limit int) ([]eventstore.Event, error) {
	l.reads++
	return l.Log.ReadBackward(ctx, stream, before, limit)
}

// TestUndoReadsOnePage of the log for a step within it, where nothing is in memory, and none where the step is.
func TestUndoReadsOnePage(t *testing.T) {
	tests := []struct {
		name          string
		user, gesture string
		since         int // events of others since
		undo, redo    int // pages
	}{
		{"newest", "1", "", 0, 0, 0},
		{"in memory", "1", "", 40, 0, 0},
		{"in the newest page", "1", "", 400, 1, 0},
		{"a user whose name has to be escaped", `"ä\` + "\x7f", "", 400, 1, 0},
		{"long ago", "1", "", 1600, 4 + 4, 4}, // found page by page, then what happened since
		{"a gesture may go on from 5,000 versions before", "1", "g", 100, 11, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, log := newSite()
			p := s.start(t, command.Options{})
			for i := range 6000 {
				mustTell(t, p, "2 "+fmt.Sprintf(`{"type":"UPDATE_VIEWPORT","payload":{"x":%d}}`, i))
			}
			mustTell(t, p, test.user+" "+newN1)
			if test.gesture != "" {
				mustTell(t, p, test.user+" "+inGesture(test.gesture, updating("n1", `{"x":1}`)))
			}
			for i := range test.since {
				mustTell(t, p, "2 "+fmt.Sprintf(`{"type":"UPDATE_VIEWPORT","payload":{"y":%d}}`, i+1))
			}
			reads := &counted{Log: log}
			small := (&site{log: reads, models: s.models, recorder: s.recorder}).start(t, command.Options{RecentEvents: 50})
			if _, err := tell(t, small, "9 "+`{"type":"UPDATE_VIEWPORT","payload":{"zoom":7}}`); err != nil { // loads the graph
				t.Fatal(err)
			}
			for _, step := range []struct {
				what  string
				pages int
			}{{"undo", test.undo}, {"redo", 0}} {
				reads.reads = 0
				if _, err := small.Do(t.Context(), "g", told(t, "u"+test.user, step.what)); err != nil {
					t.Fatalf("%s: %v", step.what, err)
				}
				if reads.reads != step.pages {
					t.Errorf("%s read %d pages, want %d", step.what, reads.reads, step.pages)
				}
			}
		})
	}
}

func TestRepeatedUndo(t *testing.T) {
	s, _ := newSite()
	p := s.start(t, command.Options{Now: ticking()})
	for _, line := range []string{"1 " + newN1, "1 " + updating("n1", `{"title":"x","data":{"a":2}}`), "2 " + updating("n1", `{"data":{"a":3}}`)} {
		mustTell(t, p, line)
	}
	do := func(p *command.Processor, parse func([]byte, command.Identity) (*command.Command, error), body string) (command.Outcome, error) {
		t.Helper()
		c, err := parse([]byte(body), command.Identity{UserID: "u1"})
		if err != nil {
			t.Fatal(err)
		}
		return p.Do(t.Context(), "g", c)
	}
	undo, err := do(p, command.ParseUndo, `{"operationId":"u"}`)
	if err != nil || skips(undo) != "node n1 /data/a u2 3" || fmt.Sprint(undo.Undoes) != "[2]" || undo.Duplicate {
		t.Fatalf("undo: got %+v, %v", undo, err)
	}
	redo, err := do(p, command.ParseRedo, `{"operationId":"r"}`)
	if err != nil || skips(redo) != "" || fmt.Sprint(redo.Redoes) != "[4]" {
		t.Fatalf("redo: got %+v, %v", redo, err)
	}
	mustTell(t, p, "1 "+dropN1)
	head := s.head(t)
	for name, p := range map[string]*command.Processor{"same": p, "another": s.start(t, command.Options{}), "forgetful": s.start(t, command.Options{RecentEvents: 1})} {
		for range 2 {
			for _, first := range []command.Outcome{undo, redo} {
				parse := command.ParseUndo
				if first.OperationID == "r" {
					parse = command.ParseRedo
				}
				again, err := do(p, parse, `{"operationId":"`+first.OperationID+`"}`)
				wantAgain(t, name, again, err, first)
				if fmt.Sprint(again.Undoes, again.Redoes, skips(again)) != fmt.Sprint(first.Undoes, first.Redoes, skips(first)) {
					t.Errorf("%s: got %+v, first %+v", name, again, first)
				}
			}
		}
		_, err := do(p, command.ParseRedo, `{"operationId":"u"}`)
		wantCode(t, name+": redo with an undo's id", err, command.OperationIDReused)
		_, err = do(p, command.ParseUndo, `{"operationId":"u","force":true}`)
		wantCode(t, name+": by force", err, command.OperationIDReused)
	}
	if now := s.head(t); now != head {
		t.Errorf("repetitions wrote: head %d, was %d", now, head)
	}
}

// TestTwoProcessesUndoForOneUser at once: each step is undone exactly once.
func TestTwoProcessesUndoForOneUser(t *testing.T) {
	s, _ := newSite()
	processors := []*command.Processor{s.start(t, command.Options{}), s.start(t, command.Options{RecentEvents: 5}), s.start(t, command.Options{})}
	const steps = 60
	for i := range steps {
		mustTell(t, processors[i%3], "1 "+create(fmt.Sprint("n", i)))
	}
	for _, what := range []string{"undo", "redo"} {
		var mu sync.Mutex
		seen := map[eventstore.Version]int{}
		nothing := 0
		var all sync.WaitGroup
		for _, p := range processors {
			for range steps/3 + 2 {
				all.Add(1)
				p.Submit(t.Context(), "g", told(t, "u1", what), func(outcome command.Outcome, err error) {
					defer all.Done()
					mu.Lock()
					defer mu.Unlock()
					if code := codeOf(err); code == command.NothingToUndo || code == command.NothingToRedo {
						nothing++
					} else if err != nil {
						t.Errorf("%s: %v", what, err)
					}
					for _, version := range append(outcome.Undoes, outcome.Redoes...) {
						seen[version]++
					}
				})
			}
		}
		all.Wait()
		if len(seen) != steps || nothing != 6 {
			t.Errorf("%s: %d steps, %d times nothing", what, len(seen), nothing)
		}
		for version, times := range seen {
			if times != 1 {
				t.Errorf("%s of version %d: %d times", what, version, times)
			}
		}
	}
	if graph := s.fold(t); graph.Len(projection.Node) != steps {
		t.Errorf("got %d nodes", graph.Len(projection.Node))
	}
}

// TestI9AThousandRoundsLeaveSizesFlat: the size of the events, of the state, and of the session's memory.
func TestI9AThousandRoundsLeaveSizesFlat(t *testing.T) {
	s, _ := newSite()
	p := s.start(t, command.Options{RecentEvents: 300})
	for _, line := range []string{"1 " + newN1, "1 " + newN2, "1 " + linking("e", "n1", "n2"), "1 " + inGesture("g", updating("n1", `{"title":"x"}`)),
		"2 " + newN3, "1 " + inGesture("g", updating("n1", `{"title":"y"}`)), "1 " + batching(dropN1, updating("n2", `{"data":{"a":[1,2,3]}}`))} {
		mustTell(t, p, line)
	}
	before := s.fold(t)
	sizes := map[int]int{} // of the k-th event of the first round
	for round := range 1000 {
		for i := range 10 {
			what := "undo"
			if i >= 5 {
				what = "redo"
			}
			outcome, err := tell(t, p, "1 "+what)
			if err != nil {
				t.Fatalf("round %d, %s %d: %v", round, what, i, err)
			}
			entries, err := s.log.Read(t.Context(), "g", outcome.Version-1, 1)
			if err != nil {
				t.Fatal(err)
			}
			size := len(entries[0].Data)
			if round == 0 {
				sizes[i] = size
			} else if size > sizes[i]+24 { // versions and ids have more digits
				t.Fatalf("round %d, %s %d: the event has %d bytes, had %d", round, what, i, size, sizes[i])
			}
		}
	}
	after := s.fold(t)
	before.ByType, after.ByType = nil, nil // UNDO and REDO are counted
	if before.Checksum != after.Checksum || before.Size() != after.Size() {
		t.Errorf("state: got %s, %d bytes, before %s, %d", after.Checksum, after.Size(), before.Checksum, before.Size())
	}
	if marks := command.MarksOf(p, "g", "u1"); marks > 1000 {
		t.Errorf("the session keeps %d marks of the user", marks)
	}
}

func TestUndoOfAResolution(t *testing.T) {
	s, _ := newSite()
	p := s.start(t, command.Options{})
	mustTell(t, p, "1 "+newN1)
	mustTell(t, p, "1 "+updating("n1", `{"title":"a"}`))
	mine := told(t, "u2", strings.TrimSuffix(updating("n1", `{"title":"b"}`), "}")+`,"clientVersion":1,"strategy":"MANUAL"}`)
	if outcome, err := p.Do(t.Context(), "g", mine); err != nil || outcome.Status != command.StatusConflict {
		t.Fatalf("got %+v, %v", outcome, err)
	}
	resolve := func(user, choice string) (command.Outcome, error) {
		c, err := command.ParseResolve([]byte(`{"choice":"`+choice+`"}`), "3-0", command.Identity{UserID: user})
		if err != nil {
			t.Fatal(err)
		}
		return p.Do(t.Context(), "g", c)
	}
	want := func(what string, open bool, title string) {
		t.Helper()
		graph := s.fold(t)
		_, isOpen := graph.Conflicts.Record("3-0")
		if got := projection.Text(projection.Member(graph.Value(projection.Node, "n1"), "title")); isOpen != open || got != title {
			t.Errorf("%s: open %v, title %q, want %v, %q", what, isOpen, got, open, title)
		}
	}
	if _, err := resolve("u3", "client"); err != nil {
		t.Fatal(err)
	}
	want("resolved", false, "b")
	for range 2 {
		forgetful := s.start(t, command.Options{RecentEvents: 1})
		mustTell(t, forgetful, "3 undo")
		want("undone", true, "a")
		mustTell(t, forgetful, "3 redo")
		want("redone", false, "b")
		_, err := resolve("u3", "client")
		wantCode(t, "resolved twice", err, command.AlreadyResolved)
	}
	mustTell(t, p, "3 undo")
	if _, err := resolve("u4", "server"); err != nil {
		t.Fatal(err)
	}
	mustTell(t, p, "3 redo")
	want("redone, resolved by another meanwhile", false, "b")
	mustTell(t, p, "3 undo")
	want("undone again: it is the other's resolution that stands", false, "a")
}

func TestUndoKeepsTheLimits(t *testing.T) {
	s, _ := newSite()
	p := s.start(t, command.Options{})
	large := strings.Repeat("x", 200<<10)
	mustTell(t, p, "1 "+`{"type":"CREATE_NODE","payload":{"id":"n1","a":"`+large+`"}}`)
	mustTell(t, p, "1 "+updating("n1", `{"a":null}`))
	mustTell(t, p, "2 "+updating("n1", `{"b":"`+large+`"}`))
	_, err := tell(t, p, "1 undo")
	wantCode(t, "an entity that would be too large", err, command.TooLarge)
	mustTell(t, p, "2 undo")
	mustTell(t, p, "1 undo")
	s.fold(t)
}

func TestUndoWhileTheLogIsAway(t *testing.T) {
	s, log := newSite()
	var f faults
	log.Fail = f.fail
	p := s.start(t, command.Options{RecentEvents: 5, Timeout: 2 * time.Second})
	for i := range 20 {
		mustTell(t, p, "1 "+create(fmt.Sprint("n", i)))
		mustTell(t, p, "2 "+create(fmt.Sprint("m", i)))
	}
	for range 5 {
		mustTell(t, p, "1 undo")
	}
	for i := range 9 {
		mustTell(t, p, "3 "+create(fmt.Sprint("o", i)))
	}
	f.set(eventstore.ErrUnavailable, "read")
	_, err := tell(t, p, "2 undo")
	wantCode(t, "no log", err, command.Unavailable)
	f.set(nil)
	if outcome := mustTell(t, p, "2 undo"); outcome.Undoes[0] != 40 {
		t.Errorf("got %+v", outcome)
	}
	s.fold(t)
}

// TestUndoFromTheLogOnRedis: another process, which remembers one event, finds what is pages ago.
func TestUndoFromTheLogOnRedis(t *testing.T) {
	server := redistest.Start(t)
	s := redisSite(t, server, server.Prefix(t))
	p := s.start(t, command.Options{})
	for i := range 3 {
		mustTell(t, p, "1 "+create(fmt.Sprint("mine", i)))
		commands := make([]*command.Command, 600)
		for j := range commands {
			commands[j] = told(t, "u2", create(fmt.Sprintf("n%d-%d", i, j)))
		}
		for _, result := range p.DoEach(t.Context(), "g", commands) {
			if result.Err != nil {
				t.Fatal(result.Err)
			}
		}
	}
	for _, want := range []eventstore.Version{1203, 602, 1} {
		other := s.start(t, command.Options{RecentEvents: 1})
		if outcome := mustTell(t, other, "1 undo"); outcome.Undoes[0] != want {
			t.Errorf("got %v, want %d", outcome.Undoes, want)
		}
	}
	_, err := tell(t, p, "1 undo")
	wantCode(t, "all undone", err, command.NothingToUndo)
	mustTell(t, s.start(t, command.Options{}), "1 "+restoring(1203))
	if graph := s.fold(t); graph.Len(projection.Node) != 3+600+600 {
		t.Errorf("got %d nodes", graph.Len(projection.Node))
	}
}
