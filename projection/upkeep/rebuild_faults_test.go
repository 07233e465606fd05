package upkeep_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"graphy/eventstore"
	"graphy/eventstore/redis/redistest"
	"graphy/projection"
	"graphy/projection/projectiontest"
	"graphy/projection/upkeep"
)

// interrupted is a workshop in which something happens before something is staged, or before a swap, or after it.
type interrupted struct {
	projection.Workshop
	staging, before, after func()
}

func (i *interrupted) Stage(ctx context.Context, graph string, contents, live *projection.Contents) (projection.Staged, error) {
	if staging := i.staging; staging != nil {
		i.staging = nil
		staging()
	}
	staged, err := i.Workshop.Stage(ctx, graph, contents, live)
	return &interruptedSwap{staged, i}, err
}

type interruptedSwap struct {
	projection.Staged
	by *interrupted
}

func (s *interruptedSwap) Swap(ctx context.Context, update *projection.Update) error {
	if before := s.by.before; before != nil {
		s.by.before = nil
		before()
	}
	err := s.Staged.Swap(ctx, update)
	if after := s.by.after; after != nil {
		s.by.after = nil
		after()
	}
	return err
}

// Whatever Redis does in the middle of a rebuild: what is served is the old or the new, and the next rebuild succeeds.
func TestI3RebuildWhileRedisFails(t *testing.T) {
	t.Parallel()
	server := redistest.StartOwn(t)
	w := inRedis(t, server.Client(t), server.Prefix(t))
	workshop := &interrupted{Workshop: w.models}
	stores := w.stores
	stores.Workshop = workshop
	w.keeper = upkeep.New(stores, upkeep.Options{Timeout: time.Second})
	writer := w.write(t, "g", 20, 200)
	w.project(t, writer)
	faults := []struct {
		name       string
		fail, heal func()
		fails      bool // the rebuild does
	}{
		// Redis lets a script go on that has written something: a swap frees memory first.
		{"full", func() { w.do("CONFIG", "SET", "maxmemory", "1mb") }, func() { w.do("CONFIG", "SET", "maxmemory", "0") }, true},
		{"read only", func() { w.do("REPLICAOF", "127.0.0.1", "1") }, func() { w.do("REPLICAOF", "NO", "ONE") }, true},
		{"too few replicas", func() { w.do("CONFIG", "SET", "min-replicas-to-write", "1") },
			func() { w.do("CONFIG", "SET", "min-replicas-to-write", "0") }, true},
		{"restarted", func() { server.Stop(); server.Restart(t) }, func() {}, false},
		{"gone", server.Stop, func() { server.Restart(t) }, true},
		{"frozen", server.Freeze, server.Thaw, true},
		{"connections cut", func() { w.do("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "no") }, func() {}, false},
	}
	for _, fault := range faults {
		for _, when := range []string{"staging", "before", "after"} {
			w.do("HSET", w.keys.Nodes("g"), "stray", `{"id":"stray"}`)
			w.do("HINCRBY", w.keys.Stats("g"), "type:BATCH", "2")
			switch when {
			case "staging":
				workshop.staging = fault.fail
			case "before":
				workshop.before = fault.fail
			default:
				workshop.after = fault.fail
			}
			rebuilt, err := w.keeper.Rebuild(t.Context(), "g", upkeep.RebuildOptions{})
			fault.heal()
			w.awaitRedis()
			fails := fault.fails && when != "after" && (fault.name != "full" || when == "staging")
			if fails && (err == nil || !errors.Is(err, eventstore.ErrUnavailable) && !errors.Is(err, eventstore.ErrUnknown)) {
				t.Errorf("%s, %s: got %+v, %v, want a failure that says so", fault.name, when, rebuilt, err)
			}
			contents, failure := w.models.Inspect(t.Context(), "g", nil)
			if failure != nil || contents.Checkpoint.Position != writer.Graph.Position {
				t.Errorf("%s, %s: got %+v, %v", fault.name, when, contents, failure)
			}
			w.rebuild(t, "g", upkeep.RebuildOptions{})
			w.mustBeWhole(t, writer)
			w.stagedGoAway()
		}
	}
}

// awaitRedis waits until Redis answers again.
func (w *redisWorld) awaitRedis() {
	w.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; {
		err := w.client.Do(context.Background(), w.client.B().Ping().Build()).Error()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond) // there is nothing to wait on
	}
}

// stagedGoAway checks that everything that is staged and was left has a time to live.
func (w *redisWorld) stagedGoAway() {
	w.t.Helper()
	for key := range w.contents() {
		if !strings.Contains(key, ":staged:") {
			continue
		}
		left, err := w.client.Do(context.Background(), w.client.B().Ttl().Key(w.keys.Prefix+key).Build()).AsInt64()
		if err != nil || left < 0 {
			w.t.Errorf("%s stays for ever: %d, %v", key, left, err)
		}
	}
}

// Cancelled at any moment, a rebuild leaves the old read models or the new ones, never half of each.
func TestI5RebuildCancelledAtAnyMoment(t *testing.T) {
	w := inSharedRedis(t)
	writer := w.write(t, "g", 21, 300)
	w.project(t, writer)
	source := rand.New(rand.NewPCG(1, 1))
	for range 40 {
		w.do("HSET", w.keys.Nodes("g"), "stray", `{"id":"stray"}`)
		w.do("HINCRBY", w.keys.Stats("g"), "type:BATCH", "2")
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(source.IntN(int(25*time.Millisecond))))
		_, err := w.keeper.Rebuild(ctx, "g", upkeep.RebuildOptions{})
		cancel()
		contents, failure := w.models.Inspect(t.Context(), "g", nil)
		if failure != nil {
			t.Fatal(failure)
		}
		stray := len(contents.Nodes) != writer.Graph.Len(projection.Node)
		counted := contents.ByType["BATCH"] != writer.Graph.ByType["BATCH"]
		if stray != counted || err == nil && stray {
			t.Errorf("after %v: stray node %t, wrong count %t", err, stray, counted)
		}
	}
	w.rebuild(t, "g", upkeep.RebuildOptions{})
	w.mustBeWhole(t, writer)
	w.stagedGoAway()
}

// Two rebuilds at once, four writers, and readers who ask for what they have just written: no read is empty, half, or
// behind what the reader knows.
func TestI3I5I6RebuildUnderWritersInRedis(t *testing.T) {
	w := inSharedRedis(t)
	writer := w.write(t, "g", 22, 400)
	projector := projectiontest.Project(t, w.log, w.models, projection.ProjectorOptions{Linger: time.Millisecond})
	projectiontest.Await(t, projector, writer.Graph)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	var working sync.WaitGroup
	var mu sync.Mutex // guards writer: writers of one process take turns in the session, too
	for range 4 {
		working.Go(func() {
			for ctx.Err() == nil {
				mu.Lock()
				projectiontest.Append(t, w.log, "g", writer.Events(2)...)
				own := writer.Graph.Position.Version
				mu.Unlock()
				if err := projector.Await(t.Context(), "g", own); err != nil {
					t.Errorf("await %d: %v", own, err)
					return
				}
				graph, err := w.models.Load(t.Context(), "g")
				if err != nil || graph.Position.Version < own || graph.Len(projection.Node) == 0 {
					t.Errorf("own write %d: read %+v, %v", own, graph, err)
					return
				}
			}
		})
	}
	outcomes := map[string]int{}
	var counting sync.Mutex
	for range 2 {
		working.Go(func() {
			for ctx.Err() == nil {
				w.do("HINCRBY", w.keys.Stats("g"), "type:BATCH", "1")
				rebuilt, err := w.keeper.Rebuild(t.Context(), "g", upkeep.RebuildOptions{})
				if err != nil {
					t.Errorf("rebuild: %v", err)
					return
				}
				counting.Lock()
				outcomes[rebuilt.Outcome]++
				counting.Unlock()
				verified, err := w.keeper.Verify(t.Context(), "g")
				if err != nil || verified.Mismatches > verifyStats(verified) {
					t.Errorf("verified: %+v, %v", verified, err)
				}
			}
		})
	}
	working.Wait()
	w.rebuild(t, "g", upkeep.RebuildOptions{})
	projectiontest.Await(t, projector, writer.Graph)
	w.mustBeWhole(t, writer)
	w.stagedGoAway()
	if outcomes["different"] < 2 || outcomes["parked"] > 0 {
		t.Errorf("got outcomes %v", outcomes)
	}
}

// verifyStats counts the mismatches of stats, which the other rebuild's damage may be the reason of.
func verifyStats(verified upkeep.Verified) (count int) {
	for _, m := range verified.First {
		if m.Kind == "stats" {
			count++
		}
	}
	return count
}

// A master of a cluster fails over while graphs are rebuilt: those that could not be are rebuilt by the next run.
func TestI3RebuildOverAFailover(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	cluster := redistest.StartClusterWithReplicas(t)
	w := inRedis(t, cluster.Client(t), cluster.Prefix(t))
	var writers []*projectiontest.Writer
	for i := range 12 {
		writers = append(writers, w.write(t, fmt.Sprintf("g%02d", i), uint64(30+i), 100))
	}
	for _, master := range cluster.Masters {
		cluster.AwaitReplicated(t, master)
	}
	failed := make(chan struct{})
	go func() {
		defer close(failed)
		cluster.FailOver(t, cluster.Masters[0])
	}()
	keeper := upkeep.New(w.stores, upkeep.Options{Timeout: time.Second})
	over := false
	for attempt := 0; !over; attempt++ {
		select {
		case <-failed:
			over = true
		default:
		}
		failures := 0
		for step, err := range upkeep.Each(t.Context(), keeper, upkeep.Selection{All: true}, func(ctx context.Context, graph string) (upkeep.Rebuilt, error) {
			return keeper.Rebuild(ctx, graph, upkeep.RebuildOptions{})
		}) {
			if err != nil || step.Err != nil {
				failures++
			} else if step.Result != nil && step.Result.Outcome == "parked" {
				t.Errorf("parked: %+v", step.Result)
			}
		}
		if over && failures > 0 {
			over = attempt > 20
		}
	}
	<-failed
	for _, writer := range writers {
		w.rebuild(t, writer.Graph.ID, upkeep.RebuildOptions{})
		w.mustBeWhole(t, writer)
	}
}
