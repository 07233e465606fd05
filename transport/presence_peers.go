package transport

import (
	"slices"
	"time"
)

// presencePeer is another place that has told of its clients.
type presencePeer struct {
	heard  time.Time // last
	number uint64    // of its last message
	round  uint64    // how often it has begun to tell of all its clients
	whole  bool      // nothing was missed since it began to, or at all
}

// hear takes in a message of another place. It reports whether something of that place is missing, so that it is to be
// asked for all it has; and so again with each message, until it has told.
func (r *roster) hear(message *presenceMessage, now time.Time) (missed bool) {
	p := r.peers[message.place]
	if p == nil {
		if r.peers == nil {
			r.peers = map[string]*presencePeer{}
		}
		p = &presencePeer{}
		r.peers[message.place] = p
	}
	p.heard = now
	if message.number <= p.number {
		return false // it came twice
	}
	switch {
	case message.first:
		p.round++
		p.whole = true
	case message.number == 1:
		p.whole = true
	case message.number != p.number+1:
		p.whole = false
	}
	p.number = message.number
	for _, e := range message.entries {
		r.tell(message.place, e.key, e.at, e.data)
	}
	if message.last && p.whole {
		r.sweep(message.place, p.round)
	}
	return !p.whole
}

// round returns how often a place has begun to tell of all its clients.
func (r *roster) round(place string) uint64 {
	if p := r.peers[place]; p != nil {
		return p.round
	}
	return 0
}

// expire drops the places that were not heard of since, and what was said there.
func (r *roster) expire(since time.Time) {
	for place, p := range r.peers {
		if p.heard.Before(since) {
			delete(r.peers, place)
			r.sweep(place, p.round+1)
		}
	}
}

// sweep drops what was said at a place before a round.
func (r *roster) sweep(place string, round uint64) {
	for _, m := range r.members {
		i := slices.IndexFunc(m.said, func(s saying) bool { return s.place == place && s.round < round })
		if i >= 0 {
			m.said = slices.Delete(m.said, i, i+1)
			r.show(m)
		}
	}
}
