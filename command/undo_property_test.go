package command_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"

	"graphy/command"
	"graphy/eventstore"
	"graphy/projection"
)

// workshop is a site with several processes, one of which forgets what it has appended, and users who draw on it.
type workshop struct {
	*rapid.T
	*site
	processes []*command.Processor
	folded    *projection.Graph
	conflicts []string // ids that were left open
}

func newWorkshop(t *rapid.T) *workshop {
	s, _ := newSite()
	w := &workshop{T: t, site: s, folded: projection.NewGraph("g")}
	var clock atomic.Int64
	clock.Store(1000)
	now := func() time.Time { return time.UnixMilli(clock.Add(1)) }
	for _, recent := range []int{0, 1, 4} {
		w.processes = append(w.processes, command.New(s.log, s.models, s.recorder, command.Options{RecentEvents: recent, Now: now}))
	}
	return w
}

func (w *workshop) close() {
	for _, p := range w.processes {
		p.Close(context.Background())
	}
}

// run has a process run a command, and folds and checks what came of it (I8).
func (w *workshop) run(c *command.Command, err error) (command.Outcome, error) {
	if err != nil {
		w.Fatalf("parse: %v", err)
	}
	outcome, err := rapid.SampledFrom(w.processes).Draw(w.T, "process").Do(context.Background(), "g", c)
	if code := codeOf(err); code == command.Internal || code == command.Unavailable || code == command.OutcomeUnknown {
		w.Fatalf("%s: %v: %v", c.Type, err, errors.Unwrap(err))
	}
	w.fold()
	if err == nil && outcome.Version != w.folded.Position.Version {
		w.Fatalf("%s: got version %d, the log is at %d", c.Type, outcome.Version, w.folded.Position.Version)
	}
	return outcome, err
}

// fold folds what is new in the log. The fold itself refuses edges without nodes and states that do not add up.
func (w *workshop) fold() []projection.Event {
	entries, err := w.log.Read(context.Background(), "g", w.folded.Position.Version, 1000)
	if err == nil {
		err = w.folded.Fold(entries...)
	}
	if err != nil {
		w.Fatalf("fold: %v", err)
	}
	var events []projection.Event
	for _, entry := range entries {
		event, err := projection.DecodeEvent(entry.Data)
		if err != nil {
			w.Fatalf("decode: %v", err)
		}
		events = append(events, event)
		for path := range projection.Elements(projection.Member(event.Conflict, "paths")) {
			if id := projection.Text(projection.Member(path, "conflictId")); id != "" && !slices.Contains(w.conflicts, id) {
				w.conflicts = append(w.conflicts, id)
			}
		}
	}
	return events
}

func (w *workshop) identity(user string) command.Identity {
	return command.Identity{UserID: user, ClientID: user + rapid.SampledFrom([]string{"-1", "-2"}).Draw(w.T, "client")}
}

func (w *workshop) undo(user, body string) (command.Outcome, error) {
	return w.run(command.ParseUndo([]byte(body), w.identity(user)))
}

func (w *workshop) redo(user, body string) (command.Outcome, error) {
	return w.run(command.ParseRedo([]byte(body), w.identity(user)))
}

// act has a user do something that is not undo or redo, sensible or not.
func (w *workshop) act(user string) {
	switch kind := rapid.IntRange(0, 19).Draw(w.T, "act"); {
	case kind == 0:
		version := rapid.IntRange(0, int(w.folded.Position.Version)).Draw(w.T, "restored")
		_, _ = w.run(command.Parse(fmt.Appendf(nil, `{"type":"RESTORE","payload":{"version":%d}}`, version), w.identity(user)))
	case kind == 1 && len(w.conflicts) > 0:
		choice := rapid.SampledFrom([]string{"client", "server"}).Draw(w.T, "choice")
		id := rapid.SampledFrom(w.conflicts).Draw(w.T, "conflict")
		_, _ = w.run(command.ParseResolve([]byte(`{"choice":"`+choice+`"}`), id, w.identity(user)))
	default:
		body := strings.TrimSuffix(command.DrawCommand(w.T, true), "}")
		if rapid.IntRange(0, 2).Draw(w.T, "in a gesture") == 0 {
			body += `,"gestureId":"` + rapid.SampledFrom([]string{"g", "h"}).Draw(w.T, "gesture") + `"`
		}
		if head := int(w.folded.Position.Version); head > 0 && rapid.Bool().Draw(w.T, "has base") {
			body += fmt.Sprintf(`,"clientVersion":%d`, rapid.IntRange(max(0, head-5), head).Draw(w.T, "base"))
			body += rapid.SampledFrom([]string{"", "", `,"strategy":"MANUAL"`, `,"strategy":"CLIENT_WINS"`}).Draw(w.T, "strategy")
		}
		_, _ = w.run(command.Parse([]byte(body+"}"), w.identity(user)))
	}
}

