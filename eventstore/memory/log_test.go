package memory_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"graphy/eventstore"
	"graphy/eventstore/eventstoretest"
	"graphy/eventstore/memory"
)

func TestConformance(t *testing.T) {
	eventstoretest.Run(t, func(*testing.T) eventstore.Log { return memory.New() })
}

func TestMaintainer(t *testing.T) {
	eventstoretest.RunMaintainer(t, func(*testing.T) (eventstore.Log, eventstore.Maintainer) {
		log := memory.New()
		return log, log
	})
}

// A Tail that waits is durably blocked, so that synctest's clock and Wait work around it.
func TestTailInSynctest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := memory.New()
		ctx, cancel := context.WithCancel(t.Context())
		var versions []eventstore.Version
		var last error
		go func() {
			for event, err := range log.Tail(ctx, "g", 0) {
				if last = err; err == nil {
					versions = append(versions, event.Version)
				}
			}
		}()
		heads := 0
		go func() {
			for range log.Appends(ctx) {
				heads++
			}
		}()
		synctest.Wait()
		if _, err := log.Append(ctx, "g", eventstore.Position{}, eventstoretest.Numbered(eventstore.Position{}, 3)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if len(versions) != 3 || heads != 1 {
			t.Errorf("got versions %v and %d notices, want 1 to 3 and 1", versions, heads)
		}
		cancel()
		synctest.Wait()
		if !errors.Is(last, context.Canceled) {
			t.Errorf("tail ended with %v, want %v", last, context.Canceled)
		}
	})
}

func TestFail(t *testing.T) {
	log := memory.New()
	at := ""
	log.Fail = func(call, stream string) error {
		switch {
		case call != at:
			return nil
		case call == "appended" || call == "deleted":
			return eventstore.ErrUnknown
		}
		return eventstore.ErrUnavailable
	}
	events := eventstoretest.Numbered(eventstore.Position{}, 1)
	tests := []struct {
		at   string
		err  error
		head eventstore.Version
	}{
		{"append", eventstore.ErrUnavailable, 0},
		{"appended", eventstore.ErrUnknown, 1},
		{"", nil, 1},
	}
	for _, test := range tests {
		at = test.at
		if _, err := log.Append(t.Context(), "g", eventstore.Position{}, events); !errors.Is(err, test.err) {
			t.Errorf("failing at %q: got %v, want %v", test.at, err, test.err)
		}
		if head, err := log.Head(t.Context(), "g"); head.Version != test.head || err != nil {
			t.Errorf("failing at %q: head %v, %v, want %d", test.at, head, err, test.head)
		}
	}
}

func TestAppendRefusesBrokenChain(t *testing.T) {
	events := eventstoretest.Numbered(eventstore.Position{}, 2)
	events[1].Data = []byte(`{"version":3}`)
	if _, err := memory.New().Append(t.Context(), "g", eventstore.Position{}, events); !errors.Is(err, eventstore.ErrBroken) {
		t.Errorf("got %v, want %v", err, eventstore.ErrBroken)
	}
}
