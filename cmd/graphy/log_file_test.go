package main

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"graphy/eventstore"
	"graphy/eventstore/archive"
)

// archiveFile writes an archive of two graphs of three events each.
func archiveFile(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "two.zst")
	if err := os.WriteFile(file, archiveBytes(t), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func archiveBytes(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	writer, err := archive.NewWriter(&out)
	for _, graph := range []string{"a", "b"} {
		if err == nil {
			err = writer.Begin(graph, eventstore.Base{})
		}
		at := eventstore.Position{}
		for range 3 {
			data := []byte(`{"version":1}`)
			at = eventstore.Position{Version: at.Version + 1, Hash: eventstore.NextHash(at.Hash, data)}
			if err == nil {
				err = writer.Write([]eventstore.Event{{Version: at.Version, Hash: at.Hash, Data: data}})
			}
		}
		if err == nil {
			_, err = writer.End()
		}
	}
	if err == nil {
		err = writer.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// What is exported is the file, byte for byte, under its name only when it is whole.
func TestLogExport(t *testing.T) {
	whole := archiveBytes(t)
	for _, inside := range []bool{false, true} {
		r := newRig(t, map[string]http.HandlerFunc{"GET /export": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(whole) }})
		r.inside = inside
		file := filepath.Join(t.TempDir(), "x.zst")
		got := r.run(t.Context(), "log", "export", "a", "b", "--file", file)
		if found, err := os.ReadFile(file); err != nil || !bytes.Equal(found, whole) || got.code != 0 {
			t.Errorf("inside %v: %v, exit code %d: %s", inside, err, got.code, got.errors)
		}
		if !strings.Contains(got.out, "2 graphs, 6 events") {
			t.Errorf("got %s", got.out)
		}
		if got := r.run(t.Context(), "log", "export", "--all", "--file", "-"); got.out != string(whole) || got.code != 0 {
			t.Errorf("to standard output: %d bytes, exit code %d: %s", len(got.out), got.code, got.errors)
		}
		for name, cut := range map[string]http.HandlerFunc{
			"short":  func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(whole[:len(whole)-9]) },
			"broken": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(whole); panic(http.ErrAbortHandler) },
			"longer": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(append(bytes.Clone(whole), whole...)) },
		} {
			r.fake.answers["GET /export"] = cut
			folder := t.TempDir()
			got := r.run(t.Context(), "log", "export", "a", "--file", filepath.Join(folder, "x.zst"))
			if left, err := os.ReadDir(folder); err != nil || len(left) > 0 || got.code != exitWrong && got.code != exitUnreachable {
				t.Errorf("inside %v, %s: left %v, exit code %d: %s", inside, name, left, got.code, got.errors)
			}
		}
	}
}

// What is imported is sent as it is, and answers are read while it goes out.
func TestLogImport(t *testing.T) {
	file := archiveFile(t)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, inside := range []bool{false, true} {
		var came []byte
		var query string
		c := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			query = r.URL.RawQuery + " " + r.Header.Get("Content-Type")
			came, _ = io.ReadAll(r.Body)
			lines(`{"type":"progress","done":1,"events":3}`, result(`{"graphId":"a","outcome":"imported","version":3,"events":3}`), `{"type":"end"}`)(w, r)
		})
		r := newRig(t, nil)
		r.inside = inside
		r.fake.whole = c
		got := r.run(t.Context(), "log", "import", file, "--replace", "--yes")
		if !bytes.Equal(came, whole) || query != "replace=true application/zstd" || got.code != 0 {
			t.Errorf("inside %v: %d bytes came, %s, exit code %d: %s", inside, len(came), query, got.code, got.errors)
		}
		r.in = string(whole)
		came = nil
		if got := r.run(t.Context(), "log", "import", "-"); !bytes.Equal(came, whole) || got.code != 0 {
			t.Errorf("inside %v: from standard input %d bytes came, exit code %d: %s", inside, len(came), got.code, got.errors)
		}
	}
}
