package transport

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"

	"graphy/eventstore"
)

func TestBinaryAndOversize(t *testing.T) {
	s := newStage(t)
	bystander := s.join(t, "g", "")
	binary := s.join(t, "g", "")
	binary.conn.WriteMessage(websocket.BinaryMessage, []byte(`{"type":"heartbeat"}`))
	if code := binary.closed(); code != websocket.CloseUnsupportedData {
		t.Errorf("binary: closed with %d, want 1003", code)
	}
	large := s.join(t, "g", "")
	large.send(`{"type":"heartbeat","x":"` + strings.Repeat("x", 1<<20) + `"}`)
	if code := large.closed(); code != websocket.CloseMessageTooBig {
		t.Errorf("1 MiB and more: closed with %d, want 1009", code)
	}
	fits := s.join(t, "g", "")
	frame := `{"type":"command","command":"CREATE_NODE","operationId":"a","payload":{"id":"n1","data":"` + strings.Repeat("x", 200<<10) + `"}}`
	fits.send(frame + strings.Repeat(" ", 1<<20-len(frame)))
	fits.expect("command_result")
	bystander.reach(s.commands.position("g"))
}

// rawDial makes the handshake by hand, so that a test can send what no client would.
func (s *stage) rawDial(t testing.TB, graph string, headers ...string) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.http.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(testPatience))
	target := "/api/v2/graphs/" + graph
	if !strings.Contains(graph, "?") {
		target += "/subscribe"
	}
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n%s\r\n", target, strings.Join(headers, ""))
	reader := bufio.NewReader(conn)
	response, err := http.ReadResponse(reader, nil)
	if err != nil || response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("handshake: %+v, %v", response, err)
	}
	return conn, reader
}

func TestHalfFramesHarmNobody(t *testing.T) {
	s := newStage(t)
	bystander := s.join(t, "g", "")
	for _, bytes := range []string{
		"\x81", "\x81\xfe", "\x81\xfe\x00\x10\x00\x00\x00\x00half", // cut off within a frame
		"\x81\x05hello",            // not masked
		"\xff\xff\xff\xff\xff\xff", // reserved bits and an unknown opcode
		"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00", // 2^64 bytes announced
		"GET / HTTP/1.1\r\n\r\n",
	} {
		conn, reader := s.rawDial(t, "g")
		io.WriteString(conn, bytes)
		conn.(*net.TCPConn).CloseWrite()
		if _, err := io.Copy(io.Discard, reader); err != nil && !strings.Contains(err.Error(), "reset") {
			t.Errorf("%q: the server did not hang up: %v", bytes, err)
		}
		conn.Close()
	}
	s.commands.move(t, "g", 3)
	bystander.reach(s.commands.position("g"))
	eventually(t, "one session", func() bool { return len(s.server.sockets.open()) == 1 })
}

func TestNeverReadingClientHarmsNobody(t *testing.T) {
	s := newStage(t, func(l *socketLimits) { l.write = time.Second })
	reader := s.join(t, "g", "")
	deaf, _ := s.rawDial(t, "g")
	eventually(t, "both are there", func() bool { return len(s.server.sockets.open()) == 2 })
	var stuck *session
	for _, open := range s.server.sockets.open() {
		if open.line.RemoteAddr().String() == deaf.LocalAddr().String() {
			stuck = open
		}
	}
	most := 0
	for range 1000 {
		s.commands.create(t, "g", 20<<10)
		stuck.mu.Lock()
		most = max(most, stuck.size+len(stuck.page)+stuck.offered)
		stuck.mu.Unlock()
		reader.reach(s.commands.position("g"))
	}
	if most > 0 {
		t.Errorf("%d bytes waited for the client that never reads", most)
	}
	eventually(t, "it is cut off", func() bool { return len(s.server.sockets.open()) == 1 })
}

func TestI4SlowReaderIsCaughtUp(t *testing.T) {
	s := newStage(t, func(l *socketLimits) { l.write = testPatience })
	s.commands.move(t, "g", 1)
	slow := s.join(t, "g", "clientVersion=0")
	quick := s.join(t, "g", "")
	for range 3 * lagBytes / (20 << 10) { // in the ring, before it, and far behind
		s.commands.create(t, "g", 20<<10)
		quick.reach(s.commands.position("g"))
	}
	s.commands.move(t, "g", 100)
	slow.reach(s.commands.position("g"))
	if slow.syncs < 2 {
		t.Errorf("the slow reader was sent %d syncs, want one more than the first", slow.syncs)
	}
	s.commands.move(t, "g", 10) // it is live again
	slow.reach(s.commands.position("g"))
	quick.reach(s.commands.position("g"))
}

