package redis_test

import (
	"fmt"
	"testing"
	"time"

	"go.uber.org/zap"

	"graphy/command"
	"graphy/command/redis"
	logredis "graphy/eventstore/redis"
	"graphy/eventstore/redis/redistest"
)

// The keys of operations and users are all over the cluster; all are written, also while slots move.
func TestRecorderOnCluster(t *testing.T) {
	cluster := redistest.StartCluster(t)
	keys := logredis.Keys{Prefix: cluster.Prefix(t)}
	r := redis.New(cluster.Client(t), keys, zap.NewNop())
	stop := run(t, r)
	const count = 2000
	for i := range count {
		r.Record(command.Entry{OperationID: fmt.Sprint("o", i), GraphID: "g", Type: "CREATE_NODE", UserID: fmt.Sprint("u", i%20),
			Version: uint64(i + 1), Timestamp: int64(i)})
		if i%500 == 0 {
			slot := cluster.Slot(t, keys.Operation(fmt.Sprint("o", i+1)))
			cluster.MoveSlot(t, slot, cluster.Masters[i/500%3], func() { time.Sleep(5 * time.Millisecond) })
		}
	}
	stop()
	client := cluster.Client(t)
	reader := redis.New(client, keys, zap.NewNop())
	for i := range count {
		entry, found, err := reader.Find(t.Context(), fmt.Sprint("o", i))
		if err != nil || !found || entry.Version != uint64(i+1) {
			t.Fatalf("operation %d: %+v, %v, %v", i, entry, found, err)
		}
	}
	for i := range 20 {
		length, err := client.Do(t.Context(), client.B().Llen().Key(keys.UserCommands(fmt.Sprint("u", i))).Build()).AsInt64()
		if err != nil || length != 100 {
			t.Errorf("user %d has %d commands, %v, want 100", i, length, err)
		}
	}
}
