package main

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"graphy/projection"
	projectionredis "graphy/projection/redis"
)

// newProjector wires what keeps the read models up with the log. A process that does not project has a projector too: it
// waits for what the others do. On a Redis of their own the processes share the graphs.
func (n *node) newProjector(registry *prometheus.Registry) {
	projects := n.config.has("projector")
	options := projection.ProjectorOptions{Snapshots: n.past, Logger: n.logger}
	snapshots := projection.SnapshotterOptions{Events: n.config.SnapshotEvents, Logger: n.logger}
	if projects && n.config.RedisURL != "" {
		n.projectors = projectionredis.NewProjectors(n.back.client, n.back.keys, projectionredis.ProjectorsOptions{Logger: n.logger})
		registry.MustRegister(n.projectors)
		options.Division, snapshots.Division = n.projectors, n.projectors
	}
	n.projector = projection.NewProjector(n.back.live, n.models, options)
	registry.MustRegister(n.projector)
	if projects && snapshots.Events > 0 {
		n.snapshots = projection.NewSnapshotter(n.back.live, n.past, snapshots)
		registry.MustRegister(n.snapshots)
	}
}

// runProjector starts the loops of a process that projects.
func (n *node) runProjector(ctx context.Context, group *errgroup.Group) {
	if n.config.has("projector") {
		group.Go(func() error { return n.projector.Run(ctx) })
	}
	if n.projectors != nil {
		group.Go(func() error { return n.projectors.Run(ctx) })
	}
	if n.snapshots != nil {
		group.Go(func() error { return n.snapshots.Run(ctx) })
	}
}
