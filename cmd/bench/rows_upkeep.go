package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"github.com/redis/rueidis"
	"golang.org/x/sync/errgroup"

	"graphy/eventstore"
	"graphy/eventstore/redis"
	"graphy/projection/projectiontest"
)

// The logs that the rows about upkeep read: graphs of 1000 events of all types, under a prefix that the server that is
// measured elsewhere does not look at.
const (
	upkeepPrefix = "upkeep:"
	upkeepEvents = 1000 // of each graph
	upkeepBatch  = 250  // events appended at once
	upkeepFilled = 4    // graphs filled at once
	upkeepRate   = 150_000
	samplerSpan  = 15 * time.Second
	samplerShare = 0.03
)

func (l *lab) upkeepGraphs() int { return l.opts.events / upkeepEvents }

// fillUpkeep fills the logs, once. All have the same events: an event does not say of which graph it is.
func (l *lab) fillUpkeep(ctx context.Context) error {
	if l.upkeep {
		return nil
	}
	begun := time.Now()
	events := projectiontest.NewWriter("upkeep", rand.New(rand.NewPCG(1, 2))).Events(upkeepEvents)
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{l.redisAddr}, DisableCache: true})
	if err != nil {
		return err
	}
	defer client.Close()
	log := redis.New(client, client, redis.Options{Prefix: upkeepPrefix})
	filling, ctx := errgroup.WithContext(ctx)
	filling.SetLimit(upkeepFilled)
	for i := range l.upkeepGraphs() {
		filling.Go(func() error { return appendAll(ctx, log, fmt.Sprintf("upkeep-%04d", i), events) })
	}
	if err := filling.Wait(); err != nil {
		return err
	}
	l.upkeep = true
	fmt.Fprintf(os.Stderr, "  %d graphs of %d events in %.1f s\n", l.upkeepGraphs(), upkeepEvents, time.Since(begun).Seconds())
	return nil
}

// appendAll appends events to an empty log.
func appendAll(ctx context.Context, log eventstore.Log, graph string, events []eventstore.Event) error {
	at := eventstore.Position{}
	for len(events) > 0 {
		page := events[:min(len(events), upkeepBatch)]
		result, err := log.Append(ctx, graph, at, page)
		if err == nil && result.Outcome != eventstore.Applied {
			err = errors.New("there is something already")
		}
		if err != nil {
			return fmt.Errorf("fill %s: %w", graph, err)
		}
		at, events = page[len(page)-1].Position(), events[len(page):]
	}
	return nil
}

// rebuildRow: a process of its own rebuilds the read models of all graphs, of which there are none; then once more, which
// compares them. Its most memory is beside that of the largest graph.
func rebuildRow(ctx context.Context, l *lab) ([]line, error) {
	if err := l.fillUpkeep(ctx); err != nil {
		return nil, err
	}
	if err := l.dropModels(ctx); err != nil {
		return nil, err
	}
	first, err := l.upkeepChild(ctx, actRebuild)
	if err != nil {
		return nil, err
	}
	again, err := l.upkeepChild(ctx, actRebuild)
	if err != nil {
		return nil, err
	}
	l.rebuilt = true
	return []line{l.upkeepLine("`rebuild --all` without read models", first), l.upkeepLine("`rebuild --all` with nothing to change", again)}, nil
}

// verifyRow: a process of its own verifies all graphs.
func verifyRow(ctx context.Context, l *lab) ([]line, error) {
	if err := l.rebuildUpkeep(ctx); err != nil {
		return nil, err
	}
	verified, err := l.upkeepChild(ctx, actVerify)
	if err != nil {
		return nil, err
	}
	return []line{l.upkeepLine("`verify --all`", verified)}, nil
}

// rebuildUpkeep sees to it that the graphs have read models.
func (l *lab) rebuildUpkeep(ctx context.Context) error {
	if err := l.fillUpkeep(ctx); err != nil || l.rebuilt {
		return err
	}
	_, err := l.upkeepChild(ctx, actRebuild)
	l.rebuilt = err == nil
	return err
}

func (l *lab) upkeepLine(what string, r *upkeepResult) line {
	rate := float64(r.Events) / r.Seconds
	return line{
		what: fmt.Sprintf("%s: %s events in %s graphs", what, thousands(r.Events), thousands(int64(l.upkeepGraphs()))),
		figure: fmt.Sprintf("%s events/s; its CPU %.1f µs, Redis's %.1f µs an event; at most %.0f MB of memory", thousands(int64(rate)), r.CPU, r.Redis,
			float64(r.Peak)/1e6),
		cpu: r.CPU + r.Redis, target: fmt.Sprintf("≥ %s", perSecond(upkeepRate)), met: rate >= upkeepRate,
	}
}

// samplerRow: what the verifier in the background and Redis on its behalf use of a core. What Redis does anyway is
// measured before, and taken off.
func samplerRow(ctx context.Context, l *lab) ([]line, error) {
	if err := l.rebuildUpkeep(ctx); err != nil {
		return nil, err
	}
	span := samplerSpan
	if l.opts.short {
		span /= 3
	}
	l.settle(ctx, l.subjects())
	before := cpuTime(l.redis)
	if !pause(ctx, span) {
		return nil, ctx.Err()
	}
	idle := cpuTime(l.redis) - before
	sampled, err := l.upkeepChild(ctx, actSample, span.String())
	if err != nil {
		return nil, err
	}
	own := time.Duration(sampled.CPU * float64(sampled.Events) * float64(time.Microsecond))
	redis := max(0, time.Duration(sampled.Redis*float64(sampled.Events)*float64(time.Microsecond))-idle)
	share := (own + redis).Seconds() / sampled.Seconds
	return []line{{
		what: fmt.Sprintf("the verifier in the background, for %v", span),
		figure: fmt.Sprintf("%.1f %% of a core, %.1f %% of it Redis; %s events/s", 100*share, 100*redis.Seconds()/sampled.Seconds,
			thousands(int64(float64(sampled.Events)/sampled.Seconds))),
		target: "< 3 %", met: share < samplerShare,
	}}, nil
}

// dropModels removes the read models of the graphs.
func (l *lab) dropModels(ctx context.Context) error {
	for cursor := uint64(0); ; {
		page, err := l.client.Do(ctx, l.client.B().Scan().Cursor(cursor).Match(upkeepPrefix+"graph:*").Count(1000).Build()).AsScanEntry()
		if err != nil {
			return err
		}
		var keys []string
		for _, key := range page.Elements {
			if !isLog(key) {
				keys = append(keys, key)
			}
		}
		if len(keys) > 0 {
			if err := l.client.Do(ctx, l.client.B().Unlink().Key(keys...).Build()).Error(); err != nil {
				return err
			}
		}
		if cursor = page.Cursor; cursor == 0 {
			return nil
		}
	}
}
