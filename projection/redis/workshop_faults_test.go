package redis_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"graphy/eventstore"
	"graphy/eventstore/redis/redistest"
	"graphy/projection"
	"graphy/projection/projectiontest"
	"graphy/projection/redis"
)

// TestI5ReadersWhileSwapsGoOn: read models are built anew again and again, from nothing and from what was inspected, while
// events pour in and a projector works; whatever is read is of one version whole, and versions never go back.
func TestI5ReadersWhileSwapsGoOn(t *testing.T) {
	store, client := open(t, redistest.Start(t))
	models := redis.New(client, store.Keys(), redis.Options{})
	w := projectiontest.NewWriter("g", source(1))
	projectiontest.Append(t, store, "g", w.CreateNode(), w.CreateNode(), w.Both(-1))
	projector := projectiontest.Project(t, store, models, projection.ProjectorOptions{Linger: time.Nanosecond})
	projectiontest.Await(t, projector, w.Graph)

	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for range 3 {
		running.Go(func() {
			var at projection.Checkpoint
			for ctx.Err() == nil {
				checkWhole(t, models)
				next, err := models.Checkpoint(context.Background(), "g")
				if err != nil || next.Version < at.Version {
					t.Errorf("checkpoint: got version %d, %v, was at %d", next.Version, err, at.Version)
				}
				at = next
			}
		})
	}
	var swapped atomic.Int64
	for _, whole := range []bool{true, false} {
		running.Go(func() {
			for ctx.Err() == nil {
				err := rebuild(t, store, models, "g", whole)
				if err == nil {
					swapped.Add(1)
				} else if !errors.Is(err, projection.ErrStale) {
					t.Errorf("rebuild: %v", err)
				}
			}
		})
	}
	for i := 0; i < 300 || swapped.Load() < 30 && i < 3000; i++ { // each fold takes longer than the one before
		projectiontest.Append(t, store, "g", w.Both(i))
	}
	cancel()
	running.Wait()
	projectiontest.Await(t, projector, w.Graph)
	projectiontest.Cured(t, models, w.Graph)
	if parked := projector.Parked(); len(parked) > 0 {
		t.Errorf("parked: %+v", parked)
	}
	vandal{client, store.Keys()}.staged(t, "g")
	t.Logf("%d swaps, %d events", swapped.Load(), w.Graph.Position.Version)
}

// rebuild puts the fold of the log in the place of the read models.
func rebuild(t testing.TB, log eventstore.Log, shop projection.Workshop, graph string, whole bool) error {
	var live *projection.Contents
	var err error
	if !whole {
		if live, err = shop.Inspect(context.Background(), graph, nil); err != nil {
			return err
		}
		live.Completed = -1 // there is always something to write
	}
	return projectiontest.Swap(shop, projectiontest.Fold(t, log, graph), live)
}

// TestTwoSwappers: both stage the same; one is first, the other finds that it is too late, or does it once more.
func TestTwoSwappers(t *testing.T) {
	store, client := open(t, redistest.Start(t))
	models := redis.New(client, store.Keys(), redis.Options{})
	for round := range 30 {
		w := projectiontest.NewWriter(fmt.Sprint("g", round), source(uint64(round)))
		projectiontest.Append(t, store, w.Graph.ID, w.Events(40)...)
		_, live := projectiontest.Differences(t, models, w.Graph)
		won := make(chan error, 2)
		for range 2 {
			go func() { won <- projectiontest.Swap(models, w.Graph, live) }()
		}
		one, other := <-won, <-won
		if (one == nil) == (other == nil) || !errors.Is(errors.Join(one, other), projection.ErrStale) {
			t.Errorf("got %v and %v, want one ErrStale", one, other)
		}
		projectiontest.Cured(t, models, w.Graph)
		vandal := vandal{client, store.Keys()}
		if left := vandal.staged(t, w.Graph.ID); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
		vandal.kept(t, w.Graph.ID)
	}
}

// mortal is a client that dies at a call: before it is made, or after it was carried out.
type mortal struct {
	rueidis.Client
	left  int // calls before that
	after bool
}

var errDied = errors.New("died")

