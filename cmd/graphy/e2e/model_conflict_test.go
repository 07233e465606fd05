package e2e

import (
	"fmt"
	"slices"
	"strings"
)

// clash is one path on which a command conflicts, and how that was settled; nil: not there.
type clash struct {
	key, path                     string
	strategy, resolution          string
	base, server, client, written any
	by                            *deed
	conflict                      string // id, where it was left open
}

func (d *deciding) note(c clash) { d.paths = append(d.paths, c) }

// nameConflicts gives an id to what was left open, one for each entity.
func nameConflicts(d *deed) {
	var entities []string
	for i := range d.paths {
		if d.paths[i].resolution != "manual" {
			continue
		}
		n := slices.Index(entities, d.paths[i].key)
		if n < 0 {
			n = len(entities)
			entities = append(entities, d.paths[i].key)
		}
		d.paths[i].conflict = fmt.Sprintf("%d-%d", d.version, n)
	}
}

// settle settles what a command wants at a path of an entity that is there. It tells whether something is to be
// written, and what.
func (d *deciding) settle(r request, key string, path steps, value any) (won bool, result any) {
	current := d.world[key]
	c := clash{key: key, path: path.pointer(), base: valueAt(d.baseWorld()[key], path), server: valueAt(current, path), client: value}
	if isEdge(key) && len(path) == 1 && (path[0] == "source" || path[0] == "target") && !d.world.hasNode(value) {
		id, _ := value.(string)
		c.strategy, c.resolution, c.written, c.by = "SERVER_WINS", "server", c.server, d.takenBy("node/"+id)
		d.note(c)
		return false, nil
	}
	if c.by = d.touchedBy(key, path); c.by == nil {
		return true, value
	}
	if same(c.server, c.client) {
		return false, nil // it stands there already
	}
	kind, _ := kindAndID(key)
	c.strategy = d.strategy(r, path, defaultStrategy(kind, path))
	won = d.resolution(&c, !isOneValue(path))
	d.note(c)
	return won, c.written
}

func defaultStrategy(kind string, path steps) string {
	switch {
	case isOneValue(path):
		return "CLIENT_WINS"
	case len(path) == 1 && (kind == "node" && path[0] == "title" || kind == "edge" && path[0] == "label"):
		return "MERGE"
	}
	return "LAST_WRITE_WINS"
}

// settleWhole settles an entity as a whole, and tells whether the client's value is to be written. by is what it
// conflicts with.
func (d *deciding) settleWhole(r request, key string, client members, otherwise string, by *deed) bool {
	c := clash{key: key, base: plain(d.baseWorld()[key]), server: plain(d.world[key]), client: plain(client), by: by}
	if key == viewportKey {
		c.base, c.server = d.baseWorld().viewport(), d.world.viewport()
	}
	c.strategy = d.strategy(r, nil, otherwise)
	if c.strategy == "MERGE" && key != viewportKey && client != nil {
		c.strategy = "MANUAL" // of what was deleted or created since
	}
	won := d.resolution(&c, false)
	d.note(c)
	return won
}

// resolution applies the path's strategy.
func (d *deciding) resolution(c *clash, mergeable bool) (won bool) {
	strategy := c.strategy
	if strategy == "MERGE" {
		merged, outcome := any(nil), cannotMerge
		if mergeable {
			merged, outcome = mergeThree(c.base, c.server, c.client)
		}
		switch outcome {
		case didMerge:
			c.resolution, c.written = "merged", merged
			return !same(merged, c.server)
		case overlaps:
			strategy = "MANUAL"
		case cannotMerge:
			strategy = "LAST_WRITE_WINS"
		}
	}
	switch {
	case strategy == "CLIENT_WINS", strategy == "LAST_WRITE_WINS" && d.written >= c.by.writtenAt:
		c.resolution, c.written = "client", c.client
		return true
	case strategy == "MANUAL":
		c.resolution = "manual"
	default:
		c.resolution = "server"
	}
	c.written = c.server
	return false
}

// strategy is the command's, else the graph's, else the default.
func (d *deciding) strategy(r request, path steps, otherwise string) string {
	if r.strategy != "" {
		return r.strategy
	}
	var best steps
	found := ""
	for pattern, strategy := range d.m.policy() {
		names := parsePointer(pattern)
		if len(names) > len(path) || !matches(names, path) {
			continue
		}
		if found == "" || len(names) > len(best) || len(names) == len(best) && moreLiteral(names, best) {
			best, found = names, strategy
		}
	}
	if found == "" {
		return otherwise
	}
	return found
}

func matches(pattern, path steps) bool {
	for i, step := range pattern {
		if step != "*" && step != path[i] {
			return false
		}
	}
	return true
}

func moreLiteral(a, b steps) bool {
	for i := range a {
		if (a[i] == "*") != (b[i] == "*") {
			return b[i] == "*"
		}
	}
	return false
}

type mergeResult int

const (
	didMerge mergeResult = iota
	overlaps
	cannotMerge
)

// mergeThree merges what the model's clients write: texts of as many words as before, in which a word stands at its
// own place only, and sets.
func mergeThree(base, server, client any) (any, mergeResult) {
	switch {
	case same(base, client):
		return server, didMerge
	case same(base, server):
		return client, didMerge
	}
	b, isText := base.(string)
	s, serverText := server.(string)
	c, clientText := client.(string)
	if isText && serverText && clientText {
		return mergeTexts(b, s, c)
	}
	old, ok := asSet(base)
	theirs, serverSet := server.([]any)
	ours, clientSet := client.([]any)
	if !ok || !serverSet || !clientSet {
		return nil, cannotMerge
	}
	merged := []any{}
	for _, item := range theirs {
		if !slices.Contains(old, item) || slices.Contains(ours, item) {
			merged = append(merged, item)
		}
	}
	for _, item := range ours {
		if !slices.Contains(old, item) && !slices.Contains(merged, item) {
			merged = append(merged, item)
		}
	}
	return merged, didMerge
}

func asSet(value any) ([]any, bool) {
	if value == nil {
		return nil, true
	}
	set, ok := value.([]any)
	return set, ok
}

func mergeTexts(base, server, client string) (any, mergeResult) {
	b, s, c := strings.Split(base, " "), strings.Split(server, " "), strings.Split(client, " ")
	if len(b) != len(s) || len(b) != len(c) {
		panic(fmt.Sprintf("the model merges no texts of different lengths: %q, %q, %q", base, server, client))
	}
	for i := range b {
		switch {
		case b[i] == s[i]:
			b[i] = c[i]
		case b[i] != c[i] && s[i] != c[i]:
			return nil, overlaps
		default:
			b[i] = s[i]
		}
	}
	return strings.Join(b, " "), didMerge
}
