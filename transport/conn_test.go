package transport

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

func testCounts() gatherCounts {
	counter := func() prometheus.Counter { return prometheus.NewCounter(prometheus.CounterOpts{Name: "c"}) }
	return gatherCounts{counter(), counter(), counter()}
}

// tcpPair returns both ends of a loopback connection.
func tcpPair(t testing.TB) (gathering *gatherConn, peer *net.TCPConn) {
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
	gathering = newGatherConn(accepted, testCounts())
	t.Cleanup(func() { gathering.abort(); dialed.Close() })
	return gathering, dialed.(*net.TCPConn)
}

func TestGatherConnKeepsOrderAndContent(t *testing.T) {
	conn, peer := tcpPair(t)
	var sent bytes.Buffer
	done := make(chan error, 1)
	go func() {
		random := rand.New(rand.NewPCG(1, 2))
		for range 3000 {
			part := make([]byte, random.IntN(600))
			if random.IntN(300) == 0 {
				part = make([]byte, gatherLimit+random.IntN(2*gatherLimit))
			}
			for i := range part {
				part[i] = byte(random.Uint32())
			}
			sent.Write(part)
			conn.SetWriteDeadline(time.Now().Add(testPatience))
			n, err := conn.Write(part)
			clear(part) // Write has to have kept a copy
			if err != nil || n != len(part) {
				done <- errors.Join(err, io.ErrShortWrite)
				return
			}
		}
		done <- conn.Close()
	}()
	got, err := io.ReadAll(peer)
	peer.Close()
	if err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, sent.Bytes()) {
		t.Fatalf("got %d bytes that are not the %d written", len(got), sent.Len())
	}
	if writes, flushes := valueOf(conn.counts.writes), valueOf(conn.counts.flushes); flushes >= writes {
		t.Errorf("%v system calls for %v writes: nothing was gathered", flushes, writes)
	}
}

func TestGatherConnWritesTheFirstAtOnce(t *testing.T) {
	conn, peer := tcpPair(t)
	buffer := make([]byte, 16)
	for range 100 {
		if _, err := conn.Write([]byte("ping")); err != nil {
			t.Fatal(err)
		}
		peer.SetReadDeadline(time.Now().Add(testPatience))
		if n, err := peer.Read(buffer); err != nil || string(buffer[:n]) != "ping" {
			t.Fatalf("got %q, %v", buffer[:n], err)
		}
	}
}

func TestGatherConnBlocksAtItsBoundAndMeetsTheDeadline(t *testing.T) {
	conn, _ := tcpPair(t) // the peer never reads
	conn.Conn.(*net.TCPConn).SetWriteBuffer(16 << 10)
	begin := time.Now()
	written := 0
	var err error
	for err == nil && written < 1<<30 {
		var n int
		conn.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
		n, err = conn.Write(make([]byte, 50_000))
		written += n
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("got %v after %d bytes, want a deadline", err, written)
	}
	if took := time.Since(begin); took > testPatience {
		t.Errorf("it took %v", took)
	}
	if _, again := conn.Write([]byte("x")); !errors.Is(again, os.ErrDeadlineExceeded) {
		t.Errorf("the error is not sticky: %v", again)
	}
	if err := conn.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	conn.mu.Lock()
	defer conn.mu.Unlock()
	if len(conn.pending) > gatherLimit {
		t.Errorf("%d bytes are kept", len(conn.pending))
	}
}

func TestGatherConnGivesASlowPeerTime(t *testing.T) {
	conn, peer := tcpPair(t)
	conn.Conn.(*net.TCPConn).SetWriteBuffer(16 << 10)
	peer.SetReadBuffer(16 << 10)
	const size = 1 << 20
	result := make(chan error, 1)
	go func() {
		conn.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
		_, err := conn.Write(make([]byte, size)) // takes longer than the patience for one system call
		result <- errors.Join(err, conn.Close())
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
	peer.Close()
	if err := <-result; err != nil || got != size {
		t.Errorf("got %d bytes of %d, %v", got, size, err)
	}
}

func TestGatherConnClose(t *testing.T) {
	t.Run("sends what is left though the peer has sent on", func(t *testing.T) {
		conn, peer := tcpPair(t)
		peer.Write(make([]byte, 100_000)) // unread: an outright close would answer with a reset
		want := bytes.Repeat([]byte("last words "), 10_000)
		go func() {
			conn.Write(want)
			conn.Close()
		}()
		if got, err := io.ReadAll(peer); err != nil || !bytes.Equal(got, want) {
			t.Errorf("got %d bytes of %d, %v", len(got), len(want), err)
		}
	})
	t.Run("is bounded in time if the peer never reads", func(t *testing.T) {
		conn, _ := tcpPair(t)
		go func() {
			for {
				if _, err := conn.Write(make([]byte, 100_000)); err != nil {
					return
				}
			}
		}()
		eventually(t, "a full buffer", func() bool {
			conn.mu.Lock()
			defer conn.mu.Unlock()
			return len(conn.pending) >= gatherLimit
		})
		begin := time.Now()
		conn.Close()
		if took := time.Since(begin); took > 3*lingerTime {
			t.Errorf("took %v", took)
		}
		if _, err := conn.Write([]byte("x")); err == nil {
			t.Error("a write after close succeeded")
		}
		if err := conn.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("second close: %v", err)
		}
	})
	t.Run("while many write", func(t *testing.T) {
		conn, peer := tcpPair(t)
		var writing sync.WaitGroup
		for range 8 {
			writing.Go(func() {
				for {
					conn.SetWriteDeadline(time.Now().Add(time.Second))
					if _, err := conn.Write([]byte("some bytes")); err != nil {
						return
					}
				}
			})
		}
		go io.Copy(io.Discard, peer)
		eventually(t, "some writes", func() bool { return valueOf(conn.counts.writes) > 1000 })
		go peer.CloseWrite()
		conn.Close()
		writing.Wait()
	})
	t.Run("peer gone", func(t *testing.T) {
		conn, peer := tcpPair(t)
		peer.SetLinger(0)
		peer.Close()
		eventually(t, "an error", func() bool { _, err := conn.Write([]byte("x")); return err != nil })
		if _, err := conn.Read(make([]byte, 1)); err == nil {
			t.Error("read succeeded")
		}
		begin := time.Now()
		conn.Close()
		if took := time.Since(begin); took > lingerTime/2 {
			t.Errorf("close took %v", took)
		}
	})
}