func (m *mortal) Do(ctx context.Context, command rueidis.Completed) rueidis.RedisResult {
	m.left--
	if m.left > 0 {
		return m.Client.Do(ctx, command)
	}
	if m.left == 0 && m.after {
		m.Client.Do(ctx, command)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	cancel(errDied)
	return m.Client.Do(ctx, m.Client.B().Ping().Build()) // fails as a call of its kind does
}

// TestKilledAtEveryStep: whoever rebuilds is killed before or after any of its calls. Readers see what was there or what
// was to come, what is left behind goes away by itself, and the next one gets it done.
func TestKilledAtEveryStep(t *testing.T) {
	store, client := open(t, redistest.Start(t))
	models := redis.New(client, store.Keys(), redis.Options{})
	vandal := vandal{client, store.Keys()}
	w := projectiontest.NewWriter("g", source(1))
	for range 1500 {
		projectiontest.Append(t, store, "g", w.CreateNode())
	}
	projectiontest.Append(t, store, "g", w.CreateEdge("n1", "n3"), w.CreateEdge("n3", "n5"))
	if err := projectiontest.Swap(models, w.Graph, nil); err != nil {
		t.Fatal(err)
	}
	survived, left := 0, 0
	for step := 1; survived < 2; step++ {
		for _, after := range []bool{false, true} {
			vandal.Member(t, "g", "n1", "nobody", true)
			vandal.Field(t, "g", "stats", "CREATE_NODE", "7")
			dying := &mortal{Client: client, left: step, after: after}
			doomed := redis.New(dying, store.Keys(), redis.Options{})
			live, err := doomed.Inspect(t.Context(), "g", nil)
			if err == nil {
				live.Nodes = nil
				err = projectiontest.Swap(doomed, w.Graph, live)
			}
			if dying.left > 0 {
				survived++
				continue
			}
			if err == nil {
				t.Errorf("died at call %d, and all is well", step)
			}
			left += len(vandal.staged(t, "g"))
			if _, err := models.Load(t.Context(), "g"); err != nil {
				t.Errorf("died at call %d: load: %v", step, err)
			}
			if err := rebuild(t, store, models, "g", step%2 == 0); err != nil {
				t.Errorf("died at call %d: next one: %v", step, err)
			}
			projectiontest.Cured(t, models, w.Graph)
		}
	}
	if left == 0 {
		t.Error("nothing was left behind: it was not tried")
	}
}

// TestI10DeleteTakesStaged: what this process has staged goes with the graph, and is not swapped in after it.
func TestI10DeleteTakesStaged(t *testing.T) {
	store, client := open(t, redistest.Start(t))
	models := redis.New(client, store.Keys(), redis.Options{})
	w := projectiontest.NewWriter("g", source(1))
	projectiontest.Append(t, store, "g", w.Events(50)...)
	staged, err := models.Stage(t.Context(), "g", projection.ContentsOf(w.Graph), nil)
	if err != nil || len((vandal{client, store.Keys()}).staged(t, "g")) == 0 {
		t.Fatalf("nothing is staged, %v", err)
	}
	if err := errors.Join(store.Delete(t.Context(), "g"), models.Delete(t.Context(), "g")); err != nil {
		t.Fatal(err)
	}
	if err := staged.Swap(t.Context(), nil); !errors.Is(err, projection.ErrStale) {
		t.Errorf("swap: got %v, want ErrStale", err)
	}
	if left := keysOf(t, client, store.Keys().Prefix, "g"); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// TestExpiredIsNotSwapped: if a part of what was staged has gone, nothing is put in.
func TestExpiredIsNotSwapped(t *testing.T) {
	store, client := open(t, redistest.Start(t))
	models := redis.New(client, store.Keys(), redis.Options{})
	w := projectiontest.NewWriter("g", source(1))
	projectiontest.Append(t, store, "g", w.Events(50)...)
	vandal := vandal{client, store.Keys()}
	if err := projectiontest.Swap(models, w.Graph, nil); err != nil {
		t.Fatal(err)
	}
	staged, err := models.Stage(t.Context(), "g", projection.ContentsOf(w.Graph), nil)
	if err != nil {
		t.Fatal(err)
	}
	keys := vandal.staged(t, "g")
	vandal.do(t, "DEL", keys[len(keys)/2])
	if err := staged.Swap(t.Context(), nil); !errors.Is(err, projection.ErrStale) {
		t.Errorf("swap: got %v, want ErrStale", err)
	}
	projectiontest.Cured(t, models, w.Graph)
	if err := staged.Discard(t.Context()); err != nil {
		t.Errorf("discard: %v", err)
	}
	if left := vandal.staged(t, "g"); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// TestWorkshopWhileASlotMoves: at every stage of a move, inspection finds what is there; a swap is carried out or waits.
func TestWorkshopWhileASlotMoves(t *testing.T) {
	cluster := redistest.StartCluster(t)
	models, store := onCluster(t, cluster, cluster.Prefix(t))
	w := projectiontest.NewWriter("g", source(3))
	projectiontest.Append(t, store, "g", w.Events(60)...)
	if err := projectiontest.Swap(models, w.Graph, nil); err != nil {
		t.Fatal(err)
	}
	slot := cluster.Slot(t, store.Keys().Events("g"))
	stages, waits := 0, 0
	for _, node := range cluster.Masters {
		cluster.MoveSlot(t, slot, node, func() {
			stages++
			projectiontest.Cured(t, models, w.Graph)
			if err := rebuild(t, store, models, "g", stages%2 == 0); err != nil {
				waits++
				if !strings.Contains(err.Error(), "TRYAGAIN") {
					t.Errorf("rebuild: %v", err)
				}
			}
			projectiontest.Cured(t, models, w.Graph)
		})
	}
	if err := rebuild(t, store, models, "g", true); err != nil {
		t.Errorf("rebuild after it: %v", err)
	}
	projectiontest.Cured(t, models, w.Graph)
	t.Logf("%d stages, %d swaps had to wait", stages, waits)
}
