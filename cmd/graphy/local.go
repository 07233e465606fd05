package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/user"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"graphy/eventstore"
	"graphy/eventstore/redis"
	"graphy/projection"
	"graphy/transport/auth"
)

// openOperator opens the Redis or the data folder that c names, and returns the operators' API on it, for a caller in
// this process. It fails with embedded.ErrLocked where another process has the folder. The read models of a Redis are
// those that are there; of a folder there are none before they are built.
func openOperator(ctx context.Context, c *config, logger *zap.Logger) (http.Handler, func() error, error) {
	policy, err := c.conflictPolicy()
	if err != nil {
		return nil, nil, err
	}
	back, err := openBackend(ctx, c, logger, os.Stderr)
	if err != nil {
		return nil, nil, err
	}
	if err := back.reach(ctx, c); err != nil {
		return nil, nil, errors.Join(err, back.close())
	}
	n := newNode(c, back, policy, nil, logger)
	loops, stop := context.WithCancel(context.WithoutCancel(ctx))
	group, loops := errgroup.WithContext(loops)
	group.Go(func() error { return n.recorder.Run(loops) })
	group.Go(func() error { return n.server.Run(loops) })
	if back.run != nil {
		group.Go(func() error { return back.run(loops) })
	}
	closing := func() error {
		drained, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainLimit)
		defer cancel()
		err := n.processor.Close(drained)
		stop()
		return errors.Join(err, group.Wait(), back.close())
	}
	if c.RedisURL == "" {
		group.Go(func() error { return n.projector.Run(loops) })
		if err := n.projectAll(ctx); err != nil {
			return nil, nil, errors.Join(err, closing())
		}
	}
	return n.server.Operator(operatorName()), closing, nil
}

// reachLimit is how long somebody at a shell waits to be told that Redis is away.
const reachLimit = 3 * time.Second

// reach fails with eventstore.ErrUnavailable if the Redis cannot be reached, unless that is fine.
func (b *backend) reach(ctx context.Context, c *config) error {
	if b.inside != nil || c.awayIsFine {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, reachLimit)
	defer cancel()
	if err := redis.Ping(ctx, b.client); err != nil {
		return fmt.Errorf("%w: %s is out of reach: %w", eventstore.ErrUnavailable, b.words, err)
	}
	return nil
}

// operatorName is who acts from this machine's command line, as far as nobody says.
func operatorName() string {
	if current, err := user.Current(); err == nil {
		if name := "operator:" + current.Username; auth.IsUser(name) {
			return name
		}
	}
	return "operator"
}

// projectAll returns once every graph's read models are where its log is, or its graph is parked.
func (n *node) projectAll(ctx context.Context) error {
	const page = 500
	for cursor := ""; ; {
		graphs, err := n.back.log.Streams(ctx, cursor, page)
		if err != nil || len(graphs) == 0 {
			return err
		}
		for _, graph := range graphs {
			head, err := n.back.log.Head(ctx, graph)
			if err == nil {
				err = n.projector.Await(ctx, graph, head.Version)
			}
			if err != nil && !errors.Is(err, eventstore.ErrBroken) && !errors.Is(err, projection.ErrStalled) {
				return err
			}
		}
		cursor = graphs[len(graphs)-1]
	}
}
