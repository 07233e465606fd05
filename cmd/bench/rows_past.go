package main

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"
)

// strideOfVersions has no factor in common with pastEvents: its multiples go through all versions without an order that
// anything could be kept ready by, and come to none twice before they have been to all.
const strideOfVersions = 61_803

// pastRow: one reader gets the state of a graph: the current one; that of a version asked for before, which is kept; and
// that of a version nobody has asked for, which is made from the nearest snapshot and the events after it.
func pastRow(ctx context.Context, l *lab) ([]line, error) {
	if err := l.preparePast(ctx); err != nil {
		return nil, err
	}
	size, err := l.snapshotSize(ctx)
	if err != nil {
		return nil, err
	}
	path := apiPrefix + pastGraph + "/state"
	medians, err := l.compare(ctx,
		round{workers: closedGet(l.graphyAddr, path, "", 200, 1), processes: l.subjects()},
		round{workers: closedGet(l.graphyAddr, fmt.Sprintf("%s?at=%d", path, pastEvents/2+snapshotEvery-1), "", 200, 1), processes: l.subjects()},
		round{workers: []worker{closedHTTP(l.graphyAddr, 200, anotherVersion(path, &atomic.Int64{}))}, processes: l.subjects()})
	if err != nil {
		return nil, err
	}
	current, kept, made := medians[0], medians[1], medians[2]
	times := func(s sample) string {
		return fmt.Sprintf("%.1f times `state` by p50", float64(s.p50)/float64(current.p50))
	}
	return []line{
		{what: fmt.Sprintf("`state` of %s nodes, one reader", thousands(pastNodes)), figure: latencies(current), cpu: current.cpu},
		{what: fmt.Sprintf("`state?at=V` on a log of %s events, V asked for before", thousands(pastEvents)), figure: latencies(kept),
			ratio: times(kept), cpu: kept.cpu},
		{what: "`state?at=V`, another V each time", figure: latencies(made), ratio: times(made), cpu: made.cpu},
		{what: fmt.Sprintf("a snapshot of that graph, one for every %s events", thousands(snapshotEvery)), figure: thousands(size) + " bytes"},
	}, nil
}

// anotherVersion makes requests for the state at one version after the other; count is how many there were.
func anotherVersion(path string, count *atomic.Int64) func(dst []byte, _ time.Time) []byte {
	return func(dst []byte, _ time.Time) []byte {
		version := count.Add(1)*strideOfVersions%pastEvents + 1
		dst = strconv.AppendInt(append(append(append(dst, "GET "...), path...), "?at="...), version, 10)
		return append(dst, " HTTP/1.1\r\nHost: bench\r\n\r\n"...)
	}
}
