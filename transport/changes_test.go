package transport

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"graphy/eventstore"
	"graphy/projection"
)

// versionsOf returns the versions of the changes in an answer.
func versionsOf(got reply) []int {
	versions := []int{}
	for _, change := range got.json["changes"].([]any) {
		versions = append(versions, int(change.(map[string]any)["version"].(float64)))
	}
	return versions
}

func TestChangesSinceAVersion(t *testing.T) {
	s := newSite(t)
	s.createNodes("g", 5)
	events, err := s.log.Read(t.Context(), "g", 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	hash := func(version int) string {
		if version == 0 {
			return ""
		}
		return string(events[version-1].Hash)
	}
	tests := []struct {
		query    string
		status   string
		versions string
		current  int
		last     int // the version whose hash is given
		more     bool
	}{
		{"", "behind", "[1 2 3 4 5]", 5, 5, false},
		{"since=0&limit=2", "behind", "[1 2]", 5, 2, true},
		{"since=0&limit=5", "behind", "[1 2 3 4 5]", 5, 5, false},
		{"since=0&limit=4", "behind", "[1 2 3 4]", 5, 4, true},
		{"since=3", "behind", "[4 5]", 5, 5, false},
		{"since=3&limit=1", "behind", "[4]", 5, 4, true},
		{"since=3&limit=2", "behind", "[4 5]", 5, 5, false},
		{"since=4&limit=1", "behind", "[5]", 5, 5, false},
		{"since=5", "in_sync", "[]", 5, 5, false},
		{"since=5&limit=99999999999999999999999999", "in_sync", "[]", 5, 5, false},
		{"since=3&hash=" + hash(3), "behind", "[4 5]", 5, 5, false},
		{"since=5&hash=" + hash(5), "in_sync", "[]", 5, 5, false},
		{"since=0&hash=", "behind", "[1 2 3 4 5]", 5, 5, false},
		{"since=3&hash=" + hash(4), "conflict", "[5]", 5, 5, false},
		{"since=0&hash=" + hash(1), "conflict", "[5]", 5, 5, false},
		{"since=3&hash=", "conflict", "[5]", 5, 5, false},
		{"since=6", "conflict", "[5]", 5, 5, false},
		{"since=7", "conflict", "[5]", 5, 5, false},
		{"since=99999999999999999999999999", "conflict", "[5]", 5, 5, false},
	}
	for _, test := range tests {
		got := s.get("/graphs/g/changes?" + test.query)
		if got.status != 200 || got.json["status"] != test.status || fmt.Sprint(versionsOf(got)) != test.versions ||
			got.json["currentVersion"] != float64(test.current) || got.json["hash"] != hash(test.last) || got.json["hasMore"] != test.more {
			t.Errorf("%s: got %d %.300s, want %+v", test.query, got.status, got.raw, test)
		}
		if len(got.json) != 5 {
			t.Errorf("%s: got %d members, want 5", test.query, len(got.json))
		}
	}
}

func TestChangesAreTheStreamsBytes(t *testing.T) {
	s := newSite(t)
	s.createNodes("g", 1)
	events, _ := s.log.Read(t.Context(), "g", 0, 1)
	data := string(events[0].Data)
	want := `{"status":"behind","changes":[` + data[:len(data)-1] + `,"hash":"` + string(events[0].Hash) + `"}],"currentVersion":1,"hash":"` +
		string(events[0].Hash) + `","hasMore":false}`
	if got := s.get("/graphs/g/changes"); string(got.raw) != want {
		t.Errorf("got  %s\nwant %s", got.raw, want)
	}
}

func TestChangesOfAnUnknownGraph(t *testing.T) {
	s := newSite(t)
	wantJSON(t, s.get("/graphs/none/changes").raw, `{"status":"in_sync","changes":[],"currentVersion":0,"hash":"","hasMore":false}`)
	got := s.get("/graphs/none/changes?since=3")
	wantJSON(t, got.raw, `{"status":"conflict","changes":[{"type":"FULL_UPDATE","version":0,"hash":"","data":
		{"graphId":"none","version":0,"hash":"","checksum":"0000000000000000","lastModified":0,"nodes":[],"edges":[],"viewport":{"x":0,"y":0,"zoom":1}}}],
		"currentVersion":0,"hash":"","hasMore":false}`)
}

func TestFullUpdateMayTrailTheLog(t *testing.T) {
	s := newSite(t)
	s.createNodes("g", 2)
	s.breakModels(eventstore.ErrUnavailable) // the projector stands still
	s.call(http.MethodPost, "/api/v2/graphs/g/command", createNode("n3"))
	wantProblem(t, s.get("/graphs/g/changes?since=9"), 503, "unavailable")
	if got := s.get("/graphs/g/changes?since=2"); got.json["status"] != "behind" {
		t.Errorf("deltas need no read model: got %d %s", got.status, got.raw)
	}
	s.breakModels(nil)
	got := s.get("/graphs/g/changes?since=9")
	version := versionsOf(got)[0]
	if got.json["currentVersion"] != 3.0 || got.json["hasMore"] != (version < 3) {
		t.Errorf("got %s", got.raw)
	}
}

// trimmedLog is a log that no longer has what is below first.
type trimmedLog struct {
	eventstore.Log
	first eventstore.Version
}

func (l trimmedLog) Read(ctx context.Context, stream string, after eventstore.Version, limit int) ([]eventstore.Event, error) {
	if after+1 < l.first {
		return nil, &eventstore.TrimmedError{Stream: stream, First: l.first}
	}
	return l.Log.Read(ctx, stream, after, limit)
}

func TestChangesBelowWhatTheLogKeeps(t *testing.T) {
	s := newSite(t)
	s.createNodes("g", 5)
	s.server.tails = newTails(trimmedLog{s.log, 3}, 1<<20)
	for since, want := range []string{"reset", "reset", "reset", "behind", "behind", "in_sync", "conflict"} {
		got := s.get(fmt.Sprintf("/graphs/g/changes?since=%d", since))
		if got.json["status"] != want {
			t.Errorf("since=%d: got %v, want %s", since, got.json["status"], want)
		}
		if want == "reset" && (fmt.Sprint(versionsOf(got)) != "[5]" || got.json["currentVersion"] != 5.0) {
			t.Errorf("since=%d: got %s, want the state at 5", since, got.raw)
		}
	}
}

func TestBadQueriesForChanges(t *testing.T) {
	s := newSite(t)
	for _, query := range []string{"since=x", "since=-1", "since=", "since=1&since=1", "since=+1", "since=1.0", "limit=0", "limit=", "limit=-1",
		"limit=1&limit=1", "wait=0", "wait=x", "wait=1&%77ait=1", "hash=a&hash=a", "foo=1", "squash=1", "squash=", "squash=true&squash=true", "squash=true&wait=5", "at=3", "%zz=1", "since=%zz"} {
		got := s.get("/graphs/g/changes?" + query)
		wantProblem(t, got, 400, "invalid-query")
		if name, _, _ := strings.Cut(query, "="); !strings.Contains(got.json["detail"].(string), strings.ReplaceAll(name, "%77", "w")) && !strings.HasPrefix(query, "%zz") {
			t.Errorf("%s: detail %q does not name it", query, got.json["detail"])
		}
	}
	if got := s.get("/graphs/g/changes", "Accept", "text/event-stream, */*"); got.status != 200 {
		t.Errorf("got %d for a client that takes anything, want 200", got.status)
	}
}

func TestLongPollEndsWithAnEvent(t *testing.T) {
	s := newSite(t)
	s.createNodes("g", 1)
	answered := make(chan reply)
	go func() { answered <- s.get("/graphs/g/changes?since=1&wait=20000") }()
	s.awaitPolls(1)
	s.accept("g", createNode("n2"))
	if got := <-answered; got.json["status"] != "behind" || fmt.Sprint(versionsOf(got)) != "[2]" {
		t.Errorf("got %s, want version 2", got.raw)
	}
	s.awaitPolls(0)
}

// awaitPolls waits until so many requests wait for changes.
func (s *site) awaitPolls(count int64) {
	s.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); s.server.polls.Load() != count; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("%d requests wait, want %d", s.server.polls.Load(), count)
		}
	}
}

