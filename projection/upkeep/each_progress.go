package upkeep

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Progress says how far an act on many graphs has come.
type Progress struct {
	Done   int           // graphs that are done
	Total  int           // graphs there are; more may be found while they are counted
	Events int64         // that were gone through
	Rate   float64       // of events, a second, since the beginning
	Left   time.Duration // about how long it will take; 0: cannot be told yet
	Graph  string        // this one and all before it, by name, are done: the Selection's After, to go on from here
}

// progress counts. Its methods are safe for concurrent use.
type progress struct {
	begun time.Time

	mu       sync.Mutex
	open     map[string]*tally // guarded by mu, as is all below: the graphs that are being worked on
	order    []string          // names that were listed and come after graph; those done are not in unfinished
	waiting  map[string]bool   // names in order that are not done
	graph    string
	done     int
	listings int   // names listed
	total    int   // 0: not counted yet
	events   int64 // of the graphs that are done
}

// tally is what one act has gone through.
type tally struct{ events, expected atomic.Int64 }

type tallyKey struct{}

// counted adds to the events that the act of ctx has gone through.
func counted(ctx context.Context, events int) {
	if t, ok := ctx.Value(tallyKey{}).(*tally); ok {
		t.events.Add(int64(events))
	}
}

// expecting says how many events the act of ctx will go through from here on.
func expecting(ctx context.Context, events int64) {
	if t, ok := ctx.Value(tallyKey{}).(*tally); ok {
		t.expected.Store(t.events.Load() + events)
	}
}

func newProgress() *progress {
	return &progress{begun: time.Now(), open: map[string]*tally{}, waiting: map[string]bool{}}
}

// listed takes note of a graph that is to be done, in the order of names.
func (p *progress) listed(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.order = append(p.order, name)
	p.waiting[name] = true
	p.listings++
}

func (p *progress) counted(total int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.total = total
}

// begin returns the context for the act on a graph.
func (p *progress) begin(ctx context.Context, name string) context.Context {
	t := &tally{}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open[name] = t
	return context.WithValue(ctx, tallyKey{}, t)
}

// finished takes note that a graph is done.
func (p *progress) finished(name string) Progress {
	p.mu.Lock()
	if t := p.open[name]; t != nil {
		p.events += t.events.Load()
		delete(p.open, name)
	}
	p.done++
	delete(p.waiting, name)
	for len(p.order) > 0 && !p.waiting[p.order[0]] {
		p.graph, p.order = p.order[0], p.order[1:]
	}
	p.mu.Unlock()
	return p.now()
}

func (p *progress) now() Progress {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := Progress{Done: p.done, Total: max(p.total, p.listings), Events: p.events, Graph: p.graph}
	behind := float64(p.done) // graphs, and parts of graphs
	for _, t := range p.open {
		events, expected := t.events.Load(), t.expected.Load()
		if expected == 0 && p.done > 0 {
			expected = p.events / int64(p.done)
		}
		if expected > 0 {
			behind += min(1, float64(events)/float64(expected))
		}
		now.Events += events
	}
	took := time.Since(p.begun)
	if took > 0 {
		now.Rate = float64(now.Events) / took.Seconds()
	}
	if behind > 0 {
		now.Left = time.Duration(float64(took) * max(0, float64(now.Total)-behind) / behind)
	}
	return now
}
