package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"graphy/cmd/graphy/graphfile"
)

func TestExportIsReadBack(t *testing.T) {
	api := newFakeAPI(t)
	if err := newRun(api, miserables).execute(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, format := range map[string]graphfile.Format{"g.json": graphfile.Graphy, "g.cyjs": graphfile.Cytoscape, "g.graphml": graphfile.GraphML, "d3.json": graphfile.NodeLink} {
		t.Run(name, func(t *testing.T) {
			flags := exportFlags{clientFlags: clientFlags{server: api.URL, graph: "g"}, output: filepath.Join(t.TempDir(), name)}
			if format == graphfile.NodeLink {
				flags.format = "node-link"
			}
			var out, notes bytes.Buffer
			if err := flags.execute(t.Context(), &out, &notes); err != nil {
				t.Fatal(err)
			}
			file, err := os.Open(flags.output)
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			content, err := io.ReadAll(file)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := graphfile.Detect(content); err != nil || got != format {
				t.Errorf("got format %q, %v, want %q", got, err, format)
			}
			other := newFakeAPI(t)
			r := newRun(other, flags.output)
			if err := r.execute(t.Context()); err != nil {
				t.Fatal(err)
			}
			if len(other.nodes) != 77 || len(other.edges) != 254 || string(other.nodes["11"]["title"]) != `"Valjean"` {
				t.Errorf("imported again: %d nodes, %d edges, %v", len(other.nodes), len(other.edges), other.nodes["11"])
			}
			if left, err := os.ReadDir(filepath.Dir(flags.output)); err != nil || len(left) != 1 {
				t.Errorf("the folder holds %v, %v", left, err)
			}

			flags.output = "-"
			flags.format = string(format)
			if err := flags.execute(t.Context(), &out, &notes); err != nil || !bytes.Equal(bytes.TrimSpace(out.Bytes())[:20], content[:20]) {
				t.Errorf("to standard output: %v, %.50q", err, out.String())
			}
		})
	}
}

func TestExportRefusesUnknownGraph(t *testing.T) {
	api := newFakeAPI(t)
	flags := exportFlags{clientFlags: clientFlags{server: api.URL, graph: "g"}, output: filepath.Join(t.TempDir(), "g.json")}
	if err := flags.execute(t.Context(), io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), `there is no graph "g"`) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(flags.output); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file was written: %v", err)
	}
}

func TestWriteWholeLeavesTheOldFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	err := writeWhole(path, func(w io.Writer) error {
		_, _ = io.WriteString(w, "new")
		return broken
	})
	content, _ := os.ReadFile(path)
	if left, _ := os.ReadDir(filepath.Dir(path)); !errors.Is(err, broken) || string(content) != "old" || len(left) != 1 {
		t.Errorf("got %v, content %q, %d files", err, content, len(left))
	}
}
