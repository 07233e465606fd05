package command

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"graphy/eventstore"
	eventlog "graphy/eventstore/memory"
	readmodels "graphy/projection/memory"
)

// noRecorder keeps nothing.
type noRecorder struct{}

func (noRecorder) Record(...Entry)                                   {}
func (noRecorder) Find(context.Context, string) (Entry, bool, error) { return Entry{}, false, nil }

// moveBody is the body that most commands are like.
func moveBody(i int) []byte {
	return fmt.Appendf(nil, `{"operationId":"01JD%022d","type":"UPDATE_NODE_POSITION","payload":{"nodeId":"node-%d","position":{"x":%d.5,"y":%d}},"clientId":"tab-1","timestamp":1760000000000}`,
		i, i%200, i%1000, i%777)
}

// benchSession is a session on a graph of 200 nodes, which no goroutine runs.
func benchSession(b *testing.B, opts Options) *session {
	b.Helper()
	log := eventlog.New()
	p := New(log, readmodels.New(log), noRecorder{}, opts)
	s := &session{id: "g", p: p}
	if err := s.load(b.Context()); err != nil {
		b.Fatal(err)
	}
	for i := range 200 {
		s.benchDo(b, fmt.Appendf(nil, `{"type":"CREATE_NODE","payload":{"id":"node-%d","title":"Node %d","type":"task","position":{"x":0,"y":0},"data":{"label":"x","status":"open"}}}`, i, i))
	}
	return s
}

// benchDo parses, decides and encodes one command, and takes it as appended.
func (s *session) benchDo(b *testing.B, body []byte) {
	c, err := Parse(body, someone)
	if err != nil {
		b.Fatal(err)
	}
	s.p.prepare(c)
	decided, _ := s.decideAll(b.Context(), []pending{{command: c}}, nil)
	if len(decided.events) != 1 {
		b.Fatalf("refused: %v", decided.answers[0].err)
	}
	s.settle(decided)
}

func BenchmarkParse(b *testing.B) {
	body := moveBody(7)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(body, someone); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkMove is all of a command's CPU time in this package and the fold: parse, decide, encode (and to make its
// body).
func BenchmarkMove(b *testing.B) {
	s := benchSession(b, Options{})
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		s.benchDo(b, moveBody(i))
	}
}

// BenchmarkSession is end to end over the log in memory, with 64 commands under way.
func BenchmarkSession(b *testing.B) {
	log := eventlog.New()
	p := New(log, readmodels.New(log), noRecorder{}, Options{})
	defer p.Close(context.Background())
	for i := range 200 {
		c, _ := Parse(fmt.Appendf(nil, `{"type":"CREATE_NODE","payload":{"id":"node-%d"}}`, i), someone)
		if _, err := p.Do(b.Context(), "g", c); err != nil {
			b.Fatal(err)
		}
	}
	room := make(chan struct{}, 64)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		c, err := Parse(moveBody(i), someone)
		if err != nil {
			b.Fatal(err)
		}
		c.HasBase, c.Base = true, p.Head("g")
		room <- struct{}{}
		p.Submit(b.Context(), "g", c, func(_ Outcome, err error) {
			if err != nil {
				b.Error(err)
			}
			<-room
		})
	}
	for range cap(room) {
		room <- struct{}{}
	}
}

