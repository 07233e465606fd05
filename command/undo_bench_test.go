package command

import (
	"context"
	"fmt"
	"testing"

	eventlog "graphy/eventstore/memory"
	readmodels "graphy/projection/memory"
)

// BenchmarkUndo undoes and redoes a recent step, 50 events of others after it, on a log of 100,000 events: in memory, by a
// session that remembers nothing of it, and by one that has just been asked for the first time.
func BenchmarkUndo(b *testing.B) {
	log := eventlog.New()
	writer := New(log, readmodels.New(log), noRecorder{}, Options{})
	defer writer.Close(context.Background())
	do := func(body string, user string) {
		c, err := Parse([]byte(body), Identity{UserID: user, ClientID: user})
		if err == nil {
			_, err = writer.Do(context.Background(), "g", c)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	for i := range 200 {
		do(fmt.Sprintf(`{"type":"CREATE_NODE","payload":{"id":"node-%d","title":"Node %d","data":{"label":"x"}}}`, i, i), "u2")
	}
	for i := range 100_000 {
		do(fmt.Sprintf(`{"type":"UPDATE_NODE_POSITION","payload":{"nodeId":"node-%d","position":{"x":%d,"y":1}}}`, i%200, i), "u2")
	}
	do(`{"type":"UPDATE_NODE","payload":{"nodeId":"node-7","updates":{"title":"mine","data":{"label":"y"}}}}`, "u1")
	for i := range 50 {
		do(fmt.Sprintf(`{"type":"UPDATE_NODE_POSITION","payload":{"nodeId":"node-%d","position":{"x":%d,"y":2}}}`, i%200, i), "u2")
	}
	for _, bench := range []struct {
		name   string
		recent int
		forget bool
	}{{"in memory", 4096, false}, {"in memory, first time", 4096, true}, {"step in the log", 1, false}, {"all in the log", 1, true}} {
		b.Run(bench.name, func(b *testing.B) {
			p := New(log, readmodels.New(log), noRecorder{}, Options{RecentEvents: bench.recent})
			s := &session{id: "g", p: p, stacks: stacks{}}
			if err := s.load(b.Context()); err != nil {
				b.Fatal(err)
			}
			c, err := ParseUndo(nil, Identity{UserID: "u1", ClientID: "u1"})
			if err != nil {
				b.Fatal(err)
			}
			p.prepare(c)
			b.ReportAllocs()
			for b.Loop() {
				decided, _ := s.decideAll(b.Context(), []pending{{command: c}}, nil)
				if len(decided.events) != 1 {
					b.Fatalf("refused: %v", decided.answers[0].err)
				}
				s.rollback(decided)
				if bench.forget {
					clear(s.stacks)
				}
			}
		})
	}
}
