package projection

import (
	"context"
	"slices"
	"time"

	"go.uber.org/zap"

	"graphy/eventstore"
)

const (
	sweepPage = 1000 // graphs looked at together
	lookTwice = 4    // the part of a sweep after which a graph is looked at again that somebody else may be at
)

// sweeper looks for graphs that are behind their logs. It belongs to one goroutine.
type sweeper struct {
	*Projector
	behind   laggards
	doubtful []string  // behind, but whoever appended may be at them
	others   time.Time // when the graphs of other projectors were looked at last
}

// sweep looks at the active graphs, at once and then from time to time, until ctx is done.
func (p *Projector) sweep(ctx context.Context) {
	s := sweeper{Projector: p, behind: laggards{}}
	ticker := time.NewTicker(p.opts.Sweep)
	defer ticker.Stop()
	for {
		err := s.once(ctx)
		if err == nil && len(s.doubtful) > 0 {
			pause(ctx, p.opts.Sweep/lookTwice)
			err = s.again(ctx)
		}
		if err != nil && ctx.Err() == nil && !retriable(err) {
			p.opts.Logger.Warn("sweep failed", zap.Error(err))
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// once finds graphs that were appended to, by whomever, and are not projected yet, and wakes their shards. What is
// projected and quiet leaves the active ones; so do parked graphs, which the next start finds again.
func (s *sweeper) once(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 4*s.opts.Timeout)
	defer cancel()
	active, err := s.log.Active(ctx, sweepPage)
	if err != nil {
		return err
	}
	active = s.due(active)
	graphs := make([]string, 0, len(active))
	for i := range active {
		graphs = append(graphs, active[i].Stream)
	}
	for _, parked := range s.Parked() {
		graphs = append(graphs, parked.Graph)
	}
	standings, err := s.compare(ctx, graphs)
	if err != nil {
		return err
	}
	s.wakeLate(graphs, standings)
	for i, graph := range active {
		if standings[i].done && s.opts.Division.Owns(graph.Stream) && time.Since(graph.Marked) > s.opts.Quiet {
			if err := s.log.Settle(ctx, graph.Stream, graph.Marked); err != nil {
				return err
			}
		}
	}
	return nil
}

// again looks once more at the graphs that may be in somebody's hands.
func (s *sweeper) again(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 4*s.opts.Timeout)
	defer cancel()
	graphs := s.doubtful
	standings, err := s.compare(ctx, graphs)
	if err == nil {
		s.wakeLate(graphs, standings)
	}
	return err
}

// due returns the graphs to look at this time: the projector's own, and now and then those of the others too.
func (s *sweeper) due(active []eventstore.ActiveStream) []eventstore.ActiveStream {
	if time.Since(s.others) >= s.opts.StepIn/2 {
		s.others = time.Now()
		return active
	}
	return slices.DeleteFunc(active, func(graph eventstore.ActiveStream) bool { return !s.opts.Division.Owns(graph.Stream) })
}

// wakeLate wakes the shards of the graphs that have been behind for too long.
func (s *sweeper) wakeLate(graphs []string, standings []standing) {
	now := time.Now()
	s.doubtful = nil
	for i, graph := range graphs {
		if standings[i].done {
			continue
		}
		owned := s.opts.Division.Owns(graph)
		late := s.behind.late(graph, standings[i].checkpoint, s.patience(owned), now)
		if late {
			s.wake(graph, standings[i])
		}
		if late && !owned {
			s.metrics.stepIns.Inc()
		}
		if owned && !late {
			s.doubtful = append(s.doubtful, graph)
		}
	}
	s.behind.forget(now.Add(-2 * s.opts.StepIn))
}

// patience is how long a graph may stand still behind its log before this projector goes to work on it.
func (p *Projector) patience(owned bool) time.Duration {
	switch {
	case p.opts.Division == Division(everything{}):
		return 0
	case owned:
		return p.opts.Sweep / lookTwice
	}
	return p.opts.StepIn
}

// sweepAll looks once at every graph there is: read models may be missing altogether.
func (p *Projector) sweepAll(ctx context.Context) {
	cursor := ""
	for ctx.Err() == nil {
		graphs, err := p.page(ctx, cursor)
		switch {
		case err != nil:
			pause(ctx, p.opts.Sweep)
		case len(graphs) == 0:
			return
		default:
			cursor = graphs[len(graphs)-1]
			pause(ctx, p.opts.Linger) // the shards have other work
		}
	}
}

func (p *Projector) page(ctx context.Context, cursor string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, 4*p.opts.Timeout)
	defer cancel()
	graphs, err := p.log.Streams(ctx, cursor, sweepPage)
	if err != nil {
		return nil, err
	}
	standings, err := p.compare(ctx, graphs)
	if err != nil {
		return nil, err
	}
	for i, graph := range graphs {
		if !standings[i].done {
			p.wake(graph, standings[i])
		}
	}
	return graphs, nil
}
