package main

import (
	"bytes"
	"context"
	"fmt"
	"time"
)

// seenRow: from just before a command is sent by one client to its state_update at another one, by the same clock. Each
// graph has one subscriber that sends nothing; the commands come over HTTP.
func seenRow(ctx context.Context, l *lab) ([]line, error) {
	if err := l.prepare(ctx); err != nil {
		return nil, err
	}
	medians, err := l.compare(ctx,
		round{workers: seenBy(l.graphyAddr, httpCommands(l.graphyAddr, apiPrefix, connections, graphCount)), processes: l.subjects()},
		round{workers: seenBy(l.graphyAddr, httpCommands(l.graphyAddr, apiPrefix, 4, graphCount)), processes: l.subjects()})
	if err != nil {
		return nil, err
	}
	flat, few := medians[0], medians[1]
	return []line{
		{what: "seen by another subscriber: 64 HTTP writers flat out, 16 graphs with a subscriber each", figure: latencies(flat),
			cpu: flat.cpu, target: "≥ 15,000/s", met: flat.rate >= 15_000},
		{what: "from sending to being seen, 64 writers", figure: "p50 " + millis(flat.p50), target: "p50 < 4 ms", met: flat.p50 < 4*time.Millisecond},
		{what: "the same, 4 writers", figure: latencies(few), cpu: few.cpu,
			target: "p50 < 0.5 ms", met: few.p50 < 500*time.Microsecond},
	}, nil
}

// seenBy adds to writers a subscriber of each graph; what they see counts in the place of what the writers send.
func seenBy(addr string, writers []worker) []worker {
	workers := make([]worker, 0, len(writers)+graphCount)
	for i := range graphCount {
		workers = append(workers, subscriber(addr, graphName(i)))
	}
	for _, write := range writers {
		workers = append(workers, func(ctx context.Context, _ *recorder) error {
			return write(ctx, &recorder{tally: &tally{}})
		})
	}
	return workers
}

var stateUpdate = []byte(`{"type":"state_update"`)

func subscriber(addr, graph string) worker {
	return func(ctx context.Context, r *recorder) error {
		c, err := dialWS(ctx, addr, fmt.Sprintf("%s%s/subscribe?batch=true", apiPrefix, graph))
		if err != nil {
			return err
		}
		defer c.conn.Close()
		for {
			frame, err := c.next()
			if err != nil {
				return err
			}
			now := time.Now()
			for text := range bytes.SplitSeq(frame, newline) {
				if !bytes.HasPrefix(text, stateUpdate) {
					continue
				}
				if stamp, ok := stampOf(text); ok {
					r.done(now.Sub(stamp.sent))
				}
			}
		}
	}
}
