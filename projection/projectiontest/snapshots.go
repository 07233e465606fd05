package projectiontest

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"graphy/eventstore"
	"graphy/projection"
)

// Store is read models, and the snapshots that their Delete removes.
type Store interface {
	projection.ReadModels
	projection.Snapshots
}

// RunSnapshots is the suite that snapshots pass. Open returns an empty store and the log that it holds what it saves
// against.
func RunSnapshots(t *testing.T, open func(t *testing.T) (Store, eventstore.Log)) {
	t.Run("save and find", func(t *testing.T) { testNearest(t, open) })
	t.Run("save refuses what is not in the log", func(t *testing.T) { testSaveRefuses(t, open) })
	t.Run("big", func(t *testing.T) { testBigSnapshot(t, open) })
	t.Run("deleted with the graph", func(t *testing.T) { testDeleteSnapshots(t, open) })
	t.Run("of another history", func(t *testing.T) { testOtherHistory(t, open) })
	t.Run("forget", func(t *testing.T) { testForget(t, open) })
	t.Run("kept by a rebuild", func(t *testing.T) { testSnapshotsKept(t, open) })
}

// TakeSnapshots appends events of w, and returns the snapshots of every state on the way, oldest first.
func TakeSnapshots(t testing.TB, log eventstore.Log, w *Writer, events int) (taken []projection.Snapshot) {
	t.Helper()
	for range events {
		Append(t, log, w.Graph.ID, w.Random())
		snapshot, err := w.Graph.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		taken = append(taken, snapshot)
	}
	return taken
}

// SameSnapshot checks what Nearest and NearestPosition say of a version.
func SameSnapshot(t testing.TB, snapshots projection.Snapshots, graph string, at eventstore.Version, want projection.Snapshot) {
	t.Helper()
	got, found, err := snapshots.Nearest(t.Context(), graph, at)
	if err != nil || found != (want.Version > 0) || got.Position != want.Position || got.Checksum != want.Checksum || !bytes.Equal(got.Data, want.Data) {
		t.Errorf("nearest to %d of %q: got version %d, %v, %v, want %d", at, graph, got.Version, found, err, want.Version)
	}
	position, err := snapshots.NearestPosition(t.Context(), graph, at)
	if err != nil || position != want.Position {
		t.Errorf("listed nearest to %d of %q: got %v, %v, want %v", at, graph, position, err, want.Position)
	}
}

func testNearest(t *testing.T, open func(t *testing.T) (Store, eventstore.Log)) {
	store, log := open(t)
	w := NewWriter("g", rand.New(rand.NewPCG(1, 2)))
	taken := TakeSnapshots(t, log, w, 60)
	var none projection.Snapshot
	SameSnapshot(t, store, "g", 1<<62, none)
	for _, version := range []int{40, 10, 20, 20, 9} { // in any order, and again
		if err := store.Save(t.Context(), "g", taken[version-1]); err != nil {
			t.Fatalf("save of version %d: %v", version, err)
		}
	}
	for at, want := range map[eventstore.Version]int{9: 9, 10: 10, 11: 10, 19: 10, 20: 20, 39: 20, 40: 40, 60: 40, 1 << 53: 40, 1 << 62: 40} {
		SameSnapshot(t, store, "g", at, taken[want-1])
	}
	SameSnapshot(t, store, "g", 0, none)
	SameSnapshot(t, store, "g", 8, none)
	SameSnapshot(t, store, "h", 60, none)
	again := taken[19]
	again.Data = append([]byte("x"), again.Data...)
	if err := store.Save(t.Context(), "g", again); err != nil {
		t.Fatal(err)
	}
	SameSnapshot(t, store, "g", 20, again)
	SameSnapshot(t, store, "g", 19, taken[9])
}

func testSaveRefuses(t *testing.T, open func(t *testing.T) (Store, eventstore.Log)) {
	store, log := open(t)
	taken := TakeSnapshots(t, log, NewWriter("g", rand.New(rand.NewPCG(1, 2))), 3)
	other, ahead := taken[1], taken[2]
	other.Hash = "00000000000000000000000000000000"
	ahead.Version++
	for name, snapshot := range map[string]projection.Snapshot{"another history": other, "ahead of the log": ahead} {
		if err := store.Save(t.Context(), "g", snapshot); !errors.Is(err, projection.ErrStale) {
			t.Errorf("%s: got %v, want ErrStale", name, err)
		}
	}
	if err := store.Save(t.Context(), "h", taken[1]); !errors.Is(err, projection.ErrStale) {
		t.Errorf("of another graph: got %v, want ErrStale", err)
	}
	for _, graph := range []string{"g", "h"} {
		SameSnapshot(t, store, graph, 10, projection.Snapshot{})
	}
}