func TestClientThatSendsWithoutReadingIsNotListenedTo(t *testing.T) {
	s := newStage(t, func(l *socketLimits) { l.write = 500 * time.Millisecond })
	p := s.join(t, "g", "")
	session := s.server.sockets.open()[0]
	most := 0
	garbage := []byte(`{"type":"` + strings.Repeat("x", 100) + `"}`)
	for {
		p.conn.SetWriteDeadline(time.Now().Add(testPatience))
		if p.conn.WriteMessage(websocket.TextMessage, garbage) != nil {
			break
		}
		session.mu.Lock()
		most = max(most, session.size)
		session.mu.Unlock()
	}
	if most > readBytes+1<<20 {
		t.Errorf("%d bytes of answers waited", most)
	}
	eventually(t, "it is cut off", func() bool { return len(s.server.sockets.open()) == 0 })
}

func TestDeleteIsAReset(t *testing.T) {
	s := newStage(t)
	s.commands.move(t, "g", 5)
	p, other := s.join(t, "g", ""), s.join(t, "other", "")
	if err := s.commands.Delete(t.Context(), "g"); err != nil {
		t.Fatal(err)
	}
	if m := p.expect("sync"); m.Status != "reset" || m.Version != 0 || m.Hash != "" || m.State == nil {
		t.Errorf("got %s, want a reset to version 0", m.raw)
	}
	s.commands.move(t, "g", 3)
	p.reach(s.commands.position("g"))
	late := s.join(t, "g", "")
	late.reach(s.commands.position("g"))
	if other.syncs != 1 {
		t.Errorf("another graph's session was sent %d syncs", other.syncs)
	}
}

func TestDeleteWhileOthersWriteAndJoin(t *testing.T) {
	s := newStage(t)
	s.commands.move(t, "g", 50)
	peers := make(chan *peer, 10)
	for range cap(peers) {
		go func() { peers <- s.join(t, "g", "") }()
	}
	for range 5 {
		s.commands.move(t, "g", 20)
		if err := s.commands.Delete(t.Context(), "g"); err != nil {
			t.Fatal(err)
		}
	}
	s.commands.move(t, "g", 60)
	end := s.commands.position("g")
	for range cap(peers) {
		p := <-peers
		for p.graph.Position != end { // the end of an earlier history may have a higher version
			if _, err := p.read(); err != nil {
				t.Fatalf("at %+v, end %+v: %v", p.graph.Position, end, err)
			}
		}
	}
}

func TestLogOutOfReachDelaysAndLosesNothing(t *testing.T) {
	s := newStage(t, func(l *socketLimits) { l.join = 300 * time.Millisecond })
	s.commands.move(t, "g", 5)
	p := s.join(t, "g", "")
	s.fault(func(call, _ string) error {
		if call != "append" && call != "appended" {
			return eventstore.ErrUnavailable
		}
		return nil
	})
	if code := s.dial(t, "fresh", "").closed(); code != websocket.CloseTryAgainLater {
		t.Errorf("join without a log: closed with %d, want 1013", code)
	}
	s.commands.move(t, "g", 50)
	s.fault(nil)
	s.commands.move(t, "g", 5)
	p.reach(s.commands.position("g"))
	s.join(t, "fresh", "")
}

func TestI11BrokenLogEndsItsSessionsOnly(t *testing.T) {
	s := newStage(t)
	s.commands.move(t, "g", 2)
	p, other := s.join(t, "g", ""), s.join(t, "other", "")
	s.fault(func(call, graph string) error {
		if call == "read" && graph == "g" {
			return &eventstore.ChainError{Stream: "g", Version: 3, Reason: "test"}
		}
		return nil
	})
	s.commands.move(t, "g", 1)
	if code := p.closed(); code != websocket.CloseInternalServerErr {
		t.Errorf("closed with %d, want 1011", code)
	}
	s.commands.move(t, "other", 3)
	other.reach(s.commands.position("other"))
	s.fault(nil)
	s.join(t, "g", "").reach(s.commands.position("g"))
}

func TestCommandsUnderWayAreBounded(t *testing.T) {
	s := newStage(t, func(l *socketLimits) { l.inFlight = 4 })
	p := s.join(t, "g", "")
	s.commands.hold()
	for i := range 6 {
		p.send(fmt.Sprintf(`{"type":"command","command":"CREATE_NODE","operationId":"o%d","payload":{"id":"n%d"}}`, i, i))
	}
	for _, id := range []string{"o4", "o5"} {
		if m := p.expect("revert"); m.OperationID != id || m.Error.Code != "unavailable" || m.Error.Status != 503 {
			t.Errorf("got %s, want %s refused", m.raw, id)
		}
	}
	s.commands.release()
	for _, id := range []string{"o0", "o1", "o2", "o3"} {
		if m := p.expect("command_result"); m.OperationID != id {
			t.Errorf("got %s, want the result of %s", m.raw, id)
		}
	}
}

