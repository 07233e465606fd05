package transport

import (
	"bytes"
	"compress/flate"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"pgregory.net/rapid"
)

// course drives one session by hand through all that can happen: what its goroutines would do is done when the test
// says so. Its peer folds what is written, and so proves I4.
type course struct {
	*stage
	t       *rapid.T
	session *session
	peer    *peer
	wire    wire
	offered int // frames of presence that were taken
	replies int // sent
	got     struct{ replies, offers int }
}

func newCourse(t *rapid.T, s *stage, graph string, first ask) *course {
	w := s.server.sockets
	h := &hub{sockets: w, graph: graph, ready: make(chan struct{}), sessions: map[*session]struct{}{}}
	h.ctx = s.Context()
	c := &course{stage: s, t: t, peer: &peer{TB: s}}
	c.session = &session{sockets: w, graph: graph, hub: h, ctx: s.Context(), batch: rapid.Bool().Draw(t, "batch")}
	c.session.line.deflates = rapid.Bool().Draw(t, "deflates")
	c.session.held, c.session.write, c.session.chase = true, func() {}, func() {}
	c.wire.joined = c.session.batch
	head, _ := s.log.Head(s.Context(), graph)
	h.begin(head)
	if err := c.session.tell(s.Context(), first); err != nil {
		t.Fatalf("first sync: %v", err)
	}
	c.session.resume()
	return c
}

// follow has the hub take in some of what the log has.
func (c *course) follow(most int) {
	h := c.session.hub
	events, err := c.log.Read(c.Context(), h.graph, h.position().Version, most)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, event := range events {
		if !h.publish(event) {
			c.t.Fatalf("version %d does not follow %+v", event.Version, h.position())
		}
	}
}

// forget has the graph begin anew, and the hub find out.
func (c *course) forget() {
	if err := c.commands.Delete(c.Context(), c.session.graph); err != nil {
		c.t.Fatal(err)
	}
	c.commands.move(c, c.session.graph, rapid.IntRange(0, 30).Draw(c.t, "again"))
	head, _ := c.log.Head(c.Context(), c.session.graph)
	c.session.hub.begin(head)
}

// flush writes once. It reports whether there was anything.
func (c *course) flush() bool {
	todo, _ := c.session.take(&c.wire, c.session.hub)
	if !todo {
		return false
	}
	payloads, first := readWire(c.t, &c.wire)
	for i, payload := range payloads {
		if first[i]&compressedBit != 0 {
			payload = inflated(c.t, payload)
		}
		for line := range bytes.SplitSeq(payload, []byte("\n")) {
			c.take(line)
		}
	}
	return true
}

func (c *course) take(line []byte) {
	m := message{raw: line}
	if err := json.Unmarshal(line, &m, json.MatchCaseInsensitiveNames(true)); err != nil {
		c.t.Fatalf("%.200q: %v", line, err)
	}
	switch m.Type {
	case "reply":
		if int(m.Version) != c.got.replies {
			c.t.Fatalf("reply %d comes after %d others", m.Version, c.got.replies)
		}
		c.got.replies++
	case "presence":
		c.got.offers++
	default:
		if err := c.peer.fold(m); err != nil {
			c.t.Fatal(err)
		}
	}
}

// catchUp does one turn of the goroutine of that name, if it is running.
func (c *course) catchUp() bool {
	s := c.session
	s.mu.Lock()
	waits := !s.held || !s.hasRoom()
	s.mu.Unlock()
	if waits {
		return false
	}
	next, err := s.need()
	if err == nil {
		_, err = s.meet(next)
	}
	if err != nil {
		c.t.Fatalf("catch up: %v", err)
	}
	return true
}

