package transport

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"graphy/eventstore"
)

// BenchmarkFanOut appends events in groups, as a session of commands does, to a graph with subscribers that read over
// loopback. One round is one event, delivered to all of them. The processor time is that of both ends.
func BenchmarkFanOut(b *testing.B) {
	for _, subscribers := range []int{10, 100, 1000} {
		for _, batch := range []bool{false, true} {
			b.Run(fmt.Sprintf("flood/subscribers=%d/batch=%v", subscribers, batch), func(b *testing.B) {
				benchmarkFanOut(b, subscribers, batch, 4, 512)
			})
		}
		b.Run(fmt.Sprintf("each/subscribers=%d", subscribers), func(b *testing.B) {
			benchmarkFanOut(b, subscribers, false, 1, 0)
		})
	}
}

// benchmarkFanOut appends events in groups, as far ahead of the slowest subscriber as told.
func benchmarkFanOut(b *testing.B, subscribers int, batch bool, group int, ahead int64) {
	s := newStage(b)
	var receiving sync.WaitGroup
	received := make([]atomic.Int64, subscribers)
	for i := range subscribers {
		conn, reader := s.rawDial(b, "g/subscribe?batch="+fmt.Sprint(batch))
		receiving.Go(func() { countUpdates(conn, reader, &received[i], int64(b.N)) })
	}
	eventually(b, "all have joined", func() bool { return len(s.server.sockets.open()) == subscribers })
	slowest := func() int64 {
		least := received[0].Load()
		for i := range received {
			least = min(least, received[i].Load())
		}
		return least
	}
	writes := &s.server.sockets.metrics.writes
	flushes, cpu := valueOf(writes.flushes), processorTime()
	b.ReportAllocs()
	b.ResetTimer()
	var at eventstore.Position
	for int(at.Version) < b.N {
		events := make([]eventstore.Event, min(group, b.N-int(at.Version)))
		from := at
		for i := range events {
			events[i] = benchmarkEvent(at)
			at = events[i].Position()
		}
		if _, err := s.log.Append(b.Context(), "g", from, events); err != nil {
			b.Fatal(err)
		}
		for slowest()+ahead < int64(at.Version) {
			time.Sleep(50 * time.Microsecond)
		}
	}
	receiving.Wait()
	b.StopTimer()
	delivered := float64(b.N * subscribers)
	b.ReportMetric(delivered/b.Elapsed().Seconds(), "delivered/s")
	b.ReportMetric(float64(processorTime()-cpu)/delivered, "cpu-ns/delivered")
	b.ReportMetric(delivered/(valueOf(writes.flushes)-flushes), "updates/write")
}

func benchmarkEvent(after eventstore.Position) eventstore.Event {
	data := fmt.Appendf(nil, `{"version":%d,"commandType":"UPDATE_NODE_POSITION","operationId":"%s","userId":"u1","clientId":"tab-1","timestamp":1760000000001,"request":"1f3a9c02","changes":[{"op":"patch","kind":"node","id":"n1","set":{"position":{"x":1,"y":2},"updatedAt":1760000000001},"was":{"position":{"x":0,"y":0},"updatedAt":1759999999000}}],"checksum":"9f00000000000000"}`,
		after.Version+1, strings.Repeat("o", 26))
	return eventstore.Event{Version: after.Version + 1, Data: data, Hash: eventstore.NextHash(after.Hash, data)}
}

// countUpdates reads frames until count updates have come.
func countUpdates(conn net.Conn, early *bufio.Reader, received *atomic.Int64, count int64) {
	conn.SetDeadline(time.Time{})
	ahead, _ := early.Peek(early.Buffered())
	reader := bufio.NewReaderSize(&replayed{Conn: conn, ahead: bytes.Clone(ahead)}, 64<<10)
	var in []byte
	for received.Load() < count {
		frame, err := readRawFrame(reader, in)
		if err != nil {
			return
		}
		in = frame
		received.Add(int64(bytes.Count(frame, []byte(stateUpdatePrefix))))
	}
}

// replayed is a connection of which something was read already.
type replayed struct {
	net.Conn
	ahead []byte
}

func (r *replayed) Read(p []byte) (int, error) {
	if len(r.ahead) > 0 {
		n := copy(p, r.ahead)
		r.ahead = r.ahead[n:]
		return n, nil
	}
	return r.Conn.Read(p)
}
