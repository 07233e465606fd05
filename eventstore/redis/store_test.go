package redis_test

import (
	"testing"

	"graphy/eventstore"
	"graphy/eventstore/eventstoretest"
	"graphy/eventstore/redis"
	"graphy/eventstore/redis/redistest"
)

func TestConformance(t *testing.T) {
	server := redistest.Start(t)
	eventstoretest.Run(t, func(t *testing.T) eventstore.Log { return open(t, server) })
}

// open returns a Store with keys of its own.
func open(t testing.TB, server *redistest.Server) *redis.Store {
	return redis.New(server.Client(t), server.Client(t), redis.Options{Prefix: server.Prefix(t)})
}

func TestMaintainer(t *testing.T) {
	server := redistest.Start(t)
	eventstoretest.RunMaintainer(t, func(t *testing.T) (eventstore.Log, eventstore.Maintainer) {
		log := open(t, server)
		return log, log
	})
}
