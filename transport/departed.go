package transport

import (
	"sync"
	"time"

	"graphy/eventstore"
)

// departedMost bounds how many clients that left are remembered; the one that left first is forgotten first.
const departedMost = 16_384

// departed remembers, for a while, what clients that left had, so that they can come back and be continued. The zero
// value remembers nobody.
type departed struct {
	mu      sync.Mutex
	clients map[clientKey]departure
	order   []departureMark // as they left; older marks of a client that left again, or is back, are void
}

type clientKey struct{ graph, user, client string }

type departure struct {
	has     eventstore.Position
	expires time.Time
}

type departureMark struct {
	key     clientKey
	expires time.Time
}

// put remembers for so long that the client has everything up to a position.
func (d *departed) put(key clientKey, has eventstore.Position, long time.Duration) {
	now := time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.clients == nil {
		d.clients = map[clientKey]departure{}
	}
	expires := now.Add(long)
	d.clients[key] = departure{has, expires}
	d.order = append(d.order, departureMark{key, expires})
	for len(d.order) > departedMost || d.order[0].expires.Before(now) {
		mark := d.order[0]
		d.order = d.order[1:]
		if d.clients[mark.key].expires.Equal(mark.expires) {
			delete(d.clients, mark.key)
		}
	}
}

// take returns what a client has that came back in time, and forgets it.
func (d *departed) take(key clientKey) (has eventstore.Position, back bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	departure, known := d.clients[key]
	delete(d.clients, key)
	return departure.has, known && time.Now().Before(departure.expires)
}
