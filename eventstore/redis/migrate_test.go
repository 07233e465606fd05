package redis_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"graphy/eventstore"
	"graphy/eventstore/eventstoretest"
	"graphy/eventstore/redis"
	"graphy/eventstore/redis/redistest"
)

// follower is a Tail of a stream and where it has come to.
type follower struct {
	t      *testing.T
	stream string
	events chan eventstore.Event
	at     eventstore.Position
}

func startFollower(ctx context.Context, t *testing.T, log eventstore.Log, stream string) *follower {
	f := &follower{t: t, stream: stream, events: make(chan eventstore.Event, 1<<16)}
	go func() {
		defer close(f.events)
		for event, err := range log.Tail(ctx, stream, 0) {
			if err != nil {
				return
			}
			f.events <- event
		}
	}()
	return f
}

// until takes events until the follower stands at position, each the successor of the one before (I4).
func (f *follower) until(position eventstore.Position) {
	f.t.Helper()
	timeout := time.After(patience)
	for f.at != position {
		select {
		case event, ok := <-f.events:
			if !ok {
				f.t.Fatalf("the tail of %s ended at version %d", f.stream, f.at.Version)
			}
			if err := eventstore.VerifyChain(f.stream, f.at, []eventstore.Event{event}); err != nil {
				f.t.Fatal(err)
			}
			f.at = event.Position()
		case <-timeout:
			f.t.Fatalf("the tail of %s stands at version %d, want %d", f.stream, f.at.Version, position.Version)
		}
	}
}

// appendOn appends to stream until ctx is done, and returns where it then stands.
func appendOn(ctx context.Context, t *testing.T, log eventstore.Log, stream string) (at eventstore.Position) {
	for ctx.Err() == nil {
		events := eventstoretest.Numbered(at, 1)
		result, err := log.Append(within(t, patience), stream, at, events)
		if err != nil || result.Outcome != eventstore.Applied {
			t.Errorf("append to %s at version %d: %+v, %v", stream, at.Version, result, err)
			return at
		}
		at = events[0].Position()
	}
	return at
}

// Slots change hands, back and forth, while their streams are written and followed; subscriptions have to move along. The
// Tails look at no stream by themselves.
func TestI4SlotsMigrateUnderTraffic(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t)
	prefix := cluster.Prefix(t)
	log, _ := dial(t, cluster.URL, prefix)
	other, _ := dialProbing(t, cluster.URL, prefix, never)
	tailing, stopTails := context.WithCancel(within(t, 2*patience))
	defer stopTails()
	writing, stopWriting := context.WithCancel(within(t, 2*patience))
	defer stopWriting()
	var followers []*follower
	var writers sync.WaitGroup
	ends := make([]eventstore.Position, 4)
	for i := range ends {
		stream := fmt.Sprint("g", i)
		followers = append(followers, startFollower(tailing, t, log, stream), startFollower(tailing, t, other, stream))
		writers.Go(func() { ends[i] = appendOn(writing, t, log, stream) })
	}
	for round := range 6 {
		for i := range ends {
			slot := cluster.Slot(t, log.Keys().Events(fmt.Sprint("g", i)))
			cluster.MoveSlot(t, slot, cluster.Masters[(i+round)%len(cluster.Masters)], func() { time.Sleep(20 * time.Millisecond) })
		}
	}
	stopWriting()
	writers.Wait()
	for i, end := range ends {
		followers[2*i].until(end)
		followers[2*i+1].until(end)
		checkStream(t, log, fmt.Sprint("g", i), end)
	}
	t.Logf("streams stand at %d, %d, %d, %d", ends[0].Version, ends[1].Version, ends[2].Version, ends[3].Version)
}

// checkStream verifies that a stream has versions 1, 2, 3 … to end, each with its operation (I1, I2).
func checkStream(t testing.TB, log *redis.Store, stream string, end eventstore.Position) {
	t.Helper()
	var at eventstore.Position
	for at != end {
		events, err := log.Read(within(t, patience), stream, at.Version, 500)
		if err == nil {
			err = eventstore.VerifyChain(stream, at, events)
		}
		if err != nil || len(events) == 0 {
			t.Fatalf("%s stands at %d, want %d: %v", stream, at.Version, end.Version, err)
		}
		at = events[len(events)-1].Position()
	}
}

// All subscriptions of all nodes are cut again and again.
func TestI4SubscriptionsCutOnCluster(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t)
	prefix := cluster.Prefix(t)
	log, _ := dial(t, cluster.URL, prefix)
	other, _ := dialProbing(t, cluster.URL, prefix, never)
	writing, stop := context.WithCancel(within(t, patience))
	defer stop()
	ends := make([]eventstore.Position, 3)
	var followers []*follower
	var writers sync.WaitGroup
	for i := range ends {
		stream := fmt.Sprint("g", i)
		followers = append(followers, startFollower(within(t, patience), t, other, stream))
		writers.Go(func() { ends[i] = appendOn(writing, t, log, stream) })
	}
	for range 20 {
		for _, node := range cluster.Masters {
			node.KillSubscriptions(t)
		}
		time.Sleep(50 * time.Millisecond) // let some begin anew
	}
	stop()
	writers.Wait()
	for i, end := range ends {
		followers[i].until(end)
	}
}

// Subscribers come and go while slots move: the driver must bear it, and the last one still hears all.
func TestSubscriptionsComeAndGoWhileSlotsMove(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t)
	log, _ := dial(t, cluster.URL, cluster.Prefix(t))
	ctx, stop := context.WithCancel(within(t, patience))
	defer stop()
	var group sync.WaitGroup
	for i := range 8 {
		stream := fmt.Sprint("g", i%2)
		group.Go(func() {
			for ctx.Err() == nil {
				tailing, cancel := context.WithTimeout(ctx, time.Duration(i+1)*5*time.Millisecond)
				for range log.Tail(tailing, stream, 0) {
				}
				cancel()
			}
		})
	}
	ends := make([]eventstore.Position, 2)
	for i := range ends {
		group.Go(func() { ends[i] = appendOn(ctx, t, log, fmt.Sprint("g", i)) })
	}
	for round := range 9 {
		for i := range ends {
			slot := cluster.Slot(t, log.Keys().Events(fmt.Sprint("g", i)))
			cluster.MoveSlot(t, slot, cluster.Masters[(i+round)%len(cluster.Masters)], func() { time.Sleep(10 * time.Millisecond) })
		}
	}
	stop()
	group.Wait()
	for i, end := range ends {
		startFollower(within(t, patience), t, log, fmt.Sprint("g", i)).until(end)
	}
}
