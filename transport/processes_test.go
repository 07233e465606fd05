package transport

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"go.uber.org/zap"

	"graphy/eventstore"
)

// process starts another server on the log and the graphs of s, as if in a process of its own; adapt gives it what the
// processes share.
func (s *stage) process(t testing.TB, adapt func(*Services), change ...func(*socketLimits)) *stage {
	t.Helper()
	services := s.server.services
	adapt(&services)
	p := &stage{TB: t, log: s.log, commands: s.commands}
	p.run(services, zap.NewNop(), change)
	return p
}

// bus is Presence in memory.
type bus struct {
	mu        sync.Mutex
	ears      map[*ear]struct{}
	published int
	lose      func(message []byte) bool // nil: nothing is lost
	fail      error                     // of Publish
}

type ear struct {
	graph   string
	begun   func()
	message func([]byte)
}

func newBus() *bus { return &bus{ears: map[*ear]struct{}{}} }

func (b *bus) Publish(_ context.Context, graph string, message []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.published++
	if b.fail != nil {
		return b.fail
	}
	if b.lose != nil && b.lose(message) {
		return nil
	}
	for ear := range b.ears {
		if ear.graph == graph {
			ear.message(slices.Clone(message))
		}
	}
	return nil
}

func (b *bus) Subscribe(ctx context.Context, graph string, begun func(), message func([]byte)) {
	ear := &ear{graph, begun, message}
	b.mu.Lock()
	b.ears[ear] = struct{}{}
	b.mu.Unlock()
	begun()
	<-ctx.Done()
	b.mu.Lock()
	delete(b.ears, ear)
	b.mu.Unlock()
}

// set changes how the bus works.
func (b *bus) set(lose func([]byte) bool, fail error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lose, b.fail = lose, fail
}

// reconnect says that every subscription has begun anew.
func (b *bus) reconnect() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for ear := range b.ears {
		ear.begun()
	}
}

func (b *bus) listeners() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.ears)
}

var errAway = errors.New("away")

// sightings are Clients in memory, which remember for ever.
type sightings struct {
	mu    sync.Mutex
	away  bool
	saves int
	seen  map[string]Sighting // by connection
}

func (c *sightings) Save(_ context.Context, seen []Sighting) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.saves++
	if c.away {
		return errAway
	}
	if c.seen == nil {
		c.seen = map[string]Sighting{}
	}
	for _, s := range seen {
		c.seen[s.Connection] = s
	}
	return nil
}

func (c *sightings) Find(_ context.Context, graph, user, client string) (found []Sighting, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.away {
		return nil, errAway
	}
	for _, s := range c.seen {
		if s.key() == (clientKey{graph, user, client}) {
			found = append(found, s)
		}
	}
	slices.SortFunc(found, func(a, b Sighting) int { return cmp.Compare(a.Connection, b.Connection) })
	return found, nil
}

func (c *sightings) Needed(context.Context, string) (eventstore.Version, bool, error) {
	return 0, false, errAway
}

func (c *sightings) Seen(_ context.Context, graph, client, connection string, limit int) (seen []Sighting, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.away {
		return nil, errAway
	}
	order := func(a, b Sighting) int {
		return cmp.Or(cmp.Compare(a.Client, b.Client), cmp.Compare(a.Connection, b.Connection))
	}
	for _, s := range c.seen {
		if s.Graph == graph && order(s, Sighting{Client: client, Connection: connection}) > 0 {
			seen = append(seen, s)
		}
	}
	slices.SortFunc(seen, order)
	return seen[:min(len(seen), limit)], nil
}

func (c *sightings) Where(_ context.Context, user string) (graph string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.seen {
		if s.User == user {
			graph = s.Graph
		}
	}
	return graph, nil
}

func (c *sightings) Forget(_ context.Context, client string) (known bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.away {
		return false, errAway
	}
	for connection, s := range c.seen {
		if s.Client == client {
			delete(c.seen, connection)
			known = true
		}
	}
	return known, nil
}

// of returns what is remembered of a client's connections, in the order in which they were opened.
func (c *sightings) of(client string) (seen []Sighting) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.seen {
		if s.Client == client {
			seen = append(seen, s)
		}
	}
	slices.SortFunc(seen, func(a, b Sighting) int { return cmp.Compare(a.Connection, b.Connection) })
	return seen
}

func (c *sightings) setAway(away bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.away = away
}

// newPresenceAt returns presence that does nothing by itself.
func newPresenceAt(set *presences, place string) *presence {
	set.sockets.ctx = context.Background()
	p := newPresence(set, "g")
	p.place, p.closed = place, true
	return p
}
