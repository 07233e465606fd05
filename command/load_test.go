package command_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"graphy/command"
	"graphy/eventstore"
	eventlog "graphy/eventstore/memory"
	"graphy/projection"
	readmodels "graphy/projection/memory"
	"graphy/projection/projectiontest"
)

// history appends n events through a Processor and projects all but the newest tail of them.
func history(t *testing.T, s *site, n, tail int) {
	t.Helper()
	p := s.start(t, command.Options{})
	for i := range n {
		mustDo(t, p, create(fmt.Sprint("n", i)))
		if i == n-tail-1 {
			project(t, s)
		}
	}
}

// project brings the read models to the head of the log.
func project(t *testing.T, s *site) {
	t.Helper()
	graph := s.fold(t)
	from, err := s.models.Checkpoint(t.Context(), "g")
	if err != nil {
		t.Fatal(err)
	}
	update := projectiontest.Whole(graph, map[string]int64{command.CreateNode: int64(graph.Position.Version)})
	update.Reset = true
	if err := s.models.Commit(t.Context(), "g", from.Position, update); err != nil {
		t.Fatal(err)
	}
}

func TestLoadFromReadModelAndTail(t *testing.T) {
	for _, tail := range []int{0, 1, 7, 1200} {
		s, log := newSite()
		history(t, s, tail+5, tail)
		var read atomic.Int64
		log.Fail = func(call, _ string) error {
			if call == "read" {
				read.Add(1)
			}
			return nil
		}
		p := s.start(t, command.Options{RecentEvents: 100})
		if outcome := mustDo(t, p, title("n0", "o", "x")); int(outcome.Version) != tail+6 {
			t.Errorf("tail of %d: got %+v", tail, outcome)
		}
		if pages := read.Load(); pages > int64(2+tail/500) {
			t.Errorf("tail of %d: %d reads", tail, pages)
		}
		s.fold(t)
	}
}

func TestLoadWithReadModelsThatCannotBeTrusted(t *testing.T) {
	other, _ := newSite() // another history of the same graph
	p := other.start(t, command.Options{Now: func() time.Time { return time.UnixMilli(1) }})
	for i := range 9 {
		mustDo(t, p, create(fmt.Sprint("m", i)))
	}
	ahead := other.fold(t)
	for name, spoil := range map[string]func(s *site, graph *projection.Graph) *projection.Graph{
		"wrong checksum": func(_ *site, graph *projection.Graph) *projection.Graph {
			graph.Checksum++
			return graph
		},
		"ahead of the log":   func(*site, *projection.Graph) *projection.Graph { return ahead },
		"of another history": func(_ *site, graph *projection.Graph) *projection.Graph { graph.Position.Hash = "00"; return graph },
	} {
		s, _ := newSite()
		s.models = readmodels.New(nil) // which believes anything
		history(t, s, 5, 5)
		spoiled := spoil(s, s.fold(t))
		update := projectiontest.Whole(spoiled, nil)
		if err := s.models.Commit(t.Context(), "g", eventstore.Position{}, update); err != nil {
			t.Fatal(err)
		}
		if outcome := mustDo(t, s.start(t, command.Options{}), title("n0", "o", "x")); outcome.Version != 6 {
			t.Errorf("%s: got %+v", name, outcome)
		}
		s.fold(t)
	}

	s := &site{log: eventlog.New(), models: readmodels.New(nil)}
	if err := s.models.Commit(t.Context(), "g", eventstore.Position{}, projectiontest.Whole(ahead, nil)); err != nil {
		t.Fatal(err)
	}
	_, err := do(t, s.start(t, command.Options{}), create("n1"))
	wantCode(t, "the log is gone", err, command.Unavailable)
}

func TestLogThatWasReplaced(t *testing.T) {
	s, _ := newSite()
	p := s.start(t, command.Options{})
	for i := range 5 {
		mustDo(t, p, create(fmt.Sprint("n", i)))
	}
	for _, length := range []int{3, 5, 8} { // behind, at the same version, ahead
		if err := s.log.Delete(t.Context(), "g"); err != nil {
			t.Fatal(err)
		}
		other := s.start(t, command.Options{})
		for i := range length {
			mustDo(t, other, create(fmt.Sprintf("m%d-%d", length, i)))
		}
		if outcome := mustDo(t, p, create(fmt.Sprint("o", length))); int(outcome.Version) != length+1 {
			t.Errorf("length %d: got %+v", length, outcome)
		}
		s.fold(t)
	}
}

func TestI10IdleSessionsAreBounded(t *testing.T) {
	s, _ := newSite()
	registry := prometheus.NewRegistry()
	p := s.start(t, command.Options{SessionBytes: 20_000, Metrics: command.NewMetrics(registry)})
	sessions := func() float64 {
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, family := range families {
			if family.GetName() == "graphy_sessions" {
				return family.GetMetric()[0].GetGauge().GetValue()
			}
		}
		return -1
	}
	const graphs = 100
	for round := range 3 {
		for i := range graphs {
			body := create(fmt.Sprint("n", round))
			if _, err := p.Do(t.Context(), fmt.Sprint("g", i), parse(t, body)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := p.Close(t.Context()); err != nil { // so that the last one is idle
		t.Fatal(err)
	}
	if kept := sessions(); kept < 1 || kept > 20 {
		t.Errorf("%v sessions are kept", kept)
	}
	for i := range graphs {
		if head, err := s.log.Head(t.Context(), fmt.Sprint("g", i)); err != nil || head.Version != 3 {
			t.Errorf("graph %d: got %v, %v", i, head, err)
		}
	}
}

func TestCloseFinishesWhatWasAccepted(t *testing.T) {
	s, log := newSite()
	g := &gate{open: make(chan struct{})}
	log.Fail = g.fail
	p := s.start(t, command.Options{BatchLength: 3})
	answers := make(chan error, 20)
	for i := range 20 {
		p.Submit(t.Context(), "g", parse(t, create(fmt.Sprint("n", i))), func(_ command.Outcome, err error) { answers <- err })
	}
	closed := make(chan error)
	go func() { closed <- p.Close(context.Background()) }()
	for { // until it is closing
		if codeOf(p.Delete(t.Context(), "other")) == command.Unavailable {
			break
		}
	}
	close(g.open)
	if err := <-closed; err != nil {
		t.Errorf("close: %v", err)
	}
	for range 20 {
		if err := <-answers; err != nil {
			t.Errorf("accepted before the end: %v", err)
		}
	}
	if head := s.fold(t).Position.Version; head != 20 {
		t.Errorf("head: got %d", head)
	}
}

func TestCloseCutsOff(t *testing.T) {
	s, log := newSite()
	hang := make(chan struct{})
	s.log = &slowLog{Log: log, hang: hang}
	p := s.start(t, command.Options{Timeout: time.Minute})
	answer := make(chan error, 1)
	p.Submit(t.Context(), "g", parse(t, create("n")), func(_ command.Outcome, err error) { answer <- err })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := p.Close(ctx); err == nil {
		t.Error("close: got nil")
	}
	if code := codeOf(<-answer); code != command.OutcomeUnknown && code != command.Unavailable {
		t.Errorf("cut off: got %q", code)
	}
}
