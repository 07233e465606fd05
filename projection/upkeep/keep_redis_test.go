package upkeep_test

import (
	"strconv"
	"testing"

	"github.com/redis/rueidis"

	"graphy/eventstore"
	"graphy/eventstore/redis"
	"graphy/eventstore/redis/redistest"
	models "graphy/projection/redis"
)

// site is a world in a Redis, which can be damaged.
type site struct {
	*world
	client rueidis.Client
	keys   redis.Keys
}

// keptOnRedis returns an empty world in the Redis that the tests share, with an archive.
func keptOnRedis(t testing.TB) *site {
	t.Helper()
	server := redistest.Start(t)
	return siteOn(t, server)
}

func siteOn(t testing.TB, server *redistest.Server) *site {
	t.Helper()
	client := server.Client(t)
	keys := redis.Keys{Prefix: server.Prefix(t)}
	s := &site{world: &world{log: redis.New(client, server.Client(t), redis.Options{Prefix: keys.Prefix}),
		models: models.New(client, keys, models.Options{})}, client: client, keys: keys}
	s.open()
	s.archived(newShelf())
	return s
}

// do sends a command about the key.
func (s *site) do(t testing.TB, key string, command string, args ...string) {
	t.Helper()
	if err := s.client.Do(t.Context(), s.client.B().Arbitrary(command).Keys(key).Args(args...).Build()).Error(); err != nil {
		t.Fatalf("%s: %v", command, err)
	}
}

// rewrite puts the log of graph in its place entry by entry, as nobody but Redis itself would: an event without hash is an
// entry of another kind, one without anything is left out.
func (s *site) rewrite(t testing.TB, graph string, events []eventstore.Event) {
	t.Helper()
	key := s.keys.Events(graph)
	s.do(t, key, "DEL")
	for _, event := range events {
		id := strconv.FormatUint(uint64(event.Version), 10) + "-0"
		switch {
		case event.Data == nil:
		case event.Hash == "":
			s.do(t, key, "XADD", id, "some", "thing")
		default:
			s.do(t, key, "XADD", id, "event", rueidis.BinaryString(event.Data), "hash", string(event.Hash))
		}
	}
}
