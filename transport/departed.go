package transport

import (
	"slices"
	"sync"
	"time"
)

const (
	departedMost = 16_384 // connections remembered; the one that ended first is forgotten first
	departedEach = 8      // of one client
)

// departed remembers, for a while, what clients had whose connections to this process ended, so that they can come back
// and be continued. The zero value remembers nobody.
type departed struct {
	mu      sync.Mutex
	clients map[clientKey][]Sighting // oldest first
	order   []departure              // as they left; those that are not among clients any more are void
}

type clientKey struct{ graph, user, client string }

type departure struct {
	key        clientKey
	connection string
	at         time.Time
}

func (s *Sighting) key() clientKey { return clientKey{s.Graph, s.User, s.Client} }

// put remembers a connection that has ended, and forgets those that ended longer ago than grace.
func (d *departed) put(s Sighting, grace time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.clients == nil {
		d.clients = map[clientKey][]Sighting{}
	}
	key := s.key()
	d.clients[key] = append(d.clients[key], s)
	d.order = append(d.order, departure{key, s.Connection, s.At})
	if all := d.clients[key]; len(all) > departedEach {
		d.drop(key, all[0].Connection)
	}
	for len(d.order) > departedMost || s.At.Sub(d.order[0].at) > grace {
		d.drop(d.order[0].key, d.order[0].connection)
		d.order = d.order[1:]
	}
}

// find returns the connections of a client that ended since.
func (d *departed) find(key clientKey, since time.Time) (seen []Sighting) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range d.clients[key] {
		if !s.At.Before(since) {
			seen = append(seen, s)
		}
	}
	return seen
}

// forget drops a connection, if it is there: the client goes on from it.
func (d *departed) forget(key clientKey, connection string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.drop(key, connection)
}

// forgetAll drops all connections of a client, whoever's it is, and reports whether there were any.
func (d *departed) forgetAll(client string) (any bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for key := range d.clients {
		if key.client == client {
			delete(d.clients, key)
			any = true
		}
	}
	return any
}

// drop is called with mu held.
func (d *departed) drop(key clientKey, connection string) {
	all := slices.DeleteFunc(d.clients[key], func(s Sighting) bool { return s.Connection == connection })
	if len(all) == 0 {
		delete(d.clients, key)
		return
	}
	d.clients[key] = all
}
