package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"
)

const (
	joinGraph  = "bench-join"
	joinNodes  = 11_700
	joinEdges  = 17_500
	joiners    = 150
	joinLimit  = 3 * time.Second
	joinMemory = 500e6 // bytes
)

// joinRow: many clients join a large graph at once, from before the first dials until the last has its whole state, all of
// which is checked. Every round has a process of its own, which has just started; then they come once more.
func joinRow(ctx context.Context, l *lab) ([]line, error) { return joinWith(ctx, l, false) }

// joinDeflateRow: the same by clients that take compressed messages, as browsers do.
func joinDeflateRow(ctx context.Context, l *lab) ([]line, error) { return joinWith(ctx, l, true) }

func joinWith(ctx context.Context, l *lab, deflate bool) ([]line, error) {
	if err := l.ensureGraph(ctx, joinGraph, joinNodes, joinEdges); err != nil {
		return nil, err
	}
	state, err := l.get(ctx, "http://"+l.graphyAddr+apiPrefix+joinGraph+"/state")
	if err != nil {
		return nil, err
	}
	l.settle(ctx, l.subjects())
	all, err := l.storms(ctx, newDigest(state), deflate)
	if err != nil {
		return nil, err
	}
	return all.lines(len(state), deflate), nil
}

// storm is how two waves of joiners went with a process.
type storm struct {
	first, second time.Duration
	bytes         int64 // that the second took to each, on the wire
	peak          int64 // memory of the process
}

type storms []storm

// storms has the joiners come in rounds.
func (l *lab) storms(ctx context.Context, want digest, deflate bool) (storms, error) {
	var all storms
	for range l.opts.rounds {
		s, err := l.storm(ctx, want, deflate)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(os.Stderr, "  %d joined in %s, again in %s, %s bytes each, peak %s\n", joiners, millis(s.first), millis(s.second),
			thousands(s.bytes), megabytes(s.peak))
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b storm) int { return int(a.first - b.first) })
	return all, nil
}

func (l *lab) storm(ctx context.Context, want digest, deflate bool) (s storm, err error) {
	process, addr, _, err := l.serve(ctx, "graphy-join")
	if err != nil {
		return storm{}, err
	}
	defer l.retire(process)
	l.settle(ctx, []*child{process, l.redis})
	if s.first, _, err = joinAll(ctx, addr, want, deflate); err != nil {
		return storm{}, err
	}
	l.settle(ctx, []*child{process, l.redis})
	if s.second, s.bytes, err = joinAll(ctx, addr, want, deflate); err != nil {
		return storm{}, err
	}
	s.peak, err = peakMemory(process)
	return s, err
}

// lines tell of the round in the middle, and of the largest process.
func (all storms) lines(size int, deflate bool) []line {
	middle := all[len(all)/2]
	peak := slices.MaxFunc(all, func(a, b storm) int { return int(a.peak - b.peak) }).peak
	what := fmt.Sprintf("%d clients join a graph of %s bytes at once, the process has just started: until the last has its state", joiners, thousands(int64(size)))
	if deflate {
		what = "the same with permessage-deflate"
	}
	return []line{
		{what: what, figure: fmt.Sprintf("%s, %s bytes each; once more %s", millis(middle.first), thousands(middle.bytes), millis(middle.second)),
			target: "≤ 3 s", met: middle.first <= joinLimit},
		{what: "most memory that the process took", figure: megabytes(peak), target: "< 500 MB", met: float64(peak) < joinMemory},
	}
}
