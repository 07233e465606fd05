package archive

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"graphy/eventstore"
)

// history returns n events that lead on from from; mark tells histories apart.
func history(from eventstore.Position, n int, mark string) []eventstore.Event {
	events := make([]eventstore.Event, n)
	for i := range events {
		data := fmt.Appendf(nil, `{"version":%d,"mark":%q,"changes":[{"op":"put","kind":"node","id":"n%d"}]}`, from.Version+1, mark, i%7)
		events[i] = eventstore.Event{Version: from.Version + 1, Data: data, Hash: eventstore.NextHash(from.Hash, data)}
		from = events[i].Position()
	}
	return events
}

func endOf(events []eventstore.Event) eventstore.Position { return events[len(events)-1].Position() }

func before(events []eventstore.Event, at int) eventstore.Position {
	if at == 0 {
		return eventstore.Position{}
	}
	return events[at-1].Position()
}

func same(t testing.TB, what string, got, want []eventstore.Event) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: got %d events, want %d", what, len(got), len(want))
	}
	for i := range got {
		if got[i].Version != want[i].Version || got[i].Hash != want[i].Hash || !bytes.Equal(got[i].Data, want[i].Data) {
			t.Fatalf("%s: event %d: got %d %s %q, want %d %s %q", what, i, got[i].Version, got[i].Hash, got[i].Data,
				want[i].Version, want[i].Hash, want[i].Data)
		}
	}
}

func reversed(events []eventstore.Event) []eventstore.Event {
	events = slices.Clone(events)
	slices.Reverse(events)
	return events
}

func mustPut(t testing.TB, a *Archive, graph string, from eventstore.Position, events []eventstore.Event) Segment {
	t.Helper()
	segment, err := a.Put(context.Background(), graph, from, events)
	if err != nil {
		t.Fatal(err)
	}
	return segment
}

// heap is a Store in memory that does what a test wants.
type heap struct {
	mu      sync.Mutex
	objects map[string][]byte
	calls   map[string]int
	// fail, if set, is asked before each call; spoil changes what is written.
	fail  func(call, name string) error
	spoil func(name string, content []byte) []byte
}

func newHeap() *heap { return &heap{objects: map[string][]byte{}, calls: map[string]int{}} }

func (h *heap) begin(ctx context.Context, call, name string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls[call]++
	if h.fail != nil {
		if err := h.fail(call, name); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (h *heap) Put(ctx context.Context, name string, content []byte) error {
	if err := h.begin(ctx, "put", name); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	content = bytes.Clone(content)
	if h.spoil != nil {
		content = h.spoil(name, content)
	}
	h.objects[name] = content
	return checkName(name)
}

func (h *heap) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	if err := h.begin(ctx, "get", name); err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	content, ok := h.objects[name]
	if !ok {
		return nil, ErrNotFound
	}
	return io.NopCloser(bytes.NewReader(content)), nil
}

func (h *heap) List(ctx context.Context, prefix string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		if err := h.begin(ctx, "list", prefix); err != nil {
			yield(Object{}, err)
			return
		}
		h.mu.Lock()
		names := slices.Sorted(maps.Keys(h.objects))
		sizes := map[string]int{}
		for name, content := range h.objects {
			sizes[name] = len(content)
		}
		h.mu.Unlock()
		for _, name := range names {
			if strings.HasPrefix(name, prefix) && !yield(Object{name, int64(sizes[name])}, nil) {
				return
			}
		}
	}
}

func (h *heap) Delete(ctx context.Context, name string) error {
	if err := h.begin(ctx, "delete", name); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.objects, name)
	return nil
}

// count returns how often a call was made since the last time.
func (h *heap) count(call string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := h.calls[call]
	h.calls[call] = 0
	return n
}
