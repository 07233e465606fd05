package archive_test

import (
	"context"
	"errors"
	"testing"

	"graphy/eventstore"
	"graphy/eventstore/archive"
	"graphy/eventstore/eventstoretest"
	"graphy/eventstore/redis"
	"graphy/eventstore/redis/redistest"
)

// A stream in Redis that is trimmed reads as if it were whole, forward, backward and followed.
func TestThroughRedis(t *testing.T) {
	server := redistest.Start(t)
	store := redis.New(server.Client(t), server.Client(t), redis.Options{Prefix: server.Prefix(t)})
	folder, err := archive.OpenStore(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	kept := archive.New(folder)
	events := eventstoretest.Numbered(eventstore.Position{}, 300)
	if _, err := store.Append(t.Context(), "g", eventstore.Position{}, events); err != nil {
		t.Fatal(err)
	}
	at := eventstore.Position{}
	for i := 0; i < 200; i += 50 {
		segment, err := kept.Put(t.Context(), "g", at, events[i:i+50])
		if err != nil {
			t.Fatal(err)
		}
		at = segment.To
	}
	if err := store.SetBase(t.Context(), "g", eventstore.Base{Position: at, Data: []byte("state")}); err != nil {
		t.Fatal(err)
	}
	if err := store.Trim(t.Context(), "g", events[:180]); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Read(t.Context(), "g", 10, 5); !errors.Is(err, eventstore.ErrTrimmed) {
		t.Fatalf("not trimmed: %v", err)
	}
	log := archive.Through(store, store, kept)
	page, err := log.Read(t.Context(), "g", 10, 1000)
	if err == nil {
		err = eventstore.VerifyChain("g", events[9].Position(), page)
	}
	if err != nil || len(page) != 290 {
		t.Errorf("read: got %d events, %v, want 290", len(page), err)
	}
	page, err = log.ReadBackward(t.Context(), "g", 0, 1000)
	if err != nil || len(page) != 300 || page[299].Position() != events[0].Position() || page[0].Position() != events[299].Position() {
		t.Errorf("backward: got %d events, %v, want 300", len(page), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	next := 5
	for event, err := range log.Tail(ctx, "g", 5) {
		if err != nil {
			t.Fatal(err)
		}
		if event.Position() != events[next].Position() {
			t.Fatalf("tail: got version %d, want %d", event.Version, next+1)
		}
		if next++; next == 300 {
			break
		}
	}
}
