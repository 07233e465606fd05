package projectiontest

import (
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"graphy/eventstore"
	"graphy/projection"
)

// settling returns an event about conflicts or about the policy that settles them.
func (w *Writer) settling(nodes []string) eventstore.Event {
	switch dice := w.rand.IntN(8); {
	case dice < 3:
		return w.Conflict(w.pick(nodes), w.pick(nodes))
	case dice < 6:
		return w.Resolve()
	case dice < 7:
		return w.Reopen()
	}
	return w.SetPolicy()
}

// Conflict leaves two paths of the first node and one of the second to people, after one that was settled.
func (w *Writer) Conflict(first, second string) eventstore.Event {
	path := func(node, path string, n int) string {
		return fmt.Sprintf(`{"kind":"node","id":%q,"path":%q,"strategy":"MANUAL","resolution":"manual","base":null,"server":"a","client":"%d",`+
			`"written":"a","by":{"userId":"u2","clientId":"tab-9","version":1},"conflictId":"%d-%d"}`,
			node, path, w.rand.IntN(100), w.Graph.Position.Version+1, n)
	}
	n := 1
	if first == second {
		n = 0
	}
	return w.Event(projection.Event{CommandType: "UPDATE_NODE", Conflict: jsontext.Value(`{"resolution":"mixed","paths":[` +
		`{"kind":"node","id":"n1","path":"/x","strategy":"CLIENT_WINS","resolution":"client"},` +
		path(first, "/title", 0) + "," + path(second, "/a~1b", n) + "," + path(first, "/data/ü", 0) + "]}")})
}

// Resolve closes one of the open conflicts, or none if there is none.
func (w *Writer) Resolve() eventstore.Event {
	var open []string
	for id := range w.Graph.Conflicts.All() {
		if _, is := w.Graph.Conflicts.Record(id); is {
			open = append(open, id)
		}
	}
	if len(open) == 0 {
		return w.Write("UPDATE_NODE")
	}
	w.resolved = w.pick(open)
	return w.Event(projection.Event{CommandType: "RESOLVE", Resolves: &projection.Resolution{ConflictID: w.resolved, Choice: "server"}})
}

// Reopen opens the conflict again that was resolved last.
func (w *Writer) Reopen() eventstore.Event {
	return w.Event(projection.Event{CommandType: "UNDO", Undoes: []eventstore.Version{w.Graph.Position.Version}, Reopens: w.resolved})
}

// SetPolicy sets another conflict policy.
func (w *Writer) SetPolicy() eventstore.Event {
	return w.Event(projection.Event{CommandType: "SET_POLICY", Policy: fmt.Appendf(nil, `{"/data/%d":"MANUAL"}`, w.rand.IntN(100))})
}
