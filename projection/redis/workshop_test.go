package redis_test

import (
	"testing"

	"github.com/alicebob/miniredis/v2"

	"graphy/eventstore"
	log "graphy/eventstore/redis"
	"graphy/eventstore/redis/redistest"
	"graphy/projection/projectiontest"
	"graphy/projection/redis"
)

func TestWorkshop(t *testing.T) {
	projectiontest.RunWorkshop(t, func(t *testing.T) (projectiontest.Shop, eventstore.Log, projectiontest.Vandal) {
		store, client := open(t, redistest.Start(t))
		return redis.New(client, store.Keys(), redis.Options{}), store, vandal{client, store.Keys()}
	})
}

func TestWorkshopOnMiniredis(t *testing.T) {
	projectiontest.RunWorkshop(t, func(t *testing.T) (projectiontest.Shop, eventstore.Log, projectiontest.Vandal) {
		server := miniredis.RunT(t)
		store := log.New(mini(t, server), mini(t, server), log.Options{})
		return redis.New(mini(t, server), store.Keys(), redis.Options{}), store, vandal{mini(t, server), store.Keys()}
	})
}

func TestWorkshopOnCluster(t *testing.T) {
	cluster := redistest.StartCluster(t)
	projectiontest.RunWorkshop(t, func(t *testing.T) (projectiontest.Shop, eventstore.Log, projectiontest.Vandal) {
		models, store := onCluster(t, cluster, cluster.Prefix(t))
		return models, store, vandal{cluster.Client(t), store.Keys()}
	})
}

func TestDeadLetters(t *testing.T) {
	projectiontest.RunDeadLetters(t, func(t *testing.T) (projectiontest.Office, eventstore.Log) { return onRedis(t) })
}

func TestDeadLettersOnMiniredis(t *testing.T) {
	projectiontest.RunDeadLetters(t, func(t *testing.T) (projectiontest.Office, eventstore.Log) { return onMiniredis(t) })
}

func TestDeadLettersOnCluster(t *testing.T) {
	cluster := redistest.StartCluster(t)
	projectiontest.RunDeadLetters(t, func(t *testing.T) (projectiontest.Office, eventstore.Log) {
		return onCluster(t, cluster, cluster.Prefix(t))
	})
}
