package redis_test

import (
	"testing"
	"time"

	eventredis "graphy/eventstore/redis"
	"graphy/eventstore/redis/redistest"
	"graphy/projection/redis"
	"graphy/projection/upkeep"
)

var _ upkeep.Lease = (*redis.Lease)(nil)

func TestLease(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	keys := eventredis.Keys{Prefix: server.Prefix(t)}
	one, other := redis.NewLease(client, keys), redis.NewLease(client, keys)
	hold := func(lease *redis.Lease, name string, long time.Duration, want bool) {
		t.Helper()
		if held, err := lease.Hold(t.Context(), name, long); err != nil || held != want {
			t.Fatalf("got %t, %v, want %t", held, err, want)
		}
	}
	release := func(lease *redis.Lease) {
		t.Helper()
		if err := lease.Release(t.Context(), "work"); err != nil {
			t.Fatal(err)
		}
	}
	hold(one, "work", time.Minute, true)
	hold(one, "work", time.Minute, true) // renewed
	hold(other, "work", time.Minute, false)
	hold(other, "else", time.Minute, true)
	release(other) // which is not its own
	hold(other, "work", time.Minute, false)
	release(one)
	release(one)
	hold(other, "work", time.Minute, true)
	release(other)

	hold(one, "work", 50*time.Millisecond, true)
	deadline := time.Now().Add(10 * time.Second)
	for { // it ends by itself
		held, err := other.Hold(t.Context(), "work", time.Minute)
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("a lease of 50 ms has not ended: %v", err)
		}
		if held {
			break
		}
	}
	hold(one, "work", time.Minute, false)
	if ttl, err := client.Do(t.Context(), client.B().Pttl().Key(keys.Lease("work")).Build()).AsInt64(); err != nil || ttl <= 0 {
		t.Errorf("the lease ends in %d ms, %v", ttl, err)
	}
}
