package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// sample is what one round came to, or the medians of several.
type sample struct {
	rate     float64 // per second
	cpu      float64 // µs of CPU per unit; 0: unknown
	redis    float64 // the part of redis-server in it
	allocs   float64 // allocations of graphy per unit; 0: not measured
	p50, p99 time.Duration
}

// worker puts load on a server until ctx is done and then returns nil. What it counts goes to r.
type worker func(ctx context.Context, r *recorder) error

// tally gathers what the workers of a round count.
type tally struct {
	units     atomic.Int64
	recording atomic.Bool // the warm-up is over

	mu        sync.Mutex
	latencies []time.Duration
}

// recorder is one worker's way to the tally, for one goroutine.
type recorder struct {
	tally     *tally
	latencies []time.Duration
}

// done counts a unit that took so long.
func (r *recorder) done(took time.Duration) {
	r.tally.units.Add(1)
	if r.tally.recording.Load() {
		r.latencies = append(r.latencies, took)
	}
}

func (r *recorder) finish() {
	r.tally.mu.Lock()
	defer r.tally.mu.Unlock()
	r.tally.latencies = append(r.tally.latencies, r.latencies...)
}

// round is one measurement: who works, and whose CPU time counts.
type round struct {
	workers   []worker
	processes []*child
	allocs    bool // count graphy's allocations, too
}

// measure runs a round: until all is idle, then a warm-up, then the span that counts, then until all is idle again.
func (l *lab) measure(ctx context.Context, what round) (sample, error) {
	l.settle(ctx, what.processes)
	t := &tally{}
	working, stop := context.WithCancel(ctx)
	defer stop()
	group, working := errgroup.WithContext(working)
	for _, work := range what.workers {
		group.Go(func() error {
			r := &recorder{tally: t}
			defer r.finish()
			if err := work(working, r); err != nil && working.Err() == nil {
				return err
			}
			return nil
		})
	}
	pause(working, max(l.opts.span/4, 400*time.Millisecond))
	mallocs := l.mallocs(ctx, what.allocs)
	cpu, redis := cpuTime(what.processes...), cpuTime(l.redis)
	units, begun := t.units.Load(), time.Now()
	t.recording.Store(true)
	pause(working, l.opts.span)
	t.recording.Store(false)
	took := time.Since(begun)
	units = t.units.Load() - units
	mallocs = l.mallocs(ctx, what.allocs) - mallocs
	stop()
	if err := errors.Join(group.Wait(), ctx.Err()); err != nil {
		return sample{}, err
	}
	if units == 0 {
		return sample{}, fmt.Errorf("nothing was done within %v", l.opts.span)
	}
	l.settle(ctx, what.processes)
	s := sample{rate: float64(units) / took.Seconds(), allocs: mallocs / float64(units)}
	s.cpu = float64((cpuTime(what.processes...) - cpu).Microseconds()) / float64(units)
	s.redis = float64((cpuTime(l.redis) - redis).Microseconds()) / float64(units)
	s.p50, s.p99 = quantile(t.latencies, 0.5), quantile(t.latencies, 0.99)
	return s, nil
}

func (l *lab) mallocs(ctx context.Context, wanted bool) float64 {
	if !wanted {
		return 0
	}
	count, _ := l.metric(ctx, "go_memstats_mallocs_total")
	return count
}

// settle waits until processes have no more work, for some seconds at most, and says if they still had.
func (l *lab) settle(ctx context.Context, processes []*child) {
	for begun := time.Now(); ; {
		before := cpuTime(processes...)
		if !pause(ctx, 100*time.Millisecond) || cpuTime(processes...)-before <= clockTick {
			return
		}
		if time.Since(begun) > 10*time.Second {
			fmt.Fprintln(os.Stderr, "  the servers were still busy after 10 s")
			return
		}
	}
}

// compare alternates rounds and returns the medians of each, in the order given.
func (l *lab) compare(ctx context.Context, rounds ...round) ([]sample, error) {
	samples, err := l.alternate(ctx, l.opts.rounds, rounds...)
	if err != nil {
		return nil, err
	}
	medians := make([]sample, len(rounds))
	for i, all := range samples {
		medians[i] = medianOf(all)
	}
	return medians, nil
}

// alternate measures each of rounds so many times, in turns, and returns the samples of each, in the order given.
func (l *lab) alternate(ctx context.Context, times int, rounds ...round) ([][]sample, error) {
	samples := make([][]sample, len(rounds))
	for range times {
		for i, round := range rounds {
			s, err := l.measure(ctx, round)
			if err != nil {
				return nil, err
			}
			fmt.Fprintf(os.Stderr, "  %8.0f/s  %6.1f µs CPU (Redis %.1f)  p50 %s  p99 %s\n", s.rate, s.cpu, s.redis, millis(s.p50), millis(s.p99))
			samples[i] = append(samples[i], s)
		}
	}
	return samples, nil
}

func medianOf(all []sample) sample {
	return sample{
		rate:   median(all, func(s sample) float64 { return s.rate }),
		cpu:    median(all, func(s sample) float64 { return s.cpu }),
		redis:  median(all, func(s sample) float64 { return s.redis }),
		allocs: median(all, func(s sample) float64 { return s.allocs }),
		p50:    median(all, func(s sample) time.Duration { return s.p50 }),
		p99:    median(all, func(s sample) time.Duration { return s.p99 }),
	}
}

func median[V cmp.Ordered](samples []sample, of func(sample) V) V {
	values := make([]V, len(samples))
	for i, s := range samples {
		values[i] = of(s)
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// quantile sorts values. Of none it is 0.
func quantile(values []time.Duration, q float64) time.Duration {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[min(int(q*float64(len(values))), len(values)-1)]
}

// subjects are the processes whose CPU time a command costs.
func (l *lab) subjects() []*child { return []*child{l.graphy, l.redis} }
