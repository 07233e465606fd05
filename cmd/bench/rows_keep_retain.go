package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"graphy/eventstore"
	"graphy/projection/projectiontest"
	"graphy/projection/upkeep"
)

const (
	retainPrefix = "retain:"
	retainGraph  = "one"
	retainNodes  = 1000
	retainPace   = time.Millisecond      // from one event of the writer to the next
	retainPause  = 50 * time.Millisecond // that a writer may wait
	retainQuiet  = 3 * time.Second       // that the writer writes alone
	retainTail   = 100                   // events that are kept
	retainPage   = 1000                  // events appended at once to fill the log
)

// retainRow: a million events are trimmed into an archive, first of one log, then of as many as fillUpkeep makes, while
// a writer appends to one that is trimmed, an event each millisecond.
func retainRow(ctx context.Context, l *lab) ([]line, error) {
	one, err := l.retainOne(ctx)
	if err != nil {
		return nil, err
	}
	many, err := l.retainMany(ctx)
	if err != nil {
		return nil, err
	}
	return append(one, many...), nil
}

// retainOne trims one long log.
func (l *lab) retainOne(ctx context.Context) ([]line, error) {
	site, err := l.openKeep(ctx, retainPrefix)
	if err != nil {
		return nil, err
	}
	defer site.close()
	writer := projectiontest.NewWriter(retainGraph, rand.New(rand.NewPCG(3, 4)))
	at := eventstore.Position{}
	for written := 0; written < l.opts.events; written += retainPage {
		page := make([]eventstore.Event, retainPage)
		for i := range page {
			if written == 0 {
				page[i] = writer.CreateNode()
			} else {
				page[i] = writer.Move(fmt.Sprint("n", 2*i+1))
			}
		}
		if _, err := site.log.Append(ctx, retainGraph, at, page); err != nil {
			return nil, err
		}
		at = page[len(page)-1].Position()
	}
	if _, err := site.keeper.Rebuild(ctx, retainGraph, upkeep.RebuildOptions{}); err != nil {
		return nil, err
	}
	return l.retainBeside(ctx, site, writer, []string{retainGraph})
}

// retainMany trims many logs.
func (l *lab) retainMany(ctx context.Context) ([]line, error) {
	site, err := l.openKeep(ctx, importPrefix)
	if err != nil {
		return nil, err
	}
	defer site.close()
	name, _, err := l.exportFile(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := site.imports(ctx, name); err != nil {
		return nil, err
	}
	var graphs []string
	for graph, err := range site.graphs(ctx) {
		if err != nil {
			return nil, err
		}
		graphs = append(graphs, graph)
	}
	for step, err := range upkeep.Each(ctx, site.keeper, upkeep.Selection{Graphs: graphs}, func(ctx context.Context, graph string) (upkeep.Rebuilt, error) {
		return site.keeper.Rebuild(ctx, graph, upkeep.RebuildOptions{})
	}) {
		if err == nil {
			err = step.Err
		}
		if err != nil {
			return nil, err
		}
	}
	writer := projectiontest.NewWriter(graphs[len(graphs)-1], rand.New(rand.NewPCG(1, 2)))
	writer.Events(upkeepEvents) // as fillUpkeep has
	return l.retainBeside(ctx, site, writer, graphs)
}

// retainBeside trims graphs beside a writer.
func (l *lab) retainBeside(ctx context.Context, site *keepSite, writer *projectiontest.Writer, graphs []string) ([]line, error) {
	head, err := site.log.Head(ctx, writer.Graph.ID)
	if err != nil || head != writer.Graph.Position {
		return nil, fmt.Errorf("the log of %s is not the writer's: %v, %w", writer.Graph.ID, head, err)
	}
	l.settle(ctx, l.subjects())
	slow, err := l.slowest(ctx)
	if err != nil {
		return nil, err
	}
	quiet, cancel := context.WithTimeout(ctx, retainQuiet)
	alone, err := site.writes(quiet, ctx, writer)
	cancel()
	if err != nil {
		return nil, err
	}
	var trimmed, archived int64
	var took time.Duration
	var beside []time.Duration
	group, working := errgroup.WithContext(ctx)
	writing, stop := context.WithCancel(working)
	group.Go(func() (err error) {
		beside, err = site.writes(writing, working, writer)
		return err
	})
	group.Go(func() error {
		defer stop()
		begun := time.Now()
		for _, graph := range graphs {
			report, err := site.keeper.Retain(working, graph, upkeep.Policy{Events: retainTail}, false)
			if err != nil {
				return err
			}
			trimmed, archived = trimmed+report.Trimmed, archived+report.Archived
		}
		took = time.Since(begun)
		return nil
	})
	err = group.Wait()
	stop()
	if err != nil {
		return nil, err
	}
	script, err := slow()
	if err != nil {
		return nil, err
	}
	longest := slices.Max(beside)
	return []line{
		{what: fmt.Sprintf("`retain`: %s events of %s graphs into an archive in a folder", thousands(trimmed), thousands(int64(len(graphs)))),
			figure: fmt.Sprintf("%s events/s; %s archived", thousands(int64(float64(trimmed)/took.Seconds())), thousands(archived))},
		{what: "longest wait of a writer to such a log meanwhile",
			figure: fmt.Sprintf("%s of %s appends, p99 %s; without it %s, p99 %s; longest command in Redis %s", millis(longest),
				thousands(int64(len(beside))), millis(quantile(beside, 0.99)), millis(slices.Max(alone)), millis(quantile(alone, 0.99)), millis(script)),
			target: "< 50 ms", met: longest < retainPause},
	}, nil
}

// writes appends one event after the other until working is done, and returns how long each took.
func (s *keepSite) writes(working, ctx context.Context, writer *projectiontest.Writer) ([]time.Duration, error) {
	waits := []time.Duration{0}
	ticker := time.NewTicker(retainPace)
	defer ticker.Stop()
	for {
		select {
		case <-working.Done():
			return waits, ctx.Err()
		case <-ticker.C:
		}
		at := writer.Graph.Position
		event := writer.CreateNode()
		begun := time.Now()
		result, err := s.log.Append(ctx, writer.Graph.ID, at, []eventstore.Event{event})
		if err != nil || result.Outcome != eventstore.Applied {
			return nil, fmt.Errorf("append beside: %v: %w", result, err)
		}
		waits = append(waits, time.Since(begun))
	}
}

// slowest has Redis take note of slow commands, and returns what tells the slowest since.
func (l *lab) slowest(ctx context.Context) (func() (time.Duration, error), error) {
	for _, command := range [][]string{{"CONFIG", "SET", "slowlog-log-slower-than", "500"}, {"CONFIG", "SET", "slowlog-max-len", "10000"}, {"SLOWLOG", "RESET"}} {
		if err := l.client.Do(ctx, l.client.B().Arbitrary(command...).Build()).Error(); err != nil {
			return nil, err
		}
	}
	return func() (longest time.Duration, err error) {
		entries, err := l.client.Do(ctx, l.client.B().Arbitrary("SLOWLOG", "GET", "10000").Build()).ToArray()
		for _, entry := range entries {
			fields, _ := entry.ToArray()
			if len(fields) > 3 {
				micros, _ := fields[2].AsInt64()
				longest = max(longest, time.Duration(micros)*time.Microsecond)
			}
		}
		return longest, err
	}, nil
}
