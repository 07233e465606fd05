package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"graphy/eventstore"
	"graphy/projection"
)

func TestStateOfAnUnknownGraphIsEmpty(t *testing.T) {
	s := newSite(t)
	got := s.get("/graphs/none/state")
	if got.status != 200 {
		t.Fatalf("got %d %s", got.status, got.raw)
	}
	wantJSON(t, got.raw, `{"graphId":"none","version":0,"hash":"","checksum":"0000000000000000","lastModified":0,"nodes":[],"edges":[],"viewport":{"x":0,"y":0,"zoom":1}}`)
}

func TestStateIsKeptReadyWhileItIsCurrent(t *testing.T) {
	s := newSite(t)
	s.createNodes("g", 1)
	first := s.get("/graphs/g/state")
	second := s.get("/graphs/g/state")
	if first.header.Get("X-Cache") != "MISS" || second.header.Get("X-Cache") != "HIT" || !bytes.Equal(first.raw, second.raw) {
		t.Errorf("X-Cache is %q, then %q", first.header.Get("X-Cache"), second.header.Get("X-Cache"))
	}
	if tag := first.header.Get("Etag"); tag == "" || tag != second.header.Get("Etag") {
		t.Errorf("ETag is %q, then %q", tag, second.header.Get("Etag"))
	}
	if control := first.header.Get("Cache-Control"); control != "no-cache" {
		t.Errorf("Cache-Control is %q", control)
	}
	s.accept("g", createNode("n2"))
	third := s.get("/graphs/g/state")
	if third.header.Get("X-Cache") != "MISS" || third.json["version"] != 2.0 || third.header.Get("Etag") == first.header.Get("Etag") {
		t.Errorf("after a change: %q, %s", third.header.Get("X-Cache"), third.raw)
	}
	if got := s.call(http.MethodDelete, "/api/v2/graphs/g", ""); got.status != http.StatusNoContent || len(got.raw) > 0 {
		t.Fatalf("delete: got %d %s", got.status, got.raw)
	}
	if gone := s.get("/graphs/g/state"); gone.json["version"] != 0.0 {
		t.Errorf("after delete: got %s", gone.raw)
	}
	s.accept("g", createNode("n2"))
	if anew := s.get("/graphs/g/state", "If-None-Match", first.header.Get("Etag")); anew.status != 200 || anew.json["version"] != 1.0 || !strings.Contains(string(anew.raw), `"n2"`) {
		t.Errorf("begun anew: got %d %s", anew.status, anew.raw)
	}
}

func TestStateIfNoneMatch(t *testing.T) {
	s := newSite(t)
	s.createNodes("g", 20)
	tag := s.get("/graphs/g/state").header.Get("Etag")
	compressed := s.get("/graphs/g/state", "Accept-Encoding", "gzip").header.Get("Etag")
	if tag == compressed {
		t.Errorf("both forms have the tag %q, though their bytes differ", tag)
	}
	tests := []struct {
		given  string
		status int
	}{
		{tag, 304}, {"W/" + tag, 304}, {`"x", ` + tag, 304}, {`"x",W/` + tag + `,"y"`, 304}, {"*", 304}, {compressed, 304}, {"W/" + compressed, 304},
		{`"x"`, 200}, {strings.Trim(tag, `"`), 200}, {"", 200}, {`"20-"`, 200},
	}
	for _, test := range tests {
		got := s.get("/graphs/g/state", "If-None-Match", test.given)
		if got.status != test.status {
			t.Errorf("If-None-Match: %s: got %d, want %d", test.given, got.status, test.status)
		}
		if got.header.Get("Etag") != tag || !strings.Contains(strings.Join(got.header["Vary"], ","), "Accept-Encoding") || got.header.Get("Cache-Control") != "no-cache" {
			t.Errorf("If-None-Match: %s: headers are %v", test.given, got.header)
		}
		if test.status == 304 && (len(got.raw) > 0 || got.header.Get("Content-Type") != "") {
			t.Errorf("304 with body %q of type %q", got.raw, got.header.Get("Content-Type"))
		}
	}
}

func TestStateCompressed(t *testing.T) {
	s := newSite(t)
	s.createNodes("g", 20)
	plain := s.get("/graphs/g/state")
	for _, path := range []string{"/graphs/g/state", "/graphs/g/changes", "/graphs/g/nodes", "/graphs/g/history"} {
		want := s.get(path)
		got := s.get(path, "Accept-Encoding", "br, gzip;q=0.8")
		if got.header.Get("Content-Encoding") != "gzip" || len(got.raw) >= len(want.raw) || got.header.Get("Content-Length") != fmt.Sprint(len(got.raw)) {
			t.Errorf("%s: got headers %v", path, got.header)
			continue
		}
		reader, err := gzip.NewReader(bytes.NewReader(got.raw))
		if err != nil {
			t.Fatal(err)
		}
		if inflated, err := io.ReadAll(reader); err != nil || !bytes.Equal(inflated, want.raw) {
			t.Errorf("%s: inflates to %q, %v", path, inflated, err)
		}
		if refused := s.get(path, "Accept-Encoding", "gzip;q=0, *"); refused.header.Get("Content-Encoding") != "" {
			t.Errorf("%s: compressed though refused", path)
		}
	}
	head := s.call(http.MethodHead, "/api/v2/graphs/g/state", "")
	if head.status != 200 || len(head.raw) != 0 || head.header.Get("Content-Length") != fmt.Sprint(len(plain.raw)) || head.header.Get("Etag") != plain.header.Get("Etag") {
		t.Errorf("HEAD: got %d, %v", head.status, head.header)
	}
}

