package archive

import (
	"errors"
	"testing"
)

func TestProbe(t *testing.T) {
	store := newHeap()
	if err := New(store).Probe(t.Context()); err != nil || len(store.objects) > 0 {
		t.Errorf("got %v, left %v", err, store.objects)
	}
	store.spoil = func(_ string, content []byte) []byte { return content[1:] }
	if err := New(store).Probe(t.Context()); !errors.Is(err, ErrDamaged) || len(store.objects) > 0 {
		t.Errorf("a store that spoils: got %v, left %v", err, store.objects)
	}
	broken := errors.New("broken")
	for _, call := range []string{"put", "get", "delete"} {
		store := newHeap()
		store.fail = func(called, _ string) error {
			if called == call {
				return broken
			}
			return nil
		}
		if err := New(store).Probe(t.Context()); !errors.Is(err, broken) {
			t.Errorf("%s fails: got %v", call, err)
		}
	}
}
