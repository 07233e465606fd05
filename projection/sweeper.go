package projection

import (
	"context"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"graphy/eventstore"
)

const (
	sweepPage    = 1000 // graphs looked at together
	sweepReaders = 8    // heads read at once
)

// sweep looks at the active graphs, at once and then from time to time, until ctx is done.
func (p *Projector) sweep(ctx context.Context) {
	ticker := time.NewTicker(p.opts.Sweep)
	defer ticker.Stop()
	for {
		if err := p.sweepOnce(ctx); err != nil && ctx.Err() == nil && !retriable(err) {
			p.opts.Logger.Warn("sweep failed", zap.Error(err))
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// sweepOnce finds graphs that were appended to, by whomever, and are not projected yet, and wakes their shards. What
// is projected and quiet leaves the active ones; so do parked graphs, which the next start finds again.
func (p *Projector) sweepOnce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 4*p.opts.Timeout)
	defer cancel()
	active, err := p.log.Active(ctx, sweepPage)
	if err != nil {
		return err
	}
	graphs := make([]string, 0, len(active))
	for i := range active {
		graphs = append(graphs, active[i].Stream)
	}
	for _, parked := range p.Parked() {
		graphs = append(graphs, parked.Graph)
	}
	done, err := p.compare(ctx, graphs)
	if err != nil {
		return err
	}
	for i, graph := range active {
		if done[i] && time.Since(graph.Marked) > p.opts.Quiet {
			if err := p.log.Settle(ctx, graph.Stream, graph.Marked); err != nil {
				return err
			}
		}
	}
	return nil
}

// sweepAll looks once at every graph there is: read models may be missing altogether.
func (p *Projector) sweepAll(ctx context.Context) {
	cursor := ""
	for ctx.Err() == nil {
		graphs, err := p.page(ctx, cursor)
		switch {
		case err != nil:
			pause(ctx, p.opts.Sweep)
		case len(graphs) == 0:
			return
		default:
			cursor = graphs[len(graphs)-1]
			pause(ctx, p.opts.Linger) // the shards have other work
		}
	}
}

func (p *Projector) page(ctx context.Context, cursor string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, 4*p.opts.Timeout)
	defer cancel()
	graphs, err := p.log.Streams(ctx, cursor, sweepPage)
	if err != nil {
		return nil, err
	}
	_, err = p.compare(ctx, graphs)
	return graphs, err
}

// compare holds read models against the log, wakes the shards of graphs where they differ, and tells for each
// whether there is nothing left to do.
func (p *Projector) compare(ctx context.Context, graphs []string) (done []bool, err error) {
	broken := make([]bool, len(graphs)) // cannot be read; its shard finds out
	checkpoints, err := p.checkpoints(ctx, graphs, broken)
	if err != nil {
		return nil, err
	}
	heads := make([]eventstore.Position, len(graphs))
	readers, ctx := errgroup.WithContext(ctx)
	readers.SetLimit(sweepReaders)
	for i, graph := range graphs {
		readers.Go(func() (err error) {
			heads[i], err = p.log.Head(ctx, graph)
			if err != nil && !retriable(err) {
				broken[i] = true
				return nil
			}
			return err
		})
	}
	if err := readers.Wait(); err != nil {
		return nil, err
	}
	done = make([]bool, len(graphs))
	for i, graph := range graphs {
		p.parked.release(graph, heads[i], checkpoints[i].Position)
		switch {
		case p.parked.has(graph), !broken[i] && heads[i] == checkpoints[i].Position:
			done[i] = true
		default:
			p.ring(graph, ring{head: heads[i].Version, check: true})
		}
	}
	return done, nil
}

// checkpoints reads the checkpoints of graphs. One that cannot be read leaves the others alone: it is marked broken.
func (p *Projector) checkpoints(ctx context.Context, graphs []string, broken []bool) ([]Checkpoint, error) {
	checkpoints, err := p.models.Checkpoints(ctx, graphs)
	if err == nil || retriable(err) {
		return checkpoints, err
	}
	checkpoints = make([]Checkpoint, len(graphs))
	for i, graph := range graphs {
		checkpoints[i], err = p.models.Checkpoint(ctx, graph)
		if err != nil && retriable(err) {
			return nil, err
		}
		broken[i] = err != nil
	}
	return checkpoints, nil
}
