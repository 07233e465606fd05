package command

import (
	"context"
	"errors"
	"slices"

	"graphy/eventstore"
	"graphy/projection"
)

// base checks the version that a command was made on and returns what has changed since, at least where the command
// writes. Its error is a refusal or one of the log.
func (s *session) base(ctx context.Context, c *Command) (history, error) {
	if err := s.checkBase(ctx, c); err != nil {
		return nil, err
	}
	switch {
	case !c.HasBase || c.Base == s.graph.Position.Version:
		return nil, nil
	case c.Base >= s.recent.floor:
		return s.kept(c.Base), nil
	}
	return s.events(ctx, c.Base, c.Targets())
}

// checkBase refuses a base that is not of this history.
func (s *session) checkBase(ctx context.Context, c *Command) error {
	if head := s.graph.Position.Version; c.HasBase && c.Base > head {
		return refuse(ClientAhead, c.fieldPointer("clientVersion"), "the client's version %d is above the graph's, which is %d", c.Base, head)
	}
	if c.HasBaseHash {
		return s.checkBaseHash(ctx, c)
	}
	return nil
}

// fieldPointer points at a field of the body that the command was sent in.
func (c *Command) fieldPointer(name string) string { return c.pointer + "/" + name }

// checkBaseHash refuses a base whose hash is not the log's: the client holds a history that is not ours.
func (s *session) checkBaseHash(ctx context.Context, c *Command) error {
	event, err := s.eventAt(ctx, c.Base)
	if err != nil {
		return err
	}
	if event.Hash != c.BaseHash {
		return refuse(HistoryMismatch, c.fieldPointer("hash"), "version %d has another hash here", c.Base)
	}
	return nil
}

// eventAt returns the event of a version up to the head, an empty one for version 0.
func (s *session) eventAt(ctx context.Context, version eventstore.Version) (*record, error) {
	if version == 0 {
		return &record{}, nil
	}
	if event := s.remembered(version); event != nil {
		return event, nil
	}
	if version == s.graph.Position.Version {
		return &record{Hash: s.graph.Position.Hash, Event: projection.Event{Version: version, Timestamp: s.graph.LastModified}}, nil
	}
	return s.readEvent(ctx, version)
}

// remembered returns the event of a version if it is in memory: among the recent ones, or those being decided.
func (s *session) remembered(version eventstore.Version) *record {
	if s.deciding != nil && version > s.deciding.from.Version {
		return s.deciding.records[version-s.deciding.from.Version-1]
	}
	return s.recent.at(version)
}

func trimmed() *Error {
	return &Error{Code: HistoryTrimmed, Detail: "the log no longer reaches back to the version asked for: fetch the state first"}
}

// events returns the events after version base: those in memory, and before them from the log those that touch one of
// the targets.
func (s *session) events(ctx context.Context, base eventstore.Version, targets []Target) (history, error) {
	kept := s.kept(base)
	if base >= s.recent.floor {
		return kept, nil
	}
	// A command with a base of long ago must not use up the time of those that wait behind it.
	ctx, cancel := context.WithTimeout(ctx, s.p.opts.Timeout/4)
	defer cancel()
	wanted := make(map[Target]bool, len(targets))
	for _, target := range targets {
		wanted[target] = true
	}
	var older history
	err := s.readOlder(ctx, base, func(event *record) {
		if event.touchesAny(wanted) {
			older = append(older, event)
		}
	})
	return append(older, kept...), err
}

// each visits all events after version base, oldest first.
func (s *session) each(ctx context.Context, base eventstore.Version, visit func(*record)) error {
	if base < s.recent.floor {
		if err := s.readOlder(ctx, base, visit); err != nil {
			return err
		}
	}
	for _, event := range s.kept(base) {
		visit(event)
	}
	return nil
}

// kept returns those of the events after version base that are in memory.
func (s *session) kept(base eventstore.Version) history {
	kept := s.recent.all().after(base)
	if s.deciding == nil || len(s.deciding.records) == 0 {
		return kept
	}
	deciding := s.deciding.records.after(base)
	if len(kept) == 0 {
		return deciding
	}
	return slices.Concat(kept, deciding)
}

// readOlder visits the events after version base that are no longer in memory, from the log.
func (s *session) readOlder(ctx context.Context, base eventstore.Version, visit func(*record)) error {
	floor := s.recent.floor
	for base < floor {
		entries, err := s.p.log.Read(ctx, s.id, base, min(page, int(floor-base)))
		if errors.Is(err, eventstore.ErrTrimmed) || err == nil && len(entries) == 0 {
			return trimmed()
		}
		if err != nil {
			return err
		}
		for _, entry := range entries {
			event, err := decodeRecord(entry)
			if err != nil {
				return err
			}
			visit(event)
		}
		base = entries[len(entries)-1].Version
	}
	return nil
}

func (r *record) touchesAny(targets map[Target]bool) bool {
	for i := range r.Changes {
		if targets[Target{r.Changes[i].Kind, r.Changes[i].ID}] {
			return true
		}
	}
	return false
}

// writeTime returns the time that a command's writes count as made at: the client's, held within the time of its base's
// event and now, so that a wrong clock can neither win for ever nor lose for ever.
func (s *session) writeTime(ctx context.Context, c *Command, now int64) (int64, error) {
	if c.Timestamp == 0 || c.Timestamp >= now {
		return now, nil
	}
	base := s.graph.Position.Version
	if c.HasBase {
		base = c.Base
	}
	event, err := s.eventAt(ctx, base)
	var refusal *Error
	switch {
	case errors.As(err, &refusal) && refusal.Code == HistoryTrimmed:
		return c.Timestamp, nil // the log begins right after the base
	case err != nil:
		return 0, err
	}
	return max(c.Timestamp, event.Timestamp), nil
}
