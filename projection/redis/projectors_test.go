package redis_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/redis/rueidis"

	log "graphy/eventstore/redis"
	"graphy/eventstore/redis/redistest"
	"graphy/projection/redis"
)

const beat = 100 * time.Millisecond

// member is a running projector of Projectors.
type member struct {
	*redis.Projectors
	client rueidis.Client
	stop   func()
}

func startMember(t *testing.T, client rueidis.Client, keys log.Keys) *member {
	m := &member{Projectors: redis.NewProjectors(client, keys, redis.ProjectorsOptions{Beat: beat}), client: client}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	m.stop = func() {
		cancel()
		if err, ok := <-done; ok && err != nil {
			t.Errorf("run: %v", err)
		}
		close(done)
		m.stop = func() {}
	}
	t.Cleanup(func() { m.stop() })
	return m
}

// divided tells whether each of many graphs is owned by exactly one of members, and each owns some.
func divided(members ...*member) bool {
	owned := make([]int, len(members))
	for i := range 200 {
		owners := 0
		for j, m := range members {
			if m.Owns(fmt.Sprint("g", i)) {
				owners++
				owned[j]++
			}
		}
		if owners != 1 {
			return false
		}
	}
	return !slices.Contains(owned, 0)
}

func awaitDivided(t *testing.T, limit time.Duration, members ...*member) {
	t.Helper()
	for deadline := time.Now().Add(limit); !divided(members...); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d members have not divided the graphs after %v", len(members), limit)
		}
	}
}

func TestProjectors(t *testing.T) {
	server := redistest.Start(t)
	testProjectors(t, server.Client, server.Prefix(t))
}

func TestProjectorsOnCluster(t *testing.T) {
	cluster := redistest.StartCluster(t)
	testProjectors(t, cluster.Client, cluster.Prefix(t))
}

func testProjectors(t *testing.T, connect func(testing.TB) rueidis.Client, prefix string) {
	keys := log.Keys{Prefix: prefix}
	one, two, three := startMember(t, connect(t), keys), startMember(t, connect(t), keys), startMember(t, connect(t), keys)
	awaitDivided(t, 10*time.Second, one, two, three)

	two.stop() // says so: the others know with their next beat
	awaitDivided(t, 10*time.Second, one, three)

	three.client.Close() // is not heard of any more
	awaitDivided(t, 10*time.Second, one)
	awaitDivided(t, 10*time.Second, three) // who does not hear of the others takes all graphs for its own

	client := connect(t)
	one.stop()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		exists, err := client.Do(t.Context(), client.B().Exists().Key(keys.Projectors()).Build()).AsBool()
		if err == nil && !exists {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("I10: the last one has left, and the key is there: %v", err)
		}
	}
}

// The clock of Redis is not the one it was: members with beats from the future are gone until their next beat.
func TestProjectorsWhenTheClockGoesBack(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	keys := log.Keys{Prefix: server.Prefix(t)}
	later := float64(time.Now().Add(time.Hour).UnixMilli())
	if err := client.Do(t.Context(), client.B().Zadd().Key(keys.Projectors()).ScoreMember().ScoreMember(later, "dead").Build()).Error(); err != nil {
		t.Fatal(err)
	}
	awaitDivided(t, 10*time.Second, startMember(t, server.Client(t), keys), startMember(t, server.Client(t), keys))
}
