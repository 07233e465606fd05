package archive

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"graphy/eventstore"
)

// testStore is what every Store passes. It is given an empty one.
func testStore(t *testing.T, store Store) {
	contents := map[string]string{"a": "1", "b/c": "22", "b-/c": "333", "b.d": "", "b/d/e~41_.zst": "55555", "B/c": "6", "c/x": "7", "c/y": "8"}
	for name, content := range contents {
		if err := store.Put(t.Context(), name, []byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	checkStore(t, store, contents)
	for name := range contents {
		contents[name] += " anew"
		if err := store.Put(t.Context(), name, []byte(contents[name])); err != nil {
			t.Fatal(err)
		}
	}
	checkStore(t, store, contents)
	for _, name := range []string{"b/c", "c/x", "none", "c/none/none"} {
		delete(contents, name)
		if err := store.Delete(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	checkStore(t, store, contents)
	for _, name := range []string{"", ".", "..", "/", "a/", "/a", "../a", "b/../../a", "b//c", "a b", "a\x00", "ü", `a\b`, "a:b", "x+", strings.Repeat("x", 256)} {
		_, got := store.Get(t.Context(), name)
		for _, err := range []error{got, store.Put(t.Context(), name, nil), store.Delete(t.Context(), name)} {
			if err == nil || errors.Is(err, ErrNotFound) {
				t.Errorf("name %q: got %v", name, err)
			}
		}
	}
	checkStore(t, store, contents)
	done, cancel := context.WithCancel(t.Context())
	cancel()
	_, got := store.Get(done, "a")
	for object, err := range store.List(done, "") {
		if err == nil {
			t.Errorf("listed %v", object)
		}
	}
	for _, err := range []error{got, store.Put(done, "a", nil), store.Delete(done, "a")} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: got %v", err)
		}
	}
}

func checkStore(t *testing.T, store Store, contents map[string]string) {
	t.Helper()
	for name, want := range contents {
		if got, err := fetchAll(t.Context(), store, name); err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, want)
		}
	}
	for _, name := range []string{"none", "b", "b/", "c/none"} {
		if strings.HasSuffix(name, "/") {
			continue
		}
		if _, err := store.Get(t.Context(), name); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: got %v, want ErrNotFound", name, err)
		}
	}
	for _, prefix := range []string{"", "b", "b/", "b/d/e", "B", "c/", "none", "none/", "b-"} {
		var got, want []string
		for object, err := range store.List(t.Context(), prefix) {
			if err != nil {
				t.Fatal(err)
			}
			if got = append(got, object.Name); object.Size != int64(len(contents[object.Name])) {
				t.Errorf("%s has %d bytes, listed are %d", object.Name, len(contents[object.Name]), object.Size)
			}
		}
		for name := range contents {
			if strings.HasPrefix(name, prefix) {
				want = append(want, name)
			}
		}
		if slices.Sort(want); !slices.Equal(got, want) {
			t.Errorf("list %q: got %q, want %q", prefix, got, want)
		}
	}
	for range store.List(t.Context(), "") {
		break // and that is all
	}
}

func fetchAll(ctx context.Context, store Store, name string) (string, error) {
	reader, err := store.Get(ctx, name)
	if err != nil {
		return "", err
	}
	defer reader.Close()
	content, err := io.ReadAll(reader)
	return string(content), err
}

// Who reads while others write gets one or the other, whole.
func testStoreAtOnce(t *testing.T, store Store) {
	one, other := bytes.Repeat([]byte("one"), 100_000), bytes.Repeat([]byte("other"), 50_000)
	if err := store.Put(t.Context(), "d/x", one); err != nil {
		t.Fatal(err)
	}
	var writers sync.WaitGroup
	for _, content := range [][]byte{one, other} {
		writers.Go(func() {
			for range 10 {
				if err := errors.Join(store.Put(t.Context(), "d/x", content), store.Put(t.Context(), "e/y", content), store.Delete(t.Context(), "e/y")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 30 {
		if content, err := fetchAll(t.Context(), store, "d/x"); err != nil || content != string(one) && content != string(other) {
			t.Errorf("got %d bytes, %v", len(content), err)
		}
	}
	writers.Wait()
}

// A history can be kept in and read from any Store.
func testStoreOfArchive(t *testing.T, store Store) {
	events := history(eventstore.Position{}, 40, "m")
	a := archived(t, store, "Graph:1", events, 5)
	archived(t, store, "other", events, 20)
	page, err := New(store).Read(t.Context(), "Graph:1", endOf(events), 3, 100)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "read", page, events[3:])
	if err := a.PutBase(t.Context(), "Graph:1", eventstore.Base{Position: before(events, 30), Data: []byte("state")}); err != nil {
		t.Fatal(err)
	}
	if base, ok, err := a.Bases(t.Context(), "Graph:1", endOf(events), 35); err != nil || !ok || string(base.Data) != "state" {
		t.Errorf("base: got %v, %v, %v", base, ok, err)
	}
	if err := a.Delete(t.Context(), "Graph:1"); err != nil {
		t.Fatal(err)
	}
	for graph, err := range a.Graphs(t.Context()) {
		if graph != "other" || err != nil {
			t.Errorf("left: %q, %v", graph, err)
		}
	}
}

func TestHeap(t *testing.T) {
	testStoreOfArchive(t, newHeap())
}
