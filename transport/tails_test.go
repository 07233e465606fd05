package transport

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"graphy/eventstore"
	"graphy/eventstore/eventstoretest"
	"graphy/eventstore/memory"
)

// TestTailsReadWhatTheLogHolds compares kept tails with the log, while the log grows, is deleted and grows anew.
func TestTailsReadWhatTheLogHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		log := memory.New()
		tails := newTails(log, 1<<20)
		round := 0
		grow := func(t *rapid.T) {
			round++
			head, err := log.Head(t.Context(), "g")
			if err != nil {
				t.Fatal(err)
			}
			texts := make([]string, rapid.IntRange(1, 20).Draw(t, "events"))
			for i := range texts {
				texts[i] = fmt.Sprintf(`{"round":%d,"i":%d}`, round, i)
			}
			if _, err := log.Append(t.Context(), "g", head, eventstoretest.Chain(head, texts...)); err != nil {
				t.Fatal(err)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"grow": grow,
			"delete": func(t *rapid.T) {
				if err := log.Delete(t.Context(), "g"); err != nil {
					t.Fatal(err)
				}
			},
			"read": func(t *rapid.T) {
				after := eventstore.Version(rapid.IntRange(0, 40).Draw(t, "after"))
				limit := rapid.IntRange(1, 30).Draw(t, "limit")
				want, err := log.Read(t.Context(), "g", after, limit)
				if err != nil {
					t.Fatal(err)
				}
				got, err := tails.Read(t.Context(), "g", after, limit)
				if err != nil || len(got) != len(want) {
					t.Fatalf("after %d, at most %d: got %d events, %v, want %d", after, limit, len(got), err, len(want))
				}
				for i := range want {
					if got[i].Position() != want[i].Position() {
						t.Fatalf("event %d: got %v, want %v", i, got[i].Position(), want[i].Position())
					}
				}
			},
		})
	})
}
