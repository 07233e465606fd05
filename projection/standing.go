package projection

import (
	"context"

	"golang.org/x/sync/errgroup"

	"graphy/eventstore"
)

const standingReaders = 8 // heads read at once

// standing is where the log and the read models of a graph are.
type standing struct {
	head, checkpoint eventstore.Position
	broken           bool // one of them cannot be read; the graph's shard finds out
	done             bool // there is nothing left to do
	going            bool // the checkpoint does not say that projection has stopped
}

// wake has the graph's shard compare again, and do what there is to do.
func (p *Projector) wake(graph string, at standing) {
	p.ring(graph, ring{head: at.head.Version, check: true})
}

// compare holds read models against the log.
func (p *Projector) compare(ctx context.Context, graphs []string) ([]standing, error) {
	standings, turn := make([]standing, len(graphs)), p.parked.turn()
	if err := p.checkpoints(ctx, graphs, standings); err != nil {
		return nil, err
	}
	readers, ctx := errgroup.WithContext(ctx)
	readers.SetLimit(standingReaders)
	for i, graph := range graphs {
		readers.Go(func() (err error) {
			standings[i].head, err = p.log.Head(ctx, graph)
			if err != nil && !retriable(err) {
				standings[i].broken = true
				return nil
			}
			return err
		})
	}
	if err := readers.Wait(); err != nil {
		return nil, err
	}
	for i, graph := range graphs {
		at := &standings[i]
		p.parked.release(graph, at, turn)
		at.done = p.parked.has(graph) || !at.broken && at.head == at.checkpoint
	}
	return standings, nil
}

// checkpoints reads the checkpoints of graphs. One that cannot be read leaves the others alone: it is broken.
func (p *Projector) checkpoints(ctx context.Context, graphs []string, standings []standing) error {
	checkpoints, err := p.models.Checkpoints(ctx, graphs)
	if err != nil && retriable(err) {
		return err
	}
	for i, graph := range graphs {
		if err == nil {
			standings[i].checkpoint, standings[i].going = checkpoints[i].Position, checkpoints[i].Stalled == ""
			continue
		}
		one, failure := p.models.Checkpoint(ctx, graph)
		if failure != nil && retriable(failure) {
			return failure
		}
		standings[i].checkpoint, standings[i].broken = one.Position, failure != nil
		standings[i].going = failure == nil && one.Stalled == ""
	}
	return nil
}
