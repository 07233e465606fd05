package transport

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"graphy/eventstore"
)

// wave has many join at once, each with a query of its own, and waits until all have come to the end.
func (s *stage) wave(t *testing.T, count int, join func(i int) *peer) {
	t.Helper()
	end := s.commands.position("g")
	var joining sync.WaitGroup
	for i := range count {
		joining.Go(func() { join(i).reach(end) })
	}
	joining.Wait()
}

// returning joins as a client that has the graph up to a version.
func (s *stage) returning(t *testing.T, version eventstore.Version, query string) *peer {
	has := s.at(t, "g", version)
	p := s.dial(t, "g", fmt.Sprintf("clientVersion=%d&hash=%s%s", version, has.Position.Hash, query))
	p.graph = has
	p.expect("sync")
	return p
}

// A wave of clients that come back, each from elsewhere, is served by one read of the log for each page of it, though
// this process has never heard of the graph.
func TestWaveOfLateJoinersReadsTheLogOnce(t *testing.T) {
	s := newStage(t)
	const count = 100
	s.commands.move(t, "g", 3*pageEvents)
	s.wave(t, count, func(i int) *peer {
		return s.returning(t, eventstore.Version(2*pageEvents+i), "&batch="+fmt.Sprint(i%2 == 0))
	})
	if reads := valueOf(s.server.sockets.metrics.reads); reads > 3 {
		t.Errorf("%d who joined cost %v reads of the log", count, reads)
	}
	if states := valueOf(s.server.sockets.metrics.states); states > 0 {
		t.Errorf("%v states were loaded for clients that were little behind", states)
	}
}

// The same for those who fell out of the ring while they were connected: pages are shared.
func TestLaggardsShareThePagesOfTheLog(t *testing.T) {
	s := newStage(t, func(l *socketLimits) { l.write = time.Minute }) // they read one after the other
	s.commands.move(t, "g", 1)
	const count = 20
	var peers []*peer
	for range count {
		peers = append(peers, s.join(t, "g", "clientVersion=0"))
	}
	w := s.server.sockets
	w.mu.Lock()
	h := w.hubs["g"]
	w.mu.Unlock()
	h.crowd.Lock() // nobody is woken meanwhile
	s.commands.move(t, "g", 3000)
	eventually(t, "the hub has them", func() bool { return h.position().Version == 3001 })
	h.mu.Lock()
	h.ring.trim(1)
	h.mu.Unlock()
	h.crowd.Unlock()
	s.commands.move(t, "g", 1)
	for _, p := range peers {
		p.reach(s.commands.position("g"))
	}
	if reads := valueOf(w.metrics.reads); reads > 2*3000/pageEvents+2 {
		t.Errorf("%d laggards cost %v reads of the log", count, reads)
	}
}

// A large state is loaded, encoded and compressed once for all who join at once, and copied for none.
func TestWaveOfJoinersSharesOneState(t *testing.T) {
	for name, headers := range map[string][]string{"plain": nil, "compressed": {deflateHeader}} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			const count, size = 50, 2 << 20
			for range 8 {
				s.commands.create(t, "g", size/8)
			}
			state, _, err := s.server.states.get(t.Context(), "g")
			if err != nil {
				t.Fatal(err)
			}
			var joining sync.WaitGroup
			begun := time.Now()
			for i := range count {
				joining.Go(func() {
					_, reader := s.rawDial(t, "g", headers...)
					sync, err := readRawFrame(reader, nil)
					if err == nil && headers != nil && i%10 == 0 {
						sync = inflated(t, sync)
					}
					if plain := headers == nil || i%10 == 0; err != nil || plain && !bytes.HasSuffix(sync, append(bytes.Clone(state.JSON), '}')) {
						t.Errorf("client %d got a sync of %d bytes, %v", i, len(sync), err)
					}
				})
			}
			joining.Wait()
			// One that was kept for long is loaded anew, where the machine takes its time.
			most := 1 + float64(time.Since(begun)/freshState)
			if states := valueOf(s.server.sockets.metrics.states); states < 1 || states > most {
				t.Errorf("%v states were loaded for %d who joined, want at most %v", states, count, most)
			}
			sent := valueOf(s.server.sockets.metrics.writes.bytes)
			if least := float64(count * size); headers == nil && (sent < least || sent > least+count*1024) {
				t.Errorf("%v bytes were written, want %v and the heads", sent, least)
			} else if headers != nil && sent > least/50 {
				t.Errorf("%v bytes were written, though compressed", sent)
			}
			frame := syncFrame{status: full}
			if plain := frame.withState(state); &plain.parts[1][0] != &state.JSON[0] {
				t.Error("the state is copied for a client")
			}
			if packed, other := frame.withDeflated(state), frame.withDeflated(state); &packed.parts[1][0] != &other.parts[1][0] {
				t.Error("the state is compressed for a client")
			}
		})
	}
}

