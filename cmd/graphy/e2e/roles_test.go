package e2e

import (
	"fmt"
	"net/http"
	"testing"

	"graphy/eventstore/redis/redistest"
)

// Each role alone in a process, two of realtime: commands go to the one api, both realtime processes show them to their
// subscribers, and the projector, which nobody talks to, serves them all.
func TestI4I6RolesAlone(t *testing.T) {
	t.Parallel()
	backing := redistest.Start(t)
	env := []string{"GRAPHY_REDIS_URL=" + backing.URL, "GRAPHY_KEY_PREFIX=" + backing.Prefix(t)}
	role := func(name string) *server { return start(t, append(env, "GRAPHY_ROLES="+name)...) }
	api, projector, realtime := role("api"), role("projector"), []*server{role("realtime"), role("realtime")}
	graph := newGraph(t)
	const writers, each = 6, 50
	base := api.fill(t, graph, writers)
	last := base + writers*each
	failOn(t, together(writers+4, func(i int) error {
		if i >= writers { // subscribers, two in each process
			socket, err := dial(realtime[i%2].wsURL(graph, nil))
			if err != nil {
				return err
			}
			defer socket.conn.Close()
			_, err = socket.follow(last)
			return err
		}
		for move := range each {
			body := command("UPDATE_NODE", object{"nodeId": fmt.Sprint("n", i), "updates": object{"data": object{fmt.Sprint("k", move): move}}})
			r, err := api.tryCommand(t.Context(), graph, body, nil, 202)
			if err != nil {
				return err
			}
			// I6, with nobody in this process who projects: one's own acknowledgement, at once.
			version := decode(r.body).version()
			r, err = api.try(t.Context(), "GET", fmt.Sprintf("/graphs/%s/state?minVersion=%d", graph, version), "")
			if got := dataOf(decode(r.body), fmt.Sprint("n", i))[fmt.Sprint("k", move)]; err == nil && got != float64(move) {
				return fmt.Errorf("I6: at version %d k%d is %v: %v", version, move, got, r)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}))
	if folded := api.fold(t, graph); folded.version != last {
		t.Errorf("version %d, want %d", folded.version, last)
	}
	waited := api.call(t, "POST", "/graphs/"+graph+"/command?wait=completed", encode(command("CREATE_NODE", object{"id": "waited"})))
	if waited.status != http.StatusOK || waited.object(t).text("status") != "completed" {
		t.Errorf("wait=completed where nobody projects in the process: %v", waited)
	}
	// A command that comes in over one realtime process reaches the subscribers of the other.
	here, there := realtime[0].open(t, graph), realtime[1].open(t, graph)
	here.until(t, "sync")
	here.send(t, wsCommand("CREATE_NODE", object{"id": "by-socket"}))
	here.until(t, "command_result")
	if _, err := there.follow(last + 2); err != nil {
		t.Error(err)
	}
	if folded := projector.metric(t, "graphy_projection_events_total"); folded < float64(last) {
		t.Errorf("the projector has folded %v events of %d", folded, last)
	}
	elsewhere := map[*server]string{realtime[0]: "/graphs/" + graph + "/state", api: "/graphs/" + graph + "/subscribe", projector: "/graphs"}
	for s, path := range elsewhere {
		if r := s.get(t, path); r.status != http.StatusNotFound {
			t.Errorf("%s in the wrong role: %v", path, r)
		}
	}
}

// dataOf returns the data of a node of a state.
func dataOf(state object, id string) map[string]any {
	for _, node := range state.list("nodes") {
		if node, _ := node.(map[string]any); node["id"] == id {
			data, _ := node["data"].(map[string]any)
			return data
		}
	}
	return nil
}
