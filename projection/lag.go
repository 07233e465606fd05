package projection

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"graphy/eventstore"
)

// GraphLag says how far the read models of a graph are behind its log.
type GraphLag struct {
	Graph      string
	Head       eventstore.Position
	Checkpoint Checkpoint
	Events     int64         // that are not in the read models yet
	Age        time.Duration // of the oldest of these; 0 if there are none
	Err        error         // why log or read models cannot be read, unless they are out of reach
}

// Lags looks how far the read models of graphs are behind, in their order. It fails if a store is out of reach.
func Lags(ctx context.Context, log eventstore.Log, models ReadModels, graphs []string) ([]GraphLag, error) {
	lags := make([]GraphLag, len(graphs))
	checkpoints, err := models.Checkpoints(ctx, graphs)
	if err != nil && retriable(err) {
		return nil, err
	}
	readers, ctx := errgroup.WithContext(ctx)
	readers.SetLimit(standingReaders)
	for i, graph := range graphs {
		lags[i].Graph = graph
		if err == nil {
			lags[i].Checkpoint = checkpoints[i]
		}
		together := err == nil
		readers.Go(func() error {
			failure := lags[i].look(ctx, log, models, together)
			if failure != nil && !retriable(failure) {
				lags[i].Err, failure = failure, nil
			}
			return failure
		})
	}
	if err := readers.Wait(); err != nil {
		return nil, fmt.Errorf("lag of %d graphs: %w", len(graphs), err)
	}
	return lags, nil
}

// look fills in what is missing; the checkpoint too, unless it was read together with the others.
func (l *GraphLag) look(ctx context.Context, log eventstore.Log, models ReadModels, together bool) (err error) {
	if !together {
		if l.Checkpoint, err = models.Checkpoint(ctx, l.Graph); err != nil {
			return err
		}
	}
	if l.Head, err = log.Head(ctx, l.Graph); err != nil || l.Head.Version <= l.Checkpoint.Version {
		return err
	}
	l.Events = int64(l.Head.Version - l.Checkpoint.Version)
	oldest, err := log.Read(ctx, l.Graph, l.Checkpoint.Version, 1)
	if err != nil || len(oldest) == 0 {
		return err
	}
	event, err := DecodeEvent(oldest[0].Data)
	if err != nil {
		return err
	}
	l.Age = max(0, time.Since(time.UnixMilli(event.Timestamp)))
	return nil
}
