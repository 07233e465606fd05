package command

import (
	"context"
	"fmt"
	"strconv"
	"testing"

	"graphy/eventstore"
	eventlog "graphy/eventstore/memory"
	"graphy/projection"
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
	decided := s.decideAll(b.Context(), []pending{{command: c}}, nil)
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

// BenchmarkConflictCheck decides a command whose base is so many events old.
func BenchmarkConflictCheck(b *testing.B) {
	for _, age := range []int{-1, 0, 10, 1000} {
		b.Run("age="+strconv.Itoa(age), func(b *testing.B) {
			s := benchSession(b, Options{})
			for i := range 1000 {
				s.benchDo(b, fmt.Appendf(nil, `{"type":"UPDATE_NODE_POSITION","clientId":"tab-2","payload":{"nodeId":"node-%d","position":{"x":%d,"y":0}}}`, i%200, i+1))
			}
			c, err := Parse(moveBody(7), someone)
			if err != nil {
				b.Fatal(err)
			}
			c.HasBase, c.Base = age >= 0, s.graph.Position.Version-eventstore.Version(max(age, 0))
			before := string(s.graph.Value(projection.Node, "node-7"))
			b.ReportAllocs()
			for b.Loop() {
				since, err := s.base(b.Context(), c)
				if err != nil {
					b.Fatal(err)
				}
				decided, refusal := decide(s.graph, since, c, 1)
				if refusal != nil || (len(decided.conflicts) > 0) != (age == 1000) {
					b.Fatalf("got %v, %s", refusal, appendConflict(nil, decided.conflicts))
				}
				s.graph.RevertChanges(decided.changes)
			}
			if after := string(s.graph.Value(projection.Node, "node-7")); after != before {
				b.Fatalf("%s became %s", before, after)
			}
		})
	}
}
