package e2e

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"
)

// In the reference operations stayed pending for ever (I7).
func TestI7NoOperationStaysPending(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		graph := newGraph(t)
		s.fill(t, graph, 10)
		var mu sync.Mutex
		want := map[string]string{}
		failOn(t, together(8, func(worker int) error {
			for i := range 25 {
				id, node, status := newID(), fmt.Sprint("n", i%10), "completed"
				statuses := []int{http.StatusAccepted}
				if i%5 == 0 {
					node, status, statuses = "nobody", "failed", []int{http.StatusUnprocessableEntity}
				}
				body := command("UPDATE_NODE_TITLE", object{"nodeId": node, "title": fmt.Sprint(worker, i)}, "operationId", id)
				if _, err := s.tryCommand(t.Context(), graph, body, nil, statuses...); err != nil {
					return err
				}
				mu.Lock()
				want[id] = status
				mu.Unlock()
			}
			return nil
		}))
		for id, status := range want {
			for _, path := range []string{"/graphs/" + graph + "/operations/" + id, "/operations/" + id} {
				var got reply
				await(t, 10*time.Second, "operation at its end", func() bool {
					got = s.get(t, path)
					return got.status == http.StatusOK && got.object(t).text("status") == status
				})
				o := got.object(t)
				if o.text("operationId") != id || o.text("graphId") != graph || o.text("type") != "UPDATE_NODE_TITLE" ||
					o.at("retries") == nil || o.at("createdAt") == nil {
					t.Fatalf("operation: %v", got)
				}
				if status == "completed" && o.version() == 0 || status == "failed" && o.at("error") == nil {
					t.Fatalf("%s operation: %v", status, got)
				}
			}
		}
	})
}

// The reference applied a repeated operation id twice (I1).
func TestI1RepeatedOperationAppliesOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		graph := newGraph(t)
		base := s.fill(t, graph, 1)
		body := command("CREATE_NODE", object{"id": "once", "title": "x"}, "operationId", "op-"+graph)
		var mu sync.Mutex
		fresh, versions, hashes := 0, map[uint64]bool{}, map[string]bool{}
		failOn(t, together(30, func(int) error {
			r, err := s.tryCommand(t.Context(), graph, body, nil, http.StatusAccepted)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			o := decode(r.body)
			versions[o.version()], hashes[o.text("hash")] = true, true
			if o.at("duplicate") != true {
				fresh++
			}
			return nil
		}))
		if fresh != 1 || len(versions) != 1 || len(hashes) != 1 {
			t.Errorf("30 times the same: %d without duplicate, versions %v, hashes %v", fresh, versions, hashes)
		}
		s.accept(t, graph, "DELETE_NODE", object{"nodeId": "once"})
		for _, more := range []any{base, base + 1, base + 2} { // with any base, after anything
			again := object{"clientVersion": more}
			for name, value := range body {
				again[name] = value
			}
			if o := s.acceptBody(t, graph, again); o.at("duplicate") != true || o.version() != base+1 {
				t.Errorf("again with base %v: %v", more, o)
			}
		}
		for _, other := range []object{
			command("CREATE_NODE", object{"id": "once", "title": "y"}, "operationId", "op-"+graph),
			command("DELETE_NODE", object{"nodeId": "once"}, "operationId", "op-"+graph),
		} {
			s.refused(t, s.post(t, graph, other), 422, "operation-id-reused")
		}
		if folded := s.fold(t, graph); folded.version != base+2 || folded.nodes["once"] != nil {
			t.Errorf("version %d, want %d; node %v", folded.version, base+2, folded.nodes["once"])
		}
	})
}

func (s *server) acceptBody(t testing.TB, graph string, body object) object {
	t.Helper()
	r := s.post(t, graph, body)
	if r.status != http.StatusAccepted {
		t.Fatalf("%v: got %v, want 202", body, r)
	}
	return r.object(t)
}

// In the reference one's own write was missing from state for 9.8 s (I6).
func TestI6OwnWriteIsInState(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		graph := newGraph(t)
		s.fill(t, graph, 100)
		failOn(t, together(8, func(worker int) error {
			for i := range 15 {
				title := fmt.Sprint("w", worker, "-", i)
				node := fmt.Sprint("n", worker)
				r, err := s.tryCommand(t.Context(), graph, command("UPDATE_NODE_TITLE", object{"nodeId": node, "title": title}), nil, 202)
				if err != nil {
					return err
				}
				path := fmt.Sprintf("/graphs/%s/state?minVersion=%d", graph, decode(r.body).version())
				state, err := s.try(t.Context(), "GET", path, "")
				if err != nil || state.status != http.StatusOK {
					return fmt.Errorf("%s: %v %v", path, state, err)
				}
				found := ""
				for _, item := range decode(state.body).list("nodes") {
					if o := object(item.(map[string]any)); o.text("id") == node {
						found = o.text("title")
					}
				}
				if found != title {
					return fmt.Errorf("I6: wrote %q, at minVersion %d the title is %q", title, decode(r.body).version(), found)
				}
			}
			return nil
		}))
	})
}

// The reference stored edges to missing nodes, and edges of one id twice (I8).
func TestI8EdgesNeedTheirNodesAndUniqueIds(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		graph, nodes := newGraph(t), 60
		s.fill(t, graph, nodes)
		s.refused(t, s.post(t, graph, command("CREATE_EDGE", object{"source": "n0", "target": "nobody"})), 422, "node-not-found", "/payload/target")
		s.refused(t, s.post(t, graph, command("CREATE_EDGE", object{"source": "nobody", "target": "n0"})), 422, "node-not-found", "/payload/source")
		s.accept(t, graph, "CREATE_EDGE", object{"id": "e", "source": "n0", "target": "n1"})
		s.refused(t, s.post(t, graph, command("UPDATE_EDGE", object{"edgeId": "e", "updates": object{"target": "nobody"}})), 422, "node-not-found")
		s.refused(t, s.post(t, graph, command("CREATE_EDGE", object{"id": "e", "source": "n2", "target": "n3"})), 409, "already-exists")
		failOn(t, together(12, func(worker int) error { // half of them take nodes away under the feet of the others
			for i := 2; i < nodes; i++ {
				body := command("CREATE_EDGE", object{"id": fmt.Sprint("e", i), "source": "n0", "target": fmt.Sprint("n", i)})
				if worker%2 == 1 {
					body = command("DELETE_NODE", object{"nodeId": fmt.Sprint("n", i)})
				}
				if _, err := s.tryCommand(t.Context(), graph, body, []string{fmt.Sprint("X-User-Id: u", worker)}, 202, 409, 422); err != nil {
					return err
				}
			}
			return nil
		}))
		folded := s.fold(t, graph) // checks the ends of every edge at every version
		if len(folded.nodes) != 2 || len(folded.edges) != 1 {
			t.Errorf("%d nodes and %d edges are left, want 2 and 1", len(folded.nodes), len(folded.edges))
		}
	})
}
