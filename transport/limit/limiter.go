package limit

import (
	"cmp"
	"context"
	"hash/maphash"
	"time"

	"go.uber.org/zap"
)

// Options configure a Limiter.
type Options struct {
	Kind   string                  // tells its buckets from those of other Limiters on one Source
	Source Source                  // of shared buckets; nil: this process has its own
	Keys   int                     // known at a time, beyond which those not seen for longest are forgotten; default 100,000
	Now    func() time.Duration    // since any fixed moment; default a monotonic clock
	Logger *zap.Logger             // default discards
	Away   func(isOutOfReach bool) // told when the Source is out of reach, and when it is back; default nobody
}

// Limiter decides for each key of one kind whether something may be done now.
type Limiter struct {
	policy Policy
	opts   Options
	seed   maphash.Seed
	shards [shards]shard
	reach  reach
	calls  calls
}

// Decision is the answer of a Limiter.
type Decision struct {
	OK        bool
	Wait      time.Duration // until it is worth trying again; 0 if OK
	Remaining int           // what is left for now, as far as this process knows
}

// patience is the longest wait for an answer of a Source.
const patience = 250 * time.Millisecond

// New returns a Limiter of policy, which is not off. It starts nothing; calls to a Source run on goroutines of their own,
// until Close.
func New(policy Policy, opts Options) *Limiter {
	opts.Keys = cmp.Or(opts.Keys, 100_000)
	opts.Logger = cmp.Or(opts.Logger, zap.NewNop())
	if opts.Now == nil {
		start := time.Now()
		opts.Now = func() time.Duration { return time.Since(start) }
	}
	if opts.Away == nil {
		opts.Away = func(bool) {}
	}
	l := &Limiter{policy: policy, opts: opts, seed: maphash.MakeSeed()}
	for i := range l.shards {
		l.shards[i].most = max(1, opts.Keys/shards/2)
	}
	return l
}

// Policy returns what New was given.
func (l *Limiter) Policy() Policy { return l.policy }

// Allow takes cost, at least 1, out of the bucket of key. It waits for a shared bucket only where this process has
// nothing left to spend, at most 250 ms, and refuses if ctx is done before.
func (l *Limiter) Allow(ctx context.Context, key string, cost int) Decision {
	cost = min(cost, l.policy.most())
	s := &l.shards[maphash.String(l.seed, key)%shards]
	for {
		decision, call := l.decide(s, key, cost)
		if call == nil {
			return decision
		}
		select {
		case <-call.done:
		case <-ctx.Done():
			return Decision{Wait: l.policy.time(1)}
		}
	}
}

// Return puts back what Allow took for something that then was not done.
func (l *Limiter) Return(key string, cost int) {
	s := &l.shards[maphash.String(l.seed, key)%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	now, a := l.opts.Now(), s.account(key)
	if l.isShared() {
		a.pay(now, -cost)
	} else {
		a.shared.give(l.policy, now, cost)
	}
}

// decide returns a decision, or the call on whose end it depends.
func (l *Limiter) decide(s *shard, key string, cost int) (Decision, *flight) {
	now := l.opts.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.account(key)
	if !l.isShared() {
		return l.decideAlone(s, a, key, now, cost), nil
	}
	verdict, wait := a.spend(l.policy, now, cost)
	if verdict == unsure {
		if a.flight != nil {
			a.waiting += cost
		} else if !l.begin(s, a, key, now, cost) {
			return l.decideAlone(s, a, key, now, cost), nil
		}
		return Decision{}, a.flight
	}
	if a.isDue(l.policy, now) {
		l.begin(s, a, key, now, 0)
	}
	return Decision{verdict == granted, wait, a.remaining(l.policy, now)}, nil
}

// decideAlone is decide by what this process knows.
func (l *Limiter) decideAlone(s *shard, a *account, key string, now time.Duration, cost int) Decision {
	wait := a.spendAlone(l.policy, now, cost)
	if a.flight == nil && l.isToTry(now) {
		l.begin(s, a, key, now, 0)
	}
	return Decision{wait == 0, wait, a.remaining(l.policy, now)}
}

// Sweep forgets keys that were not seen for as long as their buckets take to fill, at least ten seconds, if it is called
// about that often or less. What such a key may still owe, a portion at most, is forgotten with it.
func (l *Limiter) Sweep() {
	now := l.opts.Now()
	for i := range l.shards {
		l.shards[i].sweep(now, max(10*time.Second, l.policy.Window()))
	}
}

// Keys returns how many keys are known.
func (l *Limiter) Keys() int {
	count := 0
	for i := range l.shards {
		count += l.shards[i].size()
	}
	return count
}
