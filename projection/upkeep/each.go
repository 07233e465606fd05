package upkeep

import (
	"cmp"
	"context"
	"iter"
	"runtime"
	"slices"
	"sync"
	"time"
)

// Selection says which graphs an act is done to.
type Selection struct {
	Graphs   []string // these, or
	All      bool     // all of the directory
	After    string   // of these only the ones whose names come after it, in byte order; what an earlier Progress said
	Parallel int      // how many at once; default twice the CPUs that Go may use
}

// Step is what Each has come to: one graph is done (Result or Err is set), or a second has passed.
type Step[R any] struct {
	Graph    string // "" if none is done
	Result   *R
	Err      error // what act returned for this graph; the others are not concerned
	Progress Progress
}

const (
	eachPage = 1000        // names listed at once
	eachTick = time.Second // between steps that tell of progress alone
)

// Each does act to the graphs of sel, several at once, in the order of their names, and yields a step for each that is
// done, and one a second meanwhile. The last pair has an error if the graphs could not be listed, or if ctx was done
// before all were. When the loop is left, what is under way is cancelled and waited for.
func Each[R any](ctx context.Context, k *Keeper, sel Selection, act func(ctx context.Context, graph string) (R, error)) iter.Seq2[Step[R], error] {
	return func(yield func(Step[R], error) bool) {
		working, cancel := context.WithCancel(ctx)
		r := &round[R]{progress: newProgress(), names: make(chan string), steps: make(chan Step[R]), left: make(chan struct{}), act: act}
		r.start(working, k, sel)
		defer r.working.Wait()
		defer cancel()
		defer close(r.left)
		ticker := time.NewTicker(eachTick)
		defer ticker.Stop()
		for {
			select {
			case step, more := <-r.steps:
				if !more {
					if err := cmp.Or(r.failure, ctx.Err()); err != nil {
						yield(Step[R]{Progress: r.progress.now()}, err)
					}
					return
				}
				step.Progress = r.progress.finished(step.Graph)
				if !yield(step, nil) {
					return
				}
			case <-ticker.C:
				if !yield(Step[R]{Progress: r.progress.now()}, nil) {
					return
				}
			}
		}
	}
}

// round is one run of Each.
type round[R any] struct {
	progress *progress
	names    chan string
	steps    chan Step[R]  // closed when all is done
	left     chan struct{} // closed when nobody takes steps any more
	act      func(ctx context.Context, graph string) (R, error)
	failure  error // of the listing; set before steps is closed
	working  sync.WaitGroup
}

// start starts the goroutines, which end when all is done or ctx is.
func (r *round[R]) start(ctx context.Context, k *Keeper, sel Selection) {
	r.working.Go(func() {
		defer close(r.names)
		r.failure = k.list(ctx, sel, func(name string) bool {
			r.progress.listed(name)
			select {
			case r.names <- name:
				return true
			case <-ctx.Done():
				return false
			}
		})
	})
	r.working.Go(func() { k.count(ctx, sel, r.progress) })
	var workers sync.WaitGroup
	for range cmp.Or(max(sel.Parallel, 0), 2*runtime.GOMAXPROCS(0)) {
		workers.Go(func() { r.work(ctx) })
	}
	r.working.Go(func() {
		workers.Wait()
		for range r.names { // nobody else takes them any more
		}
		close(r.steps)
	})
}

// work does act to one graph after the other.
func (r *round[R]) work(ctx context.Context) {
	for name := range r.names {
		if ctx.Err() != nil {
			return
		}
		result, err := r.act(r.progress.begin(ctx, name), name)
		step := Step[R]{Graph: name, Err: err}
		if err == nil {
			step.Result = &result
		}
		if err != nil && ctx.Err() != nil {
			return // it was not its own failure, and it is not done
		}
		select {
		case r.steps <- step:
		case <-r.left:
			return
		}
	}
}

// list gives the names of sel to take, in order, until that is false.
func (k *Keeper) list(ctx context.Context, sel Selection, take func(name string) bool) error {
	if !sel.All {
		for _, name := range slices.Compact(slices.Sorted(slices.Values(sel.Graphs))) {
			if name > sel.After && !take(name) {
				return nil
			}
		}
		return nil
	}
	for cursor := sel.After; ; {
		names, err := k.streams(ctx, cursor)
		if err != nil || len(names) == 0 {
			return err
		}
		for _, name := range names {
			if !take(name) {
				return nil
			}
		}
		cursor = names[len(names)-1]
	}
}

// count finds out how many graphs there are to do. If it fails, so does the listing.
func (k *Keeper) count(ctx context.Context, sel Selection, p *progress) {
	total := 0
	err := k.list(ctx, sel, func(string) bool {
		total++
		return ctx.Err() == nil
	})
	if err == nil {
		p.counted(total)
	}
}

func (k *Keeper) streams(ctx context.Context, cursor string) ([]string, error) {
	ctx, cancel := k.call(ctx)
	defer cancel()
	return k.stores.Log.Streams(ctx, cursor, eachPage)
}

// call bounds one call to the stores.
func (k *Keeper) call(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, k.opts.Timeout)
}

// long bounds what is several calls to the stores.
func (k *Keeper) long(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, 10*k.opts.Timeout)
}
