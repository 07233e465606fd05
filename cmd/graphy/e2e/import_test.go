package e2e

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// cli prepares a command of the binary against a server.
func (s *server) cli(t testing.TB, args ...string) *exec.Cmd {
	command := exec.CommandContext(t.Context(), binary, append(args, "--server", s.base)...)
	command.Env, command.SysProcAttr = cleanEnv(), childAttributes()
	return command
}

func graphFile(name string) string { return filepath.Join(root, "testdata", "graphs", name) }

// An import that is killed, and whose server is killed, is resumed by the same command and lands exactly once.
func TestI1KilledImportResumes(t *testing.T) {
	t.Parallel()
	s := start(t, "GRAPHY_DATA_DIR="+filepath.Join(t.TempDir(), "data"))
	graph, file := newGraph(t), graphFile("flights.graphml")
	arguments := []string{"import", file, "--graph", graph, "--batch", "2"}
	for i := range 4 {
		killed := s.cli(t, arguments...)
		progress := &output{more: make(chan struct{})}
		killed.Stdout, killed.Stderr = progress, progress
		before := s.get(t, "/graphs/"+graph+"/changes?since=0&limit=1").object(t).at("currentVersion").(float64)
		failOn(t, []error{killed.Start()})
		await(t, 30e9, "some of the file is in", func() bool {
			now := s.get(t, "/graphs/"+graph+"/changes?since=0&limit=1").object(t).at("currentVersion").(float64)
			return now >= before+7
		})
		failOn(t, []error{killed.Process.Kill()})
		_ = killed.Wait() // killed
		if i == 1 {
			s.kill()
			s.relaunch(t)
		}
	}
	for range 2 { // the second time there is nothing left to do
		if said, err := s.cli(t, arguments...).CombinedOutput(); err != nil {
			t.Fatalf("import: %v: %s", err, said)
		}
	}
	folded := s.fold(t, graph)
	nodes, edges := countGraphML(t, file)
	if len(folded.nodes) != nodes || len(folded.edges) != edges {
		t.Errorf("%d nodes and %d edges, want %d and %d", len(folded.nodes), len(folded.edges), nodes, edges)
	}
	created := 0
	for _, raw := range s.changesOf(t, graph) {
		var c change
		failOn(t, []error{json.Unmarshal(raw, &c)})
		created += len(c.Changes)
	}
	if want := nodes + edges; created != want {
		t.Errorf("the log holds %d changes, want %d: not exactly once", created, want)
	}
}

func countGraphML(t testing.TB, path string) (nodes, edges int) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for decoder := xml.NewDecoder(bytes.NewReader(content)); ; {
		token, err := decoder.Token()
		if err != nil {
			return nodes, edges
		}
		if element, ok := token.(xml.StartElement); ok {
			switch element.Name.Local {
			case "node":
				nodes++
			case "edge":
				edges++
			}
		}
	}
}

// What export writes, import reads back: the same nodes and edges, but for the times the server stamps.
func TestExportRoundTrip(t *testing.T) {
	t.Parallel()
	s := shared.onEmbedded(t)
	tests := []struct{ file, format string }{
		{"miserables.json", "graphy"}, {"miserables.json", "node-link"}, {"miserables.json", "graphml"}, {"flights.cyjs", "cytoscape"},
	}
	for _, test := range tests {
		first, second, path := newGraph(t), newGraph(t), filepath.Join(t.TempDir(), "out")
		for _, arguments := range [][]string{
			{"import", graphFile(test.file), "--graph", first},
			{"export", "--graph", first, "--format", test.format, "-o", path},
			{"import", path, "--graph", second},
		} {
			if said, err := s.cli(t, arguments...).CombinedOutput(); err != nil {
				t.Fatalf("%s as %s: %v: %v: %s", test.file, test.format, arguments, err, said)
			}
		}
		want, got := unstamped(s.fold(t, first)), unstamped(s.fold(t, second))
		if difference := want.differs(got); difference != "" {
			t.Errorf("%s through %s: %s", test.file, test.format, difference)
		}
	}
}

// unstamped returns the entities of a graph without what the server stamps, and without its history.
func unstamped(r *replica) *replica {
	plain := newReplica()
	for kind, entities := range map[string]map[string]map[string]any{"node": r.nodes, "edge": r.edges} {
		for id, entity := range entities {
			copied := map[string]any{}
			for name, value := range entity {
				if name != "createdAt" && name != "updatedAt" {
					copied[name] = value
				}
			}
			plain.store(kind, id, nil, copied)
		}
	}
	plain.store("viewport", "viewport", plain.viewport, r.viewport)
	return plain
}

func TestImportRefusesInWords(t *testing.T) {
	t.Parallel()
	s := shared.onEmbedded(t)
	bad := filepath.Join(t.TempDir(), "bad.json")
	failOn(t, []error{os.WriteFile(bad, []byte(`{"nodes":[{"id":"a"}],"links":[{"source":"a","target":"nobody"}]}`), 0o600)})
	said, err := s.cli(t, "import", bad, "--graph", newGraph(t)).CombinedOutput()
	if err == nil || !strings.Contains(string(said), "nobody") {
		t.Errorf("an edge to a node that is not there: %v: %s", err, said)
	}
	said, err = s.cli(t, "import", "/does/not/exist", "--graph", newGraph(t)).CombinedOutput()
	if err == nil || strings.Contains(string(said), "goroutine") {
		t.Errorf("a file that is not there: %v: %s", err, said)
	}
}
