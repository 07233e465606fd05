package limit

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// pool is a Source in memory.
type pool struct {
	mu      sync.Mutex
	now     func() time.Duration
	buckets map[string]*Bucket
	fail    error         // of every call, while set
	block   chan struct{} // where not nil, calls wait until it is closed, or their time is over
	calls   atomic.Int64
}

func newPool(now func() time.Duration) *pool {
	return &pool{now: now, buckets: map[string]*Bucket{}}
}

func (p *pool) Take(ctx context.Context, kind, key string, policy Policy, need, extra int) (Grant, error) {
	p.calls.Add(1)
	p.mu.Lock()
	block := p.block
	p.mu.Unlock()
	if block != nil {
		select {
		case <-block:
		case <-ctx.Done():
			return Grant{}, ctx.Err()
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fail != nil {
		return Grant{}, p.fail
	}
	b := p.buckets[kind+key]
	if b == nil {
		b = &Bucket{}
		p.buckets[kind+key] = b
	}
	now := p.now()
	if need > 0 && b.Take(policy, now, need) != 0 {
		return Grant{Missing: float64(policy.Burst) - b.Level(policy, now)}, nil
	}
	taken := need
	if more := min(extra, int(b.Level(policy, now)+rounding)); more > 0 && b.Take(policy, now, more) == 0 {
		taken += more
	}
	return Grant{Tokens: taken, Missing: float64(policy.Burst) - b.Level(policy, now)}, nil
}

func (p *pool) set(fail error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fail = fail
}

// clock is a time that tests move.
type clock struct{ atomic.Int64 }

func (c *clock) now() time.Duration            { return time.Duration(c.Load()) }
func (c *clock) move(d time.Duration)          { c.Add(int64(d)) }
func settle(l *Limiter)                        { l.calls.running.Wait() }
func allow(l *Limiter, key string, n int) bool { return l.Allow(context.Background(), key, n).OK }
