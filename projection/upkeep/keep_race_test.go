package upkeep_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"graphy/eventstore"
	"graphy/projection"
	"graphy/projection/projectiontest"
	"graphy/projection/upkeep"
)

// idle returns an event that changes nothing, which anybody may append to a graph without entities.
func idle(at eventstore.Position, operation string) eventstore.Event {
	event := projection.Event{Version: at.Version + 1, CommandType: "UPDATE_NODE", OperationID: operation, UserID: "u", Timestamp: 1, WrittenAt: 1,
		Checksum: projection.Checksum(0).String()}
	data := event.AppendJSON(nil)
	return eventstore.Event{Version: event.Version, Data: data, Hash: eventstore.NextHash(at.Hash, data), Operations: []string{operation}}
}

// writers append to graph, each as fast as it can, until so many events are acknowledged; they return the versions of
// their operations, and the longest that one had to wait for an append.
func writers(t testing.TB, log eventstore.Log, graph string, count, events int) (acknowledged map[string]eventstore.Version, longest time.Duration) {
	t.Helper()
	acknowledged = map[string]eventstore.Version{}
	var mu sync.Mutex
	var working sync.WaitGroup
	for i := range count {
		working.Go(func() {
			for n := 0; n < events/count; {
				at, err := log.Head(t.Context(), graph)
				if err != nil {
					t.Error(err)
					return
				}
				operation := fmt.Sprintf("w%d-%d", i, n)
				begun := time.Now()
				result, err := log.Append(t.Context(), graph, at, []eventstore.Event{idle(at, operation)})
				took := time.Since(begun)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				if result.Outcome == eventstore.Applied {
					acknowledged[operation] = at.Version + 1
					n++
				}
				longest = max(longest, took)
				mu.Unlock()
			}
		})
	}
	working.Wait()
	return acknowledged, longest
}

