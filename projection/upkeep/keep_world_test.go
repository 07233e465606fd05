package upkeep_test

import (
	"bytes"
	"context"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"graphy/eventstore"
	"graphy/eventstore/archive"
	"graphy/projection"
	"graphy/projection/upkeep"
)

// shelf is an archive's store in memory.
type shelf struct {
	mu      sync.Mutex
	objects map[string][]byte                    // guarded by mu
	fail    func(call string, before bool) error // nil: nothing fails
}

func newShelf() *shelf { return &shelf{objects: map[string][]byte{}} }

func (s *shelf) failing(call string, act func()) error {
	if s.fail != nil {
		if err := s.fail(call, true); err != nil {
			return err
		}
	}
	s.mu.Lock()
	act()
	s.mu.Unlock()
	if s.fail != nil {
		return s.fail(call, false)
	}
	return nil
}

func (s *shelf) Put(_ context.Context, name string, content []byte) error {
	return s.failing("put", func() { s.objects[name] = bytes.Clone(content) })
}

func (s *shelf) Get(_ context.Context, name string) (io.ReadCloser, error) {
	var content []byte
	found := false
	err := s.failing("get", func() { content, found = s.objects[name] })
	if err == nil && !found {
		err = archive.ErrNotFound
	}
	return io.NopCloser(bytes.NewReader(content)), err
}

func (s *shelf) List(_ context.Context, prefix string) iter.Seq2[archive.Object, error] {
	return func(yield func(archive.Object, error) bool) {
		var names []string
		if err := s.failing("list", func() { names = slices.Sorted(maps.Keys(s.objects)) }); err != nil {
			yield(archive.Object{}, err)
			return
		}
		for _, name := range names {
			if strings.HasPrefix(name, prefix) && !yield(archive.Object{Name: name, Size: 1}, nil) {
				return
			}
		}
	}
}

func (s *shelf) Delete(_ context.Context, name string) error {
	return s.failing("delete", func() { delete(s.objects, name) })
}

// archived gives the world an archive in store.
func (w *world) archived(store archive.Store) *world {
	w.stores.Archive = archive.New(store)
	w.stores.Log = archive.Through(w.log, w.log, w.stores.Archive)
	w.stores.Snapshots = projection.WithBase(upkeep.WithArchive(w.models, w.log, w.stores.Archive), w.log)
	w.keeper = upkeep.New(w.stores, upkeep.Options{})
	return w
}

// follow brings the read models of graph to where its log stands.
func (w *world) follow(t testing.TB, graph string) {
	t.Helper()
	head, err := w.log.Head(t.Context(), graph)
	if err != nil {
		t.Fatal(err)
	}
	state, err := projection.At(t.Context(), w.stores.Log, w.stores.Snapshots, graph, head.Version)
	if err != nil {
		t.Fatal(err)
	}
	staged, err := w.models.Stage(t.Context(), graph, projection.ContentsOf(state), nil)
	if err == nil {
		err = staged.Swap(t.Context(), nil)
	}
	if err != nil {
		t.Fatalf("read models of %q at version %d: %v", graph, head.Version, err)
	}
}

// retain has graph keep to a policy, and fails if that is not possible.
func (w *world) retain(t testing.TB, graph string, p upkeep.Policy) upkeep.Retained {
	t.Helper()
	retained, err := w.keeper.Retain(t.Context(), graph, p, false)
	if err != nil {
		t.Fatalf("retain: %v", err)
	}
	return retained
}

// all returns what the log of graph holds, from its oldest event on.
func (w *world) all(t testing.TB, log eventstore.Log, graph string) []eventstore.Event {
	t.Helper()
	base, err := w.log.Base(t.Context(), graph)
	if err != nil {
		t.Fatal(err)
	}
	events, err := log.Read(t.Context(), graph, 0, 1_000_000)
	if err != nil {
		events, err = log.Read(t.Context(), graph, base.Version, 1_000_000)
	}
	if err != nil {
		t.Fatal(err)
	}
	return events
}

// mustFold fails unless At of several versions from first on is the fold of events, which begin with version 1.
func (w *world) mustFold(t testing.TB, graph string, events []eventstore.Event, first eventstore.Version) {
	t.Helper()
	state := projection.NewGraph(graph)
	for i, event := range events {
		if err := state.Fold(event); err != nil {
			t.Fatal(err)
		}
		if event.Version < first || i%7 != 0 && i != len(events)-1 {
			continue
		}
		at, err := projection.At(t.Context(), w.stores.Log, w.stores.Snapshots, graph, event.Version)
		if err != nil {
			t.Fatalf("state at version %d: %v", event.Version, err)
		}
		if !bytes.Equal(at.AppendState(nil), state.AppendState(nil)) {
			t.Fatalf("state at version %d: got %s\nwant %s", event.Version, at.AppendState(nil), state.AppendState(nil))
		}
	}
}

func sameEvents(a, b []eventstore.Event) bool {
	return slices.EqualFunc(a, b, func(a, b eventstore.Event) bool {
		return a.Position() == b.Position() && bytes.Equal(a.Data, b.Data)
	})
}

func deadLetter(version eventstore.Version, cause string, payload []byte) projection.DeadLetter {
	return projection.DeadLetter{Graph: "g", Version: version, Cause: cause, Payload: payload}
}
