package e2e

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

// game is players who write one graph at once, and the book of what they sent and were told. Nothing is judged while it
// goes on: what was accepted is judged in the order of the versions, once all are known.
type game struct {
	graph   string
	servers []*server
	head    atomic.Int64 // highest version that anybody was told of

	mu       sync.Mutex
	sent     map[string]request // by operation id
	book     []told
	offences []string
}

// told is what was answered to a command.
type told struct {
	operation string
	status    int // 202, 200 (dry run), or the refusal's; over WebSocket as over HTTP
	code      string
	body      object
	again     bool // sent before
	dry       bool
	low, high int // the head was from low to high when it was decided
	follows   []frame
	cut       bool // what follows may not have come
}

func newGame(t testing.TB, servers ...*server) *game {
	return &game{graph: newGraph(t), servers: servers, sent: map[string]request{}}
}

func (g *game) offend(format string, args ...any) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.offences = append(g.offences, fmt.Sprintf(format, args...))
}

// remember notes requests before they are sent.
func (g *game) remember(r request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if r.kind == "MANY" {
		for _, part := range r.parts {
			g.sent[part.operation] = part
		}
		return
	}
	g.sent[r.operation] = r
}

// note enters an answer, and returns it for what follows.
func (g *game) note(a told) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.book = append(g.book, a)
	if !a.dry {
		g.know(int64(a.body.version()))
	}
	return len(g.book) - 1
}

func (g *game) amend(at int, change func(a *told)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	change(&g.book[at])
}

func (g *game) know(version int64) {
	for known := g.head.Load(); version > known && !g.head.CompareAndSwap(known, version); known = g.head.Load() {
	}
}

// identify gives a request the ids and the author that it is sent with.
func (p *player) identify(r request) request {
	r.user, r.client, r.operation = p.user, p.client, newID()
	if r.kind != "MANY" {
		return r
	}
	for i := range r.parts {
		part := &r.parts[i]
		part.user, part.client, part.operation = p.user, p.client, newID()
		part.base, part.timestamp, part.gesture = r.base, r.timestamp, r.gesture
		if part.strategy == "" {
			part.strategy = r.strategy
		}
	}
	return r
}

// wire is the body that a request is sent in.
func (r request) wire() object {
	body := object{"operationId": r.operation}
	set := func(name string, value any, is bool) {
		if is {
			body[name] = value
		}
	}
	switch r.kind {
	case "UNDO", "REDO":
		set("force", true, r.force)
		return body
	case "RESOLVE":
		body["choice"] = r.payload["choice"]
		set("values", r.payload["values"], r.payload["values"] != nil)
		return body
	case "SET_POLICY":
		return object(r.payload)
	case "BATCH", "MANY":
		set("atomic", true, r.kind == "BATCH")
		parts := make([]any, len(r.parts))
		for i, part := range r.parts {
			operation := object{"type": part.kind, "payload": part.payload}
			if part.operation != "" {
				operation["operationId"] = part.operation
			}
			if part.strategy != "" && part.strategy != r.strategy {
				operation["strategy"] = part.strategy
			}
			parts[i] = operation
		}
		body["operations"] = parts
	case "BATCH_UPDATE":
		body["type"], body["payload"] = r.kind, updatePayload(r.parts)
	default:
		body["type"], body["payload"] = r.kind, r.payload
	}
	set("clientVersion", r.base, r.base >= 0)
	set("timestamp", r.timestamp, r.timestamp > 0)
	set("strategy", r.strategy, r.strategy != "")
	set("gestureId", r.gesture, r.gesture != "")
	return body
}

// updatePayload is the payload of a BATCH_UPDATE in the one shape or the other.
func updatePayload(parts []request) any {
	nodes, edges, operations := object{}, []any{}, []any{}
	for _, part := range parts {
		switch part.kind {
		case "UPSERT_NODE":
			nodes[part.payload["id"].(string)] = part.payload
		case "UPSERT_EDGE":
			edges = append(edges, part.payload)
		default:
			operations = append(operations, object{"type": part.kind, "payload": part.payload})
		}
	}
	if len(operations) > 0 {
		return object{"operations": operations}
	}
	payload := object{"nodes": nodes}
	if len(edges) > 0 {
		payload["edges"] = edges
	}
	return payload
}

// call is where a request goes over HTTP.
func (r request) call(graph string) (method, path string) {
	path = "/graphs/" + graph
	switch r.kind {
	case "UNDO":
		return "POST", path + "/undo"
	case "REDO":
		return "POST", path + "/redo"
	case "RESOLVE":
		return "POST", path + "/conflicts/" + r.conflict + "/resolve"
	case "SET_POLICY":
		return "PUT", path + "/policy"
	case "BATCH", "MANY":
		return "POST", path + "/batch"
	}
	return "POST", path + "/command"
}
