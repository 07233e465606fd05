package e2e

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
)

// together runs count calls at once, begun as nearly together as goroutines can, and returns their errors.
func together(count int, call func(i int) error) []error {
	var group sync.WaitGroup
	errs := make([]error, count)
	begin := make(chan struct{})
	for i := range count {
		group.Go(func() {
			<-begin
			errs[i] = call(i)
		})
	}
	close(begin)
	group.Wait()
	return errs
}

func failOn(t testing.TB, errs []error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// tryCommand posts a command from any goroutine and returns its answer if it has one of the statuses.
func (s *server) tryCommand(ctx context.Context, graph string, body object, headers []string, statuses ...int) (reply, error) {
	r, err := s.try(ctx, "POST", "/graphs/"+graph+"/command", encode(body), headers...)
	if err != nil {
		return r, err
	}
	for _, status := range statuses {
		if r.status == status {
			return r, nil
		}
	}
	return r, fmt.Errorf("%s: got %v, want %v", encode(body), r, statuses)
}

// The reference lost one of the two in 66 of 500 pairs.
func TestConcurrentTitleAndPositionLoseNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		graph, pairs := newGraph(t), 500
		base := s.fill(t, graph, pairs)
		failOn(t, together(40, func(worker int) error {
			for i := worker / 2; i < pairs; i += 20 { // two workers for each node: one titles, one moves
				body := command("UPDATE_NODE_TITLE", object{"nodeId": fmt.Sprint("n", i), "title": fmt.Sprint("title ", i)}, "clientVersion", base)
				if worker%2 == 1 {
					body = command("UPDATE_NODE_POSITION", object{"nodeId": fmt.Sprint("n", i), "position": object{"x": i, "y": -i}}, "clientVersion", base)
				}
				if _, err := s.tryCommand(t.Context(), graph, body, []string{fmt.Sprint("X-User-Id: u", worker)}, http.StatusAccepted); err != nil {
					return err
				}
			}
			return nil
		}))
		folded := s.fold(t, graph)
		if want := base + uint64(2*pairs); folded.version != want {
			t.Errorf("version %d, want %d", folded.version, want)
		}
		for i := range pairs {
			node := object(folded.nodes[fmt.Sprint("n", i)])
			if node.text("title") != fmt.Sprint("title ", i) || node.at("position", "x") != float64(i) || node.at("position", "y") != float64(-i) {
				t.Errorf("node %d lost an update: %v", i, node)
			}
		}
	})
}

// In the reference 12 of 500 deleted nodes came back, by an update decided before the deletion and written after it.
func TestDeletedNodesStayDeleted(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		graph, count := newGraph(t), 500
		base := s.fill(t, graph, count)
		failOn(t, together(40, func(worker int) error {
			for i := worker / 2; i < count; i += 20 {
				id := fmt.Sprint("n", i)
				body, statuses := command("DELETE_NODE", object{"nodeId": id}, "clientVersion", base), []int{http.StatusAccepted}
				if worker%2 == 1 {
					body = command("UPDATE_NODE", object{"nodeId": id, "updates": object{"data": object{"by": worker}}}, "clientVersion", base)
					statuses = append(statuses, http.StatusUnprocessableEntity)
				}
				if _, err := s.tryCommand(t.Context(), graph, body, []string{fmt.Sprint("X-User-Id: u", worker)}, statuses...); err != nil {
					return err
				}
			}
			return nil
		}))
		if folded := s.fold(t, graph); len(folded.nodes) != 0 {
			t.Errorf("%d deleted nodes are there", len(folded.nodes))
		}
	})
}

// The reference applied a user's own moves out of order.
func TestOwnMovesKeepTheirOrder(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		graph, moves := newGraph(t), 400
		base := s.fill(t, graph, 1)
		mover := s.open(t, graph, "clientId", "mover", "clientVersion", fmt.Sprint(base))
		if f := mover.expect(t, "sync"); f.text("status") != "in_sync" {
			t.Fatalf("sync: %.200s", f.raw)
		}
		for i := range moves { // pipelined, all on the same base: one's own moves are no conflict
			mover.send(t, wsCommand("UPDATE_NODE_POSITION", object{"nodeId": "n0", "position": object{"x": i, "y": 0}},
				"operationId", fmt.Sprint("move-", graph, "-", i), "clientVersion", base, "gestureId", "drag"))
		}
		seen := &follower{replica: newReplica(), synced: true}
		for _, raw := range s.changesOf(t, graph)[:base] {
			failOn(t, []error{seen.apply(raw)})
		}
		for results := 0; results < moves || seen.version < base+uint64(moves); {
			f := mover.next(t)
			if f.kind == "command_result" {
				if want := fmt.Sprint("move-", graph, "-", results); f.text("operationId") != want || f.version() != base+uint64(results)+1 {
					t.Fatalf("result %d: %.200s", results, f.raw)
				}
				results++
			}
			if err := seen.take(f); err != nil {
				t.Fatal(err)
			}
			if x := seen.nodes["n0"]["position"].(map[string]any)["x"]; seen.version > base && x != float64(seen.version-base-1) {
				t.Fatalf("at version %d the node is at %v", seen.version, x)
			}
		}
		if node := object(s.fold(t, graph).nodes["n0"]); node.at("position", "x") != float64(moves-1) {
			t.Errorf("the node ends at %v, want x %d", node.at("position"), moves-1)
		}
	})
}
