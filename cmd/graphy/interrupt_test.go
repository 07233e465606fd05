package main

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// trigger fires once it has seen a text.
type trigger struct {
	text string
	fire func()
	seen strings.Builder
}

func (w *trigger) Write(content []byte) (int, error) {
	w.seen.Write(content)
	if strings.Contains(w.seen.String(), w.text) {
		w.fire()
	}
	return len(content), nil
}

// Ctrl-C cancels what is under way, over HTTP and in the process, says how far it came and how to go on.
func TestInterrupted(t *testing.T) {
	progress := `{"type":"progress","done":12,"total":1000,"events":99,"rate":8.5,"leftMillis":4200,"after":"g0012"}`
	file := archiveFile(t)
	for _, test := range []struct {
		args, path string
		lines      []string
		when       string // is seen on an output: then comes the interruption
		words      string
	}{
		{"verify --all --parallel 2", "POST /verify", []string{result(verifiedOK), progress}, "verify: 12 of 1000 graphs, 99 events, 8 events/s, about 4s left",
			"interrupted after 12 of 1000 graphs; go on with: graphy verify --all "},
		{"rebuild a b", "POST /rebuild", []string{progress}, "12 of", " a b --after g0012"},
		{"retain --all --age 1h", "POST /retain", []string{`{"type":"progress","done":0,"total":3}`}, "retain: 0 of 3 graphs",
			"interrupted after 0 of 3 graphs; go on with: graphy retain --age 1h0m0s --all"},
		{"log import " + file, "POST /import", []string{`{"type":"progress","done":1}`}, "import: 1 of 2 graphs", "interrupted after 1 of 2 graphs; go on with: graphy log import"},
		{"log tail a --since 4", "GET /graphs/a/log", []string{`{"version":5}`}, "5", "interrupted after version 5"},
		{"log export --all --file " + filepath.Join(t.TempDir(), "x"), "GET /export", nil, "", "interrupted"},
		{"graphs list", "GET /graphs", nil, "", "interrupted"},
		{"doctor", "GET /doctor", nil, "", "interrupted"},
	} {
		for _, inside := range []bool{false, true} {
			ctx, interrupt := context.WithCancel(t.Context())
			cancelled := make(chan struct{})
			r := newRig(t, nil)
			r.inside = inside
			if test.when != "" {
				r.out, r.notes = &trigger{text: test.when, fire: interrupt}, &trigger{text: test.when, fire: interrupt}
			}
			clock := frozen
			r.now = func() time.Time { // a meter always has waited long enough
				clock = clock.Add(time.Minute)
				return clock
			}
			r.fake.whole = http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				if got := req.Method + " " + strings.TrimPrefix(req.URL.Path, adminPath); got != test.path {
					t.Errorf("asked for %s", got)
				}
				_, _ = io.Copy(io.Discard, req.Body)
				for _, text := range test.lines {
					_, _ = io.WriteString(w, text+"\n")
					_ = http.NewResponseController(w).Flush()
				}
				if test.when == "" {
					interrupt()
				}
				<-req.Context().Done()
				close(cancelled)
			})
			got := r.run(ctx, strings.Fields(test.args)...)
			if got.code != exitInterrupted || !strings.Contains(got.errors, test.words) {
				t.Errorf("%s, inside %v: exit code %d, said %q, want %q in it", test.args, inside, got.code, got.errors, test.words)
			}
			<-cancelled
		}
	}
}

// What to go on with can be pasted into a shell, and holds no token.
func TestAgain(t *testing.T) {
	c := newCLI()
	root := c.root()
	cmd, rest, err := root.Find([]string{"log", "import", "my file", "--token", "secret", "--replace", "--yes", "--server", "http://127.0.0.1:1"})
	if err == nil {
		err = cmd.ParseFlags(rest)
	}
	if err != nil {
		t.Fatal(err)
	}
	if got, want := again(cmd, cmd.Flags().Args(), ""), `graphy log import --replace --server http://127.0.0.1:1 --yes 'my file'`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for word, want := range map[string]string{"": "''", "a b": "'a b'", "it's": `'it'\''s'`, "$x": "'$x'", "a-b.c": "a-b.c"} {
		if got := quotedForShell(word); got != want {
			t.Errorf("%q: got %s, want %s", word, got, want)
		}
	}
}

// An import of a drawing that is interrupted ends with the same exit code.
func TestInterruptedDrawing(t *testing.T) {
	api := newFakeAPI(t)
	ctx, interrupt := context.WithCancel(t.Context())
	api.fault = func(int) fault {
		interrupt()
		return cutBefore
	}
	root := newRootCommand()
	root.SetArgs([]string{"import", miserables, "--graph", "g", "--server", api.URL})
	root.SetOut(io.Discard)
	root.SetErr(io.Discard)
	var notes strings.Builder
	if code := execute(ctx, root, &notes); code != exitInterrupted || !strings.Contains(notes.String(), "resumes") {
		t.Errorf("exit code %d: %s", code, notes.String())
	}
	if _, err := os.Stat(miserables); err != nil {
		t.Error(err)
	}
}
