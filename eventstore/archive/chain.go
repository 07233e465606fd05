package archive

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"graphy/eventstore"
)

// reach is as much of a segment as belongs to a history.
type reach struct {
	Segment
	end eventstore.Version // at or below To
}

// chain returns the segments that lead to through, the newest first, as far back as to version after, or below it. Where
// one is missing it returns those that it has, and ErrNotFound.
func (a *Archive) chain(ctx context.Context, c *contents, graph string, through eventstore.Position, after eventstore.Version) ([]reach, error) {
	var chain []reach
	for at := through; at.Version > after; {
		segment, err := a.before(ctx, c, graph, at)
		if err != nil {
			return chain, err
		}
		chain = append(chain, reach{segment, at.Version})
		at = segment.From
	}
	return chain, nil
}

// before returns the segment that leads to at: the longest that ends there, or one that goes on further.
func (a *Archive) before(ctx context.Context, c *contents, graph string, at eventstore.Position) (Segment, error) {
	if segments := c.byEnd[at]; len(segments) > 0 {
		return segments[0], nil
	}
	segment, err := a.containing(ctx, c, at)
	if errors.Is(err, errNone) {
		err = fmt.Errorf("%w: no segment of %q leads to version %d (%s)", ErrNotFound, graph, at.Version, at.Hash)
	}
	return segment, err
}

var errNone = fmt.Errorf("%w: no segment", ErrNotFound)

// containing returns the longest segment that has at in its middle; errNone if there is none. Only the events themselves
// can tell, so a segment that cannot be read is an error if no other one is found.
func (a *Archive) containing(ctx context.Context, c *contents, at eventstore.Position) (Segment, error) {
	found, failed := Segment{}, errNone
	for _, segment := range c.segments {
		if at.Version <= segment.From.Version || at.Version >= segment.To.Version {
			continue
		}
		events, err := a.load(ctx, segment)
		switch {
		case err != nil:
			failed = err
		case eventAt(segment, events, at.Version).Hash != at.Hash:
		case found.To.Version == 0 || segment.From.Version < found.From.Version:
			found = segment
		}
	}
	if found.To.Version > 0 {
		return found, nil
	}
	return Segment{}, failed
}

func eventAt(segment Segment, events []eventstore.Event, version eventstore.Version) eventstore.Event {
	return events[version-segment.From.Version-1]
}

// Bases returns the newest base at or below version at of the history that leads to through; false if there is none. One
// that is damaged is passed over; if that leaves none, it fails with ErrDamaged.
func (a *Archive) Bases(ctx context.Context, graph string, through eventstore.Position, at eventstore.Version) (eventstore.Base, bool, error) {
	base, err := with(ctx, a, graph, func(c *contents) (eventstore.Base, error) {
		failed := fmt.Errorf("%w: no base of %q at or below version %d", ErrNotFound, graph, at)
		for _, position := range slices.Backward(c.bases) {
			if position.Version > min(at, through.Version) {
				continue
			}
			leads, err := a.leads(ctx, c, graph, position, through)
			if errors.Is(err, ErrNotFound) {
				break // and so none below
			}
			if err != nil {
				return eventstore.Base{}, err
			}
			if !leads {
				continue
			}
			base, err := a.loadBase(ctx, graph, position)
			if err == nil || !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrNotFound) {
				return base, err
			}
			failed = err
		}
		return eventstore.Base{}, failed
	})
	if errors.Is(err, ErrNotFound) {
		return eventstore.Base{}, false, nil
	}
	return base, err == nil, err
}

// leads tells whether position is on the way to through. It fails with ErrNotFound if the segments do not reach so far back.
func (a *Archive) leads(ctx context.Context, c *contents, graph string, position, through eventstore.Position) (bool, error) {
	chain, err := a.chain(ctx, c, graph, through, position.Version)
	if err != nil {
		return false, err
	}
	if len(chain) == 0 {
		return position == through, nil
	}
	last := chain[len(chain)-1]
	if last.From.Version == position.Version {
		return last.From == position, nil
	}
	events, err := a.load(ctx, last.Segment)
	if err != nil {
		return false, err
	}
	return eventAt(last.Segment, events, position.Version).Hash == position.Hash, nil
}
