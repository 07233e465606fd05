package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"
)

// player is one client of one user: over HTTP, or over a WebSocket that it loses and opens anew.
type player struct {
	*game
	chooser
	user, client string
	server       *server
	overSocket   bool

	socket   *socket
	follower *follower
	waiting  map[string]int  // sent over the socket and not answered → lowest head that it can be decided at
	notes    map[string]int  // answered over this socket → its place in the book
	before   map[string]told // what was answered first
	beats    int
}

func (p *player) close() {
	if p.socket != nil {
		p.socket.conn.Close()
		p.socket = nil
	}
	for _, at := range p.notes {
		p.amend(at, func(a *told) { a.cut = true })
	}
	p.waiting, p.notes = map[string]int{}, map[string]int{}
}

// connect opens the socket, as one that comes back with what it has.
func (p *player) connect() error {
	if p.socket != nil {
		return nil
	}
	query := url.Values{"userId": {p.user}, "clientId": {p.client}}
	if p.follower == nil {
		p.follower = &follower{replica: newReplica()}
	} else if p.chance(70) {
		query.Set("clientVersion", fmt.Sprint(p.follower.version))
		query.Set("hash", p.follower.hash)
	}
	socket, err := dial(p.server.wsURL(p.graph, query))
	if err != nil {
		return err
	}
	p.socket, p.waiting, p.notes = socket, map[string]int{}, map[string]int{}
	p.follower.synced = false
	for !p.follower.synced {
		if err := p.read(20 * time.Second); err != nil {
			return err
		}
	}
	return nil
}

// read takes the next frame.
func (p *player) read(limit time.Duration) error {
	f, err := p.socket.wait(limit)
	if err != nil {
		return err
	}
	if err := p.follower.take(f); err != nil {
		p.offend("I4: %s: %v", p.client, err)
		return err
	}
	operation := f.text("operationId")
	switch f.kind {
	case "command_result":
		low, ours := p.waiting[operation]
		if !ours {
			p.offend("%s: a result of nothing: %.300s", p.client, f.raw)
			return nil
		}
		delete(p.waiting, operation)
		a := told{operation: operation, status: 202, body: f.object, low: low, again: f.at("duplicate") == true}
		p.notes[operation] = p.note(a)
		if !a.again {
			p.before[operation] = a
		}
	case "conflict":
		p.follow(operation, f)
	case "revert":
		low, ours := p.waiting[operation]
		if f.text("error", "code") == "conflict-lost" || !ours {
			p.follow(operation, f)
			return nil
		}
		delete(p.waiting, operation)
		p.note(told{operation: operation, status: 409, code: f.text("error", "code"), body: object{}, low: low, high: p.currentVersion()})
	case "error":
		p.offend("%s: %.300s", p.client, f.raw)
	case "heartbeat":
		p.beats--
	}
	return nil
}

// follow keeps a message that comes after the result it belongs to.
func (p *player) follow(operation string, f frame) {
	at, known := p.notes[operation]
	if !known {
		p.offend("%s: a %s before the result: %.300s", p.client, f.kind, f.raw)
		return
	}
	p.amend(at, func(a *told) { a.follows = append(a.follows, f) })
}

func (p *player) currentVersion() int {
	r, err := p.server.try(context.Background(), "GET", "/graphs/"+p.graph+"/changes?limit=1", "")
	if err != nil || r.status != 200 {
		p.offend("changes: %v %v", r, err)
		return int(p.head.Load())
	}
	version, _ := decode(r.body).at("currentVersion").(float64)
	p.know(int64(version))
	return int(version)
}

// look brings what the player sees up to date, as far as it has come.
func (p *player) look() error {
	if p.overSocket {
		if err := p.connect(); err != nil {
			return err
		}
		for len(p.socket.frames) > 0 {
			if err := p.read(time.Second); err != nil {
				return err
			}
		}
		p.view = p.follower.copied()
	} else {
		r, err := p.server.try(context.Background(), "GET", "/graphs/"+p.graph+"/state", "")
		if err != nil {
			return err
		}
		p.view = newReplica()
		if err := p.view.load(decode(r.body)); err != nil {
			p.offend("state: %v", err)
		}
	}
	p.know(int64(p.view.version))
	return nil
}

