package projection

import (
	"testing"
	"time"

	"graphy/eventstore"
)

// TestQueuedGraphIsLeftAsleep: plain news of a graph whose turn is coming wake nobody, and are there at its turn; those
// of any other graph, and those that ask for a check, wake the shard.
func TestQueuedGraphIsLeftAsleep(t *testing.T) {
	p := NewProjector(nil, nil, ProjectorOptions{Shards: 1, Linger: time.Hour})
	s := p.shards[0]
	woken := func() bool {
		select {
		case <-s.signal:
			return true
		default:
			return false
		}
	}
	ring := func(version eventstore.Version, check bool) bool {
		s.ring("g", ring{head: version, events: []eventstore.Event{{Version: version}}, check: check})
		return woken()
	}
	if !ring(1, false) {
		t.Error("a new graph: asleep")
	}
	s.collect()
	f := s.next()
	f.news.events, f.committed = nil, time.Now() // as after a commit
	if !ring(2, false) {
		t.Error("a graph at its turn: asleep")
	}
	s.collect()
	if ring(3, false) {
		t.Error("a graph in the queue: woken")
	}
	if !ring(4, true) {
		t.Error("a check of a graph in the queue: asleep")
	}
	s.collect()
	if len(s.queue) != 1 || s.next() != f || f.news.head != 4 || len(f.news.events) != 3 || !f.news.check {
		t.Errorf("news at its turn: got %+v, want versions 2 to 4 and a check", f.news)
	}
	if !ring(5, false) {
		t.Error("a graph that was taken off the queue: asleep")
	}
}
