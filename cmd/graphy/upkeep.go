package main

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"graphy/cmd/graphy/doctor"
	"graphy/projection"
	projectionredis "graphy/projection/redis"
	"graphy/projection/upkeep"
	"graphy/transport"
	transportredis "graphy/transport/redis"
)

// newKeeper wires what operators do to graphs, and what a process that projects does of it by itself: verify a little all
// the time, and trim what is beyond the policy.
func (n *node) newKeeper(registry *prometheus.Registry) {
	back, kept := n.back, &n.config.Keeping
	n.keeper = upkeep.New(upkeep.Stores{
		Log: back.log, Maintainer: back.maintainer, Models: n.models, Workshop: n.models, Snapshots: n.past, Letters: n.models,
		Archive: back.archive, Needed: n.clients.Needed,
	}, upkeep.Options{Logger: n.logger})
	registry.MustRegister(n.keeper)
	if !n.config.has("projector") {
		return
	}
	n.lags = projection.NewLagWatch(back.live, n.models, n.models, projection.LagOptions{Logger: n.logger})
	registry.MustRegister(n.lags)
	if kept.VerifyShare > 0 {
		n.sampler = upkeep.NewSampler(n.keeper, upkeep.SamplerOptions{Share: kept.VerifyShare})
	}
	if policy, _ := kept.policy(); !policy.KeepsAll() { // it was checked
		n.retainer = upkeep.NewRetainer(n.keeper, policy, projectionredis.NewLease(back.client, back.keys),
			upkeep.RetainerOptions{Every: kept.RetainEvery, Lease: min(time.Minute, max(10*time.Second, kept.RetainEvery))})
	}
}

// runUpkeep starts the loops that newKeeper has wired.
func (n *node) runUpkeep(ctx context.Context, group *errgroup.Group) {
	if n.lags != nil {
		group.Go(func() error { return n.lags.Run(ctx) })
	}
	if n.sampler != nil {
		group.Go(func() error { return n.sampler.Run(ctx) })
	}
	if n.retainer != nil {
		group.Go(func() error { return n.retainer.Run(ctx) })
	}
}

// serveOperators adds what the operators' endpoints need.
func (n *node) serveOperators(services *transport.Services) {
	services.Upkeep, services.Maintainer = n.keeper, n.back.maintainer
	services.Letters, services.Archive = n.models, n.back.archive
	services.Policy, _ = n.config.Keeping.policy() // it was checked
	n.serveSettings(services)
	services.Doctor = doctor.New(doctor.Options{
		Client: n.back.client, Store: n.back.store, Log: n.back.live, Embedded: n.back.inside, DataDir: n.config.DataDir,
		Archive: n.back.archive, JWKSURL: n.config.Tokens.JWKSURL, Secret: n.config.Tokens.Secret != "", Logger: n.logger,
	}).Diagnose
	if n.config.RedisURL == "" {
		return
	}
	services.Kicks = transportredis.NewKicks(n.back.client, n.back.store)
	services.Sizes = transportredis.NewSizes(n.back.client, n.back.keys).Of
}
