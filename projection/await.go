package projection

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"graphy/eventstore"
)

// The first and the longest wait between two looks at a checkpoint that somebody waits for.
const (
	firstLook = 2 * time.Millisecond
	lastLook  = 20 * time.Millisecond
)

// ErrStalled matches the error of an Await that will not come true for now: the graph is parked before that version.
var ErrStalled = errors.New("projection: graph is parked")

// Await returns once the read models of graph have reached version, whoever brings them there. Commits in this
// process end it at once; else it looks at the checkpoint, one look for all who wait on the same graph. It fails with
// ErrStalled, with eventstore.ErrUnavailable if the read models were out of reach at last, or with ctx's error.
func (p *Projector) Await(ctx context.Context, graph string, version eventstore.Version) error {
	waiter := &waiter{version: version, done: make(chan error, 1)}
	watch := p.waiters.join(graph, waiter, p.look)
	defer p.waiters.leave(graph, watch, waiter)
	if p.opts.Division.Owns(graph) {
		p.ring(graph, ring{head: version, check: true})
	} else {
		p.hurry(graph)
	}
	select {
	case err := <-waiter.done:
		return err
	case <-ctx.Done():
		return errors.Join(ctx.Err(), p.waiters.troubleOf(watch))
	}
}

// waiters are those who wait for read models.
type waiters struct {
	mu     sync.Mutex
	graphs map[string]*watch // guarded by mu
}

// watch is what the waiters on one graph share. Its fields are guarded by waiters.mu.
type watch struct {
	waiters map[*waiter]struct{}
	trouble error // of the last look
	stop    context.CancelFunc
}

type waiter struct {
	version eventstore.Version
	done    chan error // takes one value
}

// join adds a waiter; the first one on a graph starts look, which ends when the last one has left.
func (w *waiters) join(graph string, waiter *waiter, look func(context.Context, string, *watch)) *watch {
	w.mu.Lock()
	defer w.mu.Unlock()
	shared := w.graphs[graph]
	if shared == nil {
		ctx, stop := context.WithCancel(context.Background())
		shared = newWatch(stop)
		w.graphs[graph] = shared
		go look(ctx, graph, shared)
	}
	shared.waiters[waiter] = struct{}{}
	return shared
}

func newWatch(stop context.CancelFunc) *watch {
	return &watch{waiters: map[*waiter]struct{}{}, stop: stop}
}

func (w *waiters) leave(graph string, shared *watch, waiter *waiter) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(shared.waiters, waiter)
	if len(shared.waiters) == 0 && w.graphs[graph] == shared {
		delete(w.graphs, graph)
		shared.stop()
	}
}

// waiting tells whether anybody waits for graph.
func (w *waiters) waiting(graph string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	shared := w.graphs[graph]
	return shared != nil && len(shared.waiters) > 0
}

// reached tells those who wait for version, or for one before it.
func (w *waiters) reached(graph string, version eventstore.Version) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if shared := w.graphs[graph]; shared != nil {
		shared.tell(nil, func(waiter *waiter) bool { return waiter.version <= version })
	}
}

// stalled tells all who still wait that they wait in vain.
func (w *waiters) stalled(graph, cause string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if shared := w.graphs[graph]; shared != nil {
		shared.tell(fmt.Errorf("%w: %s", ErrStalled, cause), func(*waiter) bool { return true })
	}
}

func (s *watch) tell(answer error, who func(*waiter) bool) {
	for waiter := range s.waiters {
		if who(waiter) {
			waiter.done <- answer
			delete(s.waiters, waiter)
		}
	}
}

func (w *waiters) setTrouble(shared *watch, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	shared.trouble = err
}

func (w *waiters) troubleOf(shared *watch) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return shared.trouble
}

// look reads the checkpoint of a graph now and then, until ctx is done. Where another projector lets them wait, this one
// goes to work on the graph.
func (p *Projector) look(ctx context.Context, graph string, shared *watch) {
	stepIn := time.Now().Add(p.opts.StepIn / 4)
	for wait := firstLook; ctx.Err() == nil; wait = min(2*wait, lastLook) {
		if time.Now().After(stepIn) {
			p.ring(graph, ring{check: true})
			stepIn = time.Now().Add(p.opts.StepIn / 4)
		}
		call, cancel := context.WithTimeout(ctx, p.opts.Timeout)
		checkpoint, err := p.models.Checkpoint(call, graph)
		cancel()
		p.waiters.setTrouble(shared, err)
		if err == nil {
			p.waiters.reached(graph, checkpoint.Version)
			if checkpoint.Stalled != "" {
				p.waiters.stalled(graph, checkpoint.Stalled)
			}
		}
		pause(ctx, wait)
	}
}
