package redis_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"graphy/command"
	"graphy/command/redis"
	"graphy/eventstore"
	logredis "graphy/eventstore/redis"
	"graphy/eventstore/redis/redistest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, redistest.IgnoreLingering()...) }

// run runs a Recorder until stop is called, which returns when it has ended.
func run(t *testing.T, r *redis.Recorder) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	}
}

func TestRecorder(t *testing.T) {
	server := redistest.Start(t)
	client, keys := server.Client(t), logredis.Keys{Prefix: server.Prefix(t)}
	r := redis.New(client, keys, zap.NewNop())
	stop := run(t, r)
	refusal := &command.Error{Code: command.InvalidPayload, Detail: "no", OperationID: "o2",
		Fields: []command.FieldError{{Pointer: "/payload/x", Detail: "no"}}}
	accepted := command.Entry{OperationID: "o1", GraphID: "g", Type: "CREATE_NODE", UserID: "u", Version: 7, Timestamp: 123}
	refused := command.Entry{OperationID: "o2", GraphID: "g", Type: "DELETE_NODE", UserID: "u", Err: refusal, Timestamp: 124}
	r.Record(accepted, refused)
	r.Record()

	check := func(r *redis.Recorder) {
		t.Helper()
		got, found, err := r.Find(t.Context(), "o1")
		got.UserID = "u" // not kept
		if err != nil || !found || got != accepted {
			t.Errorf("accepted: got %+v, %v, %v", got, found, err)
		}
		got, found, err = r.Find(t.Context(), "o2")
		if err != nil || !found || got.GraphID != "g" || got.Version != 0 || got.Err == nil || got.Err.Code != refusal.Code ||
			got.Err.Detail != "no" || got.Err.OperationID != "o2" || len(got.Err.Fields) != 1 || got.Err.Fields[0] != refusal.Fields[0] {
			t.Errorf("refused: got %+v, %v, %v", got, found, err)
		}
		if _, found, err := r.Find(t.Context(), "o3"); found || err != nil {
			t.Errorf("unknown: got %v, %v", found, err)
		}
	}
	check(r) // at once, written or not
	stop()   // which writes what is left
	check(redis.New(client, keys, zap.NewNop()))

	ttl, err := client.Do(t.Context(), client.B().Ttl().Key(keys.Operation("o1")).Build()).AsInt64()
	if err != nil || ttl < 290 || ttl > 300 {
		t.Errorf("time to live: got %d, %v", ttl, err)
	}
}

func TestCommandsOfUser(t *testing.T) {
	server := redistest.Start(t)
	client, keys := server.Client(t), logredis.Keys{Prefix: server.Prefix(t)}
	r := redis.New(client, keys, zap.NewNop())
	for i := range 2500 {
		r.Record(command.Entry{OperationID: fmt.Sprint("o", i), GraphID: "g", Type: "X", UserID: fmt.Sprint("u", i%2), Version: uint64(i + 1)})
	}
	run(t, r)()
	for user := range 2 {
		list, err := client.Do(t.Context(), client.B().Lrange().Key(keys.UserCommands(fmt.Sprint("u", user))).Start(0).Stop(-1).Build()).AsStrSlice()
		if err != nil || len(list) != 100 {
			t.Fatalf("user %d: got %d commands, %v", user, len(list), err)
		}
		for i, item := range list {
			if want := fmt.Sprintf(`"operationId":"o%d"`, 2498+user-2*i); !strings.Contains(item, want) {
				t.Fatalf("command %d of user %d: got %s, want %s", i, user, item, want)
			}
		}
	}
}

func TestRedisAway(t *testing.T) {
	server := redistest.StartOwn(t)
	client, keys := server.Client(t), logredis.Keys{Prefix: "p:"}
	r := redis.New(client, keys, zap.NewNop())
	stop := run(t, r)
	server.Stop()
	r.Record(command.Entry{OperationID: "o1", GraphID: "g", Type: "X", UserID: "u", Version: 1})
	if _, found, err := r.Find(t.Context(), "o1"); !found || err != nil {
		t.Errorf("one's own, while Redis is away: got %v, %v", found, err)
	}
	if _, _, err := r.Find(t.Context(), "o2"); !errors.Is(err, eventstore.ErrUnavailable) {
		t.Errorf("another's, while Redis is away: got %v", err)
	}
	server.Restart(t)
	other := redis.New(client, keys, zap.NewNop())
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for { // it is written without another bell
		if _, found, _ := other.Find(ctx, "o1"); found {
			break
		}
		if ctx.Err() != nil {
			t.Fatal("what waited for Redis was not written")
		}
	}
	stop()
}

func TestEndWhileRedisIsAway(t *testing.T) {
	server := redistest.StartOwn(t)
	client := server.Client(t)
	r := redis.New(client, logredis.Keys{}, zap.NewNop())
	stop := run(t, r)
	server.Stop()
	r.Record(command.Entry{OperationID: "o1"})
	begun := time.Now()
	stop()
	if took := time.Since(begun); took > 3*time.Second {
		t.Errorf("ended after %v", took)
	}
}
