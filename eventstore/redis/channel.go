package redis

import "context"

// Publish sends message to whoever is subscribed to channel, one that Keys builds for a graph. Nobody may be, and who
// is hears it at most once or, where a connection was lost meanwhile, twice: what must arrive belongs into a key.
func (s *Store) Publish(ctx context.Context, channel, message string) error {
	return s.write(ctx, "publish on", channel, func() error {
		if s.feeds.sharded {
			return s.client.Do(ctx, s.client.B().Spublish().Channel(channel).Message(message).Build()).Error()
		}
		return s.client.Do(ctx, s.client.B().Publish().Channel(channel).Message(message).Build()).Error()
	})
}

// Subscribe calls message for each message on channel, one that Keys builds for a graph, until ctx is done, over lost
// connections and slots that move. It calls begun whenever a subscription begins (it may do so more often): what was
// published before may not have come. Both are called from one goroutine for each channel and must be quick, since all
// subscriptions of a Store share a connection.
func (s *Store) Subscribe(ctx context.Context, channel string, begun func(), message func(string)) {
	s.feeds.subscribe(ctx, channel, s.feeds.sharded, begun, message)
}