func (r *replica) copied() *replica {
	copied := *r
	copied.nodes, copied.edges = map[string]map[string]any{}, map[string]map[string]any{}
	for id, node := range r.nodes {
		copied.nodes[id] = copyMembers(node)
	}
	for id, edge := range r.edges {
		copied.edges[id] = copyMembers(edge)
	}
	copied.viewport = copyMembers(r.viewport)
	return &copied
}

// send sends a request over what the player has, without waiting for the answer where that is a socket.
func (p *player) send(r request) error {
	p.remember(r)
	if !p.overSocket || r.kind == "BATCH" || r.kind == "MANY" || r.kind == "RESOLVE" || r.kind == "SET_POLICY" {
		return p.post(r, p.server, false)
	}
	if err := p.connect(); err != nil {
		return err
	}
	body := r.wire()
	switch r.kind {
	case "UNDO":
		body["type"] = "undo"
	case "REDO":
		body["type"] = "redo"
	default:
		if p.chance(50) {
			body = object{"type": "command", "data": body}
		} else {
			body["command"], body["type"] = body["type"], "command"
		}
	}
	p.waiting[r.operation] = int(p.head.Load())
	return p.socket.conn.WriteMessage(1, []byte(encode(body)))
}

// settle waits for the answers to all that was sent over the socket.
func (p *player) settle() error {
	for p.socket != nil && len(p.waiting) > 0 {
		if err := p.read(20 * time.Second); err != nil {
			if errors.Is(err, errSilent) {
				p.offend("%s: no answer to %d commands", p.client, len(p.waiting))
			}
			return err
		}
	}
	return nil
}

// post sends a request over HTTP and notes the answer.
func (p *player) post(r request, to *server, dry bool) error {
	method, path := r.call(p.graph)
	body := r.wire()
	if dry {
		body["dryRun"] = true
	}
	if r.kind != "SET_POLICY" {
		body["clientId"] = r.client
	}
	low := int(p.head.Load())
	answer, err := to.try(context.Background(), method, path, encode(body), "X-User-Id: "+r.user, "X-Client-Id: "+r.client)
	if err != nil {
		return err
	}
	o := decode(answer.body)
	a := told{operation: r.operation, status: answer.status, code: o.text("code"), body: o, low: low, dry: dry, again: o.at("duplicate") == true}
	if before, done := p.before[r.operation]; done && !a.again {
		if len(p.servers) == 1 || o.text("hash") != before.body.text("hash") {
			p.offend("I1: sent again it is no duplicate: %v", answer)
		}
		a.again = true // within one millisecond two processes may decide the very same event
	}
	if r.kind == "MANY" && answer.status == 202 {
		p.noteEach(r, o, low)
		return nil
	}
	if dry || answer.status >= 400 {
		a.high = p.currentVersion()
	}
	if answer.status == 500 || answer.status == 503 || answer.status == 400 {
		p.offend("%s %s %s: %v", method, path, encode(body), answer)
	}
	p.note(a)
	if answer.status == 202 && !a.again {
		p.before[r.operation] = a
	}
	return nil
}

// noteEach notes the answers to a batch that is not atomic.
func (p *player) noteEach(r request, o object, low int) {
	results := o.list("results")
	if len(results) != len(r.parts) {
		p.offend("a batch of %d has %d results: %v", len(r.parts), len(results), o)
		return
	}
	high := p.currentVersion()
	for i, part := range r.parts {
		one := object(results[i].(members))
		if one.text("operationId") != part.operation {
			p.offend("result %d of a batch is not of %s: %v", i, part.operation, one)
		}
		a := told{operation: part.operation, status: 202, body: one, low: low, high: high, again: one.at("duplicate") == true}
		if one.at("accepted") != true {
			a.status, a.code = 409, one.text("error", "code")
		}
		p.note(a)
	}
}
