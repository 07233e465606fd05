package command_test

import (
	"fmt"
	"testing"

	"graphy/command"
	"graphy/eventstore/redis/redistest"
	"graphy/projection"
)

// TestI2GraphBegunAnewElsewhere: another process deletes the graph and brings it to the very version that this one
// knows. Whatever this one does next is on the new history.
func TestI2GraphBegunAnewElsewhere(t *testing.T) {
	server := redistest.Start(t)
	sites := map[string]func(t *testing.T) [2]*site{
		"memory": func(*testing.T) [2]*site {
			s, _ := newSite()
			return [2]*site{s, s}
		},
		"redis": func(t *testing.T) [2]*site {
			prefix := server.Prefix(t)
			return [2]*site{redisSite(t, server, prefix), redisSite(t, server, prefix)}
		},
	}
	const version = 4
	for name, open := range sites {
		t.Run(name, func(t *testing.T) {
			both := open(t)
			a, b := both[0].start(t, command.Options{}), both[1].start(t, command.Options{})
			for life, next := range []struct{ name, body string }{
				{"no base", create("new")},
				{"base at the head", fmt.Sprintf(`{"type":"CREATE_NODE","payload":{"id":"new"},"clientVersion":%d}`, version)},
				{"base in the middle", `{"type":"CREATE_NODE","payload":{"id":"new"},"clientVersion":2}`},
				{"to what only the new one has", `{"type":"UPDATE_NODE_TITLE","payload":{"nodeId":"3-1","title":"x"},"clientVersion":2}`},
				{"as in the old one", create("old-4-1")},
			} {
				for i := range version {
					mustDo(t, b, create(fmt.Sprint("old-", life, "-", i)))
				}
				if err := a.Delete(t.Context(), "g"); err != nil {
					t.Fatal(err)
				}
				var head command.Outcome
				for i := range version {
					head = mustDo(t, a, create(fmt.Sprint(life, "-", i)))
				}
				outcome := mustDo(t, b, next.body)
				if outcome.Version != version+1 || outcome.Duplicate {
					t.Errorf("%s: got %+v", next.name, outcome)
				}
				entries, err := both[0].log.Read(t.Context(), "g", version-1, 1)
				if err != nil || len(entries) != 1 || entries[0].Hash != head.Hash {
					t.Errorf("%s: the new history is not what it was: %v, %v", next.name, entries, err)
				}
				graph := both[0].fold(t)
				if graph.Position.Version != version+1 || graph.Value(projection.Node, fmt.Sprint(life, "-0")) == nil {
					t.Errorf("%s: got version %d with %d nodes", next.name, graph.Position.Version, graph.Len(projection.Node))
				}
				if err := a.Delete(t.Context(), "g"); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}
