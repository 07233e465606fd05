package upkeep

import (
	"context"
	"errors"

	"graphy/eventstore"
	"graphy/projection"
)

// survey reads a log that may be damaged: with a hole in it, with entries that are no events, with a key of another type.
type survey struct {
	k     *Keeper
	graph string

	// expected is where the log stands to those who rewrite it: at the newest entry that looks like an event.
	expected eventstore.Position
	end      eventstore.Version // of the newest event that is the graph's own
	foreign  bool               // entries were found that are no events of the graph
}

// survey finds out where the log of graph ends.
func (k *Keeper) survey(ctx context.Context, graph string) (*survey, error) {
	s := &survey{k: k, graph: graph}
	for before := eventstore.Version(0); ; {
		entry, found, err := s.last(ctx, before)
		broken, _ := errors.AsType[*eventstore.ChainError](err)
		if broken != nil && broken.Version > 1 {
			// Beside the entry of that version there may be another one that is an event.
			entry, found, err = k.entry(ctx, k.stream(), graph, broken.Version)
			found = found && entry.Version == broken.Version
			s.foreign = true
		}
		switch {
		case errors.Is(err, eventstore.ErrTrimmed):
			return s, s.trimmed(ctx)
		case err != nil && !errors.Is(err, eventstore.ErrBroken):
			return nil, err
		case broken == nil && !found:
			return s, nil
		case found:
			if s.expected.Version == 0 {
				s.expected = entry.Position()
			}
			own, err := s.own(ctx, entry)
			if err != nil {
				return nil, err
			}
			if own {
				s.end = entry.Version
				return s, nil
			}
			before, s.foreign = entry.Version, true
		case broken.Version <= 1: // nothing is before it, or the key is no stream
			s.foreign = true
			return s, nil
		default:
			before = broken.Version
		}
	}
}

// last returns the newest entry before version before; 0: of all.
func (s *survey) last(ctx context.Context, before eventstore.Version) (eventstore.Event, bool, error) {
	ctx, cancel := s.k.call(ctx)
	defer cancel()
	events, err := s.k.stream().ReadBackward(ctx, s.graph, before, 1)
	if err != nil || len(events) == 0 {
		return eventstore.Event{}, false, err
	}
	return events[0], true, nil
}

// trimmed is for a log of which nothing is left but its base.
func (s *survey) trimmed(ctx context.Context) error {
	base, err := s.k.base(ctx, s.graph)
	s.end = base.Version
	if !s.foreign {
		s.expected = base.Position
	}
	return err
}

// own tells whether an entry that looks like an event is one of the graph: it says so, or it follows another one.
func (s *survey) own(ctx context.Context, entry eventstore.Event) (bool, error) {
	if event, err := projection.DecodeEvent(entry.Data); err == nil {
		return event.Version == entry.Version, nil
	}
	if entry.Version == 1 {
		return true, nil
	}
	_, found, err := s.k.entry(ctx, s.k.stream(), s.graph, entry.Version-1)
	if errors.Is(err, eventstore.ErrBroken) {
		return false, nil
	}
	if errors.Is(err, eventstore.ErrTrimmed) {
		return true, nil
	}
	return found, err
}

// read returns the events after version after, up to limit and not beyond the end, as they are; none if the next one is
// missing or no event.
func (s *survey) read(ctx context.Context, after eventstore.Version, limit int) ([]eventstore.Event, error) {
	size := int(min(eventstore.Version(limit), s.end-after))
	for {
		events, err := s.k.read(ctx, s.k.stream(), s.graph, after, size)
		if !errors.Is(err, eventstore.ErrBroken) || errors.Is(err, eventstore.ErrUnavailable) {
			counted(ctx, len(events))
			return events, err
		}
		s.foreign = true
		if size == 1 {
			return nil, nil
		}
		size /= 2
	}
}
