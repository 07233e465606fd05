package redis

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

// subscribe listens on channel until ctx is done, over every lost connection. It calls lost whenever a subscription
// begins, because what was published before did not come; then message for each message. Both must be quick, since
// all subscriptions share a connection.
func (f *feeds) subscribe(ctx context.Context, channel string, sharded bool, lost func(), message func(string)) {
	delay := firstDelay
	for !over(ctx) {
		var confirmed atomic.Bool
		hooked := rueidis.WithOnSubscriptionHook(ctx, func(change rueidis.PubSubSubscription) {
			if change.Kind == "subscribe" || change.Kind == "ssubscribe" {
				confirmed.Store(true)
				lost()
			}
		})
		command := f.client.B().Subscribe().Channel(channel).Build()
		if sharded {
			command = f.client.B().Ssubscribe().Channel(channel).Build()
		}
		// An error or nil (unsubscribed, slots moved) come to the same.
		_ = f.client.Receive(hooked, command, func(m rueidis.PubSubMessage) { message(m.Message) })
		if confirmed.Load() {
			delay = firstDelay
		}
		pause(ctx, delay)
		delay = min(2*delay, lastDelay)
	}
	f.unsubscribe(context.WithoutCancel(ctx), channel, sharded)
}

// unsubscribe tells the server that nobody listens. Should somebody have begun to meanwhile, their Receive ends, and
// they subscribe again.
func (f *feeds) unsubscribe(ctx context.Context, channel string, sharded bool) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	command := f.client.B().Unsubscribe().Channel(channel).Build()
	if sharded {
		command = f.client.B().Sunsubscribe().Channel(channel).Build()
	}
	_ = f.client.Do(ctx, command).Error() // a lost connection has no subscriptions left
}