func TestHalfOpenPeerIsFound(t *testing.T) {
	s := newStage(t, func(l *socketLimits) { l.ping, l.silence = 20*time.Millisecond, 60*time.Millisecond })
	s.rawDial(t, "g") // answers no ping
	alive := s.dial(t, "g", "")
	go alive.closed() // answers pings while it reads
	eventually(t, "both are there", func() bool { return len(s.server.sockets.open()) == 2 })
	eventually(t, "the silent one is gone", func() bool { return len(s.server.sockets.open()) == 1 })
}

func TestDrain(t *testing.T) {
	s := newStage(t)
	p, idle := s.join(t, "g", ""), s.join(t, "h", "")
	s.commands.hold()
	p.send(`{"type":"command","command":"CREATE_NODE","operationId":"a","payload":{"id":"n1"}}`)
	eventually(t, "a command under way", func() bool {
		s.commands.mu.Lock()
		defer s.commands.mu.Unlock()
		return len(s.commands.held) == 1
	})
	ctx, cancel := context.WithTimeout(t.Context(), testPatience)
	defer cancel()
	drained := make(chan error, 1)
	go func() { drained <- s.server.Drain(ctx) }()
	for _, p := range []*peer{p, idle} {
		if m := p.expect("going_away"); m.RetryAfter <= 0 {
			t.Errorf("got %s, want a retryAfter", m.raw)
		}
	}
	p.send(`{"type":"command","command":"CREATE_NODE","operationId":"late","payload":{"id":"n2"}}`)
	if m := p.expect("revert"); m.OperationID != "late" || m.Error.Code != "unavailable" {
		t.Errorf("got %s, want a refusal while draining", m.raw)
	}
	s.commands.release()
	if m := p.expect("command_result"); m.OperationID != "a" {
		t.Errorf("got %s, want the result of a", m.raw)
	}
	for _, p := range []*peer{p, idle} {
		if code := p.closed(); code != websocket.CloseServiceRestart {
			t.Errorf("closed with %d, want 1012", code)
		}
		p.conn.Close()
	}
	if err := <-drained; err != nil {
		t.Errorf("drain: %v", err)
	}
	if code := s.dial(t, "g", "").closed(); code != websocket.CloseServiceRestart {
		t.Errorf("dialed while draining: closed with %d, want 1012", code)
	}
}

func TestI10NothingIsLeftWhenClientsLeave(t *testing.T) {
	before := runtime.NumGoroutine()
	ignore := goleak.IgnoreCurrent()
	s := newStage(t, func(l *socketLimits) { l.hubLinger = time.Millisecond })
	for round := range 3 {
		var peers []*peer
		for i := range 20 {
			graph := fmt.Sprintf("g%d", i%5)
			s.commands.move(t, graph, 10)
			peers = append(peers, s.join(t, graph, fmt.Sprintf("clientId=c%d-%d", round, i)))
		}
		for i, p := range peers {
			if i%2 == 0 {
				p.leave()
			} else {
				p.conn.Close()
			}
		}
		w := s.server.sockets
		eventually(t, "no session and no hub", func() bool {
			w.mu.Lock()
			defer w.mu.Unlock()
			return len(w.sessions) == 0 && len(w.hubs) == 0
		})
		if sessions, hubs := valueOf(w.metrics.sessions), valueOf(w.metrics.hubs); sessions != 0 || hubs != 0 {
			t.Errorf("round %d: gauges say %v sessions, %v hubs", round, sessions, hubs)
		}
	}
	eventually(t, "no goroutine but the server's", func() bool { return runtime.NumGoroutine() <= before+8 })
	s.stop()
	if err := goleak.Find(ignore); err != nil {
		t.Errorf("I10: %v", err)
	}
}

func TestRunEndsWhatIsLeft(t *testing.T) {
	ignore := goleak.IgnoreCurrent()
	s := newStage(t)
	p := s.join(t, "g", "")
	s.rawDial(t, "g")
	eventually(t, "both are there", func() bool { return len(s.server.sockets.open()) == 2 })
	go s.stop()
	if code := p.closed(); code != websocket.CloseServiceRestart {
		t.Errorf("closed with %d, want 1012", code)
	}
	p.conn.Close()
	s.stop()
	if err := goleak.Find(ignore); err != nil {
		t.Errorf("I10: %v", err)
	}
}
