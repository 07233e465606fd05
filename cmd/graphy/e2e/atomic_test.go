package e2e

import (
	"encoding/json"
	"fmt"
	"sync/atomic"
	"testing"
)

// Each batch writes the same number to all its nodes: whoever sees two numbers has seen a part (I5).
func TestI5AtomicBatchesAreSeenWhole(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		graph, nodes, batches := newGraph(t), 40, 60
		base := s.fill(t, graph, nodes)
		last := base + uint64(2*batches)
		subscriber := s.open(t, graph)
		var written atomic.Int64
		failOn(t, together(7, func(worker int) error {
			switch worker {
			case 0, 1:
				defer written.Add(1)
				for i := range batches {
					var operations []any
					for node := range nodes {
						operations = append(operations, command("UPDATE_NODE_POSITION",
							object{"nodeId": fmt.Sprint("n", node), "position": object{"x": 2*i + worker, "y": 0}}))
					}
					r, err := s.try(t.Context(), "POST", "/graphs/"+graph+"/batch", encode(object{"atomic": true, "operations": operations}))
					if err != nil || r.status != 202 {
						return fmt.Errorf("batch: %v %v", r, err)
					}
				}
			case 2, 3:
				for written.Load() < 2 {
					r, err := s.try(t.Context(), "GET", "/graphs/"+graph+"/state", "")
					if err != nil || r.status != 200 {
						return fmt.Errorf("state: %v %v", r, err)
					}
					if err := uniform(r, nodes); err != nil {
						return fmt.Errorf("I5: state: %w", err)
					}
				}
			case 4:
				for written.Load() < 2 {
					r, err := s.try(t.Context(), "GET", "/graphs/"+graph+"/nodes", "")
					if err != nil || r.status != 200 {
						return fmt.Errorf("nodes: %v %v", r, err)
					}
					if err := uniform(r, nodes); err != nil {
						return fmt.Errorf("I5: nodes: %w", err)
					}
				}
			case 5:
				for written.Load() < 2 {
					r, err := s.try(t.Context(), "GET", fmt.Sprintf("/graphs/%s/changes?since=%d", graph, base), "")
					if err != nil || r.status != 200 {
						return fmt.Errorf("changes: %v %v", r, err)
					}
					var page struct {
						Changes []struct{ Changes []json.RawMessage }
					}
					if err := json.Unmarshal(r.body, &page); err != nil {
						return err
					}
					for _, event := range page.Changes {
						if n := len(event.Changes); n != nodes && n != 0 {
							return fmt.Errorf("I5: an event of %d changes", n)
						}
					}
				}
			default:
				f := &follower{replica: newReplica()}
				for f.version < last {
					message, err := subscriber.wait(20e9)
					if err == nil {
						err = f.take(message)
					}
					if err != nil {
						return err
					}
					for _, node := range f.nodes {
						if x := object(node).at("position", "x"); x != object(f.nodes["n0"]).at("position", "x") {
							return fmt.Errorf("I5: a subscriber at version %d sees a part", f.version)
						}
					}
				}
			}
			return nil
		}))
		s.fold(t, graph)
	})
}

// uniform checks that all nodes of an answer have one position.
func uniform(r reply, count int) error {
	var body struct {
		Nodes []struct{ Position struct{ X float64 } }
	}
	if err := json.Unmarshal(r.body, &body); err != nil {
		return err
	}
	if len(body.Nodes) != count {
		return fmt.Errorf("%d nodes, want %d", len(body.Nodes), count)
	}
	for _, node := range body.Nodes {
		if node.Position.X != body.Nodes[0].Position.X {
			return fmt.Errorf("positions %v and %v at once", body.Nodes[0].Position.X, node.Position.X)
		}
	}
	return nil
}
