package command

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"graphy/eventstore"
	"graphy/projection"
)

// restore brings the state of a past version back: the net change from here to there. What is in memory is taken back;
// before that the state is folded from the log.
func (s *session) restore(ctx context.Context, c *Command) (decision, error) {
	if c.version > s.graph.Position.Version {
		return decision{}, invalid(c.pointer+"/payload/version", "is above the graph's version, which is %d", s.graph.Position.Version)
	}
	changes, err := s.changesBackTo(ctx, c)
	if err != nil {
		return decision{}, err
	}
	if err := s.apply(changes); err != nil {
		return decision{}, err
	}
	return decision{changes: changes, result: restoreResult(c.version)}, nil
}

func restoreResult(version eventstore.Version) []byte {
	return fmt.Appendf(nil, `{"restored":%d}`, version)
}

func (s *session) changesBackTo(ctx context.Context, c *Command) ([]projection.Change, error) {
	if c.version >= s.recent.floor {
		since := s.kept(c.version)
		touched := map[Target]bool{}
		for _, event := range since {
			for i := range event.Changes {
				touched[Target{event.Changes[i].Kind, event.Changes[i].ID}] = true
			}
		}
		var net projection.Net
		for _, target := range slices.SortedFunc(maps.Keys(touched), Target.compare) {
			current := s.graph.Value(target.Kind, target.ID)
			net.Entity(target.Kind, target.ID, current, since.valueBefore(target.Kind, target.ID, current))
		}
		return net.Changes(), nil
	}
	// A version of long ago must not use up the time of those that wait behind it.
	ctx, cancel := context.WithTimeout(ctx, s.p.opts.Timeout/2)
	defer cancel()
	past, err := projection.At(ctx, s.p.log, s.p.opts.Snapshots, s.id, c.version)
	switch {
	case errors.Is(err, projection.ErrTrimmed):
		return nil, trimmed()
	case err != nil:
		return nil, err
	}
	return projection.Diff(s.graph, past), nil
}
