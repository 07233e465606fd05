package embedded

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"go.uber.org/zap"

	"graphy/eventstore"
	"graphy/eventstore/redis"
)

// BenchmarkAppend has each of several writers append single events to a graph of its own.
func BenchmarkAppend(b *testing.B) {
	for _, mode := range []string{"journal", "memory"} {
		for _, writers := range []int{1, 16, 64} {
			b.Run(fmt.Sprintf("%s/writers=%d", mode, writers), func(b *testing.B) {
				opts := Options{}
				if mode == "journal" {
					opts.Dir = b.TempDir()
				}
				s := open(b, opts)
				var f *faults
				if s.journal != nil {
					f = breakFile(s.journal)
				}
				b.ReportAllocs()
				b.ResetTimer()
				appendConcurrently(b, s, writers)
				if f != nil {
					b.ReportMetric(float64(f.syncs.Load())/float64(b.N), "fsyncs/op")
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
			})
		}
	}
}

func appendConcurrently(b *testing.B, s *Store, writers int) {
	var next atomic.Int64
	done := make(chan error)
	for i := range writers {
		go func() {
			var head eventstore.Position
			stream := fmt.Sprintf("g%d", i)
			for next.Add(1) <= int64(b.N) {
				events := chain(head, stream, 1)
				if _, err := s.Append(b.Context(), stream, head, events); err != nil {
					done <- err
					return
				}
				head = events[0].Position()
			}
			done <- nil
		}()
	}
	for range writers {
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAppendEnd appends single events to streams of different length.
func BenchmarkAppendEnd(b *testing.B) {
	for _, length := range []int{1_000, 100_000} {
		b.Run(fmt.Sprintf("length=%d", length), func(b *testing.B) {
			s := open(b, Options{Dir: b.TempDir()})
			head := growTo(b, s, length)
			b.ReportAllocs()
			for b.Loop() {
				events := chain(head, "g", 1)
				appendAll(b, s, "g", head, events)
				head = events[0].Position()
			}
		})
	}
}

// growTo brings the empty stream g to length, a multiple of 1000.
func growTo(b *testing.B, s *Store, length int) (head eventstore.Position) {
	b.Helper()
	for head.Version < eventstore.Version(length) {
		events := chain(head, "g", 1000)
		appendAll(b, s, "g", head, events)
		head = events[len(events)-1].Position()
	}
	return head
}

// BenchmarkReadEnd reads the newest 100 events of streams of different length.
func BenchmarkReadEnd(b *testing.B) {
	for _, length := range []int{1_000, 100_000} {
		b.Run(fmt.Sprintf("length=%d", length), func(b *testing.B) {
			s := open(b, Options{})
			growTo(b, s, length)
			b.ReportAllocs()
			for b.Loop() {
				if page, err := s.Read(b.Context(), "g", eventstore.Version(length-100), 100); err != nil || len(page) != 100 {
					b.Fatalf("got %d events, %v", len(page), err)
				}
			}
		})
	}
}

// BenchmarkReplay replays a journal of 100,000 events of about 300 bytes in 100 graphs.
func BenchmarkReplay(b *testing.B) {
	const graphs, each = 100, 1000
	path := journalPath(b.TempDir())
	j, _, err := replayAll(path)
	if err != nil {
		b.Fatal(err)
	}
	heads := make([]eventstore.Position, graphs)
	for range each / 10 {
		for i := range heads {
			stream := fmt.Sprintf("g%d", i)
			events := make([]eventstore.Event, 0, 10)
			for range cap(events) {
				event := padded(heads[i], 240)[0]
				event.Operations = []string{fmt.Sprintf("%s-%026d", stream, event.Version)}
				events = append(events, event)
				heads[i] = event.Position()
			}
			r := record{kind: kindAppend, stream: stream, expected: events[0].Version - 1, events: events[:1]}
			frame := r.appendTo(beginFrame(0))
			for _, event := range events[1:] {
				frame = record{kind: kindAppend, stream: stream, expected: event.Version - 1, events: []eventstore.Event{event}}.appendTo(frame)
			}
			endFrame(frame)
			if _, err := j.file.WriteAt(frame, j.end); err != nil {
				b.Fatal(err)
			}
			j.end += int64(len(frame))
		}
	}
	j.close()
	b.ReportAllocs()
	for b.Loop() {
		replay := replayer{db: miniredis.NewMiniRedis().DB(0), keys: redis.Keys{}, streams: map[string]*stream{}, logger: zap.NewNop()}
		j, err := replay.open(b.Context(), path)
		if err != nil || replay.events != graphs*each {
			b.Fatalf("replayed %d events, %v", replay.events, err)
		}
		j.close()
	}
	b.ReportMetric(float64(b.N)*graphs*each/b.Elapsed().Seconds(), "events/s")
}
