package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
)

// fakeAdmin answers the operators' API with what tests give it, by "METHOD /path" under its base, and remembers what was
// asked.
type fakeAdmin struct {
	answers map[string]http.HandlerFunc
	whole   http.Handler // answers everything, in the place of answers

	mu       sync.Mutex
	requests []string
}

func (f *fakeAdmin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if f.whole != nil {
		f.whole.ServeHTTP(w, r)
		return
	}
	body, _ := io.ReadAll(io.LimitReader(r.Body, 4<<10))
	path := strings.TrimPrefix(r.URL.EscapedPath(), adminPath)
	asked := r.Method + " " + path
	answer := f.answers[asked]
	if r.URL.RawQuery != "" {
		asked += "?" + r.URL.RawQuery
	}
	if with := f.answers[asked]; with != nil {
		answer = with
	}
	f.mu.Lock()
	f.requests = append(f.requests, strings.TrimSpace(asked+" "+string(body)))
	f.mu.Unlock()
	if answer == nil {
		refusal(404, "not-found", "there is no such thing as "+asked)(w, r)
		return
	}
	answer(w, r)
}

func (f *fakeAdmin) asked() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.requests...)
}

// object answers with a JSON object.
func object(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, text)
	}
}

// lines answers with a line of JSON each.
func lines(texts ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", ndjson)
		for _, text := range texts {
			_, _ = io.WriteString(w, text+"\n")
			_ = http.NewResponseController(w).Flush()
		}
	}
}

// refusal answers with a problem document.
func refusal(status int, code, detail string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, `{"status":`+strconv.Itoa(status)+`,"code":"`+code+`","title":"No","detail":"`+detail+`"}`)
	}
}

// ran is what came of a command line.
type ran struct {
	code        int
	out, errors string
}

// rig runs command lines against a fake, over HTTP, or with inside in the process.
type rig struct {
	t        *testing.T
	fake     *fakeAdmin
	inside   bool
	terminal bool // a person sits at standard input
	in       string
	out      io.Writer // in the place of what run returns
	notes    io.Writer // in the place of what run returns
	now      func() time.Time
}

func newRig(t *testing.T, answers map[string]http.HandlerFunc) *rig {
	t.Helper()
	t.Setenv("GRAPHY_TOKEN", "")
	return &rig{t: t, fake: &fakeAdmin{answers: answers}, now: func() time.Time { return frozen }}
}

// frozen is when tests run.
var frozen = time.Date(2026, 11, 22, 4, 0, 0, 0, time.UTC)

func (r *rig) run(ctx context.Context, args ...string) ran {
	r.t.Helper()
	c := &cli{now: r.now, getenv: func(string) string { return "" },
		terminal: func(stream any) bool { _, isIn := stream.(*strings.Reader); return isIn && r.terminal },
		local: func(context.Context, *config, *zap.Logger) (http.Handler, func() error, error) {
			if !r.inside {
				return nil, nil, errors.New("nothing is to be opened in the process")
			}
			return r.fake, func() error { return nil }, nil
		}}
	root := c.root()
	if cmd, _, err := root.Find(args); err == nil && cmd.Flags().Lookup("server") != nil && !slices.Contains(args, "--server") {
		if r.inside {
			args = append(args, "--data-dir", r.t.TempDir())
		} else {
			server := httptest.NewServer(r.fake)
			defer server.Close()
			args = append(args, "--server", server.URL)
		}
	}
	var out, notes bytes.Buffer
	root.SetArgs(args)
	root.SetIn(strings.NewReader(r.in))
	root.SetOut(&out)
	if r.out != nil {
		root.SetOut(r.out)
	}
	root.SetErr(&notes)
	if r.notes != nil {
		root.SetErr(r.notes)
	}
	code := execute(ctx, root, &notes)
	return ran{code, out.String(), notes.String()}
}

// complete returns what a shell is offered for the last of the words.
func (r *rig) complete(words ...string) string {
	r.t.Helper()
	server := httptest.NewServer(r.fake)
	defer server.Close()
	c := newCLI()
	root := c.root()
	if cmd, _, err := root.Find(words); err == nil && cmd.Flags().Lookup("redis-url") != nil && cmd.HasParent() {
		first := slices.IndexFunc(words, func(word string) bool { return strings.HasPrefix(word, "--") })
		if first < 0 {
			first = len(words) - 1
		}
		words = slices.Insert(slices.Clone(words), first, "--server="+server.URL)
	}
	var out bytes.Buffer
	root.SetArgs(append([]string{"__complete"}, words...))
	root.SetOut(&out)
	root.SetErr(io.Discard)
	if code := execute(r.t.Context(), root, io.Discard); code != 0 {
		r.t.Errorf("complete %q: exit code %d", words, code)
	}
	return out.String()
}