// mixed has users act, undo and redo.
func (w *workshop) mixed(rounds int, users ...string) {
	for range rounds {
		user := rapid.SampledFrom(users).Draw(w.T, "user")
		body := rapid.SampledFrom([]string{"", "", `{"force":true}`}).Draw(w.T, "body")
		switch rapid.IntRange(0, 5).Draw(w.T, "what") {
		case 0:
			_, _ = w.undo(user, body)
		case 1:
			_, _ = w.redo(user, body)
		default:
			w.act(user)
		}
	}
}

func (w *workshop) entities() string {
	var b strings.Builder
	for _, kind := range []projection.Kind{projection.Node, projection.Edge} {
		for id, value := range w.folded.All(kind) {
			fmt.Fprintf(&b, "%s %s %s\n", kind, id, value)
		}
	}
	return fmt.Sprintf("%sviewport %s\n", b.String(), w.folded.ViewportValue())
}

// TestUndoOfWhatWasJustDoneIsItsInverse, whatever it was and whatever was before: the same bytes, stamps and all.
func TestUndoOfWhatWasJustDoneIsItsInverse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorkshop(t)
		defer w.close()
		w.mixed(rapid.IntRange(0, 15).Draw(t, "before"), "u1", "u2")
		before, checksum, version := w.entities(), w.folded.Checksum, w.folded.Position.Version
		_, open := openConflicts(w.folded)
		w.act("u3")
		if w.folded.Checksum == checksum {
			return // refused, or nothing changed
		}
		outcome, err := w.undo("u3", "")
		if err != nil || len(outcome.Undoes) != 1 || outcome.Undoes[0] != version+1 || outcome.Skipped != nil {
			t.Fatalf("undo of version %d: got %+v (%s), %v", version+1, outcome, outcome.Skipped, err)
		}
		if after := w.entities(); after != before || w.folded.Checksum != checksum {
			t.Fatalf("undo leads to\n%sbefore it was\n%s", after, before)
		}
		if _, now := openConflicts(w.folded); !slices.Equal(now[:min(len(now), len(open))], open) {
			t.Fatalf("open conflicts: got %v, before %v", now, open)
		}
	})
}

func openConflicts(graph *projection.Graph) (count int, ids []string) {
	for id := range graph.Conflicts.All() {
		if _, open := graph.Conflicts.Record(id); open {
			ids = append(ids, id)
		}
	}
	return len(ids), ids
}

// TestI9UndoAndRedoTheSameNumber leads back to the same state and checksum, and the events do not grow.
func TestI9UndoAndRedoTheSameNumber(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorkshop(t)
		defer w.close()
		w.mixed(rapid.IntRange(1, 30).Draw(t, "history"), "u1", "u1", "u2")
		for range 2 {
			for { // what is redoable from before is another matter
				if _, err := w.redo("u1", ""); err != nil {
					break
				}
			}
			before := w.entities()
			_, open := openConflicts(w.folded)
			count := 0
			for limit := rapid.IntRange(1, 20).Draw(t, "steps"); count < limit; count++ {
				if _, err := w.undo("u1", ""); err != nil {
					wantCode(t, "undo", err, command.NothingToUndo)
					break
				}
			}
			for range count {
				if outcome, err := w.redo("u1", ""); err != nil || outcome.Skipped != nil {
					t.Fatalf("redo: got %+v, %v", outcome, err)
				}
			}
			_, err := w.redo("u1", "")
			wantCode(t, "redo when all is done", err, command.NothingToRedo)
			if after := w.entities(); after != before {
				t.Fatalf("%d undos and redos lead to\n%sbefore it was\n%s", count, after, before)
			}
			if _, now := openConflicts(w.folded); !slices.Equal(now, open) {
				t.Fatalf("open conflicts: got %v, before %v", now, open)
			}
		}
	})
}