// TestI1RetainUnderWriters: while four writers append, two projectors fold and two processes trim, no acknowledged
// operation is lost or doubled, the log has no hole (I2), subscribers see every version once (I4), and a client who
// comes back is never told that its version is gone.
func TestI1RetainUnderWriters(t *testing.T) {
	const events = 3000
	s := keptOnRedis(t)
	projectiontest.Append(t, s.log, "g", idle(eventstore.Position{}, "first"))
	var client atomic.Uint64
	client.Store(1)
	s.stores.Needed = func(context.Context, string) (eventstore.Version, bool, error) {
		return eventstore.Version(client.Load()), true, nil
	}
	s.keeper = upkeep.New(s.stores, upkeep.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	var beside sync.WaitGroup
	for range 2 {
		projector := projection.NewProjector(s.log, s.models, projection.ProjectorOptions{Snapshots: s.stores.Snapshots})
		beside.Go(func() {
			if err := projector.Run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	var trimmed atomic.Int64
	for range 2 {
		beside.Go(func() {
			for ctx.Err() == nil {
				report, err := s.keeper.Retain(ctx, "g", upkeep.Policy{Events: 100}, false)
				if err != nil && ctx.Err() == nil {
					t.Errorf("retain: %v", err)
				}
				trimmed.Add(report.Trimmed)
			}
		})
	}
	beside.Go(func() { // comes back every now and then, for the next few events
		for client.Load() <= events && ctx.Err() == nil {
			at := eventstore.Version(client.Load())
			page, err := s.log.Read(ctx, "g", at-1, 300)
			if err != nil {
				if ctx.Err() == nil {
					t.Errorf("a client at version %d: %v", at, err)
				}
				return
			}
			client.Store(uint64(page[len(page)-1].Version))
			time.Sleep(time.Millisecond)
		}
	})
	for range 2 {
		beside.Go(func() {
			last := eventstore.Position{}
			for event, err := range s.stores.Log.Tail(ctx, "g", 0) {
				if err != nil {
					if ctx.Err() == nil {
						t.Errorf("a subscriber at version %d: %v", last.Version, err)
					}
					return
				}
				if err := eventstore.VerifyChain("g", last, []eventstore.Event{event}); err != nil {
					t.Errorf("a subscriber: %v", err)
					return
				}
				if last = event.Position(); last.Version > events {
					return
				}
			}
		})
	}
	acknowledged, longest := writers(t, s.log, "g", 4, events)
	t.Logf("%d events were trimmed meanwhile, the longest append took %v", trimmed.Load(), longest)
	awaitCheckpoint(t, s.models, "g", events+1)
	cancel()
	beside.Wait()
	if _, err := s.keeper.Retain(t.Context(), "g", upkeep.Policy{Events: 100}, false); err != nil {
		t.Fatal(err)
	}
	all := s.all(t, s.stores.Log, "g")
	if err := eventstore.VerifyChain("g", eventstore.Position{}, all); err != nil || len(all) != events+1 {
		t.Fatalf("there are %d events, %v", len(all), err)
	}
	for _, event := range all[1:] {
		decoded, err := projection.DecodeEvent(event.Data)
		if err != nil {
			t.Fatal(err)
		}
		if acknowledged[decoded.OperationID] != event.Version {
			t.Fatalf("operation %s is version %d, and was acknowledged as %d", decoded.OperationID, event.Version, acknowledged[decoded.OperationID])
		}
		delete(acknowledged, decoded.OperationID)
	}
	if len(acknowledged) > 0 {
		t.Errorf("%d operations were acknowledged and are lost", len(acknowledged))
	}
	if verified := s.verify(t, "g"); !verified.OK {
		t.Errorf("got %+v", verified)
	}
}

func awaitCheckpoint(t testing.TB, models projection.ReadModels, graph string, version eventstore.Version) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		checkpoint, err := models.Checkpoint(t.Context(), graph)
		if err != nil {
			t.Fatal(err)
		}
		if checkpoint.Version >= version {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the read models are at version %d, want %d", checkpoint.Version, version)
		}
	}
}

// TestRewritesUnderWriters: what Restore puts in the place of the log has all that was appended meanwhile.
func TestRewritesUnderWriters(t *testing.T) {
	const events = 2000
	s := keptOnRedis(t)
	projectiontest.Append(t, s.log, "g", idle(eventstore.Position{}, "first"))
	writers(t, s.log, "g", 1, 1000)
	s.follow(t, "g")
	s.retain(t, "g", upkeep.Policy{Events: 100})
	before, err := s.log.Operations(t.Context(), "g", "w0-1")
	if err != nil || before[0] != 0 {
		t.Fatalf("a trimmed operation is at %v, %v", before, err)
	}
	done := make(chan error, 1)
	go func() {
		for {
			report, err := s.keeper.Restore(t.Context(), "g", false)
			if errors.Is(err, upkeep.ErrBusy) {
				continue
			}
			if err == nil && report.First != 1 {
				err = fmt.Errorf("got %+v", report)
			}
			done <- err
			return
		}
	}()
	log := prefixed{s.log}
	acknowledged, _ := writers(t, log, "g", 4, events)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	all := s.all(t, s.log, "g")
	if err := eventstore.VerifyChain("g", eventstore.Position{}, all); err != nil || len(all) != 1001+events {
		t.Fatalf("there are %d events, %v", len(all), err)
	}
	for operation, version := range acknowledged {
		versions, err := s.log.Operations(t.Context(), "g", "b"+operation)
		if err != nil || versions[0] != version {
			t.Fatalf("operation %s is at %v, %v, and was acknowledged as %d", operation, versions, err, version)
		}
	}
}

// prefixed is a log to which operations are appended under other names.
type prefixed struct{ eventstore.Log }

func (p prefixed) Append(ctx context.Context, graph string, at eventstore.Position, events []eventstore.Event) (eventstore.AppendResult, error) {
	return p.Log.Append(ctx, graph, at, []eventstore.Event{idle(at, "b"+events[0].Operations[0])})
}
