package transport

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"graphy/eventstore"
)

func TestDeleteResetsStreams(t *testing.T) {
	s := newStage(t)
	s.commands.move(t, "g", 5)
	l, other := s.listen(t, "g", 0, ""), s.listen(t, "other", 0, "")
	l.reach(s.commands.position("g"))
	if err := s.commands.Delete(t.Context(), "g"); err != nil {
		t.Fatal(err)
	}
	if got := l.expect("reset"); got.id != "0" || !strings.HasPrefix(got.data, `{"type":"FULL_UPDATE","version":0,"hash":"","data":{"graphId":"g",`) {
		t.Errorf("got %+v, want a reset to version 0", got)
	}
	s.commands.move(t, "g", 8)
	l.reach(s.commands.position("g"))
	s.commands.move(t, "other", 1)
	if other.reach(s.commands.position("other")); other.resets > 0 {
		t.Error("another graph's stream was reset")
	}
}

func TestDeleteWhileStreamsOpen(t *testing.T) {
	s := newStage(t)
	s.commands.move(t, "g", 50)
	listeners := make(chan *listener, 10)
	for range cap(listeners) {
		go func() { listeners <- s.listen(t, "g", 0, "") }()
	}
	for range 5 {
		s.commands.move(t, "g", 20)
		if err := s.commands.Delete(t.Context(), "g"); err != nil {
			t.Fatal(err)
		}
	}
	s.commands.move(t, "g", 60)
	end := s.commands.position("g")
	for range cap(listeners) {
		l := <-listeners
		for l.peer.graph.Position != end { // the end of an earlier history may have a higher version
			if _, err := l.next(); err != nil {
				t.Fatalf("at %+v, end %+v: %v", l.peer.graph.Position, end, err)
			}
		}
	}
}

func TestLogOutOfReachDelaysStreams(t *testing.T) {
	s := newStage(t)
	s.commands.move(t, "g", 5)
	near, far := s.listen(t, "g", 0, ""), s.listen(t, "g", 0, "")
	near.reach(s.commands.position("g"))
	s.fault(func(call, _ string) error {
		if call != "append" && call != "appended" {
			return eventstore.ErrUnavailable
		}
		return nil
	})
	s.commands.move(t, "g", 50)
	s.fault(nil)
	s.commands.move(t, "g", 5)
	for _, l := range []*listener{near, far} {
		if l.reach(s.commands.position("g")); l.resets > 0 {
			t.Error("a stream was reset by a fault of the log")
		}
	}
}

func TestI11BrokenLogEndsItsStreamsOnly(t *testing.T) {
	s := newStage(t)
	s.commands.move(t, "g", 2)
	l, other := s.listen(t, "g", 0, ""), s.listen(t, "other", 0, "")
	l.reach(s.commands.position("g"))
	s.fault(func(call, graph string) error {
		if call == "read" && graph == "g" {
			return &eventstore.ChainError{Stream: "g", Version: 3, Reason: "test"}
		}
		return nil
	})
	s.commands.move(t, "g", 1)
	l.ended()
	s.fault(nil)
	s.commands.move(t, "other", 3)
	other.reach(s.commands.position("other"))
	s.listen(t, "g", 2, "&hash="+string(l.peer.graph.Position.Hash)).reach(s.commands.position("g"))
}

// TestI4ListenerFarBehindReadsTheLog has more history than the hub remembers.
func TestI4ListenerFarBehindReadsTheLog(t *testing.T) {
	s := newStage(t)
	const size, count = 100 << 10, 3 * ringBytes / (100 << 10)
	for range count {
		s.commands.create(t, "g", size)
	}
	var all sync.WaitGroup
	for i := range 4 {
		l := s.listen(t, "g", eventstore.Version(i*count/4), "")
		all.Go(func() {
			for l.peer.graph.Position.Version < count+100 {
				if _, err := l.next(); err != nil {
					t.Errorf("listener %d at %d: %v", i, l.peer.graph.Position.Version, err)
					return
				}
			}
		})
	}
	for range 100 {
		s.commands.create(t, "g", 10)
	}
	all.Wait()
}

// slowly makes a connection whose kernel takes little, so that a client that does not read is noticed.
func (s *stage) slowly(t testing.TB, path string) net.Conn {
	t.Helper()
	conn, err := (&net.Dialer{}).Dial("tcp", strings.TrimPrefix(s.http.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.(*net.TCPConn).SetReadBuffer(128 << 10)
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n", path)
	return conn
}

func TestListenerThatNeverReadsIsLeft(t *testing.T) {
	s := newStage(t, func(l *socketLimits) { l.write = 300 * time.Millisecond })
	s.slowly(t, "/api/v2/graphs/g/changes")
	reader := s.listen(t, "g", 0, "")
	eventually(t, "both are there", func() bool { return valueOf(s.server.metrics.streams) == 2 })
	for valueOf(s.server.metrics.streams) == 2 {
		s.commands.create(t, "g", 100<<10)
		reader.reach(s.commands.position("g"))
	}
}

func TestDrainDoesNotWaitForListenersThatNeverRead(t *testing.T) {
	s := newStage(t, func(l *socketLimits) { l.write = testPatience })
	s.slowly(t, "/api/v2/graphs/g/changes")
	eventually(t, "it is there", func() bool { return valueOf(s.server.metrics.streams) == 1 })
	for range 100 { // more than the kernel's buffers take
		s.commands.create(t, "g", 100<<10)
	}
	begin := time.Now()
	if err := s.server.Drain(t.Context()); err != nil {
		t.Error(err)
	}
	eventually(t, "it has ended", func() bool { return valueOf(s.server.metrics.streams) == 0 })
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestI4SlowListenerGetsAll(t *testing.T) {
	s := newStage(t)
	conn := s.slowly(t, "/api/v2/graphs/g/changes")
	eventually(t, "it is there", func() bool { return valueOf(s.server.metrics.streams) == 1 })
	quick := s.listen(t, "g", 0, "")
	for range 100 { // far more than the kernel's buffers and the ring take
		s.commands.create(t, "g", 100<<10)
		quick.reach(s.commands.position("g"))
	}
	end := fmt.Sprintf("id: %d\n", s.commands.position("g").Version)
	if got, err := readUntil(conn, end); err != nil {
		t.Errorf("the slow one's stream ended after %d bytes: %v", got, err)
	}
}

func readUntil(conn net.Conn, end string) (bytes int, err error) {
	_ = conn.SetReadDeadline(time.Now().Add(testPatience))
	var tail string
	buffer := make([]byte, 32<<10)
	for {
		n, err := conn.Read(buffer)
		tail += string(buffer[:n])
		if bytes += n; strings.Contains(tail, end) {
			return bytes, nil
		}
		tail = tail[max(0, len(tail)-len(end)):]
		if errors.Is(err, io.EOF) || err != nil {
			return bytes, err
		}
	}
}
