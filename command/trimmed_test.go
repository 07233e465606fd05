package command_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"graphy/command"
	"graphy/eventstore"
	eventlog "graphy/eventstore/memory"
	"graphy/projection"
	readmodels "graphy/projection/memory"
)

// trim drops the events of g up to version floor, and what the index has of them; a base stands for them from then on.
func trim(t testing.TB, s *site, log *eventlog.Log, floor eventstore.Version) {
	t.Helper()
	ctx := context.Background()
	state, err := projection.At(ctx, log, s.past(log), "g", floor)
	if err != nil {
		t.Fatal(err)
	}
	snapshot, err := state.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	oldest, err := log.Read(ctx, "g", 0, int(floor))
	if trimmed, ok := errors.AsType[*eventstore.TrimmedError](err); ok {
		oldest, err = log.Read(ctx, "g", trimmed.First-1, int(floor-trimmed.First+1))
	}
	for i := range oldest {
		event, failure := projection.DecodeEvent(oldest[i].Data)
		if failure != nil {
			t.Fatal(failure)
		}
		oldest[i].Operations = []string{event.OperationID}
	}
	if err == nil {
		err = errors.Join(log.SetBase(ctx, "g", snapshot.Base()), log.Trim(ctx, "g", oldest))
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (s *site) past(log *eventlog.Log) projection.Snapshots {
	return projection.WithBase(s.models.(*readmodels.Models), log)
}

// wantState checks that a graph is what log folds to from its base on.
func wantState(t testing.TB, s *site, log *eventlog.Log, nodes int) {
	t.Helper()
	head := s.head(t)
	graph, err := projection.At(t.Context(), log, s.past(log), "g", head)
	if err != nil || graph.Len(projection.Node) != nodes {
		t.Errorf("state at %d: %v, want %d nodes", head, err, nodes)
	}
}

// TestLoadFromBase: the log is trimmed, and the read models are gone, damaged, far behind, right behind, or up to date.
func TestLoadFromBase(t *testing.T) {
	for name, projected := range map[string]int{"gone": 0, "far behind": 5, "at the floor": 20, "behind": 25, "up to date": 30} {
		t.Run(name, func(t *testing.T) {
			s, log := newSite()
			if projected > 0 {
				history(t, s, 30, 30-projected)
			} else {
				p := s.start(t, command.Options{})
				for i := range 30 {
					mustDo(t, p, create(fmt.Sprint("n", i)))
				}
			}
			trim(t, s, log, 20)
			p := s.start(t, command.Options{Snapshots: s.past(log)})
			if outcome := mustDo(t, p, title("n3", "o", "x")); outcome.Version != 31 {
				t.Errorf("got %+v", outcome)
			}
			if outcome := mustDo(t, p, create("n25")); !outcome.Duplicate || outcome.Version != 26 {
				t.Errorf("repeated: got %+v", outcome)
			}
			_, err := do(t, p, create("n7"))
			wantCode(t, "repeated after its event was trimmed: judged anew", err, command.AlreadyExists)
			wantState(t, s, log, 30)
		})
	}
}

// TestLoadTrimmedWithoutBase: nothing is accepted where nobody says what the log begins with.
func TestLoadTrimmedWithoutBase(t *testing.T) {
	s, log := newSite()
	p := s.start(t, command.Options{})
	for i := range 30 {
		mustDo(t, p, create(fmt.Sprint("n", i)))
	}
	trim(t, s, log, 20)
	_, err := do(t, s.start(t, command.Options{}), title("n3", "o", "x"))
	wantCode(t, "without a base", err, command.Unavailable)
	if head := s.head(t); head != 30 {
		t.Errorf("head: got %d", head)
	}
}

// TestI1SessionFarBehindTheFloor: while a session was idle, others have gone on so far that what it expects was trimmed.
func TestI1SessionFarBehindTheFloor(t *testing.T) {
	s, log := newSite()
	idle := s.start(t, command.Options{Snapshots: s.past(log)})
	busy := s.start(t, command.Options{Snapshots: s.past(log)})
	mustDo(t, idle, create("n0"))
	for i := range 40 {
		mustDo(t, busy, title("n0", fmt.Sprint("o", i), fmt.Sprint(i)))
	}
	trim(t, s, log, 30)
	if outcome := mustDo(t, idle, title("n0", "mine", "x")); outcome.Version != 42 || outcome.Duplicate {
		t.Errorf("got %+v, want version 42", outcome)
	}
	if outcome := mustDo(t, idle, title("n0", "mine", "x")); outcome.Version != 42 || !outcome.Duplicate {
		t.Errorf("again: got %+v, want version 42 again", outcome)
	}
	if outcome := mustDo(t, busy, title("n0", "theirs", "y")); outcome.Version != 43 {
		t.Errorf("got %+v, want version 43", outcome)
	}
	wantState(t, s, log, 1)
}

// TestI1DoubtAcrossTheFloor: what became of an append cannot be told any more; the session does not wait for ever.
func TestI1DoubtAcrossTheFloor(t *testing.T) {
	s, log := newSite()
	p := s.start(t, command.Options{Snapshots: s.past(log)})
	mustDo(t, p, create("n0"))
	log.Fail = func(call, _ string) error {
		if call == "appended" {
			return eventstore.ErrUnknown
		}
		return nil
	}
	_, err := do(t, p, title("n0", "doubtful", "x"))
	wantCode(t, "no answer", err, command.OutcomeUnknown)
	log.Fail = nil
	busy := s.start(t, command.Options{Snapshots: s.past(log)})
	for i := range 40 {
		mustDo(t, busy, title("n0", fmt.Sprint("o", i), fmt.Sprint(i)))
	}
	trim(t, s, log, 30)
	if outcome := mustDo(t, p, title("n0", "next", "y")); outcome.Version != 43 {
		t.Errorf("got %+v, want version 43", outcome)
	}
	wantState(t, s, log, 1)
}

// TestUndoUpToTheFloor: what the log still has can be undone, and redone; what was trimmed counts as if it never was a
// step.
func TestUndoUpToTheFloor(t *testing.T) {
	for _, recent := range []int{1, 4096} {
		s, log := newSite()
		p := s.start(t, command.Options{})
		mustTell(t, p, "1 "+newN1)
		for i := range 9 {
			mustTell(t, p, "1 "+updating("n1", fmt.Sprintf(`{"title":"%d"}`, i)))
		}
		trim(t, s, log, 7)
		p = s.start(t, command.Options{RecentEvents: recent, Snapshots: s.past(log)})
		for version := eventstore.Version(10); version > 7; version-- {
			if undo := mustTell(t, p, "1 undo"); len(undo.Undoes) != 1 || undo.Undoes[0] != version {
				t.Errorf("got %+v, want version %d undone", undo, version)
			}
		}
		_, err := tell(t, p, "1 undo")
		wantCode(t, "below the floor", err, command.NothingToUndo)
		graph, err := projection.At(t.Context(), log, s.past(log), "g", s.head(t))
		if err != nil || projection.Text(projection.Member(graph.Value(projection.Node, "n1"), "title")) != "5" {
			t.Errorf("undone: %v, %s, want title 5", err, graph.Value(projection.Node, "n1"))
		}
		for range 3 {
			mustTell(t, p, "1 redo")
		}
		_, err = tell(t, p, "1 redo")
		wantCode(t, "all redone", err, command.NothingToRedo)
		graph, err = projection.At(t.Context(), log, s.past(log), "g", s.head(t))
		if err != nil || projection.Text(projection.Member(graph.Value(projection.Node, "n1"), "title")) != "8" {
			t.Errorf("redone: %v, want title 8", err)
		}
		_, err = tell(t, p, "1 "+restoring(6))
		wantCode(t, "restore of what was trimmed", err, command.HistoryTrimmed)
		mustTell(t, p, "1 "+restoring(7))
	}
}

// TestConflictFromBelowTheFloor: an open conflict whose event was trimmed is in the base, and can be resolved.
func TestConflictFromBelowTheFloor(t *testing.T) {
	s := openConflict(t, theirTitle, mineTitle)
	log := s.site.log.(*eventlog.Log)
	for i := range 10 {
		s.do("tab-3", say("UPDATE_VIEWPORT", fmt.Sprintf(`{"x":%d}`, i)))
	}
	trim(t, s.site, log, s.site.head(t)-2)
	p := s.site.start(t, command.Options{RecentEvents: 1, Snapshots: s.site.past(log)})
	graph, err := projection.At(t.Context(), log, s.site.past(log), "g", s.site.head(t))
	if err != nil {
		t.Fatal(err)
	}
	for id := range graph.Conflicts.All() {
		if _, err := p.Do(t.Context(), "g", resolveCommand(t, "tab-3", id, `{"choice":"client"}`)); err != nil {
			t.Errorf("resolve %s: %v", id, err)
		}
		_, err := p.Do(t.Context(), "g", resolveCommand(t, "tab-3", id, `{"choice":"client"}`))
		wantCode(t, "again", err, command.AlreadyResolved)
	}
	if graph.Conflicts == nil {
		t.Error("the base knows of no conflict")
	}
}
