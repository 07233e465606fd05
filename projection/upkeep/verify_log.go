package upkeep

import (
	"context"
	"errors"
	"fmt"

	"graphy/eventstore"
	"graphy/projection"
)

const (
	mostBreaks  = 100    // of a log, after which nothing more of it is read
	mostRemoved = 10_000 // deleted nodes that are looked for
)

// follow goes on up to version to, or to where the log ends.
func (v *verification) follow(ctx context.Context, to eventstore.Version) error {
	for v.position.Version < to && !v.over() {
		events, err := v.walk.take(ctx, v.stop(to))
		if broken, ok := errors.AsType[*eventstore.ChainError](err); ok {
			if more, err := v.leap(ctx, broken); err != nil || !more {
				return err
			}
			continue
		}
		if err != nil || len(events) == 0 {
			return err
		}
		for i := range events {
			v.event(&events[i])
			if v.over() {
				return nil
			}
		}
		v.events += int64(len(events))
		counted(ctx, len(events))
		v.metrics.verified.Add(float64(len(events)))
		if err := v.lookUp(ctx, events[0].Version); err != nil {
			return err
		}
		v.holdBase()
	}
	return nil
}

// stop returns where to stop on the way to version to: the state is needed where the base is.
func (v *verification) stop(to eventstore.Version) eventstore.Version {
	if v.position.Version < v.base.Version {
		return min(to, v.base.Version)
	}
	return to
}

// leap takes note of an entry that is missing or foreign, and of what follows on it; more is false if nothing does.
func (v *verification) leap(ctx context.Context, broken *eventstore.ChainError) (more bool, err error) {
	v.stopFolding()
	m := projection.Mismatch{Kind: "chain", Version: broken.Version, Detail: broken.Reason}
	if v.breaks++; v.breaks >= mostBreaks || v.strict {
		m.Detail += "; what follows was not read"
		v.found.add(m)
		return false, nil
	}
	next, err := v.walk.skip(ctx)
	switch {
	case err != nil:
		return false, err
	case next == 0:
		m.Detail += "; nothing follows that is an event"
	case next > v.position.Version+1:
		m.Detail += fmt.Sprintf("; the next event is version %d", next)
		v.position = eventstore.Position{Version: next - 1}
		v.other = ""
	}
	v.found.add(m)
	return next > 0, nil
}

// event verifies that an event follows on the one before, and folds it.
func (v *verification) event(entry *eventstore.Event) {
	v.chain(entry)
	event, err := projection.DecodeEvent(entry.Data)
	if err == nil && event.Version != entry.Version {
		err = fmt.Errorf("%w: it says version %d", projection.ErrEvent, event.Version)
	}
	if err != nil {
		v.found.add(projection.Mismatch{Kind: "event", Version: entry.Version, Detail: err.Error()})
		v.stopFolding()
		return
	}
	v.settle(&event)
	if v.state == nil {
		return
	}
	if err := v.state.Apply(&event, entry.Hash); err != nil {
		kind := "event"
		if errors.Is(err, projection.ErrChecksum) {
			kind = "checksum"
		}
		v.found.add(projection.Mismatch{Kind: kind, ID: event.OperationID, Version: entry.Version, Detail: err.Error()})
		v.stopFolding()
		return
	}
	v.deletions(event.Changes)
}

// chain verifies the hash of an event. Where a hash was damaged, not the data, the events after it follow on what it
// has to be.
func (v *verification) chain(entry *eventstore.Event) {
	want := entry.Hash
	if v.position.Hash != "" || entry.Version == 1 {
		want = eventstore.NextHash(v.position.Hash, entry.Data)
	}
	other := v.other
	v.position, v.other = entry.Position(), ""
	if want == entry.Hash || other != "" && eventstore.NextHash(other, entry.Data) == entry.Hash {
		return
	}
	v.other = want
	v.found.add(projection.Mismatch{Kind: "chain", ID: "hash", Version: entry.Version, Want: string(want), Found: string(entry.Hash)})
}

// stopFolding is for an event without which no state can be told any more.
func (v *verification) stopFolding() { v.state = nil }

// deletions remembers deleted nodes: something may be left of them.
func (v *verification) deletions(changes []projection.Change) {
	for i := range changes {
		if changes[i].Op == projection.Delete && changes[i].Kind == projection.Node && len(v.removed) < mostRemoved {
			v.removed = append(v.removed, changes[i].ID)
		}
	}
}

// holdBase compares the base with the fold, where that has come there from before it.
func (v *verification) holdBase() {
	if v.strict || v.state == nil || v.base.Version == 0 || v.position.Version != v.base.Version || v.start >= v.base.Version {
		return
	}
	if v.base.Hash != v.position.Hash {
		v.found.add(projection.Mismatch{Kind: "base", ID: "hash", Version: v.base.Version, Want: string(v.position.Hash),
			Found: string(v.base.Hash)})
		return
	}
	kept, err := projection.DecodeBase(v.graph, v.base)
	if err != nil {
		v.found.add(projection.Mismatch{Kind: "base", Version: v.base.Version, Detail: err.Error()})
		return
	}
	var differing findings
	differing.compare(projection.ContentsOf(kept), v.state)
	for _, m := range differing.first {
		m.Kind, m.Detail, m.Version = "base", m.Kind, v.base.Version
		v.found.add(m)
	}
}
