package transport

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"

	"graphy/eventstore"
	"graphy/projection"
	"graphy/projection/projectiontest"
)

func (s *site) diff(query string) (changes json.RawMessage, from, to eventstore.Version) {
	s.t.Helper()
	var answer struct {
		From, To eventstore.Version
		Changes  json.RawMessage
	}
	got := s.get("/graphs/g/diff?" + query)
	if err := json.Unmarshal(got.raw, &answer); err != nil || got.status != 200 || len(got.json) != 3 {
		s.t.Fatalf("%s: got %d %.300s: %v", query, got.status, got.raw, err)
	}
	return answer.Changes, answer.From, answer.To
}

func TestDiffLeadsFromOneVersionToTheOther(t *testing.T) {
	s := newSite(t)
	const head = 2*runPage + 30
	s.append(nil, "g", head)
	for _, test := range []struct {
		query    string
		from, to eventstore.Version
	}{
		{"", 0, head}, {"from=5", 5, head}, {"to=7", 0, 7}, {"from=3&to=900", 3, 900}, {"from=10&to=10", 10, 10}, {"from=0&to=0", 0, 0},
		{fmt.Sprintf("from=%d&to=%d", head-1, head), head - 1, head}, {fmt.Sprintf("from=%d", head), head, head},
	} {
		changes, from, to := s.diff(test.query)
		if from != test.from || to != test.to {
			t.Errorf("%q: got %d to %d, want %d to %d", test.query, from, to, test.from, test.to)
		}
		g := s.folded("g", test.from)
		applied(t, g, changes)
		wantEntities(t, g, s.folded("g", test.to))
		if test.from == test.to && string(changes) != "[]" {
			t.Errorf("%q: got %s, want no changes", test.query, changes)
		}
	}
}

func TestDiffRefuses(t *testing.T) {
	s := newSite(t)
	s.createNodes("g", 3)
	wantJSON(t, s.get("/graphs/none/diff").raw, `{"from":0,"to":0,"changes":[]}`)
	for _, query := range []string{"from=2&to=1", "from=4", "to=4", "from=4&to=5", "from=99999999999999999999", "from=-1", "from=x", "to=", "from=1&from=1",
		"since=1", "from=1&squash=true"} {
		wantProblem(t, s.get("/graphs/g/diff?"+query), 400, "invalid-query")
	}
	wantProblem(t, s.get("/graphs/none/diff?from=1"), 400, "invalid-query")
}

// TestDiffBelowTheLog: what the log no longer holds, snapshots may give.
func TestDiffBelowTheLog(t *testing.T) {
	s := newSite(t)
	s.append(nil, "g", 50)
	s.onLog(trimmedLog{s.log, 21})
	for _, query := range []string{"from=5&to=30", "from=19&to=20", "to=20", "from=20"} {
		wantProblem(t, s.get("/graphs/g/diff?"+query), 410, "history-trimmed")
	}
	s.server.services.Snapshots = s.models
	for _, version := range []eventstore.Version{10, 20} {
		snapshot, err := s.folded("g", version).Snapshot()
		if err == nil {
			err = s.models.Save(t.Context(), "g", snapshot)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for query, want := range map[string]struct{ from, to eventstore.Version }{
		"from=20&to=30": {20, 30}, "from=20&to=20": {20, 20}, "to=20": {0, 20}, "to=45": {0, 45}, "from=20": {20, 50}, "from=21&to=22": {21, 22},
	} {
		changes, from, to := s.diff(query)
		if from != want.from || to != want.to {
			t.Errorf("%s: got %d to %d", query, from, to)
		}
		g := s.folded("g", from)
		applied(t, g, changes)
		wantEntities(t, g, s.folded("g", to))
	}
	for _, query := range []string{"from=5&to=30", "from=15&to=20", "to=15"} {
		wantProblem(t, s.get("/graphs/g/diff?"+query), 410, "history-trimmed")
	}
}

// TestDiffTakesTheShorterWay compares versions far apart, with snapshots near them or near one of them alone.
func TestDiffTakesTheShorterWay(t *testing.T) {
	s := newSite(t)
	const head = statesCost + 300
	w := projectiontest.NewWriter("g", rand.New(rand.NewPCG(1, 1)))
	events := []eventstore.Event{w.CreateNode()}
	var snapshots []projection.Snapshot
	for version := 2; version <= head; version++ {
		events = append(events, w.Move("n1"))
		if version == 100 || version == head-100 {
			snapshot, err := w.Graph.Snapshot()
			if err != nil {
				t.Fatal(err)
			}
			snapshots = append(snapshots, snapshot)
		}
	}
	if _, err := s.log.Append(t.Context(), "g", eventstore.Position{}, events); err != nil {
		t.Fatal(err)
	}
	s.server.services.Snapshots = s.models
	log := &shiftingLog{Log: s.log}
	s.onLog(log)
	read := func(query string) int {
		log.events = 0
		changes, from, to := s.diff(query)
		g := s.folded("g", from)
		applied(t, g, changes)
		wantEntities(t, g, s.folded("g", to))
		return log.events
	}
	query := fmt.Sprintf("from=110&to=%d", head-50)
	for i, snapshot := range snapshots {
		if got, between := read(query), head-160; got < between || got > between+5 {
			t.Errorf("with %d snapshots: %d events were read, want the %d between", i, got, between)
		}
		if err := s.models.Save(t.Context(), "g", snapshot); err != nil {
			t.Fatal(err)
		}
	}
	if got := read(query); got > 100 {
		t.Errorf("with snapshots near both: %d events were read, want those after the snapshots", got)
	}
	if got := read("from=110&to=200"); got > 100 {
		t.Errorf("close to one another: %d events were read, want those between", got)
	}
}