func TestStateAtLeast(t *testing.T) {
	s := newSite(t)
	s.createNodes("g", 2)
	for query, version := range map[string]float64{"minVersion=0": 2, "minVersion=2": 2, "minVersion=1&timeout=1": 2} {
		if got := s.get("/graphs/g/state?" + query); got.status != 200 || got.json["version"] != version {
			t.Errorf("%s: got %d %s", query, got.status, got.raw)
		}
	}
	wantProblem(t, s.get("/graphs/g/state?minVersion=3&timeout=20"), 504, "projection-behind")
	wantProblem(t, s.get("/graphs/none/state?minVersion=1&timeout=1"), 504, "projection-behind")
	for _, query := range []string{"timeout=0", "timeout=x", "minVersion=-1", "minVersion=1&minVersion=1", "version=1"} {
		wantProblem(t, s.get("/graphs/g/state?"+query), 400, "invalid-query")
	}
	s.breakModels(eventstore.ErrUnavailable)
	wantProblem(t, s.get("/graphs/g/state?minVersion=3&timeout=20"), 503, "unavailable")
	wantProblem(t, s.get("/graphs/g/state"), 503, "unavailable")
}

// TestI6OneSeesOnesOwnWrite writes and reads back at once, with many readers that keep the cache busy.
func TestI6OneSeesOnesOwnWrite(t *testing.T) {
	s := newSite(t)
	var writing sync.WaitGroup
	for writer := range 6 {
		writing.Go(func() {
			for i := range 30 {
				node := fmt.Sprintf("w%d-%d", writer, i)
				got := s.accept202("g", createNode(node), "")
				state := s.get(fmt.Sprintf("/graphs/g/state?minVersion=%.0f", got.json["version"]))
				if state.status != 200 || state.json["version"].(float64) < got.json["version"].(float64) || !strings.Contains(string(state.raw), `"`+node+`"`) {
					t.Errorf("state %.80s lacks %s of version %v", state.raw, node, got.json["version"])
				}
			}
		})
	}
	writing.Wait()
}

// gatedModels count loads and hold them until the gate opens.
type gatedModels struct {
	projection.ReadModels
	loads atomic.Int32
	gate  chan struct{}
}

func (m *gatedModels) Load(ctx context.Context, graph string) (*projection.Graph, error) {
	m.loads.Add(1)
	<-m.gate
	return m.ReadModels.Load(ctx, graph)
}

func TestStateIsLoadedOnceForAll(t *testing.T) {
	s := newSite(t)
	s.createNodes("g", 3)
	models := &gatedModels{ReadModels: s.models, gate: make(chan struct{})}
	states := newStates(models, 1<<20)
	position := s.head("g")
	impatient, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := states.at(impatient, "g", position); !errors.Is(err, context.Canceled) {
		t.Errorf("one who does not wait: got %v", err)
	}
	var asking sync.WaitGroup
	for range 20 {
		asking.Go(func() {
			if state, _, err := states.get(t.Context(), "g"); err != nil || state.Position != position {
				t.Errorf("got %v, %v", state, err)
			}
		})
	}
	time.AfterFunc(20*time.Millisecond, func() { close(models.gate) })
	asking.Wait()
	if _, hit, _ := states.get(t.Context(), "g"); !hit || models.loads.Load() != 1 {
		t.Errorf("loaded %d times, want once, by the one who did not wait", models.loads.Load())
	}
}

// panickingModels panic in Load.
type panickingModels struct{ projection.ReadModels }

func (panickingModels) Load(context.Context, string) (*projection.Graph, error) { panic("broken") }

func TestPanicInALoadIsAnError(t *testing.T) {
	states := newStates(panickingModels{newSite(t).models}, 1<<20)
	if _, _, err := states.get(t.Context(), "g"); err == nil || problemOf(err).code != "internal" {
		t.Errorf("got %v, want an internal error", err)
	}
}

func TestStatesKeepWithinTheirBound(t *testing.T) {
	s := newSite(t)
	states := newStates(s.models, 4000)
	for i := range 50 {
		graph := fmt.Sprintf("g%d", i)
		s.accept(graph, createNode("n"))
		if _, _, err := states.get(t.Context(), graph); err != nil {
			t.Fatal(err)
		}
	}
	states.kept.CleanUp()
	if kept := states.kept.WeightedSize(); kept > 4000 || kept == 0 {
		t.Errorf("%d bytes are kept, want at most 4000", kept)
	}
}
