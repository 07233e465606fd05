package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"graphy/eventstore/redis/redistest"
)

// flood posts commands of a user to a server until ctx is done, and returns how many were accepted and how many were
// refused for the rate. Any other answer fails the test.
func (s *server) flood(ctx context.Context, t *testing.T, graph, user string) (accepted, limited int64) {
	for ctx.Err() == nil {
		request, err := http.NewRequestWithContext(context.WithoutCancel(ctx), http.MethodPost, s.base+"/api/v2/graphs/"+graph+"/command",
			strings.NewReader(`{"type":"UPDATE_VIEWPORT","payload":{"zoom":2}}`))
		if err != nil {
			t.Error(err)
			return
		}
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("X-User-Id", user)
		response, err := s.http.Do(request)
		if err != nil {
			t.Error(err)
			return
		}
		_ = response.Body.Close()
		switch response.StatusCode {
		case http.StatusAccepted:
			accepted++
		case http.StatusTooManyRequests:
			limited++
			if after, err := strconv.Atoi(response.Header.Get("Retry-After")); err != nil || after < 1 {
				t.Errorf("Retry-After is %q", response.Header.Get("Retry-After"))
			}
			time.Sleep(2 * time.Millisecond) // a flood, but one that leaves the machine to others
		default:
			t.Errorf("got %d", response.StatusCode)
			return
		}
	}
	return accepted, limited
}

// TestRateIsSharedByProcesses: a user who floods two processes at once has the rate once, and what was accepted is what
// the log holds; another user does not notice.
func TestRateIsSharedByProcesses(t *testing.T) {
	t.Parallel()
	backing := redistest.Start(t)
	env := []string{"GRAPHY_REDIS_URL=" + backing.URL, "GRAPHY_KEY_PREFIX=" + backing.Prefix(t), "GRAPHY_RATE_LIMIT=30"}
	const rate = 30
	servers := []*server{start(t, env...), start(t, env...)}
	graph := newGraph(t)
	var accepted, limited atomic.Int64
	var running sync.WaitGroup
	begin := time.Now()
	for _, s := range servers {
		for range 2 {
			running.Go(func() { // in short floods, until each is over the rate: a slow machine takes longer
				for mine := int64(0); mine < 200 && time.Since(begin) < time.Minute; {
					ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
					in, out := s.flood(ctx, t, graph, "ann")
					cancel()
					accepted.Add(in)
					limited.Add(out)
					mine += out
				}
			})
		}
	}
	running.Wait()
	given := rate*time.Since(begin).Seconds() + 2*rate
	const slack = 2 * 2 * 0.05 * rate // two processes, two portions each, of 50 ms
	if got := float64(accepted.Load()); got > given+slack+1 || got < 2*rate || limited.Load() == 0 {
		t.Errorf("%v commands in %v, and %d refused; the rate gives %.0f", got, time.Since(begin), limited.Load(), given)
	}
	if version := servers[0].get(t, "/graphs/"+graph+"/changes?limit=1").object(t).at("currentVersion").(float64); version != float64(accepted.Load()) {
		t.Errorf("the log is at version %v, want the %d that were accepted", version, accepted.Load())
	}
	calm, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if in, _ := servers[1].flood(calm, t, newGraph(t), "bob"); in == 0 {
		t.Error("another user is refused")
	}
}

// TestImportLivesWithTheRate: an import of more than the rate allows at once takes its time, says so once, and is whole.
func TestImportLivesWithTheRate(t *testing.T) {
	t.Parallel()
	s := start(t, "GRAPHY_DATA_DIR=", "GRAPHY_RATE_LIMIT=150")
	graph, file := newGraph(t), graphFile("flights.graphml")
	said, err := s.cli(t, "import", file, "--graph", graph, "--batch", "20").CombinedOutput()
	if err != nil {
		t.Fatalf("import: %v: %s", err, said)
	}
	if times := strings.Count(string(said), "rate-limited"); times != 1 {
		t.Errorf("the rate is told %d times, want once: %s", times, said)
	}
	folded := s.fold(t, graph)
	if nodes, edges := countGraphML(t, file); len(folded.nodes) != nodes || len(folded.edges) != edges {
		t.Errorf("%d nodes and %d edges, want %d and %d", len(folded.nodes), len(folded.edges), nodes, edges)
	}
}

// TestSocketFloodIsCutOff: a connection that sends on over its rate is told, then closed with 4006, and may come back.
func TestSocketFloodIsCutOff(t *testing.T) {
	t.Parallel()
	s := start(t, "GRAPHY_DATA_DIR=", "GRAPHY_RATE_LIMIT=50")
	address := "ws" + strings.TrimPrefix(s.base, "http") + "/api/v2/graphs/" + newGraph(t) + "/subscribe"
	for round := range 2 {
		conn, _, err := websocket.DefaultDialer.DialContext(t.Context(), address, http.Header{"X-User-Id": {fmt.Sprint("user-", round)}})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		go func() {
			for i := range 2000 {
				frame := fmt.Sprintf(`{"type":"command","command":"UPDATE_VIEWPORT","operationId":"op-%d-%d","payload":{"zoom":2}}`, round, i)
				if conn.WriteMessage(websocket.TextMessage, []byte(frame)) != nil {
					return
				}
			}
		}()
		seen := map[string]int{}
		for {
			_, message, err := conn.ReadMessage()
			if err != nil {
				if !websocket.IsCloseError(err, 4006) {
					t.Errorf("round %d ends with %v, want 4006", round, err)
				}
				break
			}
			var frame struct {
				Type  string
				Error struct{ Code string }
			}
			if err := json.Unmarshal(message, &frame); err != nil {
				t.Fatal(err)
			}
			seen[strings.TrimSpace(frame.Type+" "+frame.Error.Code)]++
		}
		if seen["command_result"] < 50 || seen["command_result"] > 150 || seen["revert rate-limited"] < 100 {
			t.Errorf("round %d: saw %v, want about a burst of 100 accepted, and then a hundred refusals", round, seen)
		}
	}
}
