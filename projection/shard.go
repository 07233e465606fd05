package projection

import (
	"container/heap"
	"container/list"
	"context"
	"sync"
	"time"

	"graphy/eventstore"
)

// shard is the goroutine that projects a share of the graphs, one after the other, so that the order of each holds.
// No graph holds up the others: each gets one batch at a time, and what fails waits for its turn in the queue.
type shard struct {
	projector *Projector
	signal    chan struct{} // holds one token while there are rings

	mu     sync.Mutex
	rings  map[string]ring     // guarded by mu
	queued map[string]struct{} // guarded by mu: the graphs in the queue

	// The rest belongs to run.
	heard     map[string]ring
	followers map[string]*follower
	queue     queue
	cache     list.List // of followers with a graph, the last one used in front
	cached    int       // bytes
	pruned    time.Time // last
}

// ring is the news of a graph that have not been looked at.
type ring struct {
	head   eventstore.Version
	events []eventstore.Event // without a hole; nil if they have to be read
	bytes  int
	check  bool // compare read models and log even if there is nothing new
}

func newShard(p *Projector) *shard {
	return &shard{projector: p, signal: make(chan struct{}, 1), rings: map[string]ring{}, queued: map[string]struct{}{},
		heard: map[string]ring{}, followers: map[string]*follower{}}
}

// ring takes in news. It never blocks; events beyond what a commit takes are dropped, to be read from the log. A graph
// that is in the queue has its turn coming: plain news wait for it, only those that ask for a check wake the shard.
func (s *shard) ring(graph string, news ring) {
	s.mu.Lock()
	known := s.rings[graph]
	known.merge(news, s.projector.opts.Bytes)
	s.rings[graph] = known
	_, queued := s.queued[graph]
	s.mu.Unlock()
	if queued && !news.check {
		return
	}
	select {
	case s.signal <- struct{}{}:
	default:
	}
}

// hurry gives a graph that is in the queue its turn at once.
func (s *shard) hurry(graph string) {
	s.mu.Lock()
	_, queued := s.queued[graph]
	s.mu.Unlock()
	if queued {
		s.ring(graph, ring{check: true})
	}
}

func (r *ring) merge(news ring, bytes int) {
	r.head = max(r.head, news.head)
	r.check = r.check || news.check
	for _, event := range news.events {
		if len(r.events) > 0 {
			last := r.events[len(r.events)-1].Version
			if event.Version <= last {
				continue
			}
			if event.Version > last+1 || r.bytes > bytes {
				return
			}
		}
		r.events = append(r.events, event)
		r.bytes += len(event.Data)
	}
}

func (s *shard) run(ctx context.Context) {
	defer s.clear()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for ctx.Err() == nil {
		s.collect()
		wait := s.prune(time.Now())
		if len(s.queue) > 0 {
			wait = min(wait, time.Until(s.queue[0].due))
		}
		if wait <= 0 {
			s.step(ctx, s.next())
			continue
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
		case <-s.signal:
		case <-timer.C:
		}
	}
}

// clear forgets everything, as the next Run may find it changed.
func (s *shard) clear() {
	s.mu.Lock()
	clear(s.rings)
	clear(s.queued)
	s.mu.Unlock()
	clear(s.followers)
	s.queue = nil
	s.cache.Init()
	s.cached = 0
}

// collect takes the news in and puts their graphs into the queue.
func (s *shard) collect() {
	s.mu.Lock()
	if len(s.rings) == 0 {
		s.mu.Unlock()
		return
	}
	s.rings, s.heard = s.heard, s.rings
	s.mu.Unlock()
	now := time.Now()
	for graph, news := range s.heard {
		f := s.followers[graph]
		if f == nil {
			f = newFollower(s.projector, graph)
			s.followers[graph] = f
		}
		if f.news.events == nil {
			f.news.events, f.news.bytes, news.events = news.events, news.bytes, nil
		}
		f.news.merge(news, s.projector.opts.Bytes)
		s.schedule(f, now)
	}
	if len(s.heard) > 1000 { // clearing a map takes as long as it ever was big
		s.heard = map[string]ring{}
	}
	clear(s.heard)
}

// schedule puts f into the queue, or moves it forward there.
func (s *shard) schedule(f *follower, now time.Time) {
	due := now
	if next := f.committed.Add(s.projector.opts.Linger); next.After(due) && !s.projector.waiters.waiting(f.id) {
		due = next
	}
	if f.yield && f.index < 0 {
		due, f.goal = now.Add(s.projector.opts.Yield), f.news.head
	}
	if f.retry.After(due) {
		due = f.retry
	}
	switch {
	case f.index < 0:
		f.due = due
		heap.Push(&s.queue, f)
		s.mu.Lock()
		s.queued[f.id] = struct{}{}
		s.mu.Unlock()
	case due.Before(f.due) && !f.yield:
		f.due = due
		heap.Fix(&s.queue, f.index)
	}
}

// next takes the follower that is due first off the queue. News that come from here on wake the shard again.
func (s *shard) next() *follower {
	f := heap.Pop(&s.queue).(*follower)
	s.mu.Lock()
	delete(s.queued, f.id)
	s.mu.Unlock()
	return f
}

// step gives f its turn.
func (s *shard) step(ctx context.Context, f *follower) {
	again := f.step(ctx)
	f.used = time.Now()
	s.account(f)
	switch {
	case again:
		s.schedule(f, f.used)
	case f.graph == nil && !f.yield:
		delete(s.followers, f.id)
	}
}

// account keeps the cache within its bounds, the graph used last always in it.
func (s *shard) account(f *follower) {
	s.charge(f)
	budget := s.projector.opts.Cache / len(s.projector.shards)
	for element := s.cache.Back(); element != nil && s.cached > budget; {
		oldest := element.Value.(*follower)
		element = element.Prev()
		if oldest == f || !oldest.evictable() {
			continue
		}
		s.evict(oldest)
	}
}

func (s *shard) evict(f *follower) {
	f.drop()
	s.charge(f)
	if f.index < 0 {
		delete(s.followers, f.id)
	}
}

// prune forgets, from time to time, graphs of which nothing has been heard for long. It returns the time to its next
// turn.
func (s *shard) prune(now time.Time) time.Duration {
	idle := s.projector.opts.Idle
	if wait := s.pruned.Add(idle / 4).Sub(now); wait > 0 {
		return wait
	}
	s.pruned = now
	for _, f := range s.followers {
		if f.index < 0 && f.evictable() && now.Sub(f.used) > idle {
			s.evict(f)
		}
	}
	return idle / 4
}

// charge brings the books in line with the graph that f holds now.
func (s *shard) charge(f *follower) {
	s.cached -= f.size
	f.size = 0
	if f.graph != nil {
		f.size = f.graph.Size()
	}
	s.cached += f.size
	switch {
	case f.graph == nil && f.element != nil:
		s.cache.Remove(f.element)
		f.element = nil
	case f.graph != nil && f.element == nil:
		f.element = s.cache.PushFront(f)
	case f.graph != nil:
		s.cache.MoveToFront(f.element)
	}
}

// queue is a heap of followers, the one due first on top.
type queue []*follower

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].due.Before(q[j].due) }
func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

func (q *queue) Push(x any) {
	f := x.(*follower)
	f.index = len(*q)
	*q = append(*q, f)
}

func (q *queue) Pop() any {
	last := len(*q) - 1
	f := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	f.index = -1
	return f
}
