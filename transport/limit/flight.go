package limit

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// flight is a call to a Source, under way until done is closed. There is one at a time for each account.
type flight struct{ done chan struct{} }

// begin asks the source for what a needs, or for what who waits for cost needs. The shard is locked. It reports false,
// and does nothing, after Close.
func (l *Limiter) begin(s *shard, a *account, key string, now time.Duration, cost int) bool {
	need, extra := a.ask(l.policy, now, cost)
	call := &flight{done: make(chan struct{})}
	began := l.calls.begin(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		grant, err := l.opts.Source.Take(ctx, l.opts.Kind, key, l.policy, need, extra)
		s.mu.Lock()
		defer s.mu.Unlock()
		defer close(call.done)
		a.flight = nil
		if err != nil {
			l.lost(err)
			return
		}
		l.found()
		a.receive(l.policy, now, need+extra, grant)
	})
	if began {
		a.flight = call
	}
	return began
}

// Close waits for the calls that are under way, at most 250 ms. From then on there are no others: decisions are made as
// while the shared buckets are out of reach.
func (l *Limiter) Close() { l.calls.end() }

// calls are goroutines, until they are to end.
type calls struct {
	mu      sync.Mutex
	ended   atomic.Bool // set with mu held
	running sync.WaitGroup
}

func (c *calls) begin(call func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended.Load() {
		return false
	}
	c.running.Go(call)
	return true
}

func (c *calls) end() {
	c.mu.Lock()
	c.ended.Store(true)
	c.mu.Unlock()
	c.running.Wait()
}
