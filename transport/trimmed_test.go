package transport

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"graphy/command"
	"graphy/eventstore"
	eventmemory "graphy/eventstore/memory"
	"graphy/projection"
)

// trim drops the events of a graph up to version floor, for which a base stands from then on.
func trim(t testing.TB, log *eventmemory.Log, graph string, floor eventstore.Version) {
	t.Helper()
	ctx := context.Background()
	state, err := projection.At(ctx, log, projection.WithBase(noSnapshots{}, log), graph, floor)
	if err != nil {
		t.Fatal(err)
	}
	snapshot, err := state.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	oldest, err := log.Read(ctx, graph, 0, int(floor))
	if trimmed, ok := errors.AsType[*eventstore.TrimmedError](err); ok {
		oldest, err = log.Read(ctx, graph, trimmed.First-1, int(floor-trimmed.First+1))
	}
	if err == nil {
		err = errors.Join(log.SetBase(ctx, graph, snapshot.Base()), log.Trim(ctx, graph, oldest))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// noSnapshots has none.
type noSnapshots struct{ projection.Snapshots }

func (noSnapshots) Nearest(context.Context, string, eventstore.Version) (projection.Snapshot, bool, error) {
	return projection.Snapshot{}, false, nil
}

func (noSnapshots) NearestPosition(context.Context, string, eventstore.Version) (eventstore.Position, error) {
	return eventstore.Position{}, nil
}

// trimmedSite has 50 versions of g, of which the log holds those from 21 on.
func trimmedSite(t *testing.T) (*site, []*projection.Graph) {
	s := newSite(t)
	s.append(nil, "g", 50)
	var states []*projection.Graph
	for version := range eventstore.Version(51) {
		states = append(states, s.folded("g", version))
	}
	if err := s.projector.Await(t.Context(), "g", 50); err != nil {
		t.Fatal(err)
	}
	trim(t, s.log, "g", 20)
	s.server.services.Snapshots = projection.WithBase(s.models, s.log)
	return s, states
}

// TestTrimmedPast: from the base on all of the past can be read, before it nothing, in words that say so.
func TestTrimmedPast(t *testing.T) {
	s, states := trimmedSite(t)
	for _, path := range []string{"state?at=1", "state?at=19", "diff?from=1&to=30", "diff?from=19", "history?before=21", "history?before=5",
		"history?before=5&user=u1"} {
		got := s.get("/graphs/g/" + path)
		wantProblem(t, got, http.StatusGone, "history-trimmed")
		if detail := fmt.Sprint(got.json["detail"]); !strings.Contains(detail, "begins with version 21") || !strings.Contains(detail, "operator") {
			t.Errorf("%s: got %q", path, detail)
		}
	}
	for _, version := range []int{0, 20, 21, 35, 50} {
		got := s.get(fmt.Sprintf("/graphs/g/state?at=%d", version))
		if string(got.raw) != string(states[version].AppendState(nil)) {
			t.Errorf("state at %d: got %d %.200s", version, got.status, got.raw)
		}
	}
	for _, between := range [][2]int{{0, 30}, {20, 21}, {20, 50}, {30, 40}} {
		got := s.get(fmt.Sprintf("/graphs/g/diff?from=%d&to=%d", between[0], between[1]))
		var answer struct{ Changes json.RawMessage }
		if err := json.Unmarshal(got.raw, &answer); err != nil || got.status != http.StatusOK {
			t.Fatalf("diff %v: %d %v", between, got.status, err)
		}
		folded, err := projection.DecodeSnapshot("g", snapshotOf(t, states[between[0]]))
		if between[0] == 0 {
			folded, err = projection.NewGraph("g"), nil
		}
		if err != nil {
			t.Fatal(err)
		}
		applied(t, folded, answer.Changes)
		wantEntities(t, folded, states[between[1]])
	}
	if got := s.get("/graphs/g/history?limit=1000"); got.status != http.StatusOK || len(got.json["events"].([]any)) != 30 || got.json["before"] != nil {
		t.Errorf("history: got %d %.200s", got.status, got.raw)
	}
}

func snapshotOf(t testing.TB, graph *projection.Graph) projection.Snapshot {
	t.Helper()
	s, err := graph.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestTrimmedChanges: a client below the floor is given a state, however it asks.
func TestTrimmedChanges(t *testing.T) {
	s, states := trimmedSite(t)
	for _, query := range []string{"", "&squash=true", "&wait=1000", "&hash=00", "&hash=" + string(states[20].Position.Hash)} {
		for _, since := range []int{0, 1, 19, 20} {
			got := s.get(fmt.Sprintf("/graphs/g/changes?since=%d%s", since, query))
			if got.json["status"] != "reset" || fmt.Sprint(versionsOf(got)) != "[50]" || got.json["currentVersion"] != 50.0 || got.json["hash"] != string(states[50].Position.Hash) {
				t.Errorf("since=%d%s: got %.300s, want the state at 50", since, query, got.raw)
			}
		}
	}
	for since, want := range map[int]string{21: "behind", 49: "behind", 50: "in_sync", 51: "conflict"} {
		if got := s.get(fmt.Sprintf("/graphs/g/changes?since=%d", since)); got.json["status"] != want {
			t.Errorf("since=%d: got %.300s, want %s", since, got.raw, want)
		}
	}
	if got := s.get("/graphs/g/changes?since=21&hash=00"); got.json["status"] != "conflict" {
		t.Errorf("another history: got %.300s", got.raw)
	}
	if got := s.get("/graphs/g/changes"); got.json["status"] != "reset" {
		t.Errorf("from the beginning: got %.300s", got.raw)
	}
}

// TestTrimmedChangesWithArchive: what follows a graph is not answered from the archive, what reads its past is.
func TestTrimmedChangesWithArchive(t *testing.T) {
	s, states := trimmedSite(t)
	whole := eventmemory.New() // stands for the log that reads through its archive
	(&site{t: t, log: whole}).append(nil, "g", 50)
	services := s.server.services
	services.Log, services.Live = whole, s.log
	live := s.http
	t.Cleanup(live.Close)
	s.http = httptest.NewServer(New(services, Options{API: true, Development: true}).Handler())
	if got := s.get("/graphs/g/state?at=7"); string(got.raw) != string(states[7].AppendState(nil)) {
		t.Errorf("state at 7: got %d %.200s", got.status, got.raw)
	}
	if got := s.get("/graphs/g/history?before=5"); got.status != http.StatusOK || len(got.json["events"].([]any)) != 4 {
		t.Errorf("history: got %d %.200s", got.status, got.raw)
	}
	for _, query := range []string{"", "&squash=true"} {
		if got := s.get("/graphs/g/changes?since=7" + query); got.json["status"] != "reset" {
			t.Errorf("changes%s: got %.200s", query, got.raw)
		}
	}
}

// TestTrimmedCommands: a command made on a version below the floor is refused, and nothing is accepted.
func TestTrimmedCommands(t *testing.T) {
	s := newSite(t)
	s.createNodes("g", 30)
	if err := s.projector.Await(t.Context(), "g", 30); err != nil {
		t.Fatal(err)
	}
	trim(t, s.log, "g", 20)
	processor := command.New(s.log, s.models, &recorder{entries: map[string]command.Entry{}},
		command.Options{Snapshots: projection.WithBase(s.models, s.log)}) // has nothing of it in memory
	t.Cleanup(func() { _ = processor.Close(context.Background()) })
	s.commands.Commands = processor
	for _, base := range []int{1, 19} {
		got := s.call(http.MethodPost, "/api/v2/graphs/g/command", fmt.Sprintf(`{"type":"UPDATE_NODE_TITLE","payload":{"nodeId":"n1","title":"x"},"clientVersion":%d}`, base))
		wantProblem(t, got, http.StatusGone, "history-trimmed")
	}
	got := s.call(http.MethodPost, "/api/v2/graphs/g/command", `{"type":"RESTORE","payload":{"version":5}}`)
	wantProblem(t, got, http.StatusGone, "history-trimmed")
	if head := s.head("g"); head.Version != 30 {
		t.Fatalf("head: got %d, want 30", head.Version)
	}
	for _, body := range []string{
		`{"type":"UPDATE_NODE_TITLE","payload":{"nodeId":"n1","title":"x"},"clientVersion":20}`,
		`{"type":"UPDATE_NODE_TITLE","payload":{"nodeId":"n1","title":"y"}}`,
		`{"type":"RESTORE","payload":{"version":20}}`,
	} {
		if got := s.call(http.MethodPost, "/api/v2/graphs/g/command", body); got.status != http.StatusAccepted {
			t.Errorf("%s: got %d %s", body, got.status, got.raw)
		}
	}
}

// TestI4TrimmedSubscribers: who joins below the floor is given a state, who is above it changes; both go on from there.
func TestI4TrimmedSubscribers(t *testing.T) {
	s := newStage(t)
	s.commands.move(t, "g", 600)
	old, kept := s.folded(t, "g", 40), s.folded(t, "g", 400)
	trim(t, s.log, "g", 350)
	for _, test := range []struct {
		query, status string
	}{
		{"clientVersion=0", "reset"}, {"clientVersion=40", "reset"}, {"clientVersion=350", "reset"},
		{"clientVersion=40&hash=" + string(old.Position.Hash), "reset"},
		{"clientVersion=351", "behind"}, {"clientVersion=400&hash=" + string(kept.Position.Hash), "behind"},
		{"clientVersion=400&hash=00", "conflict"}, {"clientVersion=600", "in_sync"}, {"", "full"},
	} {
		p := s.dial(t, "g", test.query)
		switch test.query {
		case "clientVersion=351":
			p.graph = projection.NewGraph("g")
			if at, err := projection.At(t.Context(), s.log, projection.WithBase(noSnapshots{}, s.log), "g", 351); err == nil {
				p.graph = at
			}
		case "clientVersion=400&hash=" + string(kept.Position.Hash):
			p.graph = kept
		}
		if m := p.expect("sync"); m.Status != test.status {
			t.Errorf("%s: got %.200s, want %s", test.query, m.raw, test.status)
		}
		if test.status != "in_sync" {
			p.reach(s.commands.position("g"))
		}
		p.send(`{"type":"request_sync","clientVersion":5}`)
		if m := p.expect("sync"); m.Status != string(reset) {
			t.Errorf("request_sync of 5: got %.200s, want a reset", m.raw)
		}
	}
	below, above := listen(t, old, s.changesURL("g", "since=40")), listen(t, projection.NewGraph("g"), s.changesURL("g", "since=0"))
	for _, l := range []*listener{below, above} {
		l.expect("reset")
		l.reach(s.commands.position("g"))
	}
	s.commands.move(t, "g", 10)
	for _, l := range []*listener{below, above} {
		l.reach(s.commands.position("g"))
	}
}

// TestI4TrimmedWhileFollowing: the log is trimmed right behind its head while clients of all kinds follow it.
func TestI4TrimmedWhileFollowing(t *testing.T) {
	s := newStage(t)
	s.commands.move(t, "g", 20)
	var peers []*peer
	var listeners []*listener
	for range 4 {
		peers = append(peers, s.join(t, "g", ""))
		listeners = append(listeners, s.listen(t, "g", 20, ""))
	}
	var writing sync.WaitGroup
	writing.Go(func() {
		for range 30 {
			s.commands.move(t, "g", 10)
			trim(t, s.log, "g", s.commands.position("g").Version-2)
		}
	})
	writing.Wait()
	at := s.commands.position("g")
	for _, p := range peers {
		p.reach(at)
	}
	for _, l := range listeners {
		l.reach(at)
	}
}
