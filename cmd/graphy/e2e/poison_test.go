package e2e

import (
	"fmt"
	"strings"
	"testing"

	"graphy/eventstore/redis/redistest"
)

// One graph's log is damaged by hand: that graph is stopped and said to be, the others go on (I11).
func TestI11PoisonedGraphLeavesOthersAlone(t *testing.T) {
	t.Parallel()
	backing := redistest.Start(t)
	prefix := backing.Prefix(t)
	s := start(t, "GRAPHY_REDIS_URL="+backing.URL, "GRAPHY_KEY_PREFIX="+prefix)
	bad, good := newGraph(t), newGraph(t)
	head := s.fillSettled(t, bad, 5)
	s.fillSettled(t, good, 5)
	s.fold(t, bad)
	watcher, neighbour := s.open(t, bad), s.open(t, good)
	watcher.expect(t, "sync")
	neighbour.expect(t, "sync")

	client := backing.Client(t)
	key := prefix + "graph:{" + bad + "}:events"
	entry := client.B().Xadd().Key(key).Id(fmt.Sprintf("%d-0", head+1)).FieldValue().
		FieldValue("event", `{"version":2,"commandType":"CREATE_NODE"}`).FieldValue("hash", "00112233445566778899aabbccddeeff").Build()
	if err := client.Do(t.Context(), entry).Error(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		s.refused(t, s.post(t, bad, command("CREATE_NODE", object{"id": "late"})), 503, "unavailable")
		s.accept(t, good, "CREATE_NODE", object{})
	}
	await(t, 20e9, "the graph is parked", func() bool {
		r := s.get(t, "/readyz")
		return r.status == 200 && strings.Contains(fmt.Sprint(r.object(t).at("warnings")), bad)
	})
	r, err := s.tryAt(t.Context(), s.admin, "GET", "/metrics", "")
	if err != nil {
		t.Fatal(err)
	}
	parked := false
	for line := range strings.Lines(string(r.body)) {
		if strings.HasPrefix(line, "graphy_projection") && strings.Contains(line, "parked") && !strings.HasSuffix(line, " 0\n") {
			parked = true
		}
	}
	if !parked {
		t.Error("the metrics do not tell of a parked graph")
	}
	if n, err := client.Do(t.Context(), client.B().Xlen().Key(prefix+"deadletters").Build()).AsInt64(); err != nil || n < 1 {
		t.Errorf("%d dead letters, %v", n, err)
	}
	if r := s.get(t, "/graphs/"+bad+"/changes?since=0"); r.status == 200 && strings.Contains(string(r.body), "00112233445566778899aabbccddeeff") {
		t.Errorf("I4: a foreign entry is handed out as a change: …%s", r.body[max(0, len(r.body)-300):])
	}
	select {
	case f, ok := <-watcher.frames:
		if ok && f.kind == "state_update" {
			t.Errorf("I4: a foreign entry is handed out as a state_update: %.300s", f.raw)
		}
	default:
	}
	if state := s.get(t, "/graphs/"+bad+"/state"); state.status != 200 || state.object(t).version() != head {
		t.Errorf("the last good state of the damaged graph: %v", state)
	}
	s.refused(t, s.get(t, fmt.Sprintf("/graphs/%s/state?minVersion=%d&timeout=300", bad, head+1)), 504, "projection-behind")
	s.accept(t, good, "CREATE_NODE", object{"id": "still"})
	for version := uint64(2); version <= 5; version++ {
		if f := neighbour.expect(t, "state_update"); f.version() != version {
			t.Errorf("the neighbour got %.200s", f.raw)
		}
	}
	s.fold(t, good)
	// Deleted, the graph starts anew.
	if r := s.call(t, "DELETE", "/graphs/"+bad, ""); r.status != 204 {
		t.Errorf("DELETE of the damaged graph: %v", r)
	}
	if o := s.accept(t, bad, "CREATE_NODE", object{"id": "n0"}); o.version() != 1 {
		t.Errorf("after its deletion: %v", o)
	}
	s.fold(t, bad)
}
