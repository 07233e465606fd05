package redis

import (
	"context"
	"sync"

	"github.com/redis/rueidis"
	"go.uber.org/zap"

	"graphy/eventstore"
)

// feeds are the subscriptions of a Store to the channels of streams: one for each stream that is tailed, shared by
// its Tails.
type feeds struct {
	client  rueidis.Client
	sharded bool // channels of streams are sharded ones
	logger  *zap.Logger

	mu   sync.Mutex
	open map[string]*feed // by channel
}

// feed is one of them. What this Store appends itself comes in directly, and a round trip later by the channel.
type feed struct {
	cancel context.CancelFunc

	mu     sync.Mutex
	queues map[*queue]struct{}
	seen   eventstore.Version // newest version put to the queues
}

// publish is the command that publishes on the channels of streams.
func (f *feeds) publish() string {
	if f.sharded {
		return "SPUBLISH"
	}
	return "PUBLISH"
}

// follow returns a queue of what comes on channel, to be handed back by leave.
func (f *feeds) follow(channel string) *queue {
	q := newQueue()
	f.mu.Lock()
	defer f.mu.Unlock()
	one := f.open[channel]
	if one == nil {
		ctx, cancel := context.WithCancel(context.Background())
		one = &feed{cancel: cancel, queues: map[*queue]struct{}{}}
		if f.open == nil {
			f.open = map[string]*feed{}
		}
		f.open[channel] = one
		go f.subscribe(ctx, channel, f.sharded, one.lost, func(message string) {
			if err := one.message(message); err != nil {
				f.logger.Warn("foreign message on a channel of events", zap.String("channel", channel), zap.Error(err))
			}
		})
	}
	one.mu.Lock()
	defer one.mu.Unlock()
	one.queues[q] = struct{}{}
	return q
}

// leave ends a queue, and with the last one the subscription.
func (f *feeds) leave(channel string, q *queue) {
	f.mu.Lock()
	defer f.mu.Unlock()
	one := f.open[channel]
	one.mu.Lock()
	defer one.mu.Unlock()
	delete(one.queues, q)
	if len(one.queues) == 0 {
		delete(f.open, channel)
		one.cancel()
	}
}

// appended passes on what this Store has appended.
func (f *feeds) appended(channel string, events []eventstore.Event) {
	f.mu.Lock()
	one := f.open[channel]
	f.mu.Unlock()
	if one != nil {
		one.mu.Lock()
		defer one.mu.Unlock()
		one.put(events)
	}
}

// message takes in what came by the channel. Versions that were put already, by this Store's own appends, are
// dropped without a look at the events.
func (f *feed) message(text string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch text {
	case deletedMessage:
		f.seen = 0
		for q := range f.queues {
			q.setDeleted()
		}
		return nil
	case rewrittenMessage:
		f.toLog()
		return nil
	}
	first, count, lines, err := parseHeader(text)
	if err == nil && first+eventstore.Version(count)-1 <= f.seen {
		return nil
	}
	var events []eventstore.Event
	if err == nil {
		events, err = parseLines(first, count, lines)
	}
	if err != nil {
		f.toLog()
		return err
	}
	f.put(events)
	return nil
}

// lost says that messages may have been missed.
func (f *feed) lost() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.toLog()
}

func (f *feed) toLog() {
	f.seen = 0
	for q := range f.queues {
		q.setLost()
	}
}

func (f *feed) put(events []eventstore.Event) {
	f.seen = max(f.seen, events[len(events)-1].Version)
	for q := range f.queues {
		q.put(events)
	}
}
