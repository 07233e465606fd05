package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"time"
)

const (
	firstUpdates = 130_000 // a second over all subscribers, of the first try
	halvings     = 3       // of the bracket around the highest rate, which is then known to within 9 %
	chances      = 2       // of each try: what others do on the machine is not to decide
	stepDown     = 0.85    // from a rate that does not hold in whole rounds
	mostSteps    = 12
)

// sustained finds the highest rate at which a crowd hears everything and the slowest hundredth within a limit: by short
// rounds its neighbourhood, then, from there downwards, the first that holds in whole rounds: none has a fault, and the
// median is within the limit.
func (l *lab) sustained(ctx context.Context, c *crowd, limit time.Duration, processes ...*child) (*hearing, error) {
	short := *c
	short.span = l.opts.span / 2
	rate, err := highest(firstUpdates/float64(c.listeners), halvings, func(rate float64) (bool, error) {
		short.rate = rate
		for range chances {
			if h, err := l.hear(ctx, &short, processes...); err != nil || h.holds(limit) {
				return err == nil, err
			}
		}
		return false, nil
	})
	for step := 0; err == nil && rate > 0 && step < mostSteps; step++ {
		c.rate = rate
		var h *hearing
		if h, err = l.hearRounds(ctx, c, processes...); err == nil && h.holds(limit) {
			return h, nil
		}
		rate *= stepDown
	}
	return nil, cmp.Or(err, fmt.Errorf("no rate is sustained by %d subscribers", c.listeners))
}

// steady is hearRounds at a rate that is to hold: a fault is an error.
func (l *lab) steady(ctx context.Context, c *crowd, processes ...*child) (*hearing, error) {
	h, err := l.hearRounds(ctx, c, processes...)
	if err == nil {
		err = h.fault
	}
	return h, err
}

// hearRounds runs a crowd in rounds and returns the one in the middle by its slowest hundredth, or the first with a fault.
func (l *lab) hearRounds(ctx context.Context, c *crowd, processes ...*child) (*hearing, error) {
	var all []*hearing
	for range l.opts.rounds {
		h, err := l.hear(ctx, c, processes...)
		if err != nil || h.fault != nil {
			return h, err
		}
		all = append(all, h)
	}
	slices.SortFunc(all, func(a, b *hearing) int { return cmp.Compare(a.p99, b.p99) })
	return all[len(all)/2], nil
}

// hear runs a crowd when the servers are idle.
func (l *lab) hear(ctx context.Context, c *crowd, processes ...*child) (*hearing, error) {
	l.settle(ctx, processes)
	before, own := cpuTime(processes...), cpuTime(generator)
	h, err := c.run(ctx)
	own = cpuTime(generator) - own
	l.settle(ctx, processes)
	if err != nil {
		return nil, err
	}
	if delivered := h.sent * int64(h.hearers); delivered > 0 {
		h.cpu, h.own = perUnit(cpuTime(processes...)-before, delivered), perUnit(own, delivered)
	}
	c.tell(h)
	return h, nil
}

// tell says on stderr how a round went.
func (c *crowd) tell(h *hearing) {
	fmt.Fprintf(os.Stderr, "  %6.0f commands/s to %4d: %8.0f/s  %5.2f µs CPU (generator %.2f)  p50 %s  p99 %s  worst %s",
		c.rate, h.hearers, h.updates, h.cpu, h.own, millis(h.p50), millis(h.p99), millis(h.worst))
	if h.presences > 0 {
		fmt.Fprintf(os.Stderr, "  %.0f presences/s", h.presences)
	}
	if h.fault != nil {
		fmt.Fprintf(os.Stderr, "  %v", h.fault)
	}
	fmt.Fprintln(os.Stderr)
}

// generator is this process.
var generator = &child{name: "bench", pid: os.Getpid()}

func perUnit(cpu time.Duration, units int64) float64 {
	return float64(cpu.Nanoseconds()) / 1000 / float64(units)
}
