package main

import (
	"context"
	"fmt"
	"time"
)

const (
	together      = 200 // clients, who all write and hear all others
	togetherRate  = 200 // commands/s of all: one each
	presenceEvery = 100 * time.Millisecond
	everyPresence = together * (together - 1) * float64(time.Second/presenceEvery) // a second: delivered if none is superseded
)

// together is the crowd of the rows of many writers, on a graph made for it.
func (l *lab) together(ctx context.Context, graph string) (*crowd, error) {
	if err := l.createGraph(ctx, graph, nodesPerGraph, 0); err != nil {
		return nil, err
	}
	return &crowd{addr: l.graphyAddr, path: subscribePath(graph, false), writers: together, rate: togetherRate,
		nodes: nodesPerGraph, span: 2 * l.opts.span}, nil
}

// togetherRow: every client sends a command a second, at moments of its own, and gets those of all others.
func togetherRow(ctx context.Context, l *lab) ([]line, error) {
	c, err := l.together(ctx, "bench-together")
	if err != nil {
		return nil, err
	}
	h, err := l.steady(ctx, c, l.subjects()...)
	if err != nil {
		return nil, err
	}
	return []line{{what: fmt.Sprintf("%d writers on one graph, who all subscribe, one command a second each: to every other", together),
		figure: h.String(), cpu: h.cpu, target: "p50 ≤ 5 ms, p99 ≤ 15 ms, none lost",
		met: h.p50 <= 5*time.Millisecond && h.p99 <= 15*time.Millisecond}}, nil
}

// presenceRow: the same while every client tells ten times a second where its cursor is.
func presenceRow(ctx context.Context, l *lab) ([]line, error) {
	const graph = "bench-presence"
	c, err := l.together(ctx, graph)
	if err != nil {
		return nil, err
	}
	c.presence = presenceEvery
	var lines []line
	for _, batch := range []bool{false, true} {
		form := "one to a frame"
		if batch {
			form = "`batch=true`"
		}
		c.path = subscribePath(graph, batch)
		h, err := l.steady(ctx, c, l.subjects()...)
		if err != nil {
			return nil, err
		}
		lines = append(lines, line{what: fmt.Sprintf("updates beside presence of %d clients at %d Hz, %d commands/s, %s", together, time.Second/presenceEvery, togetherRate, form),
			figure: fmt.Sprintf("%v; and %s presences, of %s that would be every one", h, perSecond(h.presences), perSecond(everyPresence)), cpu: h.cpu,
			target: "p99 < 100 ms, none lost", met: h.holds(100 * time.Millisecond)})
	}
	return lines, nil
}