// BenchmarkConflictCheck decides a command whose base is so many events old, each of another client.
func BenchmarkConflictCheck(b *testing.B) {
	const (
		move  = `{"type":"UPDATE_NODE_POSITION","clientId":"tab-2","payload":{"nodeId":"node-%d","position":{"x":%d,"y":0}}}`
		title = `{"type":"UPDATE_NODE_TITLE","clientId":"tab-2","payload":{"nodeId":"node-%d","title":"Node %d"}}`
	)
	tests := []struct {
		name     string
		theirs   string
		nodes    int // over which they are spread
		mine     string
		age      int // -1: no base
		strategy string
	}{
		{"age=-1", move, 200, string(moveBody(7)), -1, ""},
		{"age=0", move, 200, string(moveBody(7)), 0, ""},
		{"age=10", move, 200, string(moveBody(7)), 10, ""},
		{"age=1000/none", move, 200, `{"type":"UPDATE_NODE_TITLE","payload":{"nodeId":"node-7","title":"x"}}`, 1000, ""},
		{"age=1000/client-wins", move, 200, string(moveBody(7)), 1000, ClientWins},
		{"age=1000/merge", title, 200, `{"type":"UPDATE_NODE_TITLE","payload":{"nodeId":"node-7","title":"My Node 7"}}`, 1000, Merge},
		{"age=1000/one-node/none", move, 1, `{"type":"UPDATE_NODE_TITLE","payload":{"nodeId":"node-0","title":"x"}}`, 1000, ""},
		{"age=1000/one-node/merge", title, 1, `{"type":"UPDATE_NODE_TITLE","payload":{"nodeId":"node-0","title":"My Node 0"}}`, 1000, Merge},
		{"age=1000/one-node/delete", move, 1, `{"type":"DELETE_NODE","payload":{"nodeId":"node-0"}}`, 1000, ClientWins},
	}
	for _, test := range tests {
		b.Run(test.name, func(b *testing.B) {
			s := benchSession(b, Options{})
			for i := range 1000 {
				s.benchDo(b, fmt.Appendf(nil, test.theirs, i%test.nodes, i+1))
			}
			c, err := Parse([]byte(test.mine), someone)
			if err != nil {
				b.Fatal(err)
			}
			c.HasBase, c.Base = test.age >= 0, s.graph.Position.Version-eventstore.Version(max(test.age, 0))
			before := s.graph.Checksum
			fastest := time.Hour // which a busy machine leaves as it is
			b.ReportAllocs()
			for b.Loop() {
				start := time.Now()
				since, err := s.base(b.Context(), c)
				if err != nil {
					b.Fatal(err)
				}
				decided, refusal := decide(s.graph, terms{since: since, now: 1, writtenAt: 1, limits: &usual.limits}, c)
				if refusal != nil || len(decided.conflicts) != min(len(test.strategy), 1) || test.strategy != "" && decided.conflicts[0].strategy != test.strategy {
					b.Fatalf("got %v, %+v", refusal, decided.conflicts)
				}
				s.graph.RevertChanges(decided.changes)
				fastest = min(fastest, time.Since(start))
			}
			b.ReportMetric(float64(fastest), "ns/fastest")
			if s.graph.Checksum != before {
				b.Fatal("the graph is not what it was")
			}
		})
	}
}

// BenchmarkBase is what a base costs a command that conflicts with nothing: all of its CPU time in this package and the fold,
// by the side of the same command without one. The two take turns, and the fastest turn of each counts, so that the ratio
// holds on a busy machine.
func BenchmarkBase(b *testing.B) {
	for _, age := range []int{0, 1, 10} {
		b.Run("age="+strconv.Itoa(age), func(b *testing.B) {
			s := benchSession(b, Options{})
			const turn = 100
			i := 0
			run := func(hasBase bool) time.Duration {
				var bodies [turn][]byte
				for j := range bodies {
					i++
					bodies[j] = bytes.Replace(moveBody(i), []byte("tab-1"), fmt.Appendf(nil, "tab-%d", i%2), 1)
				}
				start := time.Now()
				for _, body := range bodies {
					c, err := Parse(body, someone)
					if err != nil {
						b.Fatal(err)
					}
					if hasBase {
						c.HasBase, c.Base = true, s.graph.Position.Version-eventstore.Version(age)
					}
					s.p.prepare(c)
					decided, _ := s.decideAll(b.Context(), []pending{{command: c}}, nil)
					if len(decided.events) != 1 || decided.records[0].Conflict != nil {
						b.Fatalf("got %+v", decided.answers)
					}
					s.settle(decided)
				}
				return time.Since(start)
			}
			without, with := time.Hour, time.Hour
			for b.Loop() {
				without, with = min(without, run(false)), min(with, run(true))
			}
			b.ReportMetric(float64(without.Nanoseconds())/turn, "ns/command")
			b.ReportMetric(float64(with.Nanoseconds())/turn, "ns/based")
			b.ReportMetric(float64(with)/float64(without), "ratio")
		})
	}
}
