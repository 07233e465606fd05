package upkeep

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"go.uber.org/zap"
)

// RetainerOptions configure a Retainer. The zero value is ready to use.
type RetainerOptions struct {
	Every time.Duration // between two walks over all graphs; default 5m
	Rest  time.Duration // least pause between two graphs; else as long as the last one took; default 5ms
	Lease time.Duration // for how long the lease is taken, and renewed three times meanwhile; default 1m
}

// leaseName is what the Retainers of all processes share.
const leaseName = "retain"

// Retainer has all logs keep to a policy, in one process at a time as far as the lease can tell; two do no harm. It does
// one graph after the other and takes half of the time at most. A graph that fails leaves the others alone (I11), and is
// tried again by the next walk.
type Retainer struct {
	k      *Keeper
	policy Policy
	lease  Lease
	opts   RetainerOptions

	renewed time.Time // when the lease was last asked for; belongs to Run
}

// NewRetainer returns a Retainer that has k trim. With a nil lease there is no other process.
func NewRetainer(k *Keeper, policy Policy, lease Lease, opts RetainerOptions) *Retainer {
	opts.Every = cmp.Or(opts.Every, 5*time.Minute)
	opts.Rest = cmp.Or(opts.Rest, 5*time.Millisecond)
	opts.Lease = cmp.Or(opts.Lease, time.Minute)
	if lease == nil {
		lease = alone{}
	}
	return &Retainer{k: k, policy: policy, lease: lease, opts: opts}
}

// Run walks over all graphs from time to time until ctx is done and then returns nil. It may be called again, not twice
// at once. With a policy that keeps everything it only waits.
func (r *Retainer) Run(ctx context.Context) error {
	if r.policy.KeepsAll() {
		<-ctx.Done()
		return nil
	}
	defer r.release(context.WithoutCancel(ctx))
	for pause(ctx, r.opts.Every/2+rand.N(r.opts.Every/2+1)) == nil { // processes that start together do not meet for ever
		if _, err := r.runOnce(ctx); err != nil && ctx.Err() == nil {
			r.k.opts.Logger.Warn("logs are not trimmed for now", zap.Error(err))
		}
	}
	return nil
}

// runOnce walks over all graphs, if this process may. It tells whether it came to the end. Its error is one that
// concerns more than one graph.
func (r *Retainer) runOnce(ctx context.Context) (whole bool, err error) {
	r.renewed = time.Time{}
	failed := false
	for cursor := ""; ; {
		graphs, err := r.k.streams(ctx, cursor)
		if err != nil {
			return false, err
		}
		for _, graph := range graphs {
			held, err := r.hold(ctx)
			if err != nil || !held {
				return false, err
			}
			failed = !r.retain(ctx, graph) || failed
			if ctx.Err() != nil {
				return false, ctx.Err()
			}
		}
		if len(graphs) == 0 {
			break
		}
		cursor = graphs[len(graphs)-1]
	}
	if !failed {
		r.k.kept.last.SetToCurrentTime()
	}
	return true, nil
}

// retain does one graph, and rests.
func (r *Retainer) retain(ctx context.Context, graph string) (done bool) {
	begun := time.Now()
	working, cancel := context.WithCancel(ctx)
	defer cancel()
	lost := false
	renewing := make(chan struct{})
	go func() { // a large log takes longer than the lease
		defer close(renewing)
		for pause(working, r.opts.Lease/3) == nil {
			if held, err := r.ask(working); err == nil && !held {
				lost = true
				cancel()
			}
		}
	}()
	report, err := r.k.Retain(working, graph, r.policy, false)
	cancel()
	<-renewing
	switch {
	case lost:
		r.renewed = time.Time{}
	case errors.Is(err, ErrUnknown): // deleted in the meantime
		err = nil
	case err != nil && ctx.Err() == nil:
		r.k.opts.Logger.Warn("log could not be trimmed", zap.String("graphId", graph), zap.Error(err))
	case report.Trimmed > 0:
		r.k.opts.Logger.Info("log was trimmed", zap.String("graphId", graph), zap.Int64("events", report.Trimmed),
			zap.Int64("archived", report.Archived), zap.Uint64("version", uint64(report.First)))
	}
	_ = pause(ctx, max(r.opts.Rest, time.Since(begun))) // whoever called looks at ctx
	return err == nil
}

// hold makes sure that this process has the lease.
func (r *Retainer) hold(ctx context.Context) (bool, error) {
	if time.Since(r.renewed) < r.opts.Lease/3 {
		return true, nil
	}
	held, err := r.ask(ctx)
	if held {
		r.renewed = time.Now()
	}
	return held, err
}

func (r *Retainer) ask(ctx context.Context) (bool, error) {
	ctx, cancel := r.k.call(ctx)
	defer cancel()
	return r.lease.Hold(ctx, leaseName, r.opts.Lease)
}

func (r *Retainer) release(ctx context.Context) {
	ctx, cancel := r.k.call(ctx)
	defer cancel()
	if err := r.lease.Release(ctx, leaseName); err != nil {
		r.k.opts.Logger.Warn("lease was not given back, and runs out by itself", zap.Error(err))
	}
}
