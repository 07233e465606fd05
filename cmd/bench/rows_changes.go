package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	shortLog   = 1000
	newest     = 100
	fillers    = 4 // batches on their way while a log is filled
	fillBefore = 4 * time.Minute
)

// changesRow: the newest hundred changes of a short and of a long log, in turns.
func changesRow(ctx context.Context, l *lab) ([]line, error) {
	begun := time.Now()
	if err := l.fillLog(ctx, "bench-short", nodesPerGraph, shortLog); err != nil {
		return nil, err
	}
	if err := l.fillLog(ctx, "bench-long", nodesPerGraph, l.opts.events); err != nil {
		return nil, err
	}
	filled := time.Since(begun)
	fmt.Fprintf(os.Stderr, "  %s events in %.0f s\n", thousands(int64(l.opts.events)), filled.Seconds())
	asking := func(graph string, head int) round {
		path := fmt.Sprintf("%s%s/changes?since=%d", apiPrefix, graph, head-newest)
		return round{workers: closedGet(l.graphyAddr, path, "", 200, readers), processes: l.subjects()}
	}
	medians, err := l.compare(ctx, asking("bench-short", shortLog), asking("bench-long", l.opts.events))
	if err != nil {
		return nil, err
	}
	short, long := medians[0], medians[1]
	times := short.rate / long.rate
	events := thousands(int64(l.opts.events))
	return []line{
		{what: "`changes?since=head-100` on a log of 1,000 events", figure: latencies(short), cpu: short.cpu,
			target: "≥ 8,000/s", met: short.rate >= 8000},
		{what: "the same on a log of " + events, figure: latencies(long), cpu: long.cpu, target: "≥ 8,000/s", met: long.rate >= 8000},
		{what: "how many times slower the long log is", figure: fmt.Sprintf("%.2f", times), target: "within 1.2", met: times <= 1.2 && times >= 1/1.2},
		{what: "filling the long log, batches of 1,000 commands, each its own event", figure: perSecond(float64(l.opts.events+shortLog) / filled.Seconds())},
	}, nil
}

// fillLog creates a graph and moves its nodes until its log has so many events: one to create, and commands in
// batches that are not atomic. What a busy server refuses is made up for.
func (l *lab) fillLog(ctx context.Context, graph string, nodes, events int) error {
	ctx, cancel := context.WithTimeout(ctx, fillBefore)
	defer cancel()
	if err := l.createGraph(ctx, graph, nodes, 0); err != nil {
		return err
	}
	for length := 1; length < events; {
		if err := l.move(ctx, graph, nodes, events-length); err != nil {
			return fmt.Errorf("fill %s: %w", graph, err)
		}
		entries, err := l.client.Do(ctx, l.client.B().Xlen().Key("graph:{"+graph+"}:events").Build()).AsInt64()
		if err != nil {
			return fmt.Errorf("fill %s: %w", graph, err)
		}
		length = int(entries)
		if length < events {
			fmt.Fprintf(os.Stderr, "  %d commands were refused and are made up for\n", events-length)
		}
	}
	return nil
}

// move sends so many moves of a graph's nodes, some batches at a time.
func (l *lab) move(ctx context.Context, graph string, nodes, count int) error {
	batches := make(chan int)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(batches)
		for ; count > 0; count -= mostCommands {
			select {
			case batches <- min(count, mostCommands):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	for range fillers {
		group.Go(func() error { return sendBatches(ctx, l.graphyAddr, graph, nodes, batches) })
	}
	return group.Wait()
}

func sendBatches(ctx context.Context, addr, graph string, nodes int, batches <-chan int) error {
	conn, err := dialHTTP(ctx, addr)
	if err != nil {
		return err
	}
	defer conn.conn.Close()
	m := newMover(nodes)
	var body, request []byte
	for count := range batches {
		body = append(body[:0], `{"operations":[`...)
		for i := range count {
			if i > 0 {
				body = append(body, ',')
			}
			body = m.operation(body, time.Now())
		}
		request = appendPost(request[:0], apiPrefix+graph+"/batch", append(body, `]}`...))
		status, answer, err := conn.exchange(request)
		if err != nil {
			return err
		}
		if status != 202 {
			return fmt.Errorf("status %d: %.300s", status, answer)
		}
	}
	return nil
}
