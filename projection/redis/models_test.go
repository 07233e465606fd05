package redis_test

import (
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/rueidis"
	"go.uber.org/goleak"

	"graphy/eventstore"
	log "graphy/eventstore/redis"
	"graphy/eventstore/redis/redistest"
	"graphy/projection"
	"graphy/projection/projectiontest"
	"graphy/projection/redis"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, redistest.IgnoreLingering()...)
}

func TestModels(t *testing.T) {
	projectiontest.Run(t, func(t *testing.T) (projection.ReadModels, eventstore.Log) { return onRedis(t) })
}

func TestModelsOnMiniredis(t *testing.T) {
	projectiontest.Run(t, func(t *testing.T) (projection.ReadModels, eventstore.Log) { return onMiniredis(t) })
}

// onRedis returns read models, and the log that they are of, on a real server.
func onRedis(t testing.TB) (*redis.Models, *log.Store) {
	store, client := open(t, redistest.Start(t))
	return redis.New(client, store.Keys(), redis.Options{}), store
}

// onMiniredis is onRedis with a server of its own in the process.
func onMiniredis(t testing.TB) (*redis.Models, *log.Store) {
	server := miniredis.RunT(t)
	store := log.New(mini(t, server), mini(t, server), log.Options{})
	return redis.New(mini(t, server), store.Keys(), redis.Options{}), store
}

func open(t testing.TB, server *redistest.Server) (*log.Store, rueidis.Client) {
	client := server.Client(t)
	return log.New(client, server.Client(t), log.Options{Prefix: server.Prefix(t)}), client
}

func mini(t testing.TB, server *miniredis.Miniredis) rueidis.Client {
	t.Helper()
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{server.Addr()}, DisableCache: true,
		ForceSingleClient: true, AlwaysPipelining: true, AlwaysRESP2: true, DisableRetry: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// TestOneDeadLetter: there is one letter for a version, also where a projector died before it could note so.
func TestOneDeadLetter(t *testing.T) {
	server := redistest.Start(t)
	store, client := open(t, server)
	models := redis.New(client, store.Keys(), redis.Options{})
	letters := func() int64 {
		length, err := client.Do(t.Context(), client.B().Xlen().Key(store.Keys().DeadLetters()).Build()).AsInt64()
		if err != nil {
			t.Fatal(err)
		}
		return length
	}
	letter := projection.DeadLetter{Graph: "g", Version: 1, Cause: "poison", Attempts: 3, Payload: []byte("{}"), Time: 1}
	steps := []struct {
		name string
		do   func()
		want int64
	}{
		{"first", func() {}, 1},
		{"again", func() {}, 1},
		{"died before the note", func() { client.Do(t.Context(), client.B().Del().Key(store.Keys().State("g")).Build()) }, 1},
		{"discarded since", func() {
			client.Do(t.Context(), client.B().Xtrim().Key(store.Keys().DeadLetters()).Maxlen().Threshold("0").Build())
		}, 0},
		{"next version", func() { letter.Version = 2 }, 1},
	}
	for _, step := range steps {
		step.do()
		if err := models.Stall(t.Context(), "g", eventstore.Position{}, letter); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if got := letters(); got != step.want {
			t.Errorf("%s: got %d letters, want %d", step.name, got, step.want)
		}
	}
}
