package command

import (
	"graphy/eventstore"
	"graphy/projection"
)

// record is an event as the session keeps it: decoded, and its hash.
type record struct {
	projection.Event
	Hash eventstore.Hash
	size int
}

// history is a run of events, oldest first.
type history []*record

// after returns the part of h that follows version base.
func (h history) after(base eventstore.Version) history {
	if len(h) == 0 || base < h[0].Version {
		return h
	}
	skip := base - h[0].Version + 1
	if skip >= eventstore.Version(len(h)) {
		return nil
	}
	return h[skip:]
}

// recent keeps the newest events of a graph, bounded by count and bytes, and finds operations in them. The zero value
// is not ready; use newRecent.
type recent struct {
	floor     eventstore.Version // all events after it are kept
	events    history
	first     int // index of the oldest event that counts
	bytes     int
	maxEvents int
	maxBytes  int
	byID      map[string]*record
}

func newRecent(floor eventstore.Version, maxEvents, maxBytes int) *recent {
	return &recent{floor: floor, maxEvents: maxEvents, maxBytes: maxBytes, byID: map[string]*record{}}
}

// all returns the events kept.
func (r *recent) all() history { return r.events[r.first:] }

func (r *recent) push(event *record) {
	r.events = append(r.events, event)
	r.bytes += event.size
	for _, id := range event.OperationIDs() {
		r.byID[id] = event
	}
	for len(r.events)-r.first > r.maxEvents || (r.bytes > r.maxBytes && len(r.events)-r.first > 1) {
		r.drop()
	}
	if r.first > len(r.events)/2 && r.first > 64 {
		kept := copy(r.events, r.events[r.first:])
		clear(r.events[kept:])
		r.events, r.first = r.events[:kept], 0
	}
}

func (r *recent) drop() {
	oldest := r.events[r.first]
	r.floor = oldest.Version
	r.events[r.first] = nil
	r.first++
	r.bytes -= oldest.size
	for _, id := range oldest.OperationIDs() {
		if r.byID[id] == oldest {
			delete(r.byID, id)
		}
	}
}

// operation returns the event that settled the operation called id, nil if none that is kept did.
func (r *recent) operation(id string) *record { return r.byID[id] }

// at returns the event of a version, nil if it is not kept.
func (r *recent) at(version eventstore.Version) *record {
	events := r.all()
	if len(events) == 0 || version < events[0].Version || version > events[len(events)-1].Version {
		return nil
	}
	return events[version-events[0].Version]
}
