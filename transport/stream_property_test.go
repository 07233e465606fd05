package transport

import (
	"context"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"graphy/eventstore"
)

// wanderer is a client that loses its stream again and again.
type wanderer struct{ *listener }

// TestI4StreamsUnderEverything has a graph written to, deleted and begun anew, the log out of reach, and listeners that
// lag, hang up and come back. Each folds what it gets, and ends where the log ends.
func TestI4StreamsUnderEverything(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := newStage(t, func(l *socketLimits) { l.hubLinger = time.Millisecond })
		defer s.stop()
		all := []*wanderer{{s.listen(t, "g", 0, "")}, {s.listen(t, "g", 0, "")}}
		defer func() {
			for _, w := range all {
				w.close()
			}
		}()
		one := rapid.SampledFrom(all)
		read := func(w *wanderer, most int) {
			for ; most != 0 && w.peer.graph.Position != s.commands.position("g"); most-- {
				// A graph that was begun anew up to the same version between two looks of the hub shows at its next event.
				read, over := context.WithCancel(t.Context())
				go s.nudge(read)
				_, err := w.next()
				over()
				if err != nil {
					rt.Fatalf("at %+v, the log at %+v: %v", w.peer.graph.Position, s.commands.position("g"), err)
				}
			}
		}
		mend := func() { s.fault(nil) }
		rt.Repeat(map[string]func(*rapid.T){
			"write": func(rt *rapid.T) { s.commands.move(t, "g", rapid.IntRange(1, 30).Draw(rt, "count")) },
			"write large": func(rt *rapid.T) {
				s.commands.move(t, "g", 1)
				s.commands.create(t, "g", 300<<10)
			},
			"break": func(rt *rapid.T) {
				s.fault(func(call, _ string) error {
					if call == "read" || call == "head" {
						return eventstore.ErrUnavailable
					}
					return nil
				})
			},
			"mend": func(*rapid.T) { mend() },
			"delete": func(rt *rapid.T) {
				if err := s.commands.Delete(t.Context(), "g"); err != nil {
					rt.Fatal(err)
				}
			},
			"read": func(rt *rapid.T) {
				mend()
				read(one.Draw(rt, "who"), rapid.IntRange(1, 10).Draw(rt, "count"))
			},
			"hang up and come back": func(rt *rapid.T) {
				mend()
				w := one.Draw(rt, "who")
				at := w.peer.graph
				w.close()
				// A version alone does not tell that the graph was begun anew since.
				if w.lastID != "" && s.folded(t, "g", at.Position.Version).Position == at.Position && rapid.Bool().Draw(rt, "as EventSource does") {
					w.listener = listen(t, at, s.changesURL("g", "since=0"), "Last-Event-ID", w.lastID)
					return
				}
				w.listener = listen(t, at, s.changesURL("g", fmt.Sprintf("since=%d&hash=%s", at.Position.Version, at.Position.Hash)))
			},
		})
		mend()
		for _, w := range all {
			read(w, -1)
		}
	})
}

// nudge writes to the graph every now and then until ctx is done.
func (s *stage) nudge(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case <-time.After(100 * time.Millisecond):
			s.commands.move(s, "g", 1)
		case <-ctx.Done():
		}
	}
}
