package e2e

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// chooser makes up commands on what a client sees.
type chooser struct {
	*rand.Rand
	view *replica
	open []openConflict // conflicts that the client knows of
}

// words of a title stand each at a place of their own, so that every merge has one outcome.
const titleWords = 4

func (c *chooser) title(now any) string {
	words := make([]string, titleWords)
	for i := range words {
		words[i] = fmt.Sprintf("w%d", i)
	}
	if text, ok := now.(string); ok {
		words = strings.Split(text, " ")
	}
	for range 1 + c.IntN(2) {
		i := c.IntN(titleWords)
		words[i] = fmt.Sprintf("w%d%c", i, 'a'+c.IntN(5))
	}
	return strings.Join(words, " ")
}

func (c *chooser) number() float64 { return float64(c.IntN(7)) }

func (c *chooser) point() members { return members{"x": c.number(), "y": c.number()} }

func (c *chooser) tags(now any) []any {
	held, _ := now.([]any)
	tags := slices.Clone(held)
	for range 1 + c.IntN(2) {
		tag := any(string(rune('p' + c.IntN(6))))
		if at := slices.Index(tags, tag); at >= 0 {
			tags = slices.Delete(tags, at, at+1)
		} else {
			tags = append(tags, tag)
		}
	}
	if tags == nil {
		tags = []any{}
	}
	return tags
}

// some returns one of the view's entities, "" if there is none.
func (c *chooser) some(of map[string]map[string]any) string {
	ids := slices.Sorted(maps.Keys(of))
	if len(ids) == 0 {
		return ""
	}
	return ids[c.IntN(len(ids))]
}

func (c *chooser) chance(percent int) bool { return c.IntN(100) < percent }

// id is one of few, so that creates cross.
func (c *chooser) id(kind string) string { return fmt.Sprintf("%s%d", kind, c.IntN(9)) }

// nodeBody is a node's properties.
func (c *chooser) nodeBody(now members) members {
	node := members{}
	if c.chance(80) {
		node["title"] = c.title(now["title"])
	}
	if c.chance(60) {
		node["position"] = c.point()
	}
	if c.chance(50) {
		node["data"] = members{"a": c.number()}
	}
	if c.chance(30) {
		node["tags"] = c.tags(nil)
	}
	return node
}

// nodeUpdates is a merge patch of one to three properties.
func (c *chooser) nodeUpdates(now members) members {
	updates := members{}
	for range 1 + c.IntN(3) {
		switch c.IntN(12) {
		case 0, 1:
			updates["title"] = c.title(now["title"])
		case 2:
			updates["position"] = c.point()
		case 3:
			updates["size"] = members{"w": c.number(), "h": c.number()}
		case 4, 5:
			updates["tags"] = c.tags(now["tags"])
		case 6, 7, 8:
			updates["data"] = members{string(rune('a' + c.IntN(3))): c.number()}
		case 9:
			updates["data"] = members{"deep": members{string(rune('a' + c.IntN(2))): c.number()}, "a": nil}
		case 10:
			updates[[]string{"title", "tags", "data", "size"}[c.IntN(4)]] = nil
		case 11:
			updates["data"] = c.number()
		}
	}
	return updates
}

func (c *chooser) edgeBody() members {
	edge := members{"source": c.some(c.view.nodes), "target": c.some(c.view.nodes)}
	if c.chance(50) {
		edge["label"] = c.title(nil)
	}
	return edge
}

// plainCommand is a command that holds no others: one of the kinds by their weights.
func (c *chooser) plainCommand() request {
	node, edge := c.some(c.view.nodes), c.some(c.view.edges)
	kind := c.IntN(100)
	switch {
	case kind < 14 || node == "":
		id := c.id("n")
		if c.view.nodes[id] != nil && c.chance(85) {
			id = node
			return request{kind: "UPDATE_NODE", payload: members{"nodeId": id, "updates": c.nodeUpdates(c.view.nodes[id])}}
		}
		payload := c.nodeBody(nil)
		payload["id"] = id
		return request{kind: "CREATE_NODE", payload: payload}
	case kind < 40:
		return request{kind: "UPDATE_NODE", payload: members{"nodeId": node, "updates": c.nodeUpdates(c.view.nodes[node])}}
	case kind < 50:
		return request{kind: "UPDATE_NODE_POSITION", payload: members{"nodeId": node, "position": c.point()}}
	case kind < 60:
		return request{kind: "UPDATE_NODE_TITLE", payload: members{"nodeId": node, "title": c.title(c.view.nodes[node]["title"])}}
	case kind < 67:
		return request{kind: "DELETE_NODE", payload: members{"nodeId": node}}
	case kind < 80 || edge == "":
		payload := c.edgeBody()
		payload["id"] = c.id("e")
		return request{kind: "CREATE_EDGE", payload: payload}
	case kind < 90:
		updates := members{}
		switch c.IntN(4) {
		case 0:
			updates["target"] = node
		case 1:
			updates["weight"] = c.number()
			fallthrough
		default:
			updates["label"] = c.title(c.view.edges[edge]["label"])
		}
		return request{kind: "UPDATE_EDGE", payload: members{"edgeId": edge, "updates": updates}}
	case kind < 94:
		return request{kind: "DELETE_EDGE", payload: members{"edgeId": edge}}
	}
	viewport := members{}
	for _, name := range []string{"x", "y", "zoom"} {
		if c.chance(50) {
			viewport[name] = c.number() + 1
		}
	}
	return request{kind: "UPDATE_VIEWPORT", payload: viewport}
}

