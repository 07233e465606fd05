package command

import (
	"bytes"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"graphy/projection"
)

// This file finds in events what has happened to an entity, and what it was before them.

// others returns the events of other clients that touch an entity.
func (h history) others(kind projection.Kind, id, client string) history {
	var found history
	for _, event := range h {
		if event.ClientID != client && event.touches(kind, id, nil) {
			found = append(found, event)
		}
	}
	return found
}

// last returns the newest event, nil if there is none.
func (h history) last() *record {
	if len(h) == 0 {
		return nil
	}
	return h[len(h)-1]
}

// newest returns the newest event that touches a path in an entity, of at least one step; nil if none does.
func (h history) newest(kind projection.Kind, id string, steps []string) *record {
	if len(h) == 0 {
		return nil
	}
	name := unquoted(steps[0])
	for _, event := range slices.Backward(h) {
		if event.mentions(name) && event.touches(kind, id, steps) {
			return event
		}
	}
	return nil
}

// mentions tells whether the event may have changed a top-level property, given as its name stands in JSON. It is a quick
// no for most.
func (r *record) mentions(name []byte) bool {
	for i := range r.Changes {
		if change := &r.Changes[i]; change.Op != projection.Patch || bytes.Contains(change.Set, name) {
			return true
		}
	}
	return false
}

// touches tells whether the event changed the path, one above it or one below it in an entity.
func (r *record) touches(kind projection.Kind, id string, steps []string) bool {
	for i := range r.Changes {
		change := &r.Changes[i]
		if change.Kind != kind || change.ID != id {
			continue
		}
		before, after := change.Was, change.Value
		if change.Op == projection.Patch {
			if after = change.Set; isStamp(after) {
				continue
			}
		}
		if before == nil || after == nil || differs(before, after, steps) {
			return true
		}
	}
	return false
}

// isStamp tells whether the set of a patch is the time of the last update alone, which is no path.
func isStamp(set jsontext.Value) bool {
	return bytes.HasPrefix(set, []byte(`{"updatedAt":`)) && bytes.IndexByte(set, ',') < 0
}

// existence returns the newest event that created or deleted an entity, nil if there is none.
func (h history) existence(kind projection.Kind, id string) *record {
	for _, event := range slices.Backward(h) {
		if event.movesExistence(kind, id) {
			return event
		}
	}
	return nil
}

func (r *record) movesExistence(kind projection.Kind, id string) bool {
	for i := range r.Changes {
		if change := &r.Changes[i]; change.Kind == kind && change.ID == id && change.MovesExistence() {
			return true
		}
	}
	return false
}

// lastValue returns what an entity was when the event deleted it, nil if it did not.
func (r *record) lastValue(kind projection.Kind, id string) jsontext.Value {
	for _, change := range slices.Backward(r.Changes) {
		if change.Kind == kind && change.ID == id && change.Op == projection.Delete {
			return change.Was
		}
	}
	return nil
}

// valueBefore returns what an entity was before the events of h, given what it is after them; nil if it was not. What the
// oldest event says of a property counts, so that most others need only be looked through.
func (h history) valueBefore(kind projection.Kind, id string, value jsontext.Value) jsontext.Value {
	var older jsontext.Value // what properties were that have been changed, null for absent
	for change := range h.changesOf(kind, id) {
		if change.Op != projection.Patch {
			value = change.Was
			break
		}
		if older == nil {
			older = append(make(jsontext.Value, 0, 2*len(change.Was)), "{}"...)
		}
		for name, was := range projection.Members(change.Was) {
			if projection.Member(older, string(name)) == nil {
				older = projection.With(older, string(name), was)
			}
		}
	}
	if value == nil || older == nil {
		return value
	}
	return projection.Overlay(value, older)
}

// pathBefore returns what stood at a path of an entity before the events of h, given what the entity is after them; nil if
// nothing did.
func (h history) pathBefore(kind projection.Kind, id string, steps []string, value jsontext.Value) jsontext.Value {
	if len(steps) == 0 {
		return h.valueBefore(kind, id, value)
	}
	name := unquoted(steps[0])
	for change := range h.changesOf(kind, id) {
		if change.Op == projection.Patch && !bytes.Contains(change.Was, name) {
			continue
		}
		was := member(change.Was, steps[0])
		switch {
		case change.Op != projection.Patch:
			return lookup(change.Was, steps)
		case was == nil:
			continue
		case was.Kind() == 'n':
			return nil
		}
		return lookup(was, steps[1:])
	}
	return lookup(value, steps)
}

// changesOf yields the changes of an entity, the oldest first.
func (h history) changesOf(kind projection.Kind, id string) func(yield func(*projection.Change) bool) {
	return func(yield func(*projection.Change) bool) {
		for _, event := range h {
			for i := range event.Changes {
				if change := &event.Changes[i]; change.Kind == kind && change.ID == id && !yield(change) {
					return
				}
			}
		}
	}
}

// before returns what an entity was before the event, given what it is after it; nil if it was not.
func (r *record) before(kind projection.Kind, id string, value jsontext.Value) jsontext.Value {
	return history{r}.valueBefore(kind, id, value)
}
