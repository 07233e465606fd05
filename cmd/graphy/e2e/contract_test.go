package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
)

func TestCommandAnswers(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		graph := newGraph(t)
		steps := []struct {
			kind    string
			payload object
			result  func(result object) bool
		}{
			{"CREATE_NODE", object{"id": "a", "title": "A", "type": "x", "position": object{"x": 1, "y": 2}, "data": object{"k": 1}, "createdAt": 5, "gone": nil},
				func(r object) bool {
					_, null := r["gone"]
					return r.text("id") == "a" && r.at("data", "k") == 1.0 && r.at("createdAt") != 5.0 && r.at("updatedAt") != nil && !null
				}},
			{"CREATE_NODE", object{}, func(r object) bool { return len(r.text("id")) == 26 }},
			{"CREATE_NODE", object{"id": "b"}, func(r object) bool { return r.text("id") == "b" }},
			{"UPDATE_NODE", object{"nodeId": "a", "updates": object{"data": object{"l": "2"}, "type": nil}}, func(r object) bool {
				return r.at("data", "k") == 1.0 && r.at("data", "l") == "2" && r.at("type") == nil
			}},
			{"UPDATE_NODE_POSITION", object{"nodeId": "a", "position": object{"x": 1.5, "y": -2e-7}}, func(r object) bool {
				return r.at("position", "x") == 1.5 && r.at("position", "y") == -2e-7
			}},
			{"UPDATE_NODE_TITLE", object{"nodeId": "a", "title": "Ä ✓ 😀 \u2028<&>\u007f"}, func(r object) bool { return r.text("title") == "Ä ✓ 😀 \u2028<&>\u007f" }},
			{"CREATE_EDGE", object{"id": "e", "source": "a", "target": "b", "label": "l"}, func(r object) bool { return r.text("source") == "a" }},
			{"CREATE_EDGE", object{"source": "a", "target": "a"}, func(r object) bool { return len(r.text("id")) == 26 }},
			{"UPDATE_EDGE", object{"edgeId": "e", "updates": object{"target": "a"}}, func(r object) bool { return r.text("target") == "a" }},
			{"UPDATE_VIEWPORT", object{"zoom": 2}, func(r object) bool { return r.at("zoom") == 2.0 && r.at("x") == 0.0 }},
			{"BATCH_UPDATE", object{"nodes": object{"c": object{"title": "C"}}, "edges": []any{object{"id": "f", "source": "c", "target": "b"}}, "viewport": object{"x": 1, "y": 2, "zoom": 3}},
				func(r object) bool { return len(r.list("results")) == 3 }},
			{"BATCH_UPDATE", object{"operations": []any{command("DELETE_EDGE", object{"edgeId": "f"}), command("UPDATE_NODE_TITLE", object{"nodeId": "c", "title": "C2"})}},
				func(r object) bool {
					return r.text("results", 0, "deletedEdge", "id") == "f" && r.text("results", 1, "title") == "C2"
				}},
			{"DELETE_EDGE", object{"edgeId": "e"}, func(r object) bool { return r.text("deletedEdge", "id") == "e" }},
			{"DELETE_NODE", object{"nodeId": "a"}, func(r object) bool {
				return r.text("deletedNode", "id") == "a" && len(r.list("deletedEdges")) == 1
			}},
		}
		for i, step := range steps {
			id := fmt.Sprint("op-", graph, "-", i)
			r := s.post(t, graph, command(step.kind, step.payload, "operationId", id, "clientVersion", i, "clientId", "tab", "timestamp", 1760000000000))
			o := r.object(t)
			result, _ := o.at("result").(map[string]any)
			if r.status != http.StatusAccepted || o.at("accepted") != true || o.text("operationId") != id || o.version() != uint64(i+1) ||
				len(o.text("hash")) != 32 || o.text("status") != "processing" || o.at("estimatedProcessingTime") == nil ||
				result == nil || !step.result(result) {
				t.Errorf("%s %v: %v", step.kind, step.payload, r)
			}
		}
		if folded := s.fold(t, graph); folded.version != uint64(len(steps)) {
			t.Errorf("version %d, want %d", folded.version, len(steps))
		}
		waited := s.post(t, graph, command("UPDATE_VIEWPORT", object{"x": 4}), "Prefer: wait")
		if waited.status != http.StatusOK || waited.object(t).text("status") != "completed" {
			t.Errorf("Prefer: wait: %v", waited)
		}
		waited = s.call(t, "POST", "/graphs/"+graph+"/command?wait=completed", encode(command("UPDATE_VIEWPORT", object{"x": 5})))
		if waited.status != http.StatusOK || waited.object(t).text("status") != "completed" {
			t.Errorf("wait=completed: %v", waited)
		}
		if state := s.get(t, "/graphs/"+graph+"/state").object(t); state.at("viewport", "x") != 5.0 {
			t.Errorf("I6: a completed command is not in state: %v", state.at("viewport"))
		}
		s.fold(t, graph)
	})
}

