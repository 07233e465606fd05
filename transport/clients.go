package transport

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"graphy/eventstore"
)

const (
	savePause   = 50 * time.Millisecond // after a client left, for others to leave
	saveEach    = time.Second           // for what clients report meanwhile
	saveLimit   = 5 * time.Second       // of one call
	lastSave    = time.Second           // when the process ends
	refreshPart = 5                     // so many times a grace period each client is saved anew
	unsavedMost = 50_000                // clients that left and could not be saved yet; over it they are forgotten
)

// membership is what a session is among those of its client and of its graph.
type membership struct {
	connection string    // names it among those of all processes
	follows    string    // the connection that it goes on from
	present    *presence // on its graph, from its first sync on

	refresh time.Time // when what it has is saved again at the latest; guarded by clients.mu

	behind atomic.Uint64 // 1 + a version of long ago that the client has come to, by its own account; 0 if there is none
}

// clients keeps the other processes informed of what the clients of this one have: soon after they reported it or left,
// together, and again and again while they are here. What cannot be saved for now is saved later. The path of a frame
// is not held up by it.
type clients struct {
	sockets *sockets
	left    departed
	bell    chan struct{} // a client left

	mu      sync.Mutex            // before a session's
	open    map[string]*session   // by connection, all that joined
	changed map[*session]struct{} // of them, those to be saved
	unsaved map[string]Sighting   // by connection, of those that left
	kicked  map[string]struct{}   // clients that are to be forgotten once what is under way is saved
}

func newClients(w *sockets) *clients {
	return &clients{sockets: w, bell: make(chan struct{}, 1), open: map[string]*session{}, changed: map[*session]struct{}{},
		unsaved: map[string]Sighting{}, kicked: map[string]struct{}{}}
}

func (c *clients) shared() Clients { return c.sockets.server.services.Clients }

// enter counts s among the open ones: it has had its first sync.
func (c *clients) enter(s *session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open[s.connection] = s
	c.note(s)
}

// reported notes that what is known of s has changed.
func (c *clients) reported(s *session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.note(s)
}

// note is called with mu held.
func (c *clients) note(s *session) {
	if c.shared() != nil && c.open[s.connection] == s {
		c.changed[s] = struct{}{}
	}
}

// leave counts s out and remembers what it had.
func (c *clients) leave(s *session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open[s.connection] != s {
		return
	}
	delete(c.open, s.connection)
	delete(c.changed, s)
	if s.kicked.Load() {
		c.kick(s)
		return
	}
	seen := s.sighting(time.Now())
	seen.Left = true
	c.left.put(seen, c.sockets.limits.remember)
	if c.shared() == nil || len(c.unsaved) >= unsavedMost {
		return
	}
	c.unsaved[seen.Connection] = seen
	c.ring()
}

// kick has the client of s forgotten. It is called with mu held.
func (c *clients) kick(s *session) {
	if c.shared() != nil && len(c.kicked) < unsavedMost {
		c.kicked[s.identity.ClientID] = struct{}{}
		c.ring()
	}
}

func (c *clients) ring() {
	select {
	case c.bell <- struct{}{}:
	default:
	}
}

// all returns all that joined.
func (c *clients) all() []*session {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Collect(maps.Values(c.open))
}

// isOpen tells whether a connection is open in this process.
func (c *clients) isOpen(connection string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open[connection] != nil
}

// sighting returns what is known of the session.
func (s *session) sighting(now time.Time) Sighting {
	key := s.key()
	seen := Sighting{Graph: key.graph, User: key.user, Client: key.client, Connection: s.connection, Follows: s.follows, At: now}
	if seen.Has, seen.Known = s.known(s.polite.Load()); !seen.Known {
		seen.Has = s.position()
	}
	if behind := s.behind.Load(); behind > 0 && behind <= uint64(seen.Has.Version) {
		seen.Has, seen.Known = eventstore.Position{Version: eventstore.Version(behind - 1)}, false
	}
	return seen
}

// applied notes what the client says it has applied. Where that is so long ago that the hub does not know the position
// any more the client cannot be continued from there, but counts among those who may need what follows.
func (s *session) applied(version eventstore.Version) {
	has, known := s.hub.positionOf(version)
	switch {
	case known:
		s.report(has)
		s.behind.Store(0)
	case version < s.position().Version:
		s.behind.Store(uint64(version) + 1)
	default:
		return
	}
	s.sockets.clients.reported(s)
}

// run saves until ctx is done, and then what is left.
func (c *clients) run(ctx context.Context) {
	if c.shared() == nil {
		return
	}
	ticker := time.NewTicker(min(saveEach, c.refreshEach()))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastSave)
			defer cancel()
			c.save(last)
			return
		case <-ticker.C:
		case <-c.bell:
			_ = await(ctx, after(savePause))
		}
		c.refresh(time.Now())
		c.save(ctx)
		c.forgetKicked(ctx)
	}
}

// forgetKicked has those forgotten that were kicked. A save that was under way then has ended.
func (c *clients) forgetKicked(ctx context.Context) {
	c.mu.Lock()
	kicked := slices.Collect(maps.Keys(c.kicked))
	clear(c.kicked)
	c.mu.Unlock()
	for _, client := range kicked {
		ctx, cancel := context.WithTimeout(ctx, saveLimit)
		if _, err := c.shared().Forget(ctx, client); err != nil { // it is forgotten by itself after the grace period
			c.sockets.server.logger.Debug("a client that was kicked is not forgotten yet", zap.String("clientId", client), zap.Error(err))
		}
		cancel()
	}
}

func (c *clients) refreshEach() time.Duration { return c.sockets.limits.remember / refreshPart }

// refresh has those saved again that are here and were not saved for long, before they are forgotten.
func (c *clients) refresh(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.open {
		if now.After(s.refresh) {
			c.changed[s] = struct{}{}
		}
	}
}

// save saves what is to be saved. What cannot be for now is left for the next time.
func (c *clients) save(ctx context.Context) {
	seen := c.take(time.Now())
	if len(seen) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, saveLimit)
	defer cancel()
	if err := c.shared().Save(ctx, seen); err != nil {
		c.sockets.server.logger.Debug("clients are not saved for now", zap.Int("count", len(seen)), zap.Error(err))
		c.giveBack(seen)
	}
}

func (c *clients) take(now time.Time) []Sighting {
	c.mu.Lock()
	defer c.mu.Unlock()
	seen := make([]Sighting, 0, len(c.changed)+len(c.unsaved))
	for _, s := range c.unsaved {
		seen = append(seen, s)
	}
	each := c.refreshEach()
	for s := range c.changed {
		seen = append(seen, s.sighting(now))
		s.refresh = now.Add(each - rand.N(each/4+1)) // not all at once
	}
	clear(c.changed)
	clear(c.unsaved)
	return seen
}

// giveBack notes what could not be saved: of those still here what they will have by then, of the others what they had.
func (c *clients) giveBack(seen []Sighting) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, one := range seen {
		s := c.open[one.Connection]
		switch _, newer := c.unsaved[one.Connection]; {
		case s != nil:
			c.changed[s] = struct{}{}
		case one.Left && !newer:
			c.unsaved[one.Connection] = one
		}
	}
}
