package upkeep

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"go.uber.org/zap"

	"graphy/eventstore"
	"graphy/projection"
)

// SamplerOptions configure a Sampler. The zero value is ready to use.
type SamplerOptions struct {
	Share  float64       // of one core that it and the stores may be busy with; default 0.02
	Window int           // events that are verified of a longer log at a time; default 20,000
	Gap    time.Duration // least rest between two graphs; default 100ms
	Retry  time.Duration // rest after a failure of the stores, or when there are no graphs; default 10s
	Rand   *rand.Rand    // default seeded by chance
	// Now and Pause are its clock; the default is the real one.
	Now   func() time.Time
	Pause func(ctx context.Context, long time.Duration)
}

// sampled is how many graphs are picked at once.
const sampled = 1000

// Sampler verifies graphs picked by chance, one after the other, for as long as it runs. It does one thing at a time,
// and rests after each page of events for so long that it, and the stores on its behalf, are not busy for more than their
// share. What it finds is counted, and logged once. Of a long log it verifies a part, from a snapshot on, and another one
// each time; graphs in which something was found are looked at again in each round, and so are found to be cured.
type Sampler struct {
	keeper *Keeper
	opts   SamplerOptions
	mark   time.Time // when it began to work
}

// NewSampler returns a Sampler of the keeper's graphs.
func NewSampler(k *Keeper, opts SamplerOptions) *Sampler {
	opts.Share = cmp.Or(opts.Share, 0.02)
	opts.Window = cmp.Or(opts.Window, 20_000)
	opts.Gap = cmp.Or(opts.Gap, 100*time.Millisecond)
	opts.Retry = cmp.Or(opts.Retry, 10*time.Second)
	if opts.Rand == nil {
		opts.Rand = rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Pause == nil {
		opts.Pause = pauseFor
	}
	return &Sampler{keeper: k, opts: opts}
}

// Run verifies until ctx is done and then returns nil. It may be called again, not twice at once.
func (s *Sampler) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		s.mark = s.opts.Now()
		if err := s.runOnce(ctx); err != nil && ctx.Err() == nil {
			s.opts.Pause(ctx, s.opts.Retry)
		}
	}
	return nil
}

var errNoGraphs = errors.New("upkeep: there are no graphs")

// runOnce is one round: the graphs in which something was found before, and some of the others.
func (s *Sampler) runOnce(ctx context.Context) error {
	damaged := s.keeper.metrics.damagedGraphs()
	for _, graph := range slices.Sorted(maps.Keys(damaged)) {
		if err := s.verify(ctx, graph, damaged[graph]); err != nil {
			return err
		}
	}
	graphs, err := s.pick(ctx)
	if err != nil {
		return err
	}
	if len(graphs) == 0 {
		return errNoGraphs
	}
	for _, graph := range graphs {
		if _, known := damaged[graph]; known {
			continue
		}
		if err := s.verify(ctx, graph, 0); err != nil {
			return err
		}
	}
	return nil
}

// pick returns some graphs, any as likely as any other, in no order.
func (s *Sampler) pick(ctx context.Context) (graphs []string, err error) {
	seen := 0
	for cursor := ""; ; {
		names, err := s.keeper.streams(ctx, cursor)
		if err != nil {
			return nil, err
		}
		if len(names) == 0 {
			break
		}
		for _, name := range names {
			seen++
			if len(graphs) < sampled {
				graphs = append(graphs, name)
			} else if i := s.opts.Rand.IntN(seen); i < sampled {
				graphs[i] = name
			}
		}
		cursor = names[len(names)-1]
		s.rest(ctx)
	}
	s.opts.Rand.Shuffle(len(graphs), func(i, j int) { graphs[i], graphs[j] = graphs[j], graphs[i] })
	return graphs, nil
}

// verify verifies a graph, or a part of it: the one that begins with the newest snapshot up to version at, if that is
// not 0, or any. It fails if the stores are out of reach.
func (s *Sampler) verify(ctx context.Context, graph string, at eventstore.Version) error {
	defer s.opts.Pause(ctx, s.opts.Gap)
	what, at, err := s.scope(ctx, graph, at)
	if err != nil {
		return err
	}
	what.rest = s.rest
	v, err := s.keeper.verify(ctx, graph, what)
	s.rest(ctx)
	switch {
	case errors.Is(err, ErrUnknown):
		s.keeper.metrics.cured(graph)
		return nil
	case errors.Is(err, ErrBusy):
		return nil
	case err != nil:
		return err
	}
	s.keeper.metrics.found(&v.found)
	if v.found.count == 0 {
		s.keeper.metrics.cured(graph)
		return nil
	}
	if s.keeper.metrics.damage(graph, at) {
		s.tell(v)
	}
	return nil
}

// scope chooses what to verify, and returns what to say to have the same again.
func (s *Sampler) scope(ctx context.Context, graph string, at eventstore.Version) (scope, eventstore.Version, error) {
	call, cancel := s.keeper.call(ctx)
	defer cancel()
	head, err := s.keeper.stores.Log.Head(call, graph)
	if err != nil && passing(err) {
		return scope{}, 0, err
	}
	if err != nil || head.Version <= eventstore.Version(s.opts.Window) {
		return scope{}, max(at, 1), nil
	}
	if at == 0 {
		at = head.Version
		if s.opts.Rand.IntN(2) == 0 { // else its end, with the read models
			at = 1 + eventstore.Version(s.opts.Rand.Int64N(int64(head.Version)))
		}
	}
	snapshot, found, err := s.keeper.newest(ctx, graph, at)
	what := scope{limit: s.opts.Window, apart: snapshot.Version+eventstore.Version(s.opts.Window) < head.Version}
	if found {
		what.from = func() (*projection.Graph, error) { return projection.DecodeSnapshot(graph, snapshot) }
	}
	if !what.apart {
		what.limit = 0
	}
	return what, at, err
}

// rest makes up for the time since the last rest.
func (s *Sampler) rest(ctx context.Context) {
	worked := s.opts.Now().Sub(s.mark)
	s.opts.Pause(ctx, time.Duration(float64(worked)*(1-s.opts.Share)/s.opts.Share))
	s.mark = s.opts.Now()
}

func (s *Sampler) tell(v *verification) {
	first := v.found.first[0]
	s.keeper.opts.Logger.Error("verification found what is not as it should be", zap.String("graphId", v.graph),
		zap.Uint64("version", uint64(v.position.Version)), zap.Int("mismatches", v.found.count), zap.String("kind", first.Kind),
		zap.String("id", first.ID), zap.Uint64("at", uint64(first.Version)), zap.String("want", first.Want),
		zap.String("found", first.Found), zap.String("detail", first.Detail))
}

// pauseFor waits, or until ctx is done.
func pauseFor(ctx context.Context, long time.Duration) {
	timer := time.NewTimer(long)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
