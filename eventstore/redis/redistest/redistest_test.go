package redistest_test

import (
	"context"
	"testing"
	"time"

	"graphy/eventstore/redis/redistest"
)

func TestOwnServerKeepsDataOverRestart(t *testing.T) {
	server := redistest.StartOwn(t)
	client := server.Client(t)
	if err := client.Do(t.Context(), client.B().Set().Key("k").Value("v").Build()).Error(); err != nil {
		t.Fatal(err)
	}
	server.Restart(t)
	again := server.Client(t)
	if got, err := again.Do(t.Context(), again.B().Get().Key("k").Build()).ToString(); got != "v" || err != nil {
		t.Errorf("after restart: got %q, %v, want v", got, err)
	}
}

func TestFreezeAndThaw(t *testing.T) {
	server := redistest.StartOwn(t)
	client := server.Client(t)
	server.Freeze()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := client.Do(ctx, client.B().Ping().Build()).Error(); err == nil {
		t.Error("frozen server answered")
	}
	server.Thaw()
	if err := client.Do(t.Context(), client.B().Ping().Build()).Error(); err != nil {
		t.Errorf("thawed server: %v", err)
	}
}

func TestStartShares(t *testing.T) {
	first, second := redistest.Start(t), redistest.Start(t)
	if first != second {
		t.Error("two servers, want one")
	}
	if a, b := first.Prefix(t), first.Prefix(t); a == b {
		t.Errorf("prefix %q twice", a)
	}
}
