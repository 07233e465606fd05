package upkeep

import (
	"context"
	"errors"
	"fmt"
	"time"

	"graphy/projection"
)

// Rebuild folds the log of graph, compares what comes out with the read models and the index of operations, and, if
// something differs, builds the read models anew beside those that are served and puts them in their place in one step.
// Until then everything is served as it was, so it may be cancelled at any point. A graph that projectors have parked
// although its log can be folded goes on. It fails with ErrUnknown if there is no such graph, and as the stores do; then
// it may be called again.
func (k *Keeper) Rebuild(ctx context.Context, graph string, opts RebuildOptions) (Rebuilt, error) {
	k.metrics.rebuilding.Inc()
	defer k.metrics.rebuilding.Dec()
	begun := time.Now()
	for range attempts {
		r := &rebuilding{Keeper: k, graph: graph, opts: opts}
		err := r.run(ctx)
		if errors.Is(err, errChanged) {
			continue
		}
		if err != nil {
			return Rebuilt{}, fmt.Errorf("rebuild %q: %w", graph, err)
		}
		r.result.Millis = time.Since(begun).Milliseconds()
		return r.result, nil
	}
	return Rebuilt{}, fmt.Errorf("rebuild %q: %w: it was deleted or rewritten each time that it was read", graph, ErrBusy)
}

// What becomes of a graph that is rebuilt.
const (
	becameUnchanged = "unchanged"
	becameRebuilt   = "rebuilt"
	becameDifferent = "different"
	becameParked    = "parked"
)

// rebuilding is one rebuild of a graph.
type rebuilding struct {
	*Keeper
	graph  string
	opts   RebuildOptions
	pass   *verification
	result Rebuilt
}

func (r *rebuilding) run(ctx context.Context) error {
	what := scope{strict: true}
	if r.opts.FromSnapshot {
		var err error
		if what.from, err = r.snapshot(ctx); err != nil {
			return err
		}
	}
	pass, err := r.verify(ctx, r.graph, what)
	if err != nil {
		return err
	}
	r.pass = pass
	r.judge()
	if r.opts.DryRun || r.result.Outcome == becameParked || r.result.Outcome == becameUnchanged {
		return nil
	}
	if r.missing() || !r.pass.found.ofIndex() {
		if err := r.replace(ctx); err != nil {
			return err
		}
	}
	return r.reindex(ctx)
}

// snapshot returns how to get the state to begin with: that of the newest snapshot which is not beyond the read models, if
// there are any, so that these can be compared; nil if there is none.
func (r *rebuilding) snapshot(ctx context.Context) (func() (*projection.Graph, error), error) {
	call, cancel := r.call(ctx)
	defer cancel()
	at := forever
	checkpoint, err := r.stores.Models.Checkpoint(call, r.graph)
	if err != nil && passing(err) {
		return nil, err
	}
	if err == nil && checkpoint.Version > 0 {
		at = checkpoint.Version
	}
	snapshot, found, err := r.newest(ctx, r.graph, at)
	if err != nil || !found {
		return nil, err
	}
	return func() (*projection.Graph, error) { return projection.DecodeSnapshot(r.graph, snapshot) }, nil
}

// judge says what became of the graph, or would.
func (r *rebuilding) judge() {
	pass := r.pass
	r.result = Rebuilt{GraphID: r.graph, DryRun: r.opts.DryRun, Version: pass.position.Version, Events: pass.events}
	if pass.over() {
		r.result.Outcome, r.result.Cause = becameParked, causeOf(pass.found.first)
		return
	}
	if stalled := pass.stood.Stalled; stalled != "" {
		pass.found.add(projection.Mismatch{Kind: "state", ID: "stalled", Found: stalled, Detail: "the log can be folded"})
	}
	r.result.Differences, r.result.First = pass.found.count, pass.found.first
	switch {
	case r.missing():
		r.result.Outcome = becameRebuilt
	case pass.found.count > 0:
		r.result.Outcome = becameDifferent
	default:
		r.result.Outcome = becameUnchanged
	}
}

// causeOf puts what is wrong with a log in words.
func causeOf(first []projection.Mismatch) string {
	for _, m := range first {
		switch m.Kind {
		case "chain", "event", "checksum", "base":
			if m.Want != "" {
				m.Detail = fmt.Sprintf("%s is %s, want %s", m.ID, m.Found, m.Want)
			}
			return fmt.Sprintf("version %d: %s: %s", m.Version, m.Kind, m.Detail)
		}
	}
	return "the log cannot be folded"
}

// missing tells whether there were no read models at all.
func (r *rebuilding) missing() bool {
	c := r.pass.contents
	if r.pass.stood.Version > 0 || r.pass.stood.Stalled != "" {
		return false
	}
	return c == nil || len(c.Damage)+len(c.Nodes)+len(c.Edges)+len(c.Conflicts)+len(c.Incident)+len(c.ByType)+len(c.Viewport) == 0
}
