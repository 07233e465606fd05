package command

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"graphy/eventstore"
	"graphy/projection"
)

// undo takes back the newest step of the command's user of which something is left to take back, or, for REDO, the newest
// UNDO. Its error is a refusal or one of the log.
func (s *session) undo(ctx context.Context, c *Command, now int64) (decision, error) {
	// What is long ago must not use up the time of those that wait behind it.
	ctx, cancel := context.WithTimeout(ctx, s.p.opts.Timeout/4)
	defer cancel()
	search := lookback{session: s, user: c.UserID, stack: s.stack(c.UserID)}
	for i := 0; ; i++ {
		taken, err := search.step(ctx, c.Type, i)
		if err != nil && ctx.Err() != nil {
			return decision{}, &Error{Code: Unavailable, Detail: "your last step is far back in the log: try again, the search goes on where it was", cause: err}
		}
		if err != nil {
			return decision{}, err
		}
		if taken == nil && c.Type == Redo {
			return decision{}, &Error{Code: NothingToRedo, Detail: "there is nothing of yours to redo"}
		}
		if taken == nil {
			return decision{}, &Error{Code: NothingToUndo, Detail: "there is nothing of yours to undo, or others have written all of it since"}
		}
		effect := taken.effect
		if c.Type == Redo {
			effect = []eventstore.Version{taken.undo}
		}
		t, err := search.timeline(ctx, effect)
		if err != nil {
			return decision{}, err
		}
		inverse := invert(s.graph, t, c.UserID, c.force, now)
		changes := inverse.changes()
		if len(changes) == 0 {
			continue
		}
		decided := decision{changes: changes, skipped: inverse.skippedJSON(), result: changesResult(changes)}
		if c.Type == Redo {
			decided.redoes = effect
		} else {
			decided.undoes = taken.versions
		}
		if err := s.reverseResolution(ctx, t, &decided); err != nil {
			return decision{}, err
		}
		return decided, s.apply(changes)
	}
}

// changesResult is the result of commands that are about no entity in particular.
func changesResult(changes []projection.Change) []byte {
	return append(projection.AppendChanges([]byte(`{"changes":`), changes), '}')
}

// apply applies changes that were worked out from the graph, unless they take it, or an entity, over its limits.
func (s *session) apply(changes []projection.Change) error {
	nodes, edges := s.graph.Len(projection.Node), s.graph.Len(projection.Edge)
	if err := s.graph.ApplyChanges(changes); err != nil {
		return &Error{Code: Internal, Detail: "the command could not be decided", cause: err}
	}
	err := s.overLimit(changes, nodes, edges)
	if err != nil {
		s.graph.RevertChanges(changes)
		return err
	}
	return nil
}

// overLimit refuses changes that have been applied to a graph which had so many nodes and edges.
func (s *session) overLimit(changes []projection.Change, nodes, edges int) error {
	limits := &s.p.opts.Limits
	if grown := s.graph.Len(projection.Node); grown > limits.Nodes && grown > nodes {
		return &Error{Code: TooLarge, Detail: "the graph would have too many nodes"}
	}
	if grown := s.graph.Len(projection.Edge); grown > limits.Edges && grown > edges {
		return &Error{Code: TooLarge, Detail: "the graph would have too many edges"}
	}
	for i := range changes {
		change := &changes[i]
		if size := len(s.graph.Value(change.Kind, change.ID)); size > limits.Entity && len(change.Set)+len(change.Value) > len(change.Was) {
			return &Error{Code: TooLarge, Detail: "the " + string(change.Kind) + " " + change.ID + " would be too large, with what others have put into it"}
		}
	}
	return nil
}

// reverseResolution has a decision close the conflict again, or open it again, that the step had opened or closed.
func (s *session) reverseResolution(ctx context.Context, t *timeline, decided *decision) error {
	for _, event := range t.events {
		switch {
		case !t.mine(event.Version):
		case event.Resolves != nil:
			if s.graph.Conflicts.Open() >= s.p.opts.Limits.Conflicts {
				return &Error{Code: TooLarge, Detail: "the graph would have too many open conflicts: resolve some first"}
			}
			decided.reopens = event.Resolves.ConflictID
		case event.Reopens != "":
			if _, open := s.graph.Conflicts.Record(event.Reopens); !open {
				continue
			}
			resolution, err := s.readEvent(ctx, event.Undoes[0])
			if err != nil {
				return err
			}
			decided.resolves = resolution.Resolves
		}
	}
	return nil
}

// stack returns a user's stack, drawn from what is in memory if it has not been asked for before.
func (s *session) stack(user string) *stack {
	if known := s.stacks[user]; known != nil {
		return known
	}
	if len(s.stacks) >= maxStacks {
		clear(s.stacks)
	}
	drawn := &stack{floor: s.recent.floor}
	for _, event := range s.kept(s.recent.floor) {
		if event.UserID == user {
			drawn.push(&event.Event)
		}
	}
	drawn.grown()
	s.stacks[user] = drawn
	return drawn
}

// lookback looks for a user's step: in memory, then page by page in the log before that.
type lookback struct {
	*session
	user  string
	stack *stack
	page  []eventstore.Event // of the log, right before what is in memory, oldest first; nil while not read
}

// step returns the i-th step from the top of what can be undone or redone, nil if there is none.
func (l *lookback) step(ctx context.Context, commandType string, i int) (*step, error) {
	for {
		find := l.stack.undoable
		if commandType == Redo {
			find = l.stack.redoable
		}
		taken, sure := find(i)
		if sure {
			return taken, nil
		}
		if err := l.readBack(ctx); err != nil {
			return nil, err
		}
	}
}

// readBack adds the page of the log before what the stack knows. The stack keeps it, so that a search that ran out of time
// goes on where it was.
func (l *lookback) readBack(ctx context.Context) error {
	entries, err := l.p.log.ReadBackward(ctx, l.id, l.stack.floor+1, page)
	if err != nil && !errors.Is(err, eventstore.ErrTrimmed) {
		return err
	}
	user := append([]byte(`"userId":`), quoted(l.user)...)
	var older []*projection.Event
	floor := eventstore.Version(0) // where the log begins counts as the beginning of all, trimmed or not
	for _, entry := range entries {
		floor = entry.Version - 1
		if !bytes.Contains(entry.Data, user) { // most are of others, and need not be decoded
			continue
		}
		event, err := decodeRecord(entry)
		if err != nil {
			return err
		}
		if event.UserID == l.user {
			older = append(older, &event.Event)
		}
	}
	if l.stack.floor == l.recent.floor {
		slices.Reverse(entries)
		l.page = entries
	}
	l.stack.extend(older, floor)
	return nil
}

// timeline returns what has happened to the entities of a step since its first event. Most steps are found in memory, or in
// the first page that is read; then nothing has to be read again.
func (l *lookback) timeline(ctx context.Context, step []eventstore.Version) (*timeline, error) {
	t := newTimeline(step)
	base := step[0] - 1
	if len(l.page) > 0 && l.page[0].Version <= step[0] && base < l.recent.floor {
		for _, entry := range l.page[step[0]-l.page[0].Version:] {
			event, err := decodeRecord(entry)
			if err != nil {
				return nil, err
			}
			t.add(event)
		}
		base = l.recent.floor
	}
	return t, l.each(ctx, base, t.add)
}
