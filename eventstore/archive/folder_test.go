package archive

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"graphy/eventstore"
)

func openTestFolder(t *testing.T) (*folder, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "new", "archive")
	store, err := OpenStore(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return store.(*folder), path
}

func TestFolder(t *testing.T) {
	store, path := openTestFolder(t)
	testStore(t, store)
	if left, err := os.ReadDir(filepath.Join(path, unfinished)); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestFolderAtOnce(t *testing.T) {
	store, _ := openTestFolder(t)
	testStoreAtOnce(t, store)
}

func TestFolderOfArchive(t *testing.T) {
	store, path := openTestFolder(t)
	testStoreOfArchive(t, store)
	again, err := OpenStore(t.Context(), "file://"+path)
	if err != nil {
		t.Fatal(err)
	}
	for graph, err := range New(again).Graphs(t.Context()) {
		if graph != "other" || err != nil {
			t.Errorf("opened again: %q, %v", graph, err)
		}
	}
}

// What is foreign in the folder is neither listed nor read; links do not lead out of it.
func TestFolderForeign(t *testing.T) {
	store, path := openTestFolder(t)
	if err := store.Put(t.Context(), "g/a", []byte("x")); err != nil {
		t.Fatal(err)
	}
	outside := filepath.Join(t.TempDir(), "outside")
	for _, err := range []error{
		os.Mkdir(outside, 0o700), os.WriteFile(filepath.Join(outside, "secret"), []byte("secret"), 0o600),
		os.Symlink(outside, filepath.Join(path, "out")), os.Symlink(filepath.Join(outside, "secret"), filepath.Join(path, "g", "link")),
		os.WriteFile(filepath.Join(path, "g", "some file"), nil, 0o600), os.Mkdir(filepath.Join(path, "g", "folder"), 0o700),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	var names []string
	for object, err := range store.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, object.Name)
	}
	if !slices.Equal(names, []string{"g/a"}) {
		t.Errorf("listed %q", names)
	}
	for _, name := range []string{"out/secret", "g/link", "out"} {
		if content, err := fetchAll(t.Context(), store, name); err == nil {
			t.Errorf("%s gives %q", name, content)
		}
	}
	if err := store.Put(t.Context(), "out/new", []byte("x")); err == nil {
		t.Error("something was written outside")
	}
	if _, err := store.Get(t.Context(), "g/folder"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a folder: got %v", err)
	}
	if left, _ := os.ReadDir(outside); len(left) != 1 {
		t.Errorf("outside is %v", left)
	}
}

// What a process left that ended in the middle of a write goes away in time, and what another is writing does not.
func TestFolderSweeps(t *testing.T) {
	store, path := openTestFolder(t)
	if err := store.Put(t.Context(), "g/a", []byte("x")); err != nil {
		t.Fatal(err)
	}
	old, young := filepath.Join(path, unfinished, "OLD"), filepath.Join(path, unfinished, "YOUNG")
	past := time.Now().Add(-2 * abandonedAfter)
	if err := errors.Join(os.WriteFile(old, nil, 0o600), os.WriteFile(young, nil, 0o600), os.Chtimes(old, past, past)); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenStore(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(filepath.Join(path, unfinished))
	if err != nil || len(left) != 1 || left[0].Name() != "YOUNG" {
		t.Errorf("left: %v, %v", left, err)
	}
}

// A folder that is gone, as when it is not mounted, is not made anew in silence.
func TestFolderGone(t *testing.T) {
	store, path := openTestFolder(t)
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
	_, got := store.Get(t.Context(), "a")
	for _, err := range []error{got, store.Put(t.Context(), "a", nil), store.Delete(t.Context(), "a")} {
		if err == nil || errors.Is(err, ErrNotFound) {
			t.Errorf("got %v", err)
		}
	}
	events := history(eventstore.Position{}, 3, "m")
	if _, err := New(store).Put(t.Context(), "g", eventstore.Position{}, events); err == nil {
		t.Error("events were put nowhere")
	}
	if _, err := New(store).Tips(t.Context(), "g"); err == nil {
		t.Error("nothing was listed as if it were all")
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder: %v", err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenStore(t.Context(), file); err == nil {
		t.Error("a file was opened as a folder")
	}
}

// A write that fails leaves what is there as it is.
func TestFolderFails(t *testing.T) {
	store, path := openTestFolder(t)
	if err := store.Put(t.Context(), "g/a", []byte("x")); err != nil {
		t.Fatal(err)
	}
	// The target is a folder that is not empty, or the place to write at is none.
	if err := store.Put(t.Context(), "g", []byte("y")); err == nil {
		t.Error("a folder was replaced")
	}
	if left, err := os.ReadDir(filepath.Join(path, unfinished)); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if err := errors.Join(os.Remove(filepath.Join(path, unfinished)), os.WriteFile(filepath.Join(path, unfinished), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if err := store.Put(t.Context(), "g/a", []byte("y")); err == nil || errors.Is(err, ErrNotFound) {
		t.Errorf("got %v", err)
	}
	if content, err := fetchAll(t.Context(), store, "g/a"); err != nil || content != "x" {
		t.Errorf("got %q, %v", content, err)
	}
}
