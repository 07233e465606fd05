package main

import (
	"context"
	"fmt"
	"os"
	"time"
)

// The log that the rows about the past read: moves by one user.
const (
	pastGraph     = "bench-past"
	pastNodes     = 1000
	pastEvents    = 100_000
	snapshotEvery = 1000 // events, the default of graphy
	snapshotsIn   = 2 * time.Minute
)

// preparePast fills the log, once.
func (l *lab) preparePast(ctx context.Context) error {
	if l.past {
		return nil
	}
	if err := l.fillLog(ctx, pastGraph, pastNodes, pastEvents); err != nil {
		return err
	}
	l.past = true
	return l.awaitSnapshots(ctx)
}

// awaitSnapshots waits until all snapshots of the log are there, so that what is measured has them all and is not held up
// by their making.
func (l *lab) awaitSnapshots(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, snapshotsIn)
	defer cancel()
	begun := time.Now()
	for {
		count, err := l.client.Do(ctx, l.client.B().Zcard().Key("graph:{"+pastGraph+"}:snapshots").Build()).AsInt64()
		if err != nil {
			return err
		}
		if count >= pastEvents/snapshotEvery {
			fmt.Fprintf(os.Stderr, "  %d snapshots in %.0f s\n", count, time.Since(begun).Seconds())
			return nil
		}
		if !pause(ctx, 50*time.Millisecond) {
			return fmt.Errorf("%d snapshots of %d events in %v: %w", count, pastEvents, time.Since(begun).Round(time.Second), ctx.Err())
		}
	}
}

// snapshotSize returns the bytes of the newest snapshot of the log.
func (l *lab) snapshotSize(ctx context.Context) (int64, error) {
	key := fmt.Sprintf("graph:{%s}:snapshot:%d", pastGraph, pastEvents)
	return l.client.Do(ctx, l.client.B().Strlen().Key(key).Build()).AsInt64()
}
