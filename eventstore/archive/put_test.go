package archive

import (
	"errors"
	"testing"

	"graphy/eventstore"
)

// Put writes what is not there, and nothing that is; a store that keeps something else than it was given is found out.
func TestPutIsVerified(t *testing.T) {
	events := history(eventstore.Position{}, 10, "m")
	store := newHeap()
	a := New(store)
	segment := mustPut(t, a, "g", eventstore.Position{}, events)
	if again := mustPut(t, a, "g", eventstore.Position{}, events); again != segment || store.count("put") != 1 {
		t.Errorf("put again: %v, want %v, written once", again, segment)
	}
	spoilt := 0
	store.spoil = func(_ string, content []byte) []byte {
		if spoilt++; spoilt < 3 {
			return content[:len(content)/2]
		}
		return content
	}
	store.objects[segment.name()] = nil
	if again := mustPut(t, a, "g", eventstore.Position{}, events); again != segment || store.count("put") != 3 {
		t.Errorf("put to a store that halves things: %v, want %v", again, segment)
	}
	store.spoil = func(_ string, content []byte) []byte { content[30] ^= 4; return content }
	store.objects[segment.name()] = nil
	if _, err := a.Put(t.Context(), "g", eventstore.Position{}, events); !errors.Is(err, ErrDamaged) || store.count("put") != putAttempts {
		t.Errorf("put to a store that spoils things: %v", err)
	}
	if err := a.PutBase(t.Context(), "g", eventstore.Base{Position: endOf(events), Data: []byte("state")}); !errors.Is(err, ErrDamaged) {
		t.Errorf("a base put to a store that spoils things: %v", err)
	}
	broken := errors.New("broken")
	for _, call := range []string{"get", "put"} {
		store := newHeap()
		store.fail = func(called, _ string) error {
			if called == call {
				return broken
			}
			return nil
		}
		if _, err := New(store).Put(t.Context(), "g", eventstore.Position{}, events); !errors.Is(err, broken) {
			t.Errorf("%s fails: %v", call, err)
		}
	}
}

func TestPutRefuses(t *testing.T) {
	events := history(eventstore.Position{}, 10, "m")
	store := newHeap()
	for _, test := range []struct {
		name   string
		graph  string
		from   eventstore.Position
		events []eventstore.Event
		broken bool
	}{
		{"nothing", "g", eventstore.Position{}, nil, false},
		{"no id", "../g", eventstore.Position{}, events, false},
		{"a hole", "g", eventstore.Position{}, events[1:], true},
		{"another history", "g", history(eventstore.Position{}, 3, "other")[2].Position(), events[3:], true},
		{"no position", "g", eventstore.Position{Version: 3}, events[3:], false},
	} {
		_, err := New(store).Put(t.Context(), test.graph, test.from, test.events)
		if err == nil || errors.Is(err, eventstore.ErrBroken) != test.broken || errors.Is(err, ErrDamaged) {
			t.Errorf("%s: got %v", test.name, err)
		}
	}
	if len(store.objects) > 0 {
		t.Errorf("something was written: %v", store.objects)
	}
}
