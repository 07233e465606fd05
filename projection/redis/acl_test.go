package redis_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/oklog/ulid/v2"

	"graphy/eventstore"
	log "graphy/eventstore/redis"
	"graphy/eventstore/redis/redistest"
	"graphy/projection"
	"graphy/projection/projectiontest"
	"graphy/projection/redis"
)

// withACL are the arguments of a redis-server that knows the user of graphy.acl.
func withACL(t testing.TB) []string {
	t.Helper()
	path, err := filepath.Abs("../../eventstore/redis/graphy.acl")
	if err != nil {
		t.Fatal(err)
	}
	return []string{"--include", path}
}

// TestLeastPrivilege runs the suites as the user of graphy.acl, on one server and on a cluster. What damages read models
// to have them repaired has all rights.
func TestLeastPrivilege(t *testing.T) {
	t.Parallel()
	server := redistest.StartOwn(t, withACL(t)...)
	cluster := redistest.StartCluster(t, withACL(t)...)
	var addresses []string
	for _, node := range cluster.Masters {
		addresses = append(addresses, node.Addr)
	}
	for name, site := range map[string]struct {
		url    string
		vandal func(t *testing.T, keys log.Keys) vandal
	}{
		"server": {"redis://graphy:change-me@" + server.Addr,
			func(t *testing.T, keys log.Keys) vandal { return vandal{server.Client(t), keys} }},
		"cluster": {"redis+cluster://graphy:change-me@" + strings.Join(addresses, ","),
			func(t *testing.T, keys log.Keys) vandal { return vandal{cluster.Client(t), keys} }},
	} {
		open := func(t *testing.T) (*redis.Models, *log.Store) {
			client, subscriber, err := log.Dial(t.Context(), site.url, nil)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(client.Close)
			t.Cleanup(subscriber.Close)
			store := log.New(client, subscriber, log.Options{Prefix: "graphy:" + ulid.Make().String() + ":"})
			return redis.New(client, store.Keys(), redis.Options{}), store
		}
		t.Run(name, func(t *testing.T) {
			projectiontest.Run(t, func(t *testing.T) (projection.ReadModels, eventstore.Log) { return open(t) })
			projectiontest.RunSnapshots(t, func(t *testing.T) (projectiontest.Store, eventstore.Log) { return open(t) })
			projectiontest.RunDeadLetters(t, func(t *testing.T) (projectiontest.Office, eventstore.Log) { return open(t) })
			projectiontest.RunWorkshop(t, func(t *testing.T) (projectiontest.Shop, eventstore.Log, projectiontest.Vandal) {
				models, store := open(t)
				return models, store, site.vandal(t, store.Keys())
			})
		})
	}
}