func TestBatches(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		graph := newGraph(t)
		create := func(id string) object { return command("CREATE_NODE", object{"id": id}) }
		o := s.batch(t, graph, object{"atomic": true, "operationId": "b-" + graph, "operations": []any{
			command("CREATE_NODE", object{"id": "a"}, "operationId", "in-"+graph), create("b"),
			command("CREATE_EDGE", object{"id": "e", "source": "a", "target": "b"}),
		}}).object(t)
		if o.version() != 1 || len(o.list("result", "results")) != 3 || o.text("operationId") != "b-"+graph {
			t.Errorf("atomic: %v", o)
		}
		s.refused(t, s.batch(t, graph, object{"atomic": true, "operations": []any{create("c"), create("d"),
			create("f"), command("UPDATE_NODE_TITLE", object{"nodeId": "nobody", "title": "x"})}}), 422, "node-not-found", "/operations/3/payload/nodeId")
		s.refused(t, s.batch(t, graph, object{"atomic": true, "operations": []any{create("c"), create("c")}}), 409, "already-exists", "/operations/1/payload/id")
		s.refused(t, s.batch(t, graph, object{"atomic": true, "operations": []any{create("x"),
			command("CREATE_NODE", object{"id": "a"}, "operationId", "in-"+graph)}}), 422, "operation-id-reused", "/operations/1/operationId")
		if r := s.get(t, "/graphs/"+graph+"/operations/in-"+graph); r.status != 200 || r.object(t).version() != 1 {
			t.Errorf("an operation inside a batch: %v", r)
		}
		mixed := s.batch(t, graph, object{"operations": []any{create("c"), command("DELETE_NODE", object{"nodeId": "nobody"}), create("d"),
			command("UPDATE_NODE_TITLE", object{"nodeId": "c", "title": "x"}), object{"type": "EXPLODE", "payload": object{}}}})
		results := mixed.object(t)
		if mixed.status != 202 || len(results.list("results")) != 5 || results.version("results", 0) != 2 || results.version("results", 2) != 3 ||
			results.version("results", 3) != 4 || results.at("results", 1, "accepted") != false ||
			results.text("results", 1, "error", "code") != "node-not-found" || results.text("results", 4, "error", "code") != "unknown-command" {
			t.Errorf("not atomic: %v", mixed)
		}
		s.refused(t, s.batch(t, graph, object{"atomic": true, "operations": []any{}}), 422, "invalid-payload")
		s.refused(t, s.batch(t, graph, object{"operations": []any{}}), 422, "invalid-payload")
		nested := command("BATCH_UPDATE", object{"operations": []any{create("z")}})
		s.refused(t, s.batch(t, graph, object{"atomic": true, "operations": []any{nested}}), 422, "invalid-payload")
		var many []any
		for range 1001 {
			many = append(many, command("UPDATE_VIEWPORT", object{"x": 1}))
		}
		s.refused(t, s.batch(t, graph, object{"atomic": true, "operations": many}), 413, "too-large")
		s.refused(t, s.batch(t, graph, object{"operations": many}), 413, "too-large")
		again := s.batch(t, graph, object{"atomic": true, "operationId": "b-" + graph, "operations": []any{
			command("CREATE_NODE", object{"id": "a"}, "operationId", "in-"+graph), create("b"),
			command("CREATE_EDGE", object{"id": "e", "source": "a", "target": "b"}),
		}})
		if again.status != 202 || again.object(t).at("duplicate") != true || again.object(t).version() != 1 {
			t.Errorf("an atomic batch again: %v", again)
		}
		folded := s.fold(t, graph)
		if folded.version != 4 || len(folded.nodes) != 4 {
			t.Errorf("version %d with %d nodes, want 4 and 4", folded.version, len(folded.nodes))
		}
		events := s.changesOf(t, graph)
		var first change
		if err := json.Unmarshal(events[0], &first); err != nil || first.CommandType != "BATCH" {
			t.Errorf("commandType of an atomic batch is %q, %v", first.CommandType, err)
		}
	})
}

func TestDeleteStartsAnew(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		graph := newGraph(t)
		g := "/graphs/" + graph
		s.fill(t, graph, 5)
		operation := s.accept(t, graph, "CREATE_EDGE", object{"id": "e", "source": "n0", "target": "n1"}).text("operationId")
		subscriber := s.open(t, graph)
		if _, err := subscriber.follow(2); err != nil {
			t.Fatal(err)
		}
		if r := s.call(t, "DELETE", g, ""); r.status != http.StatusNoContent || len(r.body) > 0 {
			t.Fatalf("DELETE: %v", r)
		}
		f := subscriber.expect(t, "sync")
		if f.text("status") != "reset" || f.version() != 0 || len(f.list("state", "nodes")) != 0 {
			t.Errorf("the subscriber got %.300s", f.raw)
		}
		if state := s.get(t, g+"/state").object(t); state.version() != 0 || len(state.list("nodes")) != 0 {
			t.Errorf("state: %v", state)
		}
		if o := s.get(t, g+"/changes?since=0").object(t); o.text("status") != "in_sync" || o.at("currentVersion") != 0.0 {
			t.Errorf("changes: %v", o)
		}
		if r := s.get(t, g+"/operations/"+operation); r.status != 404 {
			t.Errorf("an operation of it: %v", r)
		}
		if edges := s.get(t, g+"/nodes/n0/edges"); edges.status != 404 {
			t.Errorf("edges at a node of it: %v", edges)
		}
		if o := s.accept(t, graph, "CREATE_NODE", object{"id": "n0"}); o.version() != 1 {
			t.Errorf("the first command after: %v", o)
		}
		if f := subscriber.expect(t, "state_update"); f.version() != 1 {
			t.Errorf("the subscriber got %.300s", f.raw)
		}
		s.fold(t, graph)
	})
}

func TestHealth(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		for _, base := range []string{s.base, s.admin} {
			for _, path := range []string{"/healthz", "/readyz"} {
				if r, err := s.tryAt(t.Context(), base, "GET", path, ""); err != nil || r.status != 200 {
					t.Errorf("%s%s: %v %v", base, path, r, err)
				}
			}
		}
		if r := s.get(t, "/metrics"); r.status != 404 {
			t.Errorf("metrics for clients: %v", r.status)
		}
		if s.metric(t, "go_goroutines") < 1 {
			t.Error("no goroutines")
		}
	})
}
