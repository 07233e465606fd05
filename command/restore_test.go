package command_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"graphy/command"
	"graphy/eventstore"
	"graphy/projection"
)

func restoring(version eventstore.Version) string {
	return fmt.Sprintf(`{"type":"RESTORE","payload":{"version":%d}}`, version)
}

// TestRestoreBringsBackExactly the state of a version, byte for byte and with its checksum, out of memory, out of the log,
// and from snapshots; and its undo the state from before.
func TestRestoreBringsBackExactly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorkshop(t)
		defer w.close()
		snapshots, _ := w.models.(projection.Snapshots)
		var states []string
		var checksums []projection.Checksum
		see := func() {
			for len(states) <= int(w.folded.Position.Version) {
				at, err := projection.At(context.Background(), w.log, nil, "g", eventstore.Version(len(states)))
				if err != nil {
					t.Fatal(err)
				}
				states = append(states, (&workshop{folded: at}).entities())
				checksums = append(checksums, at.Checksum)
			}
		}
		withSnapshots := command.New(w.log, w.models, w.recorder, command.Options{RecentEvents: 2, Snapshots: snapshots,
			Now: func() time.Time { return time.UnixMilli(1) }})
		w.processes = append(w.processes, withSnapshots)
		for range rapid.IntRange(1, 4).Draw(t, "rounds") {
			w.mixed(rapid.IntRange(0, 12).Draw(t, "more"), "u1", "u2")
			if w.folded.Position.Version > 0 && rapid.Bool().Draw(t, "snapshot") {
				snapshot, err := w.folded.Snapshot()
				if err == nil {
					err = snapshots.Save(context.Background(), "g", snapshot)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			see()
			head := w.folded.Position.Version
			version := eventstore.Version(rapid.IntRange(0, int(head)).Draw(t, "version"))
			outcome, err := w.run(command.Parse([]byte(restoring(version)), w.identity("u3")))
			if err != nil || string(outcome.Result) != fmt.Sprintf(`{"restored":%d}`, version) {
				t.Fatalf("restore %d: got %s, %v", version, outcome.Result, err)
			}
			see()
			if now := head + 1; states[now] != states[version] || checksums[now] != checksums[version] {
				t.Fatalf("restored version %d as\n%sit was\n%s", version, states[now], states[version])
			}
			event := w.event(head + 1)
			if !event.IsRestore || event.Restored != version || len(event.Changes) == 0 != (states[head] == states[version]) {
				t.Fatalf("restore %d of %d: event %s", version, head, event.AppendJSON(nil))
			}
			if len(event.Changes) > 0 && rapid.Bool().Draw(t, "undo") {
				if _, err := w.undo("u3", ""); err != nil {
					t.Fatalf("undo: %v", err)
				}
				see()
				if states[head+2] != states[head] {
					t.Fatalf("undo of restore %d leads to\n%sbefore it was\n%s", version, states[head+2], states[head])
				}
			}
		}
	})
}

func TestRestoreBounds(t *testing.T) {
	s, log := newSite()
	p := s.start(t, command.Options{Now: ticking()})
	empty := mustTell(t, p, "1 "+restoring(0))
	if empty.Version != 1 || string(empty.Result) != `{"restored":0}` {
		t.Errorf("of the empty graph: got %+v", empty)
	}
	mustTell(t, p, "1 "+newN1)
	_, err := tell(t, p, "1 "+restoring(3))
	wantCode(t, "above the head", err, command.InvalidPayload)
	wantField(t, err, "/payload/version")
	_, err = tell(t, p, `1 {"type":"RESTORE","payload":{"version":1},"clientVersion":9}`)
	wantCode(t, "from above the head", err, command.ClientAhead)
	_, err = tell(t, p, `1 {"type":"RESTORE","payload":{"version":1},"clientVersion":2,"hash":"00"}`)
	wantCode(t, "from another history", err, command.HistoryMismatch)

	same := mustTell(t, p, "1 "+restoring(2))
	_, err = tell(t, p, "1 redo")
	wantCode(t, "redo", err, command.NothingToRedo)
	if undo := mustTell(t, p, "1 undo"); undo.Undoes[0] != 2 {
		t.Errorf("a restore that changes nothing is no step: got %+v", undo)
	}
	again, err := p.Do(t.Context(), "g", parseAs(t, fmt.Sprintf(`{"operationId":%q,"type":"RESTORE","payload":{"version":2}}`, same.OperationID), "u1"))
	wantAgain(t, "restore again", again, err, same)

	trimmed := &trimmedLog{Log: log}
	small := (&site{log: trimmed, models: s.models, recorder: s.recorder}).start(t, command.Options{RecentEvents: 1})
	mustTell(t, small, "1 redo")
	trimmed.floor = 2
	_, err = tell(t, small, "1 "+restoring(1))
	wantCode(t, "of what the log no longer holds", err, command.HistoryTrimmed)
}

// TestRestoreAmongOthers: the version to restore is decided along with the command, and not in the log yet.
func TestRestoreAmongOthers(t *testing.T) {
	s, _ := newSite()
	p := s.start(t, command.Options{RecentEvents: 1})
	var commands []*command.Command
	for _, body := range []string{newN1, newN2, dropN1, dropN2, restoring(2), "undo", "redo", restoring(1)} {
		commands = append(commands, told(t, "u1", body))
	}
	for i, result := range p.DoEach(t.Context(), "g", commands) {
		if result.Err != nil {
			t.Errorf("command %d: %v", i, result.Err)
		}
	}
	if graph := s.fold(t); graph.Len(projection.Node) != 1 || !graph.Has(projection.Node, "n1") {
		t.Errorf("got %d nodes", graph.Len(projection.Node))
	}
}

func wantField(t tester, err error, pointer string) {
	t.Helper()
	refusal, ok := err.(*command.Error)
	if !ok || len(refusal.Fields) != 1 || refusal.Fields[0].Pointer != pointer {
		t.Errorf("got %+v, want it to point at %s", err, pointer)
	}
}

func parseAs(t tester, body, user string) *command.Command {
	t.Helper()
	return told(t, user, body)
}
