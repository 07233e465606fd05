package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"graphy/eventstore/embedded"
)

// Exit codes follow from what happened, with words on standard error that say what to do.
func TestExitCodes(t *testing.T) {
	away := httptest.NewServer(http.NotFoundHandler())
	away.Close()
	damaged := filepath.Join(t.TempDir(), "x.zst")
	if err := os.WriteFile(damaged, []byte("no archive"), 0o600); err != nil {
		t.Fatal(err)
	}
	answer := func(what string, handler http.HandlerFunc) map[string]http.HandlerFunc {
		return map[string]http.HandlerFunc{what: handler}
	}
	imported := func(outcomes ...string) http.HandlerFunc {
		var texts []string
		for i, outcome := range outcomes {
			texts = append(texts, result(fmt.Sprintf(`{"graphId":"g%d","outcome":%q,"version":1,"events":1}`, i, outcome)))
		}
		return lines(append(texts, `{"type":"end"}`)...)
	}
	empty := archiveFile(t)
	for _, test := range []struct {
		args    string
		answers map[string]http.HandlerFunc
		code    int
		words   string // on standard error
	}{
		{"help exit-codes", nil, exitDone, ""},
		{"verify a", answer("POST /verify", lines(result(verifiedOK), `{"type":"end"}`)), exitDone, ""},
		{"verify b", answer("POST /verify", lines(result(verifiedWrong), `{"type":"end"}`)), exitWrong, ""},
		{"verify a c", answer("POST /verify", lines(result(verifiedOK), result(failedGraph), `{"type":"end"}`)), exitWrong, ""},
		{"verify c", answer("POST /verify", lines(result(failedGraph), `{"type":"end"}`)), exitRefused, ""},
		{"verify --all", answer("POST /verify", lines(result(verifiedOK), `{"type":"progress","done":1,"total":5,"after":"a"}`, `{"type":"error","error":{"status":503,"code":"unavailable","detail":"Redis is away"}}`)),
			exitUnreachable, "Redis is away after 1 of 5 graphs; go on with: graphy verify --all --server http"},
		{"verify --all", answer("POST /verify", lines(result(verifiedOK))), exitUnreachable, "cut off"},
		{"verify --all", answer("POST /verify", lines(`{"type":`)), exitWrong, "not what Graphy gives"},
		{"doctor", answer("GET /doctor", object(`{"severity":"ok","findings":[]}`)), exitDone, ""},
		{"doctor", answer("GET /doctor", object(`{"severity":"info","findings":[]}`)), exitDone, ""},
		{"doctor", answer("GET /doctor", object(`{"severity":"warning","findings":[]}`)), exitWarnings, ""},
		{"doctor", answer("GET /doctor", object(`{"severity":"error","findings":[]}`)), exitWrong, ""},
		{"doctor", answer("GET /doctor", refusal(401, "unauthenticated", "no token")), exitRefused, "GRAPHY_TOKEN"},
		{"doctor", answer("GET /doctor", refusal(403, "forbidden", "no")), exitRefused, "claim admin"},
		{"doctor", answer("GET /doctor", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }), exitRefused, "operators' address"},
		{"doctor", answer("GET /doctor", refusal(429, "rate-limited", "busy")), exitUnreachable, "busy"},
		{"doctor", answer("GET /doctor", refusal(503, "unavailable", "away")), exitUnreachable, "away"},
		{"doctor", answer("GET /doctor", refusal(500, "internal", "")), exitWrong, "500 internal"},
		{"doctor", answer("GET /doctor", refusal(400, "invalid-query", "what")), exitUsage, "what"},
		{"doctor --server " + away.URL, nil, exitUnreachable, "GRAPHY_ADMIN_ADDR"},
		{"graphs copy a b", answer("POST /graphs/a/copy", refusal(409, "not-possible", "b is there")), exitRefused, "b is there"},
		{"deadletters skip 1-0 --reason x -y", answer("POST /deadletters/1-0/skip", refusal(422, "invalid-payload", "no")), exitRefused, "no"},
		{"log import " + empty, answer("POST /import", imported("imported", "unchanged")), exitDone, ""},
		{"log import " + empty, answer("POST /import", imported("imported", "refused")), exitWrong, ""},
		{"log import " + empty, answer("POST /import", imported("refused", "refused")), exitRefused, ""},
		{"log import " + damaged, nil, exitWrong, "nothing was imported"},
		{"log import nowhere.zst", nil, exitUsage, "nowhere.zst"},
		{"log export a --file " + filepath.Join(t.TempDir(), "a"), answer("GET /export", object("no archive")), exitWrong, "not whole"},

		{"verify", nil, exitUsage, "--all"},
		{"verify a --all", nil, exitUsage, "not both"},
		{"verify a/b", nil, exitUsage, "an id is"},
		{"verify a --parallel -1", nil, exitUsage, "--parallel"},
		{"verify a --output yaml", nil, exitUsage, "table or json"},
		{"verify a --nonsense", nil, exitUsage, "see `graphy verify --help`"},
		{"verify a --server nonsense", nil, exitUsage, "address like"},
		{"verify a --server http://127.0.0.1:1 --redis-url redis://x", nil, exitUsage, "redis-url"},
		{"verfy a", nil, exitUsage, "did you mean `graphy verify`?"},
		{"graphs lst", nil, exitUsage, "did you mean `graphy graphs list`?"},
		{"graphs show", nil, exitUsage, "takes GRAPH"},
		{"graphs list --state asleep", nil, exitUsage, "parked"},
		{"graphs list --limit -1", nil, exitUsage, "--limit"},
		{"graphs delete a", nil, exitUsage, "--yes"},
		{"restore", nil, exitUsage, "takes the graphs"},
		{"restore a", nil, exitUsage, "--yes"},
		{"log import x --replace", nil, exitUsage, "--yes"},
		{"log import - --replace", nil, exitUsage, "nobody to ask"},
		{"log export a", nil, exitUsage, "--file"},
		{"log show a --since 5 --to 4", nil, exitUsage, "not above"},
		{"log diff a", nil, exitUsage, "--from"},
		{"log diff a --with b --to 4", nil, exitUsage, "with"},
		{"deadletters skip 1-0 --yes", nil, exitUsage, "--reason"},
		{"deadletters skip 1-0 --reason x", nil, exitUsage, "--yes"},
		{"deadletters retry 1-0 --reason=", nil, exitUsage, "--reason"},
		{"retain --all --events -4", nil, exitUsage, "--events"},
		{"conflicts list --status maybe", nil, exitUsage, "open or resolved"},
		{"token --graph x", nil, exitUsage, "ID=ROLE"},
		{"seed --events 0 --graph g", nil, exitUsage, "--events"},
		{"import x --graph a/b", nil, exitUsage, "an id is"},
		{"import x --graph a --batch 0", nil, exitUsage, "--batch"},
	} {
		got := newRig(t, test.answers).run(t.Context(), strings.Fields(test.args)...)
		if got.code != test.code || !strings.Contains(got.errors, test.words) {
			t.Errorf("graphy %s: exit code %d, said %q, want %d and %q in it", test.args, got.code, got.errors, test.code, test.words)
		}
	}
}

