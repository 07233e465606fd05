package main

import (
	"context"
	"fmt"
	"time"
)

const (
	fanOutGraph   = "bench-fan-out"
	fanOutWriters = 4
	fanOutLimit   = 100 * time.Millisecond // for the slowest hundredth, at a sustained rate

	steadyRate  = 1000 // commands/s
	steadyLimit = 10 * time.Millisecond
)

// fanOut is the crowd of the fan-out rows: subscribers that only listen, and four writers with pipelined commands.
func (l *lab) fanOut(subscribers int, batch bool) *crowd {
	return &crowd{addr: l.graphyAddr, path: subscribePath(fanOutGraph, batch), listeners: subscribers, writers: fanOutWriters,
		nodes: nodesPerGraph, span: l.opts.span}
}

// subscribePath lacks the client's id at its end.
func subscribePath(graph string, batch bool) string {
	path := apiPrefix + graph + "/subscribe?"
	if batch {
		path += "batch=true&"
	}
	return path + "clientId="
}

// fanOutRow: the highest rate at which every subscriber gets every version once and in order, the slowest hundredth
// within 100 ms of the moment its command was due; one message to a frame, and joined.
func fanOutRow(ctx context.Context, l *lab) ([]line, error) {
	if err := l.ensureGraph(ctx, fanOutGraph, nodesPerGraph, 0); err != nil {
		return nil, err
	}
	plain := l.fanOut(100, false)
	plain.addr, plain.path = l.referenceAddr, "/hub?clientId="
	reference, err := l.sustained(ctx, plain, fanOutLimit, l.reference)
	if err != nil {
		return nil, err
	}
	lines := []line{{what: "reference: bare hub that writes one prepared frame to each of 100 connections, sustained", figure: reference.String(), cpu: reference.cpu}}
	for _, batch := range []bool{false, true} {
		for _, subscribers := range []int{10, 100, 1000} {
			best, err := l.sustained(ctx, l.fanOut(subscribers, batch), fanOutLimit, l.subjects()...)
			if err != nil {
				return nil, err
			}
			lines = append(lines, fanOutLine(subscribers, batch, best, reference))
		}
	}
	return lines, nil
}

func fanOutLine(subscribers int, batch bool, best, reference *hearing) line {
	form, target := "one to a frame", 130_000
	if batch {
		form, target = "`batch=true`", 450_000
	}
	row := line{what: fmt.Sprintf("**delivered to %s subscribers** of one graph, 4 writers, %s, sustained", thousands(int64(subscribers)), form),
		figure: best.String(), cpu: best.cpu}
	if subscribers == 100 {
		row.ratio = fmt.Sprintf("%.2f of the bare hub's %s", best.updates/reference.updates, perSecond(reference.updates))
		row.target, row.met = "≥ "+perSecond(float64(target)), best.updates >= float64(target)
	}
	return row
}

// steadyRow: how old an update is at its subscribers at a rate well below the highest.
func steadyRow(ctx context.Context, l *lab) ([]line, error) {
	if err := l.ensureGraph(ctx, fanOutGraph, nodesPerGraph, 0); err != nil {
		return nil, err
	}
	var lines []line
	for _, subscribers := range []int{10, 100} {
		c := l.fanOut(subscribers, false)
		c.rate = steadyRate
		h, err := l.steady(ctx, c, l.subjects()...)
		if err != nil {
			return nil, err
		}
		lines = append(lines, line{what: fmt.Sprintf("the same at %s commands/s to %d subscribers, one to a frame", thousands(steadyRate), subscribers),
			figure: h.String(), cpu: h.cpu, target: "p99 < 10 ms, none lost", met: h.holds(steadyLimit)})
	}
	return lines, nil
}
