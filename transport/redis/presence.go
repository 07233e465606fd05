package redis

import (
	"context"
	"time"

	"graphy/eventstore/redis"
	"graphy/transport"
)

// presenceLimit bounds how long news of presence may be on their way; later they are no news.
const presenceLimit = 500 * time.Millisecond

// Presence is transport.Presence on pub/sub, one channel for each graph.
type Presence struct{ store *redis.Store }

var _ transport.Presence = (*Presence)(nil)

// NewPresence returns Presence by way of store's connections.
func NewPresence(store *redis.Store) *Presence { return &Presence{store} }

// Publish implements transport.Presence. A message whose outcome is unknown may come twice.
func (p *Presence) Publish(ctx context.Context, graph string, message []byte) error {
	ctx, cancel := context.WithTimeout(ctx, presenceLimit)
	defer cancel()
	return p.store.Publish(ctx, p.store.Keys().PresenceChannel(graph), string(message))
}

// Subscribe implements transport.Presence.
func (p *Presence) Subscribe(ctx context.Context, graph string, begun func(), message func([]byte)) {
	p.store.Subscribe(ctx, p.store.Keys().PresenceChannel(graph), begun, func(text string) { message([]byte(text)) })
}