func TestLongPollEndsInOtherWays(t *testing.T) {
	s := newSite(t, func(o *Options) { o.LongPolls = 1 })
	s.createNodes("g", 1)
	start := time.Now()
	if got := s.get("/graphs/g/changes?since=1&wait=30"); got.json["status"] != "in_sync" || len(versionsOf(got)) != 0 || time.Since(start) < 30*time.Millisecond {
		t.Errorf("time over: got %s after %v", got.raw, time.Since(start))
	}
	if got := s.get("/graphs/g/changes?since=0&wait=30000"); got.json["status"] != "behind" {
		t.Errorf("there is something: got %s", got.raw)
	}
	answered := make(chan reply)
	poll := func() { answered <- s.get("/graphs/g/changes?since=1&wait=30000") }
	go poll()
	s.awaitPolls(1)
	wantProblem(t, s.get("/graphs/g/changes?since=1&wait=30000"), 503, "unavailable")
	if got := s.call(http.MethodDelete, "/api/v2/graphs/g", ""); got.status != http.StatusNoContent {
		t.Fatalf("delete: got %d %s", got.status, got.raw)
	}
	if got := <-answered; got.json["status"] != "conflict" || got.json["currentVersion"] != 0.0 {
		t.Errorf("deleted: got %s, want conflict with version 0", got.raw)
	}
	s.createNodes("g", 1)
	go poll()
	s.awaitPolls(1)
	start = time.Now()
	if err := s.server.Drain(t.Context()); err != nil {
		t.Error(err)
	}
	if got := <-answered; got.json["status"] != "in_sync" || time.Since(start) > 10*time.Second {
		t.Errorf("drained: got %s after %v", got.raw, time.Since(start))
	}
}

