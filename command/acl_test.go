package command_test

import (
	"path/filepath"
	"testing"

	"github.com/oklog/ulid/v2"

	"graphy/command"
	"graphy/command/commandtest"
	logredis "graphy/eventstore/redis"
	"graphy/eventstore/redis/redistest"
	modelsredis "graphy/projection/redis"
)

// TestLeastPrivilege carries out the golden cases as the Redis user of graphy.acl, on one server and on a cluster.
func TestLeastPrivilege(t *testing.T) {
	path, err := filepath.Abs("../eventstore/redis/graphy.acl")
	if err != nil {
		t.Fatal(err)
	}
	server := redistest.StartOwn(t, "--include", path)
	cluster := redistest.StartCluster(t, "--include", path)
	for name, url := range map[string]string{
		"server":  "redis://graphy:change-me@" + server.Addr,
		"cluster": "redis+cluster://graphy:change-me@" + cluster.Masters[0].Addr,
	} {
		t.Run(name, func(t *testing.T) {
			client, subscriber, err := logredis.Dial(t.Context(), url, nil)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(client.Close)
			t.Cleanup(subscriber.Close)
			for _, c := range commandtest.Load(t, "../testdata/cases") {
				t.Run(c.Title, func(t *testing.T) {
					d := newGoldenDriver(t, &c, command.Options{RecentEvents: 1})
					store := logredis.New(client, subscriber, logredis.Options{Prefix: "graphy:" + ulid.Make().String() + ":"})
					d.log.Log, d.site.models = store, modelsredis.New(client, store.Keys(), modelsredis.Options{})
					d.processor = d.site.start(t, d.opts)
					commandtest.Run(t, &c, d)
				})
			}
		})
	}
}
