package command

import (
	"bytes"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"graphy/projection"
)

// This file decides what writes a whole entity where there is one: creates, and the upserts of BATCH_UPDATE.

// put creates an entity, or replaces one that exists.
func (d *decider) put(c *Command, w *write, current jsontext.Value) (jsontext.Value, *Error) {
	by := d.causedByOthers(w.kind, w.id)
	if current != nil && w.action == create && by == nil {
		return nil, refuse(AlreadyExists, c.idPointer(), "there is a %s %q already", w.kind, w.id)
	}
	value := projection.Overlay(w.value, idMember(w.id))
	gone, err := d.goneEnds(c, w)
	switch {
	case err != nil:
		return nil, err
	case current == nil:
		return d.putNew(c, w, value, by, gone)
	case w.action == create, by != nil && d.atBase(w, nil, current) == nil:
		return d.createCrossing(c, w, current, value, by, gone)
	}
	return d.replace(c, w, current, value)
}

// putNew writes an entity that is not there. by is the event by which others have deleted it since, gone the one by which
// they have deleted a node of an edge; nil if they have not.
func (d *decider) putNew(c *Command, w *write, value jsontext.Value, by, gone *record) (jsontext.Value, *Error) {
	if by != nil && w.action == replace {
		return d.comeBack(c, w, by, by.lastValue(w.kind, w.id), value)
	}
	value = d.stamped(value, nil)
	how := recreating
	if gone != nil {
		how, by = endGone, gone
	}
	if by != nil && d.settleWhole(how, w, by, d.atBase(w, nil, nil), nil, value) != toClient {
		return null, nil
	}
	return value, d.place(c, w, value, nil)
}

// createCrossing settles the creation of something that others have created since.
func (d *decider) createCrossing(c *Command, w *write, current, value jsontext.Value, by, gone *record) (jsontext.Value, *Error) {
	if bytes.Equal(withoutStamps(current), value) {
		return current, nil
	}
	value = d.stamped(value, current)
	how := createdSince
	if gone != nil {
		how, by = endGone, gone
	}
	if d.settleWhole(how, w, by, d.atBase(w, nil, current), current, value) != toClient {
		return current, nil
	}
	return value, d.place(c, w, value, current)
}

// replace writes an entity in the place of the one that is there. Where others have changed that since, the paths are
// settled on which the two differ.
func (d *decider) replace(c *Command, w *write, current, value jsontext.Value) (jsontext.Value, *Error) {
	value = d.settleDifferences(c, w, current, value)
	if bytes.Equal(withoutStamps(current), value) {
		return current, nil
	}
	value = d.stamped(value, current)
	return value, d.place(c, w, value, current)
}

// settleDifferences returns what is left of an upsert's value when the paths are settled on which it conflicts.
func (d *decider) settleDifferences(c *Command, w *write, current, value jsontext.Value) jsontext.Value {
	if len(d.since) == 0 {
		return value
	}
	others := d.since.others(w.kind, w.id, d.client)
	kept := value
	walkDifferences(withoutStamps(current), value, "", nil, func(path string, steps []string, server, client jsontext.Value) {
		by, how := others.newest(w.kind, w.id, steps), changedSince
		if isEnd(w.kind, steps) {
			if gone, _ := d.goneEnd(c, value, steps[0]); gone != nil {
				by, how = gone, endGone
			}
		}
		if by == nil || isSame(server, client) {
			return
		}
		settled := d.settle(how, steps, conflictPath{kind: w.kind, id: w.id, path: path, by: by,
			contest: contest{base: d.atBase(w, steps, current), server: server, client: client}})
		if settled.resolution != toClient {
			kept = withPath(kept, steps, settled.written)
		}
	})
	return kept
}

// stamped returns an entity with the stamps of a write now. The time of its creation is that of last, if there is one.
func (d *decider) stamped(value, last jsontext.Value) jsontext.Value {
	now := strconv.AppendInt(nil, d.now, 10)
	created := projection.Member(last, createdAt)
	if created == nil {
		created = now
	}
	stamps := append(make(jsontext.Value, 0, 64), '{')
	stamps = appendMember(appendMember(stamps, []byte(createdAt), created), []byte(updatedAt), now)
	return projection.Overlay(value, append(stamps, '}'))
}

// place writes a whole entity: a new one if current is nil, else in its place.
func (d *decider) place(c *Command, w *write, value, current jsontext.Value) *Error {
	if current == nil {
		if err := d.checkRoom(c, w); err != nil {
			return err
		}
	}
	if err := d.limits.checkSize(value, c.valuePointer()); err != nil {
		return err
	}
	return d.write(c, projection.Change{Op: projection.Put, Kind: w.kind, ID: w.id, Value: value, Was: current})
}

func withoutStamps(entity jsontext.Value) jsontext.Value {
	return projection.Overlay(entity, []byte(`{"createdAt":null,"updatedAt":null}`))
}

func idMember(id string) jsontext.Value {
	return append(appendMember(jsontext.Value{'{'}, []byte("id"), quoted(id)), '}')
}