// TestI4ChangesFoldToTheState reads while others write: page after page, and by long polls at the end.
func TestI4ChangesFoldToTheState(t *testing.T) {
	s := newSite(t)
	const writers, each = 4, 40
	var writing sync.WaitGroup
	for writer := range writers {
		writing.Go(func() {
			for i := range each {
				got := s.call(http.MethodPost, "/api/v2/graphs/g/command", createNode(fmt.Sprintf("w%d-%d", writer, i)))
				if got.status != http.StatusAccepted {
					t.Errorf("got %d %s", got.status, got.raw)
				}
			}
		})
	}
	var reading sync.WaitGroup
	for reader := range 4 {
		reading.Go(func() {
			graph := projection.NewGraph("g")
			for graph.Position.Version < writers*each {
				got := s.get(fmt.Sprintf("/graphs/g/changes?since=%d&hash=%s&limit=%d&wait=5000", graph.Position.Version, graph.Position.Hash, 1+reader*7))
				if !foldChanges(t, graph, got) {
					return
				}
			}
			state := s.get(fmt.Sprintf("/graphs/g/state?minVersion=%d", graph.Position.Version))
			if state.json["checksum"] != graph.Checksum.String() || string(state.raw) != string(graph.AppendState(nil)) {
				t.Errorf("the changes fold to %s, the state is %s", graph.Checksum, state.json["checksum"])
			}
		})
	}
	writing.Wait()
	reading.Wait()
}

func foldChanges(t testing.TB, graph *projection.Graph, got reply) bool {
	var body struct{ Changes []json.RawMessage }
	if err := json.Unmarshal(got.raw, &body); err != nil || len(body.Changes) == 0 {
		t.Errorf("got %s, want changes", got.raw)
		return false
	}
	for _, change := range body.Changes {
		var at struct {
			Version eventstore.Version
			Hash    eventstore.Hash
		}
		_ = json.Unmarshal(change, &at)
		data := strings.TrimSuffix(string(change), `,"hash":"`+string(at.Hash)+`"}`) + "}"
		if err := graph.Fold(eventstore.Event{Version: at.Version, Hash: at.Hash, Data: []byte(data)}); err != nil {
			t.Errorf("fold: %v", err)
			return false
		}
	}
	return true
}
