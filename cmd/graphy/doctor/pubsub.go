package doctor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/oklog/ulid/v2"

	"graphy/eventstore"
)

const (
	slowDelivery = 500 * time.Millisecond
	unheard      = "Clients still get every event, by reading the log every few seconds, but late. See client-output-buffer-limit pubsub, and in a cluster that all nodes reach each other."
)

// checkPubSub publishes to a channel of its own and waits to hear it.
func checkPubSub(ctx context.Context, l *look) []finding {
	channel := l.scratchKeys().EventsChannel("scratch")
	message := ulid.Make().String()
	begun, heard := make(chan struct{}, 1), make(chan struct{}, 1)
	listening, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		l.opts.Store.Subscribe(listening, channel, func() { ring(begun) }, func(text string) {
			if text == message {
				ring(heard)
			}
		})
	}()
	defer func() { stop(); <-ended }()
	select {
	case <-begun:
	case <-ctx.Done():
		return []finding{bad("Redis does not let this server subscribe to channels, or does not answer.", unheard)}
	}
	at := time.Now()
	if err := l.opts.Store.Publish(ctx, channel, message); err != nil {
		return unknown("Delivery by pub/sub", err)
	}
	select {
	case <-heard:
	case <-ctx.Done():
		return []finding{bad("What was published was not heard.", unheard)}
	}
	took := time.Since(at)
	if took > slowDelivery {
		return []finding{warn(fmt.Sprintf("What was published was heard after %v.", took.Round(time.Millisecond)), "See the load of Redis and the network to it.")}
	}
	return []finding{good("What is published is heard, after %v.", took.Round(10*time.Microsecond))}
}

func ring(bell chan struct{}) {
	select {
	case bell <- struct{}{}:
	default:
	}
}

func isTrimmed(err error) bool { return errors.Is(err, eventstore.ErrTrimmed) }