// settle ends what is under way. The peer has all then.
func (c *course) settle() {
	c.follow(1 << 20)
	for turns := 0; c.flush() || c.catchUp(); turns++ {
		if turns > 10_000 {
			c.t.Fatal("it never comes to an end")
		}
	}
	head, _ := c.log.Head(c.Context(), c.session.graph)
	if c.peer.graph == nil || c.peer.graph.Position != head {
		c.t.Fatalf("I4: the peer ends at %+v, the log at %+v", c.peer.graph.Position, head)
	}
	if c.got.replies != c.replies || c.got.offers != c.offered {
		c.t.Fatalf("%d of %d replies came, and %d of %d offers that were taken", c.got.replies, c.replies, c.got.offers, c.offered)
	}
	if sum := c.commands.graphs[c.session.graph]; sum != nil && sum.Checksum != c.peer.graph.Checksum {
		c.t.Fatalf("I4: the peer has checksum %s, the server %s", c.peer.graph.Checksum, sum.Checksum)
	}
}

// However events, stalls, resets, syncs and replies interleave, and however far the hub is behind the log: the client
// gets every version once and in order, or is told to start anew (I4), and every reply once.
func TestI4WhateverHappens(t *testing.T) {
	s := newStage(t)
	graphs := 0
	rapid.Check(t, func(rt *rapid.T) {
		graphs++
		graph := fmt.Sprintf("g%d", graphs)
		defer s.commands.Delete(context.Background(), graph)
		s.commands.move(t, graph, rapid.SampledFrom([]int{0, 1, 5, pageEvents - 1, pageEvents, 700}).Draw(rt, "before"))
		first := ask{}
		if rapid.Bool().Draw(rt, "known") {
			first = ask{known: true}
		}
		c := newCourse(rt, s, graph, first)
		rt.Repeat(map[string]func(*rapid.T){
			"events": func(t *rapid.T) { s.commands.move(s, graph, rapid.IntRange(1, 5).Draw(t, "count")) },
			"many":   func(t *rapid.T) { s.commands.move(s, graph, rapid.IntRange(100, 1500).Draw(t, "count")) },
			"large": func(t *rapid.T) {
				if s.commands.position(graph).Version == 0 { // the first node is for moves
					return
				}
				s.commands.create(s, graph, rapid.SampledFrom([]int{10_000, 100_000, 900_000}).Draw(t, "size"))
			},
			"follow": func(t *rapid.T) { c.follow(rapid.SampledFrom([]int{1, 3, 300, 5000}).Draw(t, "count")) },
			"flush":  func(*rapid.T) { c.flush() },
			"catch":  func(*rapid.T) { c.catchUp() },
			"tidy": func(*rapid.T) {
				c.session.hub.ring.trim(uint64(rapid.IntRange(0, 5000).Draw(rt, "ring")))
				c.session.hub.pages.forget()
			},
			"delete": func(*rapid.T) { c.forget() },
			"sync": func(t *rapid.T) {
				if c.session.held { // what a client asks for meanwhile may repeat what it gets first
					return
				}
				question := ask{}
				if p := c.peer.graph; p != nil && rapid.Bool().Draw(t, "known") && c.session.position() == p.Position {
					question = ask{known: true, claimed: true, version: p.Position.Version, hash: p.Position.Hash, hashed: true}
				}
				c.session.demand(question)
			},
			"reply": func(*rapid.T) {
				c.session.reply(fmt.Appendf(nil, `{"type":"reply","version":%d}`, c.replies))
				c.replies++
			},
			"offer": func(*rapid.T) {
				if c.session.offer([]byte(`{"type":"presence"}`)) {
					c.offered++
				}
			},
			"settle": func(*rapid.T) { c.settle() },
		})
		c.settle()
	})
}

// inflated returns the content of a compressed message (RFC 7692, 7.2.2).
func inflated(t interface{ Fatalf(string, ...any) }, payload []byte) []byte {
	reader := flate.NewReader(io.MultiReader(bytes.NewReader(payload), strings.NewReader("\x00\x00\xff\xff\x01\x00\x00\xff\xff")))
	content, err := io.ReadAll(reader)
	if err != nil {
		t.Fatalf("inflate: %v", err)
	}
	return content
}