// Errors that are wrapped keep their exit code.
func TestCodeOf(t *testing.T) {
	for want, err := range map[int]error{
		exitDone: nil, exitWrong: errors.New("x"), exitUsage: usageError{errors.New("x")},
		exitUnreachable: &lostError{errors.New("x")}, exitRefused: &problemError{Status: 409},
		exitWarnings: &exitError{code: exitWarnings}, exitInterrupted: context.Canceled,
	} {
		if err != nil {
			err = fmt.Errorf("wrapped: %w", err)
		}
		if got := codeOf(err); got != want {
			t.Errorf("%v: got %d, want %d", err, got, want)
		}
	}
	if got := codeOf(&lostError{&panicError{"x"}}); got != exitWrong {
		t.Errorf("a handler that panicked: got %d, want %d", got, exitWrong)
	}
}

// What is destructive asks, and takes no for an answer.
func TestAsking(t *testing.T) {
	for _, args := range []string{"graphs delete a", "restore a", "deadletters skip 1-0 --reason x", "deadletters discard 1-0 --reason x", "log import --replace " + archiveFile(t)} {
		for in, goes := range map[string]bool{"": false, "n\n": false, "nonsense\n": false, "y\n": true, "YES\n": true} {
			r := newRig(t, map[string]http.HandlerFunc{"GET /graphs/a": object(someGraph + `,"snapshots":[],"clients":[]}`)})
			r.terminal, r.in = true, in
			got := r.run(t.Context(), strings.Fields(args)...)
			changed := false
			for _, request := range r.fake.asked() {
				changed = changed || !strings.HasPrefix(request, "GET ")
			}
			if changed != goes || got.code != exitRefused || !strings.Contains(got.errors, "? [y/N]") {
				t.Errorf("%s, answered %q: changed %v, exit code %d: %s", args, in, changed, got.code, got.errors)
			}
		}
	}
}

// A data folder that another process has is asked for from the server that has it, if it says so itself.
func TestLockedFolder(t *testing.T) {
	folder, elsewhere := t.TempDir(), t.TempDir()
	config := func(folder string) http.HandlerFunc {
		return object(fmt.Sprintf(`{"settings":[{"name":"GRAPHY_DATA_DIR","value":%q,"source":"default"}]}`, folder))
	}
	for _, test := range []struct {
		name   string
		config http.HandlerFunc
		code   int
		words  string
	}{
		{"it", config(folder), exitDone, "asking it"},
		{"another", config(elsewhere), exitUnreachable, "--server"},
		{"a relative one", config("./graphy-data"), exitUnreachable, "--server"},
		{"one that does not say", refusal(404, "not-found", "no"), exitUnreachable, "--server"},
		{"one that wants a token", refusal(401, "unauthenticated", "no"), exitRefused, "GRAPHY_TOKEN"},
	} {
		t.Run(test.name, func(t *testing.T) {
			fake := &fakeAdmin{answers: map[string]http.HandlerFunc{"GET /config": test.config, "GET /graphs": object(`{"graphs":[]}`)}}
			server := httptest.NewServer(fake)
			defer server.Close()
			t.Setenv("GRAPHY_ADMIN_ADDR", strings.TrimPrefix(server.URL, "http://"))
			c := newCLI()
			lock, err := embedded.Open(t.Context(), embedded.Options{Dir: folder})
			if err != nil {
				t.Fatal(err)
			}
			defer lock.Close()
			root := c.root()
			var out, notes strings.Builder
			root.SetArgs([]string{"graphs", "list", "--data-dir", folder})
			root.SetOut(&out)
			root.SetErr(&notes)
			if code := execute(t.Context(), root, &notes); code != test.code || !strings.Contains(notes.String(), test.words) {
				t.Errorf("exit code %d, said %q, want %d and %q in it", code, notes.String(), test.code, test.words)
			}
		})
	}
}