// testBigSnapshot saves bytes that are no text, and more of them than one read of a socket.
func testBigSnapshot(t *testing.T, open func(t *testing.T) (Store, eventstore.Log)) {
	store, log := open(t)
	big := TakeSnapshots(t, log, NewWriter("g", rand.New(rand.NewPCG(1, 2))), 1)[0]
	random := rand.NewChaCha8([32]byte{})
	big.Data = make([]byte, 3<<20)
	_, _ = random.Read(big.Data)
	if err := store.Save(t.Context(), "g", big); err != nil {
		t.Fatal(err)
	}
	SameSnapshot(t, store, "g", 1, big)
}

// testDeleteSnapshots deletes a graph, log first, and begins it anew: nothing of the old life is left, and a snapshotter
// that comes late with a snapshot of the old life leaves nothing behind.
func testDeleteSnapshots(t *testing.T, open func(t *testing.T) (Store, eventstore.Log)) {
	store, log := open(t)
	ctx := t.Context()
	var late []projection.Snapshot
	for life := range uint64(3) {
		w := NewWriter("g", rand.New(rand.NewPCG(life, 2)))
		w.Clock += int64(life)
		taken := TakeSnapshots(t, log, w, 12)
		for _, snapshot := range late {
			if err := store.Save(ctx, "g", snapshot); !errors.Is(err, projection.ErrStale) {
				t.Errorf("life %d: save of the old life's version %d: got %v, want ErrStale", life, snapshot.Version, err)
			}
		}
		SameSnapshot(t, store, "g", 100, projection.Snapshot{})
		for _, snapshot := range taken {
			if err := store.Save(ctx, "g", snapshot); err != nil {
				t.Fatal(err)
			}
		}
		SameSnapshot(t, store, "g", 100, taken[11])
		if err := errors.Join(log.Delete(ctx, "g"), store.Delete(ctx, "g")); err != nil {
			t.Fatal(err)
		}
		for _, snapshot := range taken {
			if err := store.Save(ctx, "g", snapshot); !errors.Is(err, projection.ErrStale) {
				t.Errorf("life %d: save after the deletion: got %v, want ErrStale", life, err)
			}
		}
		SameSnapshot(t, store, "g", 100, projection.Snapshot{})
		late = taken
	}
}

// testOtherHistory loses the log, and with it its history, to another one and back: of a version there is one snapshot.
func testOtherHistory(t *testing.T, open func(t *testing.T) (Store, eventstore.Log)) {
	store, log := open(t)
	for _, seed := range []uint64{1, 2, 1} {
		w := NewWriter("g", rand.New(rand.NewPCG(seed, 2)))
		w.Clock += int64(seed)
		taken := TakeSnapshots(t, log, w, 3)
		if err := store.Save(t.Context(), "g", taken[2]); err != nil {
			t.Fatal(err)
		}
		SameSnapshot(t, store, "g", 3, taken[2])
		SameSnapshot(t, store, "g", 2, projection.Snapshot{})
		if err := log.Delete(t.Context(), "g"); err != nil {
			t.Fatal(err)
		}
	}
}

// testSnapshotsKept rebuilds the read models; snapshots are none of them.
func testSnapshotsKept(t *testing.T, open func(t *testing.T) (Store, eventstore.Log)) {
	store, log := open(t)
	writer, update := first(t, log, "g")
	snapshot, err := writer.Graph.Snapshot()
	if err == nil {
		err = store.Save(t.Context(), "g", snapshot)
	}
	update.Reset = true
	if err := errors.Join(err, store.Commit(t.Context(), "g", eventstore.Position{}, update)); err != nil {
		t.Fatal(err)
	}
	SameSnapshot(t, store, "g", 3, snapshot)
}

func testForget(t *testing.T, open func(t *testing.T) (Store, eventstore.Log)) {
	store, log := open(t)
	taken := TakeSnapshots(t, log, NewWriter("g", rand.New(rand.NewPCG(1, 2))), 250)
	for _, snapshot := range taken {
		if err := store.Save(t.Context(), "g", snapshot); err != nil {
			t.Fatal(err)
		}
	}
	for _, below := range []int{0, 1, 2, 2, 230, 20} {
		if err := store.Forget(t.Context(), "g", eventstore.Version(below)); err != nil {
			t.Fatal(err)
		}
		below = max(1, below)
		if below != 20 {
			SameSnapshot(t, store, "g", eventstore.Version(below), taken[below-1])
			SameSnapshot(t, store, "g", eventstore.Version(below)-1, projection.Snapshot{})
		}
		SameSnapshot(t, store, "g", 300, taken[249])
	}
	SameSnapshot(t, store, "g", 229, projection.Snapshot{})
	if err := errors.Join(store.Forget(t.Context(), "g", 1<<62), store.Forget(t.Context(), "nobody", 7)); err != nil {
		t.Fatal(err)
	}
	SameSnapshot(t, store, "g", 300, projection.Snapshot{})
}
