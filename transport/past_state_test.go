package transport

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"graphy/eventstore"
)

func TestStateAtAVersion(t *testing.T) {
	s := newSite(t)
	s.append(nil, "g", 60)
	for version := eventstore.Version(0); version <= 60; version += 5 {
		path := fmt.Sprintf("/graphs/g/state?at=%d", version)
		got := s.get(path)
		if want := s.folded("g", version).AppendState(nil); got.status != 200 || string(got.raw) != string(want) {
			t.Errorf("at %d: got %d %s\nwant %s", version, got.status, got.raw, want)
		}
		if tag := entityTag(s.folded("g", version).Position); got.header.Get("Etag") != tag || got.header.Get("Cache-Control") != "no-cache" ||
			!strings.Contains(got.header.Get("Vary"), "Accept-Encoding") || got.header.Get("X-Cache") != "MISS" {
			t.Errorf("at %d: headers are %v, want the tag %s", version, got.header, tag)
		}
		if again := s.get(path); string(again.raw) != string(got.raw) || version > 0 && again.header.Get("X-Cache") != "HIT" {
			t.Errorf("at %d again: got %v %s", version, again.header, again.raw)
		}
		unchanged := s.get(path, "If-None-Match", got.header.Get("Etag"))
		if unchanged.status != http.StatusNotModified || len(unchanged.raw) > 0 || unchanged.header.Get("Etag") != got.header.Get("Etag") {
			t.Errorf("at %d: got %d for who has it", version, unchanged.status)
		}
	}
	compressed := s.get("/graphs/g/state?at=50", "Accept-Encoding", "gzip")
	if compressed.header.Get("Content-Encoding") != "gzip" || !strings.HasSuffix(compressed.header.Get("Etag"), `-gzip"`) {
		t.Errorf("compressed: headers are %v", compressed.header)
	}
	head := s.call(http.MethodHead, "/api/v2/graphs/g/state?at=50", "")
	if head.status != 200 || len(head.raw) > 0 || head.header.Get("Etag") != entityTag(s.folded("g", 50).Position) {
		t.Errorf("HEAD: got %d %v", head.status, head.header)
	}
	wantJSON(t, s.get("/graphs/none/state?at=0").raw, `{"graphId":"none","version":0,"hash":"","checksum":"0000000000000000","lastModified":0,"nodes":[],"edges":[],"viewport":{"x":0,"y":0,"zoom":1}}`)
}

func TestStateAtTheHeadIsTheCurrentOne(t *testing.T) {
	s := newSite(t)
	s.createNodes("g", 3)
	current := s.get("/graphs/g/state")
	at := s.get("/graphs/g/state?at=3")
	if string(at.raw) != string(current.raw) || at.header.Get("Etag") != current.header.Get("Etag") || at.header.Get("X-Cache") != "HIT" {
		t.Errorf("got %v %s\nwant %s", at.header, at.raw, current.raw)
	}
	s.accept("g", createNode("n4"))
	if again := s.get("/graphs/g/state?at=3"); string(again.raw) != string(current.raw) {
		t.Errorf("once it is past: got %s\nwant %s", again.raw, current.raw)
	}
	for _, cache := range []string{"MISS", "HIT"} {
		s.get("/graphs/g/state?at=2")
		if again := s.get("/graphs/g/state"); again.json["version"] != 4.0 || again.header.Get("X-Cache") != cache {
			t.Errorf("the current one is a %s, want %s: %s", again.header.Get("X-Cache"), cache, again.raw)
		}
	}
}

func TestStateAtRefuses(t *testing.T) {
	s := newSite(t)
	s.createNodes("g", 3)
	for _, query := range []string{"at=4", "at=99999999999999999999", "at=-1", "at=x", "at=", "at=1.0", "at=1&at=1", "at=1&minVersion=1", "at=1&timeout=5", "at=1&since=1"} {
		wantProblem(t, s.get("/graphs/g/state?"+query), 400, "invalid-query")
	}
	wantProblem(t, s.get("/graphs/none/state?at=1"), 400, "invalid-query")
}

func TestStateAtBelowTheLog(t *testing.T) {
	s := newSite(t)
	s.append(nil, "g", 50)
	s.onLog(trimmedLog{s.log, 21})
	wantProblem(t, s.get("/graphs/g/state?at=20"), 410, "history-trimmed")
	wantProblem(t, s.get("/graphs/g/state?at=30"), 410, "history-trimmed")
	if got := s.get("/graphs/g/state?at=0"); got.status != 200 || got.json["version"] != 0.0 {
		t.Errorf("the empty graph: got %d %s", got.status, got.raw)
	}
	snapshot, err := s.folded("g", 20).Snapshot()
	if err == nil {
		err = s.models.Save(t.Context(), "g", snapshot)
	}
	if err != nil {
		t.Fatal(err)
	}
	s.server.services.Snapshots = s.models
	for _, version := range []eventstore.Version{20, 21, 50} {
		want := s.folded("g", version)
		path := fmt.Sprintf("/graphs/g/state?at=%d", version)
		got := s.get(path)
		if string(got.raw) != string(want.AppendState(nil)) || got.header.Get("Etag") != entityTag(want.Position) {
			t.Errorf("at %d: got %d %s", version, got.status, got.raw)
		}
		if got := s.get(path, "If-None-Match", entityTag(want.Position)); got.status != http.StatusNotModified {
			t.Errorf("at %d: got %d for who has it", version, got.status)
		}
	}
	wantProblem(t, s.get("/graphs/g/state?at=19"), 410, "history-trimmed")
}

// TestStateAtOfAGraphBegunAnew: what is kept of a graph's former life is not given out in the next.
func TestStateAtOfAGraphBegunAnew(t *testing.T) {
	s := newSite(t)
	s.createNodes("g", 3)
	old := s.get("/graphs/g/state?at=2")
	if got := s.call(http.MethodDelete, "/api/v2/graphs/g", ""); got.status != http.StatusNoContent {
		t.Fatalf("delete: got %d %s", got.status, got.raw)
	}
	wantProblem(t, s.get("/graphs/g/state?at=2"), 400, "invalid-query")
	s.accept("g", createNode("a"))
	s.accept("g", createNode("b"))
	anew := s.get("/graphs/g/state?at=2", "If-None-Match", old.header.Get("Etag"))
	if anew.status != 200 || idsOf(anew.json["nodes"]) != "[a b]" {
		t.Errorf("got %d %s", anew.status, anew.raw)
	}
}

// TestStateAtForMany asks for the same and for different versions at once.
func TestStateAtForMany(t *testing.T) {
	s := newSite(t, func(o *Options) { o.PastReads = 2; o.CacheBytes = 100 << 10 })
	s.append(nil, "g", 200)
	var asking sync.WaitGroup
	for i := range 40 {
		asking.Go(func() {
			version := eventstore.Version(1 + i%7*20)
			if got := s.get(fmt.Sprintf("/graphs/g/state?at=%d", version)); got.status != 200 || got.json["version"] != float64(version) {
				t.Errorf("at %d: got %d %.300s", version, got.status, got.raw)
			}
		})
	}
	asking.Wait()
	if s.server.states.kept.CleanUp(); s.server.states.kept.WeightedSize() > 100<<10 {
		t.Errorf("%d bytes are kept", s.server.states.kept.WeightedSize())
	}
}
