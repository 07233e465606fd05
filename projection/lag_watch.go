package projection

import (
	"cmp"
	"context"
	"sync"
	"time"

	"go.uber.org/zap"

	"graphy/eventstore"
)

// LagOptions configure a LagWatch. The zero value is ready to use.
type LagOptions struct {
	Every   time.Duration // between two looks; default 10s
	Graphs  int           // most graphs that one look is at; default 1000
	Timeout time.Duration // of a look; default 10s
	Logger  *zap.Logger   // default discards
}

// LagWatch looks every few seconds how far read models are behind the log, over the graphs that are active or have dead
// letters, and tells it as metrics. All its methods are safe for concurrent use.
type LagWatch struct {
	log     eventstore.Log
	models  ReadModels
	letters DeadLetters
	opts    LagOptions

	mu   sync.Mutex
	last lagLook // guarded by mu
}

// lagLook is what one look came to.
type lagLook struct {
	at                     time.Time // zero: there was none yet
	graphs, behind, parked int
	events, mostEvents     int64
	age, mostAge           time.Duration
	open                   int64 // dead letters
}

// NewLagWatch returns a LagWatch. With nil letters there are no dead letters.
func NewLagWatch(log eventstore.Log, models ReadModels, letters DeadLetters, opts LagOptions) *LagWatch {
	opts.Every = cmp.Or(opts.Every, 10*time.Second)
	opts.Graphs = cmp.Or(opts.Graphs, 1000)
	opts.Timeout = cmp.Or(opts.Timeout, 10*time.Second)
	opts.Logger = cmp.Or(opts.Logger, zap.NewNop())
	return &LagWatch{log: log, models: models, letters: letters, opts: opts}
}

// Run looks until ctx is done and then returns nil.
func (w *LagWatch) Run(ctx context.Context) error {
	failures := 0
	for ctx.Err() == nil {
		err := w.runOnce(ctx)
		switch {
		case err == nil:
			failures = 0
		case ctx.Err() == nil:
			if failures++; failures == 3 {
				w.opts.Logger.Warn("lag cannot be looked at", zap.Error(err))
			}
		}
		pause(ctx, w.opts.Every)
	}
	return nil
}

// runOnce looks once. What an earlier look came to stays if this one fails.
func (w *LagWatch) runOnce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, w.opts.Timeout)
	defer cancel()
	look := lagLook{at: time.Now()}
	graphs, err := w.graphs(ctx, &look)
	if err != nil {
		return err
	}
	lags, err := Lags(ctx, w.log, w.models, graphs)
	if err != nil {
		return err
	}
	for i := range lags {
		look.add(&lags[i])
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last = look
	return nil
}

// graphs returns those to look at, each once.
func (w *LagWatch) graphs(ctx context.Context, look *lagLook) (graphs []string, err error) {
	active, err := w.log.Active(ctx, w.opts.Graphs)
	if err != nil {
		return nil, err
	}
	known := map[string]bool{}
	for _, graph := range active {
		known[graph.Stream] = true
		graphs = append(graphs, graph.Stream)
	}
	if w.letters == nil {
		return graphs, nil
	}
	if look.open, err = w.letters.OpenLetters(ctx); err != nil || look.open == 0 {
		return graphs, err
	}
	letters, err := w.letters.Letters(ctx, false, "", "", w.opts.Graphs)
	for _, letter := range letters {
		if !known[letter.Graph] {
			known[letter.Graph] = true
			graphs = append(graphs, letter.Graph)
		}
	}
	return graphs, err
}

func (l *lagLook) add(lag *GraphLag) {
	l.graphs++
	l.parked += count(lag.Checkpoint.Stalled != "")
	l.behind += count(lag.Events > 0)
	l.events += lag.Events
	l.mostEvents = max(l.mostEvents, lag.Events)
	l.age += lag.Age
	l.mostAge = max(l.mostAge, lag.Age)
}
