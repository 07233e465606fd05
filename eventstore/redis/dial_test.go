package redis_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"graphy/eventstore"
	"graphy/eventstore/redis"
	"graphy/eventstore/redis/redistest"
)

func TestDialBeforeServer(t *testing.T) {
	server := redistest.StartOwn(t)
	server.Stop()
	log, client := dial(t, server.URL, "")
	if err := redis.Ping(within(t, time.Second), client); err == nil {
		t.Error("ping of a stopped server: no error")
	}
	w := writer{log: log}
	if err := w.write(within(t, 100*time.Millisecond)); !errors.Is(err, eventstore.ErrUnavailable) {
		t.Errorf("append: got %v, want %v", err, eventstore.ErrUnavailable)
	}
	server.Restart(t)
	w.mustWrite(t, 1)
	w.check(t)
}

func TestDialClusterGivesUpWithContext(t *testing.T) {
	server := redistest.StartOwn(t)
	server.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, _, err := redis.Dial(ctx, "redis+cluster://"+server.Addr, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
	}
}
