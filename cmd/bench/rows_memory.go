package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/redis/rueidis"
)

const (
	memoryEvents = 20_000
	memorySample = 1000 // operations whose short-lived keys are looked at
)

// memoryRow: what Redis spends on the log of a graph with 20,000 moves: its stream and its index of operations, by
// MEMORY USAGE over all elements; and apart from it what operation:{id} takes for its 300 s.
func memoryRow(ctx context.Context, l *lab) ([]line, error) {
	const graph = "bench-memory"
	if err := l.fillLog(ctx, graph, nodesPerGraph, memoryEvents); err != nil {
		return nil, err
	}
	l.settle(ctx, l.subjects())
	events, bytes, err := l.jsonOf(ctx, "graph:{"+graph+"}:events")
	if err != nil {
		return nil, err
	}
	stream, err := l.memoryOf(ctx, "graph:{"+graph+"}:events")
	if err != nil {
		return nil, err
	}
	operations, err := l.memoryOf(ctx, "graph:{"+graph+"}:operations")
	if err != nil {
		return nil, err
	}
	short, err := l.operationKeys(ctx, graph)
	if err != nil {
		return nil, err
	}
	each := func(n int64) float64 { return float64(n) / float64(events) }
	share := float64(stream+operations) / float64(bytes)
	return []line{
		{what: fmt.Sprintf("Redis memory of an event whose JSON has %.0f bytes", each(bytes)),
			figure: fmt.Sprintf("%.0f bytes: stream %.0f, operations %.0f", each(stream+operations), each(stream), each(operations)),
			ratio:  fmt.Sprintf("%.2f of its JSON", share), target: "≤ 2.2", met: share <= 2.2},
		{what: "and its `operation:{id}`, for 300 s", figure: fmt.Sprintf("%.0f bytes", short)},
	}, nil
}

// jsonOf counts the events of a stream and the bytes of their JSON.
func (l *lab) jsonOf(ctx context.Context, key string) (events, bytes int64, err error) {
	for from := "-"; ; {
		page, err := l.client.Do(ctx, l.client.B().Xrange().Key(key).Start(from).End("+").Count(mostCommands).Build()).AsXRange()
		if err != nil || len(page) == 0 {
			return events, bytes, err
		}
		for _, entry := range page {
			events++
			bytes += int64(len(entry.FieldValues["event"]))
		}
		from = "(" + page[len(page)-1].ID
	}
}

func (l *lab) memoryOf(ctx context.Context, key string) (int64, error) {
	size, err := l.client.Do(ctx, l.client.B().MemoryUsage().Key(key).Samples(0).Build()).AsInt64()
	if err != nil {
		return 0, fmt.Errorf("memory of %s: %w", key, err)
	}
	return size, nil
}

// operationKeys returns the mean size of the keys operation:{id} of a graph's newest operations.
func (l *lab) operationKeys(ctx context.Context, graph string) (float64, error) {
	ids, err := l.client.Do(ctx, l.client.B().Hrandfield().Key("graph:{"+graph+"}:operations").Count(memorySample).Build()).AsStrSlice()
	if err != nil {
		return 0, err
	}
	commands := make(rueidis.Commands, len(ids))
	for i, id := range ids {
		commands[i] = l.client.B().MemoryUsage().Key("operation:" + id).Samples(0).Build()
	}
	total, found := int64(0), 0
	for _, result := range l.client.DoMulti(ctx, commands...) {
		size, err := result.AsInt64()
		if err == nil {
			total, found = total+size, found+1
		} else if !rueidis.IsRedisNil(err) {
			return 0, err
		}
	}
	if found == 0 {
		return 0, fmt.Errorf("none of %s operations of %s is recorded", strconv.Itoa(len(ids)), graph)
	}
	return float64(total) / float64(found), nil
}
