package archive

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"

	"graphy/eventstore"
)

// lively returns n events as a graph has them, of about 370 bytes.
func lively(n int) []eventstore.Event {
	random := rand.New(rand.NewPCG(1, 2))
	events := make([]eventstore.Event, n)
	at := eventstore.Position{}
	for i := range events {
		now := 1760000000000 + int64(i)*137
		x, y := random.IntN(4000), random.IntN(4000)
		data := fmt.Appendf(nil, `{"version":%d,"commandType":"UPDATE_NODE_POSITION","operationId":"01K%023d","userId":"user-%d","clientId":"tab-%d","timestamp":%d,"request":"%08x",`+
			`"changes":[{"op":"patch","kind":"node","id":"node-%d","set":{"position":{"x":%d,"y":%d},"updatedAt":%d},"was":{"position":{"x":%d,"y":%d},"updatedAt":%d}}],"checksum":"%016x"}`,
			i+1, random.Uint64(), i%13, i%29, now, random.Uint32(), random.IntN(500), x, y, now, x+1, y-7, now-5555, random.Uint64())
		at = eventstore.Position{Version: at.Version + 1, Hash: eventstore.NextHash(at.Hash, data)}
		events[i] = eventstore.Event{Version: at.Version, Data: data, Hash: at.Hash}
	}
	return events
}

// benchmarked are the events of the benchmarks, and the bytes of their data.
var benchmarked = sync.OnceValues(func() ([]eventstore.Event, int64) {
	events, size := lively(200_000), int64(0)
	for i := range events {
		size += int64(len(events[i].Data))
	}
	return events, size
})

func rate(b *testing.B, events int) {
	b.ReportMetric(float64(events)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

func writeAll(b *testing.B, w io.Writer, events []eventstore.Event) {
	writer, err := NewWriter(w)
	if err != nil {
		b.Fatal(err)
	}
	_ = writer.Begin("g", eventstore.Base{})
	for rest := events; len(rest) > 0; rest = rest[1000:] {
		_ = writer.Write(rest[:1000])
	}
	_, _ = writer.End()
	if err := writer.Close(); err != nil {
		b.Fatal(err)
	}
}

func BenchmarkWrite(b *testing.B) {
	events, size := benchmarked()
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		writeAll(b, io.Discard, events)
	}
	rate(b, len(events))
}

func BenchmarkRead(b *testing.B) {
	events, size := benchmarked()
	var file bytes.Buffer
	writeAll(b, &file, events)
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		reader, err := NewReader(bytes.NewReader(file.Bytes()))
		if err != nil {
			b.Fatal(err)
		}
		_, _, err = reader.Next()
		for err == nil {
			_, err = reader.Read(1000)
		}
		if _, _, err = reader.Next(); err != io.EOF {
			b.Fatal(err)
		}
	}
	rate(b, len(events))
	b.ReportMetric(float64(size)/float64(file.Len()), "ratio")
}

func BenchmarkPut(b *testing.B) {
	events, size := benchmarked()
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		a, from := New(newHeap()), eventstore.Position{}
		for rest := events; len(rest) > 0; rest = rest[SegmentEvents:] {
			segment, err := a.Put(context.Background(), "g", from, rest[:SegmentEvents])
			if err != nil {
				b.Fatal(err)
			}
			from = segment.To
		}
	}
	rate(b, len(events))
}

// Pages of a history that nobody has read lately, from the oldest to the newest.
func BenchmarkReadSegments(b *testing.B) {
	events, size := benchmarked()
	store, through := newHeap(), eventstore.Position{}
	for rest := events; len(rest) > 0; rest = rest[SegmentEvents:] {
		through = mustPut(b, New(store), "g", through, rest[:SegmentEvents]).To
	}
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		a := New(store)
		for after := eventstore.Version(0); after < through.Version; {
			page, err := a.Read(context.Background(), "g", through, after, 1000)
			if err != nil {
				b.Fatal(err)
			}
			after = page[len(page)-1].Version
		}
	}
	rate(b, len(events))
}
