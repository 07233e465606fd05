package main

import (
	"context"
	"iter"
	"time"
)

// due yields the moments of a fixed schedule, first and then one every so often until last, as they fall due; those that
// fell due while the one before was worked on come together. So what is late is sent late, and its lateness counts: an
// open loop does not wait for the server. It ends early when ctx is done. What it yields is good until the next turn.
func due(ctx context.Context, first, last time.Time, every time.Duration) iter.Seq[[]time.Time] {
	return func(yield func([]time.Time) bool) {
		timer := time.NewTimer(time.Until(first))
		defer timer.Stop()
		var moments []time.Time
		for next := first; next.Before(last); {
			select {
			case <-timer.C:
			case <-ctx.Done():
				return
			}
			moments = moments[:0]
			for now := time.Now(); !next.After(now) && next.Before(last); next = next.Add(every) {
				moments = append(moments, next)
			}
			if len(moments) > 0 && !yield(moments) {
				return
			}
			timer.Reset(time.Until(next))
		}
	}
}
