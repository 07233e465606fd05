package redis_test

import (
	"path/filepath"
	"testing"

	"go.uber.org/zap"

	"graphy/command"
	"graphy/command/redis"
	logredis "graphy/eventstore/redis"
	"graphy/eventstore/redis/redistest"
)

// TestLeastPrivilege has operations recorded as the user of graphy.acl.
func TestLeastPrivilege(t *testing.T) {
	path, err := filepath.Abs("../../eventstore/redis/graphy.acl")
	if err != nil {
		t.Fatal(err)
	}
	server := redistest.StartOwn(t, "--include", path)
	client, subscriber, err := logredis.Dial(t.Context(), "redis://graphy:change-me@"+server.Addr, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	defer subscriber.Close()
	keys := logredis.Keys{Prefix: "graphy:"}
	recorder := redis.New(client, keys, zap.NewNop())
	stop := run(t, recorder)
	recorder.Record(command.Entry{OperationID: "o1", GraphID: "g", Type: "CREATE_NODE", UserID: "u", Version: 7, Timestamp: 123})
	stop() // when all is written
	entry, found, err := redis.New(client, keys, zap.NewNop()).Find(t.Context(), "o1")
	if err != nil || !found || entry.Version != 7 {
		t.Errorf("got %+v, %v, %v", entry, found, err)
	}
	operator := server.Client(t)
	if n, err := operator.Do(t.Context(), operator.B().Llen().Key(keys.UserCommands("u")).Build()).AsInt64(); err != nil || n != 1 {
		t.Errorf("%d commands of the user, %v, want 1", n, err)
	}
}
