package transport

import (
	"context"
	"sync"
	"time"

	"graphy/projection/upkeep"
)

// reportEach is how often a long act tells how far it has come.
const reportEach = time.Second

// teller takes what an act has to tell, from its goroutine, or several.
type teller struct {
	results chan tellerResult

	mu sync.Mutex
	at upkeep.Progress // guarded by mu
}

type tellerResult struct {
	value   any
	outcome string
}

// progress notes how far the act has come. It does not wait.
func (t *teller) progress(at upkeep.Progress) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.at = at
}

func (t *teller) now() upkeep.Progress {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.at
}

// result hands over the report of one graph, and waits until it is written.
func (t *teller) result(ctx context.Context, value any, outcome string) error {
	select {
	case t.results <- tellerResult{value, outcome}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// watch does work, and writes what it tells as it comes, with a line of progress each second meanwhile. When it returns
// the work has ended; if nobody reads the answer any more, because it was cancelled.
func (r *report) watch(ctx context.Context, work func(ctx context.Context, tell *teller) error) error {
	ctx, cancel := context.WithCancel(ctx)
	tell := &teller{results: make(chan tellerResult)}
	done := make(chan error, 1)
	go func() {
		var err error
		defer func() { done <- err }()
		defer recovered("act of an operator", &err)
		err = work(ctx, tell)
	}()
	ticker := time.NewTicker(reportEach)
	defer ticker.Stop()
	for {
		var err error
		select {
		case result := <-tell.results:
			err = r.result(result.value, result.outcome)
		case <-ticker.C:
			err = r.progress(tell.now())
		case err := <-done:
			cancel()
			if err == nil {
				r.summary.Events = tell.now().Events
			}
			return err
		}
		if err != nil {
			cancel()
			<-done //nolint:errcheck // that it was cancelled
			return err
		}
	}
}
