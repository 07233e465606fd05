package redis_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"graphy/eventstore"
	"graphy/eventstore/eventstoretest"
	"graphy/eventstore/redis/redistest"
)

// payload is an event of the usual size.
var payload = `{"commandType":"UPDATE_NODE_POSITION","pad":"` + strings.Repeat("x", 350) + `"}`

func BenchmarkAppend(b *testing.B) {
	server := redistest.Start(b)
	for _, batch := range []int{1, 16} {
		b.Run(fmt.Sprintf("events=%d", batch), func(b *testing.B) {
			log, _ := dial(b, server.URL, server.Prefix(b))
			data := make([]string, batch)
			for i := range data {
				data[i] = payload
			}
			var position eventstore.Position
			b.ReportAllocs()
			for b.Loop() {
				events := eventstoretest.Chain(position, data...)
				if _, err := log.Append(b.Context(), "g", position, events); err != nil {
					b.Fatal(err)
				}
				position = events[batch-1].Position()
			}
		})
	}
}

// BenchmarkAppendStreams has 16 appenders, each with a stream of its own.
func BenchmarkAppendStreams(b *testing.B) {
	server := redistest.Start(b)
	log, _ := dial(b, server.URL, server.Prefix(b))
	var names atomic.Int32
	b.ReportAllocs()
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		name := fmt.Sprintf("g%d", names.Add(1))
		var position eventstore.Position
		for pb.Next() {
			events := eventstoretest.Chain(position, payload)
			if _, err := log.Append(b.Context(), name, position, events); err != nil {
				b.Error(err)
				return
			}
			position = events[0].Position()
		}
	})
}

// BenchmarkRead reads the newest 100 events of logs of different length.
func BenchmarkRead(b *testing.B) {
	server := redistest.Start(b)
	for _, length := range []int{1000, 100_000} {
		b.Run(fmt.Sprintf("length=%d", length), func(b *testing.B) {
			log, _ := dial(b, server.URL, server.Prefix(b))
			data := make([]string, 1000)
			for i := range data {
				data[i] = payload
			}
			var position eventstore.Position
			for position.Version < eventstore.Version(length) {
				events := eventstoretest.Chain(position, data...)
				if _, err := log.Append(b.Context(), "g", position, events); err != nil {
					b.Fatal(err)
				}
				position = events[len(events)-1].Position()
			}
			b.ReportAllocs()
			for b.Loop() {
				events, err := log.Read(b.Context(), "g", position.Version-100, 100)
				if err != nil || len(events) != 100 {
					b.Fatalf("got %d events, %v", len(events), err)
				}
			}
		})
	}
}

// BenchmarkTail measures from an append until another process's Tail has it.
func BenchmarkTail(b *testing.B) {
	server := redistest.Start(b)
	prefix := server.Prefix(b)
	log, _ := dial(b, server.URL, prefix)
	other, _ := dial(b, server.URL, prefix)
	var position eventstore.Position
	add := func() {
		events := eventstoretest.Chain(position, payload)
		if _, err := log.Append(b.Context(), "g", position, events); err != nil {
			b.Error(err)
		}
		position = events[0].Position()
	}
	add()
	tailed := make(chan struct{})
	go func() {
		defer close(tailed)
		for _, err := range other.Tail(b.Context(), "g", 0) {
			if err != nil {
				return
			}
			tailed <- struct{}{}
		}
	}()
	<-tailed
	b.ReportAllocs()
	for b.Loop() {
		add()
		<-tailed
	}
}
