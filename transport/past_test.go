package transport

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"graphy/eventstore"
	"graphy/projection"
	"graphy/projection/projectiontest"
)

// append writes count random events to the log of graph, after those of earlier calls with the writer; nil begins one.
func (s *site) append(w *projectiontest.Writer, graph string, count int) *projectiontest.Writer {
	s.t.Helper()
	if w == nil {
		w = projectiontest.NewWriter(graph, rand.New(rand.NewPCG(7, uint64(count))))
	}
	for from := w.Graph.Position; count > 0; from = w.Graph.Position {
		page := min(count, 1000)
		if _, err := s.log.Append(s.t.Context(), graph, from, w.Events(page)); err != nil {
			s.t.Fatal(err)
		}
		count -= page
	}
	return w
}

// folded returns the graph at a version, folded from the log.
func (s *site) folded(graph string, version eventstore.Version) *projection.Graph {
	s.t.Helper()
	g := projection.NewGraph(graph)
	events, err := s.log.Read(s.t.Context(), graph, 0, int(version))
	if err == nil {
		err = g.Fold(events...)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return g
}

// applied applies the changes of an answer, JSON, to a graph.
func applied(t testing.TB, g *projection.Graph, changes json.RawMessage) {
	t.Helper()
	event, err := projection.DecodeEvent([]byte(`{"version":1,"commandType":"X","operationId":"o","changes":` + string(changes) + `,"checksum":"x"}`))
	if err == nil {
		err = g.ApplyChanges(event.Changes)
	}
	if err != nil {
		t.Fatalf("apply %.300s: %v", changes, err)
	}
}

// wantEntities checks that a graph holds what another does.
func wantEntities(t testing.TB, got, want *projection.Graph) {
	t.Helper()
	if left := projection.Diff(got, want); len(left) > 0 || got.Checksum != want.Checksum {
		t.Errorf("differs by %.500s, checksum %s, want %s", projection.AppendChanges(nil, left), got.Checksum, want.Checksum)
	}
}

// shiftingLog is a log in which something may happen before a read, and that reads on for a caller who has left.
type shiftingLog struct {
	eventstore.Log
	first  eventstore.Version // the oldest event that it holds
	reads  int
	events int // that were read
	before func(read int)
}

func (l *shiftingLog) Read(ctx context.Context, stream string, after eventstore.Version, limit int) ([]eventstore.Event, error) {
	l.reads++
	if l.before != nil {
		l.before(l.reads)
	}
	if after+1 < l.first {
		return nil, &eventstore.TrimmedError{Stream: stream, First: l.first}
	}
	page, err := l.Log.Read(context.WithoutCancel(ctx), stream, after, limit)
	l.events += len(page)
	return page, err
}

// onLog makes the server read log in the place of its own.
func (s *site) onLog(log eventstore.Log) {
	s.server.services.Log, s.server.services.Live = log, log
	s.server.tails = newTails(log, 1<<20)
}

// TestPastWaitsForAPlace takes all places, so that queries of the past wait, and are turned away in the end.
func TestPastWaitsForAPlace(t *testing.T) {
	s := newSite(t, func(o *Options) { o.PastReads, o.ReadLimit = 2, 50*time.Millisecond })
	s.append(nil, "g", 2*runPage)
	s.get("/graphs/g/state?at=2")
	var leave []func()
	for range 2 {
		left, err := s.server.enterPast(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		leave = append(leave, left)
	}
	paths := []string{"/graphs/g/state?at=3", "/graphs/g/diff?from=3", "/graphs/g/changes?squash=true"}
	for _, path := range paths {
		got := s.get(path)
		wantProblem(t, got, 503, "unavailable")
		if got.header.Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After", path)
		}
	}
	if got := s.get("/graphs/g/changes?since=990&squash=true"); got.status != 200 {
		t.Errorf("a page of changes needs no place: got %d %s", got.status, got.raw)
	}
	if got := s.get("/graphs/g/state?at=2"); got.status != 200 || got.header.Get("X-Cache") != "HIT" {
		t.Errorf("nor does what is kept: got %d %s", got.status, got.raw)
	}
	if got := s.get("/graphs/g/state?at=3", "If-None-Match", entityTag(s.folded("g", 3).Position)); got.status != http.StatusNotModified {
		t.Errorf("nor does what the client has: got %d %s", got.status, got.raw)
	}
	for _, left := range leave {
		left()
	}
	for range 3 { // places are given back
		for _, path := range paths {
			if got := s.get(path); got.status != 200 {
				t.Errorf("%s: got %d %s", path, got.status, got.raw)
			}
		}
	}
}

func TestPastEndsWithItsCaller(t *testing.T) {
	s := newSite(t)
	s.append(nil, "g", 3*runPage)
	ctx, cancel := context.WithCancel(t.Context())
	log := &shiftingLog{Log: s.log, before: func(read int) {
		if read == 2 {
			cancel()
		}
	}}
	r := run{graph: "g"}
	if err := r.readTo(ctx, log, 3*runPage); err == nil || log.reads > 2 {
		t.Errorf("got %v after %d reads, want an error after 2", err, log.reads)
	}
}

func TestPastOfALogOutOfReach(t *testing.T) {
	s := newSite(t)
	s.createNodes("g", 2)
	s.breakLog(eventstore.ErrUnavailable)
	for _, path := range []string{"/state?at=1", "/diff", "/diff?from=1&to=2", "/changes?squash=true", "/history", "/history?user=u"} {
		wantProblem(t, s.get("/graphs/g"+path), 503, "unavailable")
	}
	for _, path := range []string{"/state?at=1", "/diff", "/changes?squash=true"} {
		wantProblem(t, s.get("/graphs/a%20b"+path), 400, "invalid-id")
	}
}

// TestPastBehindAPoisonEvent: what comes before it can be read, what comes after it is not made up.
func TestPastBehindAPoisonEvent(t *testing.T) {
	s := newSite(t)
	w := s.append(nil, "g", 10)
	if _, err := s.log.Append(t.Context(), "g", w.Graph.Position, []eventstore.Event{w.Poison()}); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/state?at=11", "/diff", "/changes?squash=true"} {
		wantProblem(t, s.get("/graphs/g"+path), 500, "internal")
	}
	for _, path := range []string{"/state?at=10", "/diff?to=10", "/history"} {
		if got := s.get("/graphs/g" + path); got.status != 200 {
			t.Errorf("%s: got %d %s", path, got.status, got.raw)
		}
	}
	if s.logged.FilterMessage("request failed").Len() != 3 {
		t.Errorf("logged %v, want each failure once", s.logged.All())
	}
}
