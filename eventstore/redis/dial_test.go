package redis_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"graphy/eventstore"
	"graphy/eventstore/eventstoretest"
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

// The suite on a cluster (of one node, which owns all slots): scripts keep to one slot, channels are sharded.
func TestConformanceOnCluster(t *testing.T) {
	server := redistest.StartOwn(t, "--cluster-enabled", "yes", "--cluster-announce-ip", "127.0.0.1")
	client := server.Client(t)
	if err := client.Do(t.Context(), client.B().Arbitrary("CLUSTER", "ADDSLOTSRANGE", "0", "16383").Build()).Error(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		err := client.Do(t.Context(), client.B().Set().Key("ready").Value("1").Build()).Error()
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	eventstoretest.Run(t, func(t *testing.T) eventstore.Log {
		log, _ := dial(t, "redis+cluster://"+server.Addr, server.Prefix(t))
		return log
	})
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
