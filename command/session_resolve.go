package command

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"graphy/eventstore"
	"graphy/projection"
)

// resolve closes an open conflict as a person has decided. Its error is a refusal or one of the log.
func (s *session) resolve(ctx context.Context, c *Command, now int64) (decision, error) {
	r := &c.resolve
	record, open := s.graph.Conflicts.Record(r.conflictID)
	if !open {
		return decision{}, s.notOpen(ctx, r.conflictID, record)
	}
	d := decider{terms: terms{now: now, limits: &s.p.opts.Limits}, graph: s.graph, client: c.ClientID}
	if err := d.resolve(c, record); err != nil {
		s.graph.RevertChanges(d.changes)
		return decision{}, err
	}
	return decision{changes: d.changes, result: changesResult(d.changes),
		resolves: &projection.Resolution{ConflictID: r.conflictID, Choice: r.choice}}, nil
}

// notOpen tells why a conflict cannot be resolved: it was, or there is none of that id. record is nil if there is none, or
// the conflict was resolved so long ago that its record is gone; then the event tells that left it open.
func (s *session) notOpen(ctx context.Context, id string, record jsontext.Value) error {
	resolved := &Error{Code: AlreadyResolved, Detail: "the conflict " + strconv.Quote(id) + " is resolved already"}
	if record != nil {
		return resolved
	}
	unknown := &Error{Code: NotFound, Detail: "there is no conflict " + strconv.Quote(id)}
	digits, _, _ := strings.Cut(id, "-")
	version, err := strconv.ParseUint(digits, 10, 63)
	if err != nil || version == 0 || eventstore.Version(version) > s.graph.Position.Version {
		return unknown
	}
	event, err := s.readEvent(ctx, eventstore.Version(version))
	var refusal *Error
	switch {
	case errors.As(err, &refusal) && refusal.Code == HistoryTrimmed:
		return unknown
	case err != nil:
		return err
	}
	for opened := range openedBy(event) {
		if opened == id {
			return resolved
		}
	}
	return unknown
}
