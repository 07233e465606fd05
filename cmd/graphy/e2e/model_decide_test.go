package e2e

import (
	"slices"
)

// request is a command as the model sees it.
type request struct {
	kind      string
	payload   members
	operation string
	user      string
	client    string
	base      int   // -1: none
	timestamp int64 // 0: none
	strategy  string
	gesture   string
	force     bool
	parts     []request // of an atomic batch
	conflict  string    // of a RESOLVE
}

// deciding is one command on its way to an event, or to the code of its refusal.
type deciding struct {
	m       *model // up to the head
	request request
	now     int64
	written int64 // write time
	world   world // the head's, with what is written so far
	writes  []written
	paths   []clash
	moot    map[string]bool
}

// decide tells what becomes of a request at the head of m at the time now.
func (m *model) decide(r request, now int64) (*deed, string) {
	d := &deciding{m: m, request: r, now: now, world: m.worlds[m.head()].copied()}
	if r.base > m.head() {
		return nil, "client-ahead"
	}
	d.written = m.writeTime(r, now)
	made := &deed{version: m.head() + 1, kind: r.kind, operation: r.operation, user: r.user, client: r.client, gesture: r.gesture,
		timestamp: now, writtenAt: d.written}
	code := ""
	switch r.kind {
	case "UNDO", "REDO":
		code = d.undoOrRedo(made)
	case "RESOLVE":
		code = d.resolve(made)
	case "RESTORE":
		code = d.restore(made)
	case "SET_POLICY":
		made.policy, made.results = map[string]string{}, r.payload
		for pattern, strategy := range r.payload {
			made.policy[pattern] = strategy.(string)
		}
	default:
		made.results, code = d.operate(r)
	}
	if code != "" {
		return nil, code
	}
	made.writes, made.paths = d.writes, d.paths
	nameConflicts(made)
	return made, ""
}

// writeTime holds the client's time within the base's and now.
func (m *model) writeTime(r request, now int64) int64 {
	base := r.base
	if base < 0 {
		base = m.head()
	}
	earliest := int64(0)
	if base > 0 {
		earliest = m.at(base).timestamp
	}
	if r.timestamp == 0 {
		return now
	}
	return min(max(r.timestamp, earliest), now)
}

// base is the version that the edit was made on.
func (d *deciding) base() int {
	if d.request.base < 0 {
		return d.m.head()
	}
	return d.request.base
}

func (d *deciding) baseWorld() world { return d.m.worlds[d.base()] }

// since are the events after the base, newest first.
func (d *deciding) since() []*deed {
	events := slices.Clone(d.m.log[d.base():])
	slices.Reverse(events)
	return events
}

// put writes an entity; nil deletes it.
func (d *deciding) put(key string, after members) {
	d.writes = append(d.writes, written{key, copyMembers(d.world[key]), copyMembers(after)})
	if d.world[key] = copyMembers(after); after == nil {
		delete(d.world, key)
	}
}

// takenBy returns the event of another client that made or ended the entity since the base, if nobody has done so
// after that.
func (d *deciding) takenBy(key string) *deed {
	for _, w := range d.writes {
		if w.key == key && w.beginsOrEnds() {
			return nil // the command's own doing
		}
	}
	for _, event := range d.since() {
		for _, w := range slices.Backward(event.writes) {
			if w.key != key || !w.beginsOrEnds() {
				continue
			}
			if event.client == d.request.client {
				return nil
			}
			return event
		}
	}
	return nil
}

// touchedBy returns the newest event of another client since the base that touches the path.
func (d *deciding) touchedBy(key string, path steps) *deed {
	for _, event := range d.since() {
		if event.client != d.request.client && event.touches(key, path) {
			return event
		}
	}
	return nil
}

// operate decides one command, or each part of one.
func (d *deciding) operate(r request) (result any, code string) {
	if len(r.parts) > 0 {
		results := []any{}
		for _, part := range r.parts {
			if part.strategy == "" {
				part.strategy = r.strategy
			}
			result, code := d.operate(part)
			if code != "" {
				return nil, code
			}
			results = append(results, result)
		}
		return members{"results": results}, ""
	}
	text := func(name string) string {
		id, _ := r.payload[name].(string)
		return id
	}
	switch r.kind {
	case "CREATE_NODE":
		return d.create(r, "node/"+text("id"))
	case "CREATE_EDGE":
		return d.create(r, "edge/"+text("id"))
	case "UPSERT_NODE":
		return d.upsert(r, "node/"+text("id"))
	case "UPSERT_EDGE":
		return d.upsert(r, "edge/"+text("id"))
	case "UPDATE_NODE":
		return d.update(r, "node/"+text("nodeId"), r.payload["updates"].(members))
	case "UPDATE_EDGE":
		return d.update(r, "edge/"+text("edgeId"), r.payload["updates"].(members))
	case "UPDATE_NODE_POSITION":
		return d.update(r, "node/"+text("nodeId"), members{"position": r.payload["position"]})
	case "UPDATE_NODE_TITLE":
		return d.update(r, "node/"+text("nodeId"), members{"title": r.payload["title"]})
	case "UPDATE_VIEWPORT":
		return d.moveViewport(r)
	case "DELETE_NODE":
		return d.remove(r, "node/"+text("nodeId"))
	case "DELETE_EDGE":
		return d.remove(r, "edge/"+text("edgeId"))
	}
	panic("the model has no command " + r.kind)
}

func notFound(key string) string {
	kind, _ := kindAndID(key)
	return kind + "-not-found"
}

func isEdge(key string) bool {
	kind, _ := kindAndID(key)
	return kind == "edge"
}
