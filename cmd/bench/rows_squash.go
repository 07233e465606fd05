package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"
)

const (
	largestPage    = 5000 // of changes
	leastTransfers = 3    // of which the median counts
)

// transfer is how long it took to get something, and how much came.
type transfer struct {
	took  time.Duration
	bytes int
}

func (t transfer) String() string {
	return fmt.Sprintf("%s, %s bytes", millis(t.took), thousands(int64(t.bytes)))
}

// of prints the share of another transfer.
func (t transfer) of(other transfer, name string) string {
	return fmt.Sprintf("%.2f of the time, %.3f of the bytes of %s", float64(t.took)/float64(other.took), float64(t.bytes)/float64(other.bytes), name)
}

// squashRow: what one client that is alone gets to catch up with a long log: all its changes, page by page; their net
// change; and the differences of versions. What comes is counted and not read, which spares the pages the most.
func squashRow(ctx context.Context, l *lab) ([]line, error) {
	if err := l.preparePast(ctx); err != nil {
		return nil, err
	}
	base := apiPrefix + pastGraph
	var pages []string
	for since := 0; since < pastEvents; since += largestPage {
		pages = append(pages, fmt.Sprintf("%s/changes?since=%d&limit=%d", base, since, largestPage))
	}
	medians, err := l.transfers(ctx, pages,
		[]string{base + "/changes?since=0&squash=true"},
		[]string{fmt.Sprintf("%s/diff?from=1&to=%d", base, pastEvents)},
		[]string{fmt.Sprintf("%s/diff?from=%d&to=%d", base, pastEvents-1000, pastEvents)})
	if err != nil {
		return nil, err
	}
	paged, squashed, whole, newest := medians[0], medians[1], medians[2], medians[3]
	return []line{
		{what: fmt.Sprintf("`changes?since=0` of %s events on %s nodes, in pages of %s", thousands(pastEvents), thousands(pastNodes), thousands(largestPage)),
			figure: paged.String()},
		{what: "`changes?since=0&squash=true`", figure: squashed.String(), ratio: squashed.of(paged, "the pages")},
		{what: "`diff` of version 1 and the newest", figure: whole.String()},
		{what: "`diff` of the newest 1,000 versions", figure: newest.String()},
	}, nil
}

// transfers gets lists of paths over one connection, the lists in turns, and returns the medians of each.
func (l *lab) transfers(ctx context.Context, lists ...[]string) ([]transfer, error) {
	l.settle(ctx, l.subjects())
	conn, err := dialHTTP(ctx, l.graphyAddr)
	if err != nil {
		return nil, err
	}
	defer conn.conn.Close()
	took := make([][]time.Duration, len(lists))
	medians := make([]transfer, len(lists))
	for range max(l.opts.rounds, leastTransfers) {
		for i, paths := range lists {
			one, err := transferAll(conn, paths)
			if err != nil {
				return nil, err
			}
			fmt.Fprintf(os.Stderr, "  %v\n", one)
			took[i] = append(took[i], one.took)
			medians[i] = transfer{took: quantile(slices.Clone(took[i]), 0.5), bytes: one.bytes}
		}
	}
	return medians, nil
}

func transferAll(conn *httpConn, paths []string) (all transfer, err error) {
	begun := time.Now()
	for _, path := range paths {
		status, body, err := conn.exchange([]byte("GET " + path + " HTTP/1.1\r\nHost: bench\r\n\r\n"))
		if err == nil && status != 200 {
			err = fmt.Errorf("status %d of %s: %.300s", status, path, body)
		}
		if err != nil {
			return all, err
		}
		all.bytes += conn.length
	}
	all.took = time.Since(begun)
	return all, nil
}
