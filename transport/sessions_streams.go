package transport

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/oklog/ulid/v2"

	"graphy/eventstore"
)

// streams are the open event streams of this process. The zero value has none.
type streams struct {
	mu   sync.Mutex
	open map[*openStream]struct{} // guarded by mu
}

// openStream is an event stream as operators see it.
type openStream struct {
	graph      string
	who        caller
	connection string
	hub        *hub
	end        context.CancelFunc
	sent       atomic.Uint64 // version that what was sent leads to
}

// enter counts a stream in, until leave is called.
func (s *streams) enter(graph string, who caller, h *hub, end context.CancelFunc) (one *openStream, leave func()) {
	one = &openStream{graph: graph, who: who, connection: ulid.Make().String(), hub: h, end: end}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open = map[*openStream]struct{}{}
	}
	s.open[one] = struct{}{}
	return one, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.open, one)
	}
}

func (s *streams) all() []*openStream {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.open))
}

// reached notes how far the stream has come.
func (o *openStream) reached(at eventstore.Position) { o.sent.Store(uint64(at.Version)) }

// client returns who the stream counts as: without an id of its own one with all else that its user does by HTTP.
func (o *openStream) client() string {
	if o.who.ClientID != "" {
		return o.who.ClientID
	}
	return "user:" + o.who.UserID
}

// info returns how a stream stands.
func (o *openStream) info() SessionInfo {
	sent := eventstore.Version(o.sent.Load())
	info := SessionInfo{GraphID: o.graph, UserID: o.who.UserID, ClientID: o.client(), ConnectionID: o.connection,
		Kind: SessionStream, Connected: connectedAt(o.connection), Sent: sent}
	if o.who.address.IsValid() {
		info.Address = o.who.address.String()
	}
	if head := o.hub.position(); head.Version > sent {
		info.Lag = uint64(head.Version - sent)
	}
	return info
}
