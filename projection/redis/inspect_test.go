package redis_test

import (
	"context"
	"errors"
	"testing"

	"github.com/redis/rueidis"

	"graphy/eventstore/redis/redistest"
	"graphy/projection"
	"graphy/projection/projectiontest"
	"graphy/projection/redis"
)

// meddler is a client with somebody who commits before its calls.
type meddler struct {
	rueidis.Client
	meddle func()
	always bool // before every call, not only before incidence sets are read one by one
}

func (m *meddler) Do(ctx context.Context, command rueidis.Completed) rueidis.RedisResult {
	if m.always {
		m.meddle()
	}
	return m.Client.Do(ctx, command)
}

func (m *meddler) DoMulti(ctx context.Context, commands ...rueidis.Completed) []rueidis.RedisResult {
	m.meddle()
	return m.Client.DoMulti(ctx, commands...)
}

// TestI5InspectionOfABusyGraph: what is inspected while the read models move is of one moment, or there is no telling.
func TestI5InspectionOfABusyGraph(t *testing.T) {
	store, client := open(t, redistest.Start(t))
	models := redis.New(client, store.Keys(), redis.Options{})
	w := projectiontest.NewWriter("g", source(1))
	commit := func() {
		projectiontest.Append(t, store, "g", w.CreateNode())
		projectiontest.Append(t, store, "g", w.Events(3)...)
		if err := rebuild(t, store, models, "g", true); err != nil {
			t.Fatal(err)
		}
	}
	for range 5 {
		commit()
	}
	busy := redis.New(&meddler{Client: client, meddle: commit}, store.Keys(), redis.Options{})
	for range 10 {
		live, err := busy.Inspect(t.Context(), "g", nil)
		if err != nil {
			t.Fatalf("inspect: %v", err)
		}
		at, err := projection.At(t.Context(), store, nil, "g", live.Checkpoint.Version)
		if err != nil {
			t.Fatal(err)
		}
		live.Compare(projection.ContentsOf(at), func(m projection.Mismatch) bool {
			t.Errorf("at version %d: %+v", live.Checkpoint.Version, m)
			return true
		})
	}
	frantic := redis.New(&meddler{Client: client, meddle: commit, always: true}, store.Keys(), redis.Options{})
	if _, err := frantic.Inspect(t.Context(), "g", nil); !errors.Is(err, projection.ErrStale) {
		t.Errorf("inspect: got %v, want ErrStale", err)
	}
	projectiontest.Cured(t, models, w.Graph)
}
