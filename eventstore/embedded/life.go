package embedded

import (
	"bytes"
	"errors"
	"fmt"

	"graphy/eventstore"
)

// A life is a stream as the replay builds it: from nothing, from a base, or from what a compacted journal says was
// trimmed, to its deletion or to the rename that puts another one in its place.
type life struct {
	*stream // head and broken; what the Store goes on with

	base  eventstore.Base
	floor eventstore.Position // of the event before the first that is held
	held  []held
	index map[string]eventstore.Version

	made     string // the name that its records had before they were put in place; "" if they never had another one
	first    int64  // number of the first record of its present name that is part of it
	based    int64  // number of the record that set its base
	baseSize int64  // of that record
	bytes    int64  // of its records, without what was dropped
}

// held is an event as its stream's entry will hold it.
type held struct {
	values     []string // "event", its data, "hash", its hash
	operations []string
}

func (h held) hash() eventstore.Hash { return eventstore.Hash(h.values[3]) }

// size is about what it takes in the journal.
func (h held) size() (size int64) {
	for _, id := range h.operations {
		size += int64(len(id)) + 1
	}
	return size + int64(len(h.values[1])+len(h.values[3])) + 4
}

func newLife(first int64) *life {
	return &life{stream: newStream(), index: map[string]eventstore.Version{}, first: first}
}

// take carries out one record, the number-th of the journal, and returns how many bytes of records before are dead now.
// What does not fit is an error. The record's data are copied.
func (l *life) take(number int64, r record, size int) (dead int64, err *eventstore.ChainError) {
	switch r.kind {
	case kindAppend:
		return 0, l.append(r)
	case kindBase:
		if err := l.begin(r, "the base"); err != nil {
			return 0, err
		}
		dead = l.baseSize
		l.base = eventstore.Base{Position: r.position, Data: bytes.Clone(r.data)}
		l.based, l.baseSize = number, int64(size)
		return dead, nil
	case kindTrim:
		if err := l.begin(r, "what was trimmed"); err != nil {
			return 0, err
		}
		return l.trim(r.position), nil
	default:
		l.reindex(r)
		return 0, nil
	}
}

// append adds events that follow the head.
func (l *life) append(r record) *eventstore.ChainError {
	if r.expected != l.head.Version {
		return l.wrong(r, l.head.Version+1, fmt.Sprintf("the journal goes on after version %d", r.expected))
	}
	var broken *eventstore.ChainError
	if errors.As(eventstore.VerifyChain(r.stream, l.head, r.events), &broken) {
		return broken
	}
	for _, event := range r.events {
		for _, id := range event.Operations {
			l.index[id] = event.Version
		}
		l.held = append(l.held, held{[]string{"event", string(event.Data), "hash", string(event.Hash)}, event.Operations})
	}
	l.head = r.events[len(r.events)-1].Position()
	return nil
}

// begin sees to it that the life has the position of r: a new one begins there.
func (l *life) begin(r record, what string) *eventstore.ChainError {
	if l.head == (eventstore.Position{}) {
		l.head, l.floor = r.position, r.position
		return nil
	}
	if l.at(r.position.Version) != r.position {
		return l.wrong(r, r.position.Version, what+" is not of this history")
	}
	return nil
}

// at returns the position of that version, the zero one if it is not known.
func (l *life) at(version eventstore.Version) eventstore.Position {
	switch {
	case version == l.floor.Version:
		return l.floor
	case version > l.floor.Version && version <= l.head.Version:
		return eventstore.Position{Version: version, Hash: l.held[version-l.floor.Version-1].hash()}
	}
	return eventstore.Position{}
}

// trim drops the events up to position, and what the index has of them.
func (l *life) trim(position eventstore.Position) (dead int64) {
	dropped := l.held[:position.Version-l.floor.Version]
	for i, event := range dropped {
		dead += event.size()
		for _, id := range event.operations {
			l.forget(id, l.floor.Version+eventstore.Version(i)+1)
		}
		dropped[i] = held{} // its array goes on to be used
	}
	l.held, l.floor = l.held[len(dropped):], position
	return dead
}

// reindex repairs the index.
func (l *life) reindex(r record) {
	for _, one := range r.remove {
		l.forget(one.operation, one.version)
	}
	for _, one := range r.add {
		if one.version > l.floor.Version && one.version <= l.head.Version {
			l.index[one.operation] = one.version
			event := &l.held[one.version-l.floor.Version-1] // it is trimmed with that
			event.operations = append(event.operations, one.operation)
		}
	}
}

func (l *life) forget(id string, version eventstore.Version) {
	if l.index[id] == version {
		delete(l.index, id)
	}
}

// check finds what only the end of the journal tells: a stream whose first events are gone has a base that it goes on
// from.
func (l *life) check(name string) *eventstore.ChainError {
	if l.base.Version < l.floor.Version {
		return &eventstore.ChainError{Stream: name, Version: 1,
			Reason: fmt.Sprintf("the journal begins with version %d, its base is of version %d", l.floor.Version+1, l.base.Version)}
	}
	return nil
}

// giveUp drops the content of a life that cannot be trusted.
func (l *life) giveUp(why *eventstore.ChainError) {
	l.broken = why
	l.held, l.index, l.base = nil, nil, eventstore.Base{}
}

func (l *life) wrong(r record, version eventstore.Version, reason string) *eventstore.ChainError {
	return &eventstore.ChainError{Stream: r.stream, Version: version, Reason: reason}
}