// upserts is a BATCH_UPDATE of whole entities.
func (c *chooser) upserts() request {
	r := request{kind: "BATCH_UPDATE"}
	nodes, edges := members{}, members{}
	for range 1 + c.IntN(2) {
		id := c.id("n")
		if existing := c.some(c.view.nodes); existing != "" && c.chance(75) {
			id = existing
		}
		node := c.nodeBody(c.view.nodes[id])
		if existing, _ := unstampedEntity(anyOf(c.view.nodes[id])).(members); existing != nil && c.chance(70) {
			maps.Copy(existing, node)
			node = existing
		}
		node["id"] = id
		nodes[id] = node
	}
	if edge := c.some(c.view.edges); edge != "" && c.chance(40) {
		body := c.edgeBody()
		body["id"] = edge
		edges[edge] = body
	}
	for _, id := range slices.Sorted(maps.Keys(nodes)) {
		r.parts = append(r.parts, request{kind: "UPSERT_NODE", payload: nodes[id].(members)})
	}
	for _, id := range slices.Sorted(maps.Keys(edges)) {
		r.parts = append(r.parts, request{kind: "UPSERT_EDGE", payload: edges[id].(members)})
	}
	return r
}

// several is a batch of plain commands: BATCH (atomic), BATCH_UPDATE, or MANY for one that is not atomic.
func (c *chooser) several(kind string) request {
	r := request{kind: kind}
	for range 2 + c.IntN(3) {
		part := c.plainCommand()
		if kind != "BATCH_UPDATE" && c.chance(20) {
			part.strategy = c.strategy()
		}
		r.parts = append(r.parts, part)
	}
	return r
}

func (c *chooser) strategy() string {
	return []string{"CLIENT_WINS", "SERVER_WINS", "LAST_WRITE_WINS", "MERGE", "MERGE", "MANUAL", "MANUAL"}[c.IntN(7)]
}

// policy sets strategies for a few patterns.
func (c *chooser) policy() request {
	patterns := []string{"", "/*", "/title", "/data", "/data/*", "/data/a", "/*/a", "/tags", "/position", "/label", "/data/deep/a"}
	payload := members{}
	for range c.IntN(4) {
		payload[patterns[c.IntN(len(patterns))]] = c.strategy()
	}
	return request{kind: "SET_POLICY", payload: payload}
}

// resolution resolves a conflict that the client knows of, or one that nobody does.
func (c *chooser) resolution() request {
	r := request{kind: "RESOLVE", conflict: "9999-0", payload: members{"choice": []string{"client", "client", "server", "values"}[c.IntN(4)]}}
	if len(c.open) > 0 && c.chance(95) {
		conflict := c.open[c.IntN(len(c.open))]
		r.conflict = conflict.id
		if r.payload["choice"] == "values" && !slices.ContainsFunc(conflict.paths, func(p clash) bool { return p.path != "/title" && p.path != "/label" }) {
			r.payload["values"] = members{conflict.paths[0].path: c.title(nil)}
			return r
		}
	}
	if r.payload["choice"] == "values" {
		r.payload["choice"] = "server"
	}
	return r
}

// command is any command, with its base, strategy and times.
func (c *chooser) command(head int) request {
	var r request
	switch kind := c.IntN(100); {
	case kind < 62:
		r = c.plainCommand()
	case kind < 66:
		r = c.several("BATCH")
	case kind < 69:
		r = c.several("BATCH_UPDATE")
	case kind < 72:
		r = c.several("MANY")
	case kind < 76:
		r = c.upserts()
	case kind < 86:
		return request{kind: "UNDO", base: -1, force: c.chance(15)}
	case kind < 92:
		return request{kind: "REDO", base: -1, force: c.chance(15)}
	case kind < 97:
		r := c.resolution()
		r.base = -1
		return r
	case kind < 98:
		r := c.policy()
		r.base = -1
		return r
	case kind < 99:
		return request{kind: "RESTORE", base: -1, payload: members{"version": float64(max(0, head-c.IntN(20)))}}
	default:
		r = c.plainCommand()
	}
	r.base = int(c.view.version)
	switch {
	case c.chance(12):
		r.base = -1
	case c.chance(1):
		r.base += 1000
	}
	if c.chance(35) {
		r.strategy = c.strategy()
	}
	if c.chance(50) {
		r.timestamp = c.time()
	}
	if c.chance(25) {
		r.gesture = fmt.Sprintf("drag%d", c.IntN(3))
	}
	return r
}

// time is a client's clock, often wrong.
func (c *chooser) time() int64 {
	now := time.Now().UnixMilli()
	switch c.IntN(6) {
	case 0:
		return 1000
	case 1:
		return now + 32e9*1000
	}
	return now - int64(c.IntN(300))
}
