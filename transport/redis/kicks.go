package redis

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/oklog/ulid/v2"
	"github.com/redis/rueidis"

	"graphy/eventstore"
	"graphy/eventstore/redis"
	"graphy/transport"
)

const (
	kickLimit  = 2 * time.Second       // for all processes to answer a kick
	kickAgain  = 10 * time.Millisecond // between two looks whether they have
	kickAnswer = 10 * time.Second      // that the answers are kept
)

// Kicks is transport.Kicks on pub/sub. Each process that hears of a kick answers into a list, and as many answers are
// waited for as the message had receivers.
type Kicks struct {
	client rueidis.Client
	store  *redis.Store
	keys   redis.Keys
}

var _ transport.Kicks = (*Kicks)(nil)

// NewKicks returns Kicks on client, which stays the caller's to close, and by way of store's subscriptions.
func NewKicks(client rueidis.Client, store *redis.Store) *Kicks {
	return &Kicks{client: client, store: store, keys: store.Keys()}
}

// kickMessage is what is published.
type kickMessage struct {
	ID string `json:"id"`
	transport.Kick
}

// Kick implements transport.Kicks. A process that does not answer in time, since it hangs or its connection was lost,
// is not counted.
func (k *Kicks) Kick(ctx context.Context, kick transport.Kick) (ended int, err error) {
	ctx, cancel := context.WithTimeout(ctx, kickLimit)
	defer cancel()
	message := kickMessage{ID: ulid.Make().String(), Kick: kick}
	text, err := json.Marshal(message)
	if err != nil {
		return 0, err
	}
	receivers, err := k.publish(ctx, string(text))
	if err != nil {
		return 0, fmt.Errorf("kick %q: %w: %w", kick.ClientID, eventstore.ErrUnavailable, err)
	}
	key := k.keys.Kick(message.ID)
	ticker := time.NewTicker(kickAgain)
	defer ticker.Stop()
	for answers := 0; int64(answers) < receivers; {
		select {
		case <-ctx.Done():
			return ended, nil
		case <-ticker.C:
		}
		counts, err := k.client.Do(ctx, k.client.B().Lrange().Key(key).Start(0).Stop(-1).Build()).AsIntSlice()
		if err != nil {
			continue // they may be there when it is asked again
		}
		answers, ended = len(counts), 0
		for _, count := range counts {
			ended += int(count)
		}
	}
	return ended, nil
}

// publish returns how many have received the message.
func (k *Kicks) publish(ctx context.Context, text string) (int64, error) {
	channel := k.keys.KicksChannel()
	if k.client.Mode() == rueidis.ClientModeCluster {
		return k.client.Do(ctx, k.client.B().Spublish().Channel(channel).Message(text).Build()).AsInt64()
	}
	return k.client.Do(ctx, k.client.B().Publish().Channel(channel).Message(text).Build()).AsInt64()
}

// Subscribe implements transport.Kicks. It returns when the last answer is given.
func (k *Kicks) Subscribe(ctx context.Context, end func(transport.Kick) int) {
	var answering sync.WaitGroup
	defer answering.Wait()
	k.store.Subscribe(ctx, k.keys.KicksChannel(), func() {}, func(text string) {
		var message kickMessage
		if json.Unmarshal([]byte(text), &message) != nil || message.ClientID == "" {
			return // of another release
		}
		answering.Go(func() { k.answer(ctx, message.ID, end(message.Kick)) })
	})
}

// answer tells how many connections were ended. If it gets lost, fewer are counted.
func (k *Kicks) answer(ctx context.Context, id string, ended int) {
	ctx, cancel := context.WithTimeout(ctx, kickLimit)
	defer cancel()
	key := k.keys.Kick(id)
	for _, result := range k.client.DoMulti(ctx,
		k.client.B().Rpush().Key(key).Element(strconv.Itoa(ended)).Build(),
		k.client.B().Pexpire().Key(key).Milliseconds(kickAnswer.Milliseconds()).Build()) {
		_ = result.Error()
	}
}