// An encoded state that was dear to make serves those who join while the graph goes on, for a while.
func TestDearStateIsKeptWhileTheGraphGoesOn(t *testing.T) {
	s := newStage(t)
	s.commands.move(t, "g", 10)
	s.join(t, "g", "")
	s.server.sockets.mu.Lock()
	h := s.server.sockets.hubs["g"]
	s.server.sockets.mu.Unlock()
	costs := func(cost time.Duration) {
		h.states.mu.Lock()
		defer h.states.mu.Unlock()
		h.states.cost, h.states.read = cost, time.Now()
	}
	costs(time.Hour)
	for range 20 {
		s.commands.move(t, "g", 1)
		s.join(t, "g", "").reach(s.commands.position("g"))
		costs(time.Hour)
	}
	if states := valueOf(s.server.sockets.metrics.states); states != 1 {
		t.Errorf("%v states were loaded, want 1", states)
	}
	costs(0)
	if p := s.dial(t, "g", ""); p.expect("sync").Version != s.commands.position("g").Version {
		t.Error("a state that is soon made was kept while the graph went on")
	}
	// Nobody is sent one that is older than what they have.
	p := s.join(t, "g", "")
	p.reach(s.commands.position("g"))
	p.send(`{"type":"request_sync"}`)
	if m := p.expect("sync"); m.Status != "full" || m.Version != s.commands.position("g").Version {
		t.Errorf("got %.200s, want the state at %+v", m.raw, s.commands.position("g"))
	}
}

func TestBatchFramesHoldWhatWasQueued(t *testing.T) {
	s := newStage(t)
	s.commands.move(t, "g", 1)
	p := s.join(t, "g", "clientVersion=0&batch=true")
	single := s.join(t, "g", "clientVersion=0")
	w := s.server.sockets
	w.mu.Lock()
	h := w.hubs["g"]
	w.mu.Unlock()
	h.crowd.Lock() // they are not woken until all is there
	s.commands.move(t, "g", 50)
	eventually(t, "the hub has them", func() bool { return h.position().Version == 51 })
	frames, flushes := valueOf(w.metrics.writes.frames), valueOf(w.metrics.writes.flushes)
	h.crowd.Unlock()
	kind, data, err := p.conn.ReadMessage()
	if lines := strings.Count(string(data), "\n") + 1; err != nil || kind != websocket.TextMessage || lines != 50 || strings.HasSuffix(string(data), "\n") {
		t.Errorf("got %d lines, %v, want 50", lines, err)
	}
	single.reach(s.commands.position("g"))
	if frames, flushes = valueOf(w.metrics.writes.frames)-frames, valueOf(w.metrics.writes.flushes)-flushes; frames != 100 || flushes != 2 {
		t.Errorf("%v frames left in %v writes, want 100 in 2", frames, flushes)
	}
}

// A client of the library that offers compression gets compressed states and plain updates, and sends compressed.
func TestCompressionIsNegotiated(t *testing.T) {
	s := newStage(t)
	s.commands.move(t, "g", 1)
	s.commands.create(t, "g", 100<<10)
	dialer := websocket.Dialer{EnableCompression: true}
	conn, response, err := dialer.Dial(s.url("/api/v2/graphs/g/subscribe"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got := response.Header.Get("Sec-WebSocket-Extensions"); !strings.Contains(got, "permessage-deflate") {
		t.Errorf("extensions are %q", got)
	}
	p := &peer{TB: t, conn: conn}
	p.reach(s.commands.position("g"))
	if sent := valueOf(s.server.sockets.metrics.writes.bytes); sent > 10<<10 {
		t.Errorf("%v bytes were written for a state that is easy to compress", sent)
	}
	p.send(`{"type":"command","command":"CREATE_NODE","operationId":"o","payload":{"id":"n2","data":"` + strings.Repeat("t", 10_000) + `"}}`)
	p.expect("command_result")
	p.reach(s.commands.position("g"))
}
