package archive

import (
	"context"
	"errors"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"graphy/eventstore"
)

// What is read again and again is fetched once, by whatever number of readers at once; and not for ever.
func TestReadsAreCached(t *testing.T) {
	events := history(eventstore.Position{}, 400, "m")
	store := newHeap()
	archived(t, store, "g", events, 100)
	a := New(store)
	store.count("get")
	store.count("list")
	var readers sync.WaitGroup
	for range 8 {
		readers.Go(func() {
			for after := eventstore.Version(0); after < 400; after += 10 {
				if page, err := a.Read(context.Background(), "g", endOf(events), after, 10); err != nil || len(page) != 10 {
					t.Errorf("got %d events, %v", len(page), err)
				}
			}
		})
	}
	readers.Wait()
	if gets, lists := store.count("get"), store.count("list"); gets != 4 || lists > 8 {
		t.Errorf("%d objects were fetched, want 4, and %d times listed", gets, lists)
	}
}

func TestReadEndsWithItsContext(t *testing.T) {
	events := history(eventstore.Position{}, 10, "m")
	store := newHeap()
	archived(t, store, "g", events, 10)
	entered, release := make(chan struct{}), make(chan struct{})
	store.fail = func(call, _ string) error {
		if call == "get" {
			close(entered)
			<-release
		}
		return nil
	}
	a := New(store)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := a.Read(ctx, "g", endOf(events), 0, 10)
		done <- err
	}()
	<-entered
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(release)
	// The fetch that was left alone comes to its end, for others.
	if page, err := a.Read(t.Context(), "g", endOf(events), 0, 10); err != nil || len(page) != 10 {
		t.Errorf("got %d events, %v", len(page), err)
	}
}

func TestCache(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newCache[int, int](20)
		weights := map[int]int{}
		for range 100 {
			key := rapid.IntRange(0, 9).Draw(t, "key")
			switch rapid.IntRange(0, 3).Draw(t, "act") {
			case 0, 1:
				weights[key] = rapid.IntRange(0, 25).Draw(t, "weight")
				c.put(key, weights[key], weights[key])
				if _, ok := c.get(key); ok != (weights[key] <= 20) {
					t.Fatalf("of weight %d: kept is %v", weights[key], ok)
				}
			case 2:
				if value, ok := c.get(key); ok && value != weights[key] {
					t.Fatalf("got %d, want %d", value, weights[key])
				}
			case 3:
				if c.drop(key); len(c.byKey) != c.used.Len() {
					t.Fatal("list and map differ")
				}
			}
			sum := 0
			for key := range c.byKey {
				sum += weights[key]
			}
			if sum != c.weight || sum > 20 {
				t.Fatalf("weight is %d, %d was counted", sum, c.weight)
			}
		}
	})
}
