package transport

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"

	"graphy/eventstore"
)

func TestStreamIsTheChangesAndThenWhatHappens(t *testing.T) {
	s := newStage(t)
	s.commands.move(t, "g", 3)
	l := s.listen(t, "g", 1, "")
	for name, want := range map[string]string{"Cache-Control": "no-cache", "X-Accel-Buffering": "no", "Vary": "Origin, Accept",
		"Content-Encoding": "", "X-Content-Type-Options": "nosniff"} {
		if got := l.header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	events, err := s.log.Read(t.Context(), "g", 1, 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, event := range events {
		got, err := l.next()
		want := sseEvent{fmt.Sprint(event.Version), "change", string(appendChange(nil, event))}
		if got != want || err != nil {
			t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
		}
	}
	if wait, err := strconv.Atoi(l.retry); err != nil || wait < 1000 || wait > 3000 {
		t.Errorf("retry is %q, want 1000 to 3000", l.retry)
	}
	s.commands.move(t, "g", 500)
	l.reach(s.commands.position("g"))
	if l.lastID != "503" {
		t.Errorf("the last id is %q, want 503", l.lastID)
	}
}

func TestStreamBeginsWhereTheClientStands(t *testing.T) {
	s := newStage(t)
	s.commands.move(t, "g", 5)
	hash := func(version eventstore.Version) string { return string(s.folded(t, "g", version).Position.Hash) }
	tests := []struct {
		query, last string // Last-Event-ID
		name, id    string // of the first event
	}{
		{"", "", "change", "1"},
		{"since=0", "", "change", "1"},
		{"since=3", "", "change", "4"},
		{"since=3&hash=" + hash(3), "", "change", "4"},
		{"since=1", "3", "change", "4"},
		{"", "3", "change", "4"},
		{"since=4", "0", "change", "1"},
		{"since=1&hash=" + hash(1), "3", "change", "4"}, // the hash is not the one of Last-Event-ID
		{"since=3&hash=" + hash(1), "", "reset", "5"},
		{"since=3&hash=" + hash(1), "3", "reset", "5"},
		{"since=0&hash=" + hash(1), "", "reset", "5"},
		{"since=3&hash=", "", "reset", "5"},
		{"since=6", "", "reset", "5"},
		{"since=1", "6", "reset", "5"},
		{"since=1", "99999999999999999999", "reset", "5"},
	}
	for _, followed := range []bool{false, true} {
		for _, test := range tests {
			if followed {
				h, err := s.server.holdHub(t.Context(), "g")
				if err != nil {
					t.Fatal(err)
				}
				defer s.server.sockets.release(h)
			}
			l := listen(t, s.folded(t, "g", 0), s.changesURL("g", test.query), "Last-Event-ID", test.last)
			got, _ := l.next() // which may not fold: the listener has nothing
			if got.name != test.name || got.id != test.id {
				t.Errorf("%q after %q, followed %t: got %+.100v, want %s %s", test.query, test.last, followed, got, test.name, test.id)
			}
			l.close()
		}
	}
}

func TestStreamFromTheHead(t *testing.T) {
	s := newStage(t)
	l := s.listen(t, "new", 0, "")
	s.commands.move(t, "new", 2)
	l.reach(s.commands.position("new"))
	again := s.listen(t, "new", 2, "&hash="+string(s.commands.position("new").Hash))
	s.commands.move(t, "new", 2)
	again.reach(s.commands.position("new"))
	if l.reach(s.commands.position("new")); l.resets+again.resets > 0 {
		t.Error("a client at the head was reset")
	}
}

func TestStreamsThatAreRefused(t *testing.T) {
	s := newSite(t)
	s.createNodes("g", 2)
	for query, last := range map[string]string{"limit=5": "", "wait=5": "", "squash=true": "", "squash=false": "", "since=x": "", "foo=1": "",
		"since=1": "x", "since=0": "-1", "": "+1", "since=2": "1, 2"} {
		got := s.get("/graphs/g/changes?"+query, "Accept", "text/event-stream", "Last-Event-ID", last)
		wantProblem(t, got, 400, "invalid-query")
	}
	s.breakLog(eventstore.ErrUnavailable)
	wantProblem(t, s.get("/graphs/g/changes", "Accept", "text/event-stream"), 503, "unavailable")
	s.breakLog(nil)
	got := s.call(http.MethodHead, "/api/v2/graphs/g/changes", "", "Accept", "text/event-stream")
	if got.status != 200 || got.header.Get("Content-Type") != "text/event-stream" || len(got.raw) > 0 {
		t.Errorf("HEAD: got %d %v", got.status, got.header)
	}
}

func TestWhoWantsAnEventStream(t *testing.T) {
	for accept, want := range map[string]bool{
		"": false, "*/*": false, "text/*": false, "application/json": false,
		"text/event-stream":                              true,
		"Text/Event-Stream;q=0.5":                        true,
		"text/event-stream;q=0":                          false,
		"text/event-stream, */*":                         false,
		"text/event-stream, */*;q=0.1":                   true,
		"text/event-stream, application/json":            false,
		"application/json;q=0.9,text/event-stream":       true,
		"*/*, application/json;q=0.5, text/event-stream": true,
		"text/event-stream, application/*;q=0, */*":      true,
		"text/event-stream;q=0.4, application/json;q=.5": false,
	} {
		if got := wantsEventStream(http.Header{"Accept": {accept}}); got != want {
			t.Errorf("%q: got %t, want %t", accept, got, want)
		}
	}
}

// TestServersTimeLimitsDoNotCutStreams also sees the comments.
func TestServersTimeLimitsDoNotCutStreams(t *testing.T) {
	const limit = 100 * time.Millisecond
	s := newStage(t, func(*socketLimits) {})
	s.server.opts.Beat = limit
	strict := httptest.NewUnstartedServer(s.server.Handler())
	strict.Config.ReadTimeout, strict.Config.WriteTimeout = limit, limit
	strict.Start()
	defer strict.Close()
	l := listen(t, s.folded(t, "g", 0), strict.URL+"/api/v2/graphs/g/changes")
	defer l.close()
	time.AfterFunc(10*limit, func() { s.commands.move(t, "g", 1) })
	l.expect("change")
	if l.comments < 5 {
		t.Errorf("%d comments came in %v, one was due each %v", l.comments, 10*limit, limit)
	}
}

func TestDrainEndsStreams(t *testing.T) {
	s := newStage(t)
	s.commands.move(t, "g", 3)
	l := s.listen(t, "g", 0, "")
	l.reach(s.commands.position("g"))
	l.retry = ""
	if err := s.server.Drain(t.Context()); err != nil {
		t.Error(err)
	}
	late := s.listen(t, "g", 0, "")
	for _, l := range []*listener{l, late} {
		if l.ended(); l.retry == "" {
			t.Error("a stream ends without a word about when to come back")
		}
	}
	eventually(t, "no stream", func() bool { return valueOf(s.server.metrics.streams) == 0 })
}

func TestI10NothingIsLeftOfStreams(t *testing.T) {
	ignore := goleak.IgnoreCurrent()
	s := newStage(t, func(l *socketLimits) { l.hubLinger = time.Millisecond })
	before := runtime.NumGoroutine()
	for range 3 {
		var all []*listener
		for i := range 20 {
			graph := fmt.Sprintf("g%d", i%5)
			s.commands.move(t, graph, 10)
			all = append(all, s.listen(t, graph, 0, ""))
			all[i].reach(s.commands.position(graph))
		}
		if got := valueOf(s.server.metrics.streams); got != 20 {
			t.Errorf("the gauge says %v streams, want 20", got)
		}
		for _, l := range all {
			l.close()
		}
		eventually(t, "no stream and no hub", func() bool {
			return valueOf(s.server.metrics.streams) == 0 && valueOf(s.server.sockets.metrics.hubs) == 0
		})
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	eventually(t, "no goroutine of theirs", func() bool { return runtime.NumGoroutine() <= before+2 })
	s.stop()
	if err := goleak.Find(ignore); err != nil {
		t.Errorf("I10: %v", err)
	}
}
