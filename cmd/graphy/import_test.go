package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"graphy/cmd/graphy/graphfile"
)

// run is one import with the flags' defaults, whose waits take no time.
type run struct {
	importFlags
	path, stdin string
	waits       []time.Duration
	out, notes  bytes.Buffer
}

func newRun(api *fakeAPI, path string) *run {
	r := &run{path: path}
	r.importFlags = importFlags{clientFlags: clientFlags{server: api.URL, graph: "g"}, batch: 50, patience: time.Minute}
	r.importFlags.wait = func(ctx context.Context, d time.Duration) error {
		r.waits = append(r.waits, d)
		return ctx.Err()
	}
	return r
}

func (r *run) execute(ctx context.Context) error {
	return r.importFlags.execute(ctx, r.path, strings.NewReader(r.stdin), &r.out, &r.notes)
}

const miserables = "../../testdata/graphs/miserables.json"

// smallGraph writes a ring of 9 nodes and 12 edges, which goes out in 7 batches of 3.
func smallGraph(t testing.TB) string {
	t.Helper()
	var nodes, links []string
	for i := range 12 {
		if i < 9 {
			nodes = append(nodes, fmt.Sprintf(`{"name":"n%d"}`, i))
		}
		links = append(links, fmt.Sprintf(`{"source":%d,"target":%d}`, i%9, (i+1)%9))
	}
	path := filepath.Join(t.TempDir(), "small.json")
	content := `{"nodes":[` + strings.Join(nodes, ",") + `],"links":[` + strings.Join(links, ",") + `]}`
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// expectWhole checks that all of the file is in the graph, by as many events as there are chunks, each entity once.
func expectWhole(t testing.TB, api *fakeAPI, versions uint64) {
	t.Helper()
	if len(api.nodes) != 77 || len(api.edges) != 254 || api.version != versions {
		t.Errorf("got %d nodes, %d edges, version %d, want 77, 254, %d", len(api.nodes), len(api.edges), api.version, versions)
	}
}

func TestImport(t *testing.T) {
	api := newFakeAPI(t)
	api.lag = 2
	r := newRun(api, miserables)
	r.user, r.token = "u1", "secret"
	if err := r.execute(t.Context()); err != nil {
		t.Fatal(err)
	}
	expectWhole(t, api, 7)
	if got, want := r.out.String(), "imported miserables.json into g: created 77 nodes and 254 edges, already there 0 nodes and 0 edges, version 7\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	first, last := api.headers[0], api.headers[6]
	if first.Get("X-User-Id") != "u1" || first.Get("Authorization") != "Bearer secret" || last.Get("Prefer") != "wait" || first.Get("Prefer") != "" {
		t.Errorf("headers are %v and %v", first, last)
	}

	again := newRun(api, miserables)
	if err := again.execute(t.Context()); err != nil {
		t.Fatal(err)
	}
	expectWhole(t, api, 7)
	if !strings.Contains(again.out.String(), "created 0 nodes and 0 edges, already there 77 nodes and 254 edges") {
		t.Errorf("importing again said %q", again.out.String())
	}
}

// TestI1ImportSurvivesFaults: whatever goes wrong with whichever requests, each entity is there exactly once.
func TestI1ImportSurvivesFaults(t *testing.T) {
	small := smallGraph(t)
	rapid.Check(t, func(rt *rapid.T) {
		faults := rapid.SliceOfN(rapid.SampledFrom([]fault{none, busy, unavailable, cutBefore, cutAfter, unknown}), 0, 15).Draw(rt, "faults")
		api := newFakeAPI(t)
		defer api.Close()
		api.fault = func(n int) fault {
			if n <= len(faults) {
				return faults[n-1]
			}
			return none
		}
		r := newRun(api, small)
		r.batch, r.patience = 3, time.Hour
		if err := r.execute(t.Context()); err != nil {
			rt.Fatal(err)
		}
		if len(api.nodes) != 9 || len(api.edges) != 12 || api.version != 7 {
			rt.Fatalf("got %d nodes, %d edges, version %d, want 9, 12, 7", len(api.nodes), len(api.edges), api.version)
		}
	})
}

// TestI1KilledImportResumes: an import that ended at any request, accepted or not, is completed by the next one, with
// batches of the same size or of another.
func TestI1KilledImportResumes(t *testing.T) {
	small := smallGraph(t)
	rapid.Check(t, func(rt *rapid.T) {
		api := newFakeAPI(t)
		defer api.Close()
		ctx, kill := context.WithCancel(t.Context())
		defer kill()
		at := rapid.IntRange(1, 7).Draw(rt, "killed at")
		accepted := rapid.Bool().Draw(rt, "accepted")
		api.fault = func(n int) fault {
			if n < at {
				return none
			}
			kill()
			if accepted {
				return cutAfter
			}
			return cutBefore
		}
		first := newRun(api, small)
		first.batch = 3
		err := first.execute(ctx)
		if err == nil || !strings.Contains(err.Error(), "interrupted") || !strings.Contains(err.Error(), "the same command again resumes") {
			rt.Fatalf("got %v, want that it was interrupted and how to resume", err)
		}
		api.mu.Lock() // the request that was cut may be under way still
		api.fault = nil
		api.mu.Unlock()
		next := newRun(api, small)
		next.batch = rapid.SampledFrom([]int{3, 3, 2, 1000}).Draw(rt, "batch")
		if err := next.execute(t.Context()); err != nil {
			rt.Fatal(err)
		}
		if len(api.nodes) != 9 || len(api.edges) != 12 || next.batch == 3 && api.version != 7 {
			rt.Fatalf("got %d nodes, %d edges, version %d", len(api.nodes), len(api.edges), api.version)
		}
		if !strings.Contains(next.out.String(), "imported") {
			rt.Fatalf("said %q", next.out.String())
		}
	})
}

func TestImportWaitsAsTold(t *testing.T) {
	api := newFakeAPI(t)
	api.fault = func(n int) fault {
		if n == 1 {
			return unavailable
		}
		return none
	}
	r := newRun(api, miserables)
	if err := r.execute(t.Context()); err != nil || len(r.waits) != 1 || r.waits[0] != 3*time.Second {
		t.Errorf("got %v after waits of %v, want one of 3s", err, r.waits)
	}
}

func TestImportGivesUp(t *testing.T) {
	api := newFakeAPI(t)
	api.fault = func(n int) fault {
		if n > 3 {
			return cutBefore
		}
		return none
	}
	r := newRun(api, miserables)
	err := r.execute(t.Context())
	if lost := (*lostError)(nil); !errors.As(err, &lost) || !strings.Contains(err.Error(), "gave up") || !strings.Contains(err.Error(), "created 77 nodes and 73 edges") {
		t.Errorf("got %v, want that it gave up after 150 entities", err)
	}
	total := time.Duration(0)
	for _, wait := range r.waits {
		total += wait
	}
	if total > r.patience {
		t.Errorf("waited %v, more than %v", total, r.patience)
	}
}

func TestImportSplitsWhatIsTooLarge(t *testing.T) {
	api := newFakeAPI(t)
	api.maxOps = 10
	if err := newRun(api, miserables).execute(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(api.nodes) != 77 || len(api.edges) != 254 {
		t.Errorf("got %d nodes and %d edges", len(api.nodes), len(api.edges))
	}
}

func TestImportIntoGraphWithContent(t *testing.T) {
	write := func(t *testing.T, content string) string {
		path := filepath.Join(t.TempDir(), "graph.json")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	api := newFakeAPI(t)
	if err := newRun(api, write(t, `{"nodes":[{"id":"a","n":1},{"id":"other"}],"links":[]}`)).execute(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := newRun(api, write(t, `{"nodes":[{"id":"a","n":1.0},{"id":"b"}],"links":[{"source":"a","target":"b"}]}`))
	if err := r.execute(t.Context()); err != nil || !strings.Contains(r.out.String(), "created 1 nodes and 1 edges, already there 1 nodes") {
		t.Errorf("same content: got %v, %q", err, r.out.String())
	}
	err := newRun(api, write(t, `{"nodes":[{"id":"b"},{"id":"a","n":2}],"links":[]}`)).execute(t.Context())
	if err == nil || !strings.Contains(err.Error(), `with other content: node "a"; import into another graph`) {
		t.Errorf("other content: got %v", err)
	}
	if n := string(api.nodes["a"]["n"]); n != "1" {
		t.Errorf("node a has n %s, want 1", n)
	}
}

func TestImportRefusals(t *testing.T) {
	api := newFakeAPI(t)
	api.nodes["x"] = graphfile.Object{}
	tests := []struct {
		name    string
		change  func(*run)
		message string
	}{
		{"batch", func(r *run) { r.batch = 1001 }, "--batch 1001"},
		{"graph", func(r *run) { r.graph = "a b" }, "--graph"},
		{"server", func(r *run) { r.server = "ftp://x" }, "--server"},
		{"format", func(r *run) { r.format = "dot" }, `no format "dot"`},
		{"file", func(r *run) { r.path = "nowhere.json" }, "nowhere.json: no such file"},
		{"content", func(r *run) { r.path, r.stdin = "-", "hello" }, "neither XML nor JSON"},
		{"not Graphy", func(r *run) { r.graph = "h" }, "404 not-found"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := newRun(api, miserables)
			test.change(r)
			if err := r.execute(t.Context()); err == nil || !strings.Contains(err.Error(), test.message) {
				t.Errorf("got %v, want %q", err, test.message)
			}
		})
	}
}

func TestPlanKeepsLimits(t *testing.T) {
	doc := &graphfile.Document{}
	for i := range 1500 {
		id := fmt.Sprintf("n%d", i)
		node := graphfile.Object{"id": []byte(`"` + id + `"`), "text": []byte(`"` + strings.Repeat("é", 100*(i%40)) + `"`)}
		doc.Nodes = append(doc.Nodes, node)
	}
	doc.Nodes[7]["text"] = []byte(`"` + strings.Repeat("a", 255<<10) + `"`)
	ids := map[string]bool{}
	operations := 0
	for _, chunk := range plan(doc, maxOperations) {
		body := chunk.body("run")
		if len(chunk) > maxOperations || len(body) > 1<<20 {
			t.Errorf("a chunk has %d operations and %d bytes", len(chunk), len(body))
		}
		ids[string(body[:60])] = true
		operations += len(chunk)
	}
	if operations != 1500 || len(ids) != len(plan(doc, maxOperations)) {
		t.Errorf("got %d operations, %d operation ids", operations, len(ids))
	}
	if a, b := plan(doc, 10)[0].body("run"), plan(doc, 10)[0].body("run"); !bytes.Equal(a, b) {
		t.Error("one run has two operation ids for the same chunk")
	}
	if a, b := plan(doc, 10)[0].body("run"), plan(doc, 10)[0].body("other"); bytes.Equal(a, b) {
		t.Error("two runs have the same operation ids")
	}
}

func TestLargeNumbersAreSentAsDoubles(t *testing.T) {
	entity := graphfile.Object{"id": []byte(`"a"`), "n": []byte(`[123456789012345680000,-9007199254740992,1.5,"12345678901234567890"]`)}
	want := `{"type":"CREATE_NODE","payload":{"id":"a","n":[1.2345678901234568e+20,-9007199254740992,1.5,"12345678901234567890"]}}`
	if got := string(newOperation("node", "CREATE_NODE", entity).body); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestCommandsHaveHelp(t *testing.T) {
	for _, command := range []interface{ UsageString() string }{newImportCommand(), newExportCommand()} {
		if usage := command.UsageString(); !strings.Contains(usage, "graphy ") || !strings.Contains(usage, "--graph") {
			t.Errorf("usage is %q", usage)
		}
	}
	command := newImportCommand()
	command.SetArgs([]string{"file"})
	command.SetErr(&bytes.Buffer{})
	command.SetOut(&bytes.Buffer{})
	if err := command.Execute(); err == nil || !strings.Contains(err.Error(), `"graph" not set`) {
		t.Errorf("without --graph: %v", err)
	}
}
