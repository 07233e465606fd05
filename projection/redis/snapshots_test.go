package redis_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"graphy/eventstore"
	"graphy/eventstore/redis/redistest"
	"graphy/projection"
	"graphy/projection/projectiontest"
	"graphy/projection/redis"
)

func TestSnapshots(t *testing.T) {
	projectiontest.RunSnapshots(t, func(t *testing.T) (projectiontest.Store, eventstore.Log) { return onRedis(t) })
}

func TestSnapshotsOnMiniredis(t *testing.T) {
	projectiontest.RunSnapshots(t, func(t *testing.T) (projectiontest.Store, eventstore.Log) { return onMiniredis(t) })
}

// keysOf returns the keys of a graph, without the prefix.
func keysOf(t *testing.T, client rueidis.Client, prefix, graph string) (keys []string) {
	t.Helper()
	all, err := client.Do(t.Context(), client.B().Keys().Pattern(prefix+"graph:{"+graph+"}:*").Build()).AsStrSlice()
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range all {
		keys = append(keys, strings.TrimPrefix(key, prefix))
	}
	return keys
}

// TestI10DeleteTakesSnapshots: after log and read models are deleted no key of the graph is left, snapshots and their index
// included, and a snapshotter that comes late leaves none.
func TestI10DeleteTakesSnapshots(t *testing.T) {
	store, client := open(t, redistest.Start(t))
	models := redis.New(client, store.Keys(), redis.Options{})
	w := projectiontest.NewWriter("g", source(1))
	taken := projectiontest.TakeSnapshots(t, store, w, 60)
	projector := projectiontest.Project(t, store, models, projection.ProjectorOptions{})
	projectiontest.Await(t, projector, w.Graph)
	for _, snapshot := range taken {
		if err := models.Save(t.Context(), "g", snapshot); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(keysOf(t, client, store.Keys().Prefix, "g")); got < 60 {
		t.Fatalf("got %d keys before", got)
	}
	if err := store.Delete(t.Context(), "g"); err != nil {
		t.Fatal(err)
	}
	if err := models.Delete(t.Context(), "g"); err != nil {
		t.Fatal(err)
	}
	_ = models.Save(t.Context(), "g", taken[40])
	if got := keysOf(t, client, store.Keys().Prefix, "g"); len(got) > 0 {
		t.Errorf("left: %v", got)
	}
}

// TestI10SnapshotterAndDelete: graphs are deleted and begun anew while snapshotters work on them; in the end each snapshot
// there is belongs to the log and is listed, and when the graph is gone no key of it is left.
func TestI10SnapshotterAndDelete(t *testing.T) {
	store, client := open(t, redistest.Start(t))
	models := redis.New(client, store.Keys(), redis.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for range 2 {
		s := projection.NewSnapshotter(store, models, projection.SnapshotterOptions{Events: 3, Every: time.Microsecond, Rest: time.Microsecond,
			Retry: time.Microsecond})
		running.Go(func() { _ = s.Run(ctx) })
	}
	for life := range uint64(60) {
		w := projectiontest.NewWriter("g", source(life))
		w.Clock += int64(life)
		for range 10 {
			projectiontest.Append(t, store, "g", w.Events(5)...)
		}
		if err := errors.Join(store.Delete(ctx, "g"), models.Delete(ctx, "g")); err != nil {
			t.Fatal(err)
		}
		snapshots := slices.DeleteFunc(keysOf(t, client, store.Keys().Prefix, "g"), func(key string) bool { return !strings.Contains(key, ":snapshot") })
		if len(snapshots) > 0 {
			t.Fatalf("life %d: left %v", life, snapshots)
		}
	}
	cancel()
	running.Wait()
	if keys := keysOf(t, client, store.Keys().Prefix, "g"); len(keys) > 0 {
		t.Errorf("left %v", keys)
	}
}

// TestNearestPassesOver: what is listed and missing, or of a wrong type, and what nobody wrote into the index.
func TestNearestPassesOver(t *testing.T) {
	store, client := open(t, redistest.Start(t))
	models := redis.New(client, store.Keys(), redis.Options{})
	taken := projectiontest.TakeSnapshots(t, store, projectiontest.NewWriter("g", source(1)), 40)
	for _, snapshot := range taken {
		if err := models.Save(t.Context(), "g", snapshot); err != nil {
			t.Fatal(err)
		}
	}
	keys := store.Keys()
	for version := eventstore.Version(11); version <= 40; version++ {
		client.Do(t.Context(), client.B().Del().Key(keys.Snapshot("g", version)).Build())
	}
	client.Do(t.Context(), client.B().Sadd().Key(keys.Snapshot("g", 11)).Member("x").Build())
	for _, member := range []string{"", "12", "12 h", "x h 0", "12 h x", "12 h 0 0"} {
		client.Do(t.Context(), client.B().Zadd().Key(keys.Snapshots("g")).ScoreMember().ScoreMember(12.5, member).Build())
	}
	got, found, err := models.Nearest(t.Context(), "g", 40)
	if err != nil || !found || got.Position != taken[9].Position {
		t.Errorf("got version %d, %v, %v, want 10", got.Version, found, err)
	}
	if position, err := models.NearestPosition(t.Context(), "g", 13); err != nil || position != taken[12].Position {
		t.Errorf("listed: got %v, %v, want version 13", position, err)
	}
	client.Do(t.Context(), client.B().Zrem().Key(keys.Snapshots("g")).Member("12 "+string(taken[11].Hash)+" "+taken[11].Checksum.String()).Build())
	client.Do(t.Context(), client.B().Zremrangebyscore().Key(keys.Snapshots("g")).Min("13").Max("+inf").Build())
	if position, err := models.NearestPosition(t.Context(), "g", 40); err != nil || position != taken[10].Position {
		t.Errorf("listed: got %v, %v, want version 11", position, err)
	}
}

// TestSnapshottersOnOneServer: two of them beside a projector, on graphs that go on; the past is what the log folds to.
func TestSnapshottersOnOneServer(t *testing.T) {
	store, client := open(t, redistest.Start(t))
	models := redis.New(client, store.Keys(), redis.Options{})
	projector := projectiontest.Project(t, store, models, projection.ProjectorOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for range 2 {
		s := projection.NewSnapshotter(store, models, projection.SnapshotterOptions{Events: 50, Every: 5 * time.Millisecond, Rest: time.Millisecond})
		running.Go(func() { _ = s.Run(ctx) })
	}
	w := projectiontest.NewWriter("g", source(1))
	for range 60 {
		projectiontest.Append(t, store, "g", w.Events(7)...)
	}
	projectiontest.Await(t, projector, w.Graph)
	for start := time.Now(); ; {
		listed, err := models.NearestPosition(ctx, "g", 420)
		if err != nil || time.Since(start) > 20*time.Second {
			t.Fatalf("got version %d, %v, want 400", listed.Version, err)
		}
		if listed.Version == 400 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	cancel()
	running.Wait()
	for version := eventstore.Version(0); version <= 420; version += 10 {
		got, err := projection.At(t.Context(), store, models, "g", version)
		want, failure := projection.At(t.Context(), store, nil, "g", version)
		if err != nil || failure != nil || string(got.AppendState(nil)) != string(want.AppendState(nil)) {
			t.Errorf("version %d: %v, %v", version, err, failure)
		}
	}
	want := []string{"graph:{g}:snapshot:50", "graph:{g}:snapshot:100", "graph:{g}:snapshot:400", "graph:{g}:snapshots"}
	keys := keysOf(t, client, store.Keys().Prefix, "g")
	for _, key := range want {
		if !slices.Contains(keys, key) {
			t.Errorf("no key %s among %v", key, keys)
		}
	}
	projectiontest.Same(t, models, w.Graph)
}

// TestStateAtTrimmedStream: entries are gone for good; a snapshot at the edge of what is left helps, an older one does not.
func TestStateAtTrimmedStream(t *testing.T) {
	store, client := open(t, redistest.Start(t))
	models := redis.New(client, store.Keys(), redis.Options{})
	w := projectiontest.NewWriter("g", source(1))
	taken := projectiontest.TakeSnapshots(t, store, w, 60)
	for _, version := range []int{20, 40} {
		if err := models.Save(t.Context(), "g", taken[version-1]); err != nil {
			t.Fatal(err)
		}
	}
	for _, trim := range []struct{ first, reaches eventstore.Version }{{20, 20}, {21, 20}, {22, 40}, {41, 40}, {42, 61}} {
		if err := store.SetBase(t.Context(), "g", taken[trim.first-2].Base()); err != nil {
			t.Fatal(err)
		}
		client.Do(t.Context(), client.B().Xtrim().Key(store.Keys().Events("g")).Minid().Threshold(strconv.Itoa(int(trim.first))+"-0").Build())
		for version := eventstore.Version(1); version <= 60; version++ {
			g, err := projection.At(t.Context(), store, models, "g", version)
			switch {
			case version < trim.reaches && !errors.Is(err, projection.ErrTrimmed):
				t.Errorf("log from %d, version %d: got %v, want ErrTrimmed", trim.first, version, err)
			case version >= trim.reaches && (err != nil || g.Checksum != taken[version-1].Checksum || g.Position != taken[version-1].Position):
				t.Errorf("log from %d, version %d: got %v", trim.first, version, err)
			}
		}
		if _, err := projection.At(t.Context(), store, models, "g", 61); !errors.Is(err, projection.ErrAhead) && trim.reaches <= 60 {
			t.Errorf("log from %d, version 61: got %v, want ErrAhead", trim.first, err)
		}
	}
}

// BenchmarkAt is the state at versions of a log of 100,000 events.
func BenchmarkAt(b *testing.B) {
	store, client := open(b, redistest.Start(b))
	projectiontest.BenchmarkAt(b, store, redis.New(client, store.Keys(), redis.Options{}))
}

// BenchmarkSnapshotter is a snapshotter without rest that comes upon a log of 100,000 events.
func BenchmarkSnapshotter(b *testing.B) {
	store, client := open(b, redistest.Start(b))
	models := redis.New(client, store.Keys(), redis.Options{})
	projectiontest.LongHistory(b, store, models, "g", 100_000)
	for b.Loop() {
		client.Do(b.Context(), client.B().Del().Key(store.Keys().Snapshots("g")).Build())
		ctx, cancel := context.WithCancel(b.Context())
		s := projection.NewSnapshotter(store, models, projection.SnapshotterOptions{Every: time.Millisecond, Rest: time.Nanosecond})
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		for {
			if at, err := models.NearestPosition(ctx, "g", 100_000); err != nil || at.Version == 100_000 {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		cancel()
		<-done
	}
}