// TestUndoLeavesAloneWhatOthersWrote: no path that another user has written since the step's last event changes, and all of
// them that would have are reported.
func TestUndoLeavesAloneWhatOthersWrote(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorkshop(t)
		defer w.close()
		w.mixed(rapid.IntRange(1, 30).Draw(t, "history"), "u1", "u2", "u3")
		for range 4 {
			head := w.folded.Position.Version
			outcome, err := w.undo("u1", "")
			effect := outcome.Undoes
			if err != nil {
				if outcome, err = w.redo("u1", ""); err != nil {
					return
				}
				effect = outcome.Redoes
			} else {
				effect = w.effectOf(effect, head)
			}
			step := effect[len(effect)-1]
			event := w.event(outcome.Version)
			for i := range event.Changes {
				change := &event.Changes[i]
				for version := step + 1; version <= head; version++ {
					theirs := w.event(version)
					if theirs.UserID == "u1" {
						continue
					}
					if path, touched := sameLeaf(change, &theirs); touched {
						t.Fatalf("version %d of u1 takes back %v and writes %s of %s, as version %d of %s has:\n%s\n%s", outcome.Version, effect, path,
							change.ID, version, theirs.UserID, event.AppendJSON(nil), theirs.AppendJSON(nil))
					}
				}
			}
		}
	})
}

func (w *workshop) event(version eventstore.Version) projection.Event {
	entries, err := w.log.Read(context.Background(), "g", version-1, 1)
	if err != nil || len(entries) != 1 {
		w.Fatalf("read %d: %v", version, err)
	}
	event, err := projection.DecodeEvent(entries[0].Data)
	if err != nil {
		w.Fatalf("%v", err)
	}
	return event
}

// effectOf returns the events that an undo of a step takes back: the step's own, or its newest redo.
func (w *workshop) effectOf(step []eventstore.Version, head eventstore.Version) []eventstore.Version {
	effect := step
	undo := eventstore.Version(0)
	for version := step[len(step)-1]; version <= head; version++ {
		switch event := w.event(version); {
		case event.UserID != "u1":
		case slices.Equal(event.Undoes, step):
			undo = version
		case undo != 0 && slices.Equal(event.Redoes, []eventstore.Version{undo}):
			effect = []eventstore.Version{version}
		}
	}
	return effect
}

// sameLeaf returns a leaf path that a change of an entity has in common with the changes of an event. Edges that go with
// their node, or come back with it, are another matter.
func sameLeaf(change *projection.Change, theirs *projection.Event) (string, bool) {
	for i := range theirs.Changes {
		other := &theirs.Changes[i]
		if other.Kind != change.Kind || other.ID != change.ID {
			continue
		}
		if change.Op != projection.Patch || other.Op != projection.Patch {
			return "", true
		}
		for path := range leaves("", change.Was, change.Set) {
			for theirs := range leaves("", other.Was, other.Set) {
				if path != "/updatedAt" && (theirs == path || strings.HasPrefix(theirs, path+"/") || strings.HasPrefix(path, theirs+"/")) {
					return path, true
				}
			}
		}
	}
	return "", false
}

func leaves(path string, before, after jsontext.Value) map[string]bool {
	found := map[string]bool{}
	for name, sides := range projection.SideBySide(before, after) {
		at := path + "/" + string(name)
		object := func(v jsontext.Value) bool { return v.Kind() == '{' }
		null := sides[0] == nil || sides[0].Kind() == 'n'
		switch {
		case string(sides[0]) == string(sides[1]):
		case object(sides[1]) && len(sides[1]) > 2 && (null || object(sides[0])) && at != "/position" && at != "/size":
			for leaf := range leaves(at, sides[0], sides[1]) {
				found[leaf] = true
			}
		default:
			found[at] = true
		}
	}
	return found
}
