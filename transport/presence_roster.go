package transport

import (
	"bytes"
	"cmp"
	"slices"
)

// presenceKey says which client of whom is present.
type presenceKey struct{ user, client string }

// roster is who is present on one graph, and with what: cursors, selections. A client may be connected at several
// places (one for each process); what it said last counts, and it is gone when it is gone from all of them.
//
// Each change of what is to be seen has a number, and whoever looks remembers the number it has come to: so nothing is
// queued for anybody, and what changes often is seen as it is in the end. A roster is pure and not safe for concurrent
// use; its zero value is empty.
type roster struct {
	number  uint64 // of the last change; the first is 1
	members map[presenceKey]*member
	gone    int // members that are there no more, and kept to be told of
	peers   map[string]*presencePeer
}

// member is one client, seen by the others.
type member struct {
	key     presenceKey
	said    []saying // at each place where it is connected, none if it is gone
	data    []byte   // of the last saying, nil if it is gone
	line    []byte   // the frame for data
	changed uint64   // the number of its last change
}

// saying is what a client said at one place.
type saying struct {
	place string
	at    uint64 // Unix milliseconds there
	data  []byte // one JSON value on one line; never written to
	round uint64 // of the place's peer
}

// tell takes in what a client has said at a place, or with nil data that it is gone from there.
func (r *roster) tell(place string, key presenceKey, at uint64, data []byte) {
	m := r.members[key]
	if m == nil {
		if data == nil {
			return
		}
		if r.members == nil {
			r.members = map[presenceKey]*member{}
		}
		m = &member{key: key}
		r.members[key] = m
		r.gone++ // as yet
	}
	i := slices.IndexFunc(m.said, func(s saying) bool { return s.place == place })
	switch {
	case i < 0 && data == nil:
	case i < 0:
		m.said = append(m.said, saying{place, at, data, r.round(place)})
	case data == nil:
		m.said = slices.Delete(m.said, i, i+1)
	default:
		m.said[i] = saying{place, at, data, r.round(place)}
	}
	r.show(m)
}

// show finds out what is to be seen of m now.
func (r *roster) show(m *member) {
	var data []byte
	if len(m.said) > 0 {
		data = slices.MaxFunc(m.said, func(a, b saying) int {
			return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.place, b.place))
		}).data
	}
	if bytes.Equal(data, m.data) {
		return
	}
	switch {
	case m.data == nil:
		r.gone--
	case data == nil:
		r.gone++
	}
	r.number++
	m.data, m.changed, m.line = data, r.number, presenceFrame(m.key, data)
}

// news are changes, oldest first, each of another member.
type news struct {
	members []*member
	lines   [][]byte // the frames of them
}

// after returns what has changed since a number. Who has seen nothing yet (0) is not told of those who are gone.
func (r *roster) after(seen uint64) (n news) {
	if seen == r.number {
		return n
	}
	for _, m := range r.members {
		if m.changed > seen && (seen > 0 || m.data != nil) {
			n.members = append(n.members, m)
		}
	}
	slices.SortFunc(n.members, func(a, b *member) int { return cmp.Compare(a.changed, b.changed) })
	n.lines = make([][]byte, len(n.members))
	for i, m := range n.members {
		n.lines[i] = m.line
	}
	return n
}

// without returns the frames of all members but one.
func (n *news) without(key presenceKey) [][]byte {
	i := slices.IndexFunc(n.members, func(m *member) bool { return m.key == key })
	if i < 0 {
		return n.lines
	}
	return slices.Concat(n.lines[:i], n.lines[i+1:])
}

// forget drops the members that are gone, once all have seen it: the numbers up to seen. Should there be more than most
// of them it drops them all the same.
func (r *roster) forget(seen uint64, most int) {
	if r.gone == 0 {
		return
	}
	for key, m := range r.members {
		if m.data == nil && (m.changed <= seen || r.gone > most) {
			delete(r.members, key)
			r.gone--
		}
	}
}

// saidAt returns what a client says at a place, if anything.
func (r *roster) saidAt(place string, key presenceKey) (saying, bool) {
	if m := r.members[key]; m != nil {
		for _, s := range m.said {
			if s.place == place {
				return s, true
			}
		}
	}
	return saying{}, false
}
