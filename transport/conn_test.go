package transport

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// tcpLine returns both ends of a loopback connection, the handshake done.
func tcpLine(t testing.TB, patience time.Duration) (*line, *net.TCPConn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	dialed, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { accepted.Close(); dialed.Close() })
	counter := func() prometheus.Counter { return prometheus.NewCounter(prometheus.CounterOpts{Name: "c"}) }
	l := &line{Conn: accepted, patience: patience, clock: new(atomic.Int64), told: func([]byte) {},
		counts: writeCounts{counter(), counter(), counter()}}
	return l, dialed.(*net.TCPConn)
}

// filledWire returns a wire with size bytes, and these.
func filledWire(size int) (*wire, []byte) {
	w := new(wire)
	for size > 0 {
		part := min(size, largeFrame+1000)
		w.text(bytes.Repeat([]byte{'x'}, part))
		w.text(bytes.Repeat([]byte{'y'}, 10))
		size -= part
	}
	w.end()
	var all []byte
	for _, span := range w.spans {
		all = append(all, w.part(span)...)
	}
	return w, all
}

func TestLineSendsAllInOrder(t *testing.T) {
	l, peer := tcpLine(t, testPatience)
	w, want := filledWire(5 * writeChunk)
	done := make(chan error, 1)
	go func() {
		err := l.send(w)
		l.hurry(lingerTime)
		l.drain()
		done <- err
	}()
	peer.Write([]byte("unread")) // an outright close would answer with a reset
	got, err := io.ReadAll(peer)
	peer.Close()
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %d bytes of %d, %v", len(got), len(want), err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if frames, bytes := valueOf(l.counts.frames), valueOf(l.counts.bytes); frames != float64(w.frames) || bytes != float64(len(want)) {
		t.Errorf("%v frames of %v bytes are counted, want %d of %d", frames, bytes, w.frames, len(want))
	}
}

func TestLineMeetsADeadlineWithWhoTakesNothing(t *testing.T) {
	for name, hurry := range map[string]bool{"patience": false, "hurry": true} {
		t.Run(name, func(t *testing.T) {
			patience := 100 * time.Millisecond
			if hurry {
				patience = time.Hour
			}
			l, _ := tcpLine(t, patience) // the peer never reads
			l.Conn.(*net.TCPConn).SetWriteBuffer(16 << 10)
			if hurry {
				time.AfterFunc(10*time.Millisecond, func() { l.hurry(50 * time.Millisecond) })
			}
			begin := time.Now()
			var err error
			for w, _ := filledWire(1 << 20); err == nil; {
				err = l.send(w)
			}
			if took := time.Since(begin); !errors.Is(err, os.ErrDeadlineExceeded) || took > testPatience {
				t.Errorf("got %v after %v, want a deadline", err, took)
			}
		})
	}
}

func TestLineGivesASlowPeerTime(t *testing.T) {
	l, peer := tcpLine(t, time.Second)
	l.Conn.(*net.TCPConn).SetWriteBuffer(16 << 10)
	peer.SetReadBuffer(16 << 10)
	w, want := filledWire(4 << 20) // takes longer than the patience for one system call
	result := make(chan error, 1)
	go func() {
		result <- l.send(w)
		l.Conn.Close()
	}()
	buffer, got := make([]byte, 32<<10), 0
	for begin := time.Now(); ; {
		n, err := peer.Read(buffer)
		if got += n; err != nil {
			break
		}
		for wait := time.Duration(got) * time.Microsecond / 2; time.Since(begin) < wait; { // about 2 MB/s
			time.Sleep(time.Millisecond) // a slow peer is what is tested
		}
	}
	if err := <-result; err != nil || got != len(want) {
		t.Errorf("got %d bytes of %d, %v", got, len(want), err)
	}
}
