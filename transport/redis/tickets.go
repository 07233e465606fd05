package redis

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/rueidis"

	"graphy/eventstore"
	"graphy/eventstore/redis"
)

// Tickets keep one-time tickets, each a string that expires: ticket:{id}.
type Tickets struct {
	client rueidis.Client
	keys   redis.Keys
}

// NewTickets returns Tickets on client, which stays the caller's to close.
func NewTickets(client rueidis.Client, keys redis.Keys) *Tickets {
	return &Tickets{client: client, keys: keys}
}

// Put keeps value under id for so long, of which parts of a millisecond do not count. It fails with an ErrUnavailable.
func (t *Tickets) Put(ctx context.Context, id string, value []byte, long time.Duration) error {
	set := t.client.B().Set().Key(t.keys.Ticket(id)).Value(rueidis.BinaryString(value)).Px(long).Build()
	if err := t.client.Do(ctx, set).Error(); err != nil {
		return fmt.Errorf("keep a ticket: %w: %w", eventstore.ErrUnavailable, err)
	}
	return nil
}

// Take returns the value under id and forgets it, in one step, so that of any number of callers on any processes one
// gets it; the others, and all later ones, get nil. It fails with an ErrUnavailable; the ticket may be gone then.
func (t *Tickets) Take(ctx context.Context, id string) ([]byte, error) {
	value, err := t.client.Do(ctx, t.client.B().Getdel().Key(t.keys.Ticket(id)).Build()).AsBytes()
	if rueidis.IsRedisNil(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("take a ticket: %w: %w", eventstore.ErrUnavailable, err)
	}
	return value, nil
}
