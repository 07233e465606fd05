package redis

import (
	"context"
	"fmt"

	"github.com/redis/rueidis"

	"graphy/eventstore/redis"
)

// Sizes tell how much memory graphs take in Redis.
type Sizes struct {
	client rueidis.Client
	keys   redis.Keys
}

// NewSizes returns Sizes on client, which stays the caller's to close.
func NewSizes(client rueidis.Client, keys redis.Keys) *Sizes {
	return &Sizes{client: client, keys: keys}
}

// Of returns the bytes of a graph's log and read models, as Redis estimates them, without the sets of edges at nodes and
// snapshots. It fails where Redis does not let its user ask (ACL).
func (s *Sizes) Of(ctx context.Context, graph string) (total int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, clientsLimit)
	defer cancel()
	var commands rueidis.Commands
	for _, key := range []string{s.keys.Events(graph), s.keys.Operations(graph), s.keys.Base(graph), s.keys.State(graph),
		s.keys.Nodes(graph), s.keys.Edges(graph), s.keys.Conflicts(graph), s.keys.Stats(graph)} {
		commands = append(commands, s.client.B().MemoryUsage().Key(key).Build())
	}
	for _, result := range s.client.DoMulti(ctx, commands...) {
		bytes, err := result.AsInt64()
		if err != nil && !rueidis.IsRedisNil(err) {
			return 0, fmt.Errorf("memory of %q: %w", graph, err)
		}
		total += bytes
	}
	return total, nil
}
