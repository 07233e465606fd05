package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

var (
	tourSection = regexp.MustCompile(`(?ms)^## [^\n]*\bTour\b[^\n]*\n(.*)`)
	nextSection = regexp.MustCompile(`(?m)^## `)
	shellBlock  = regexp.MustCompile("(?ms)^```sh\n(.*?)^```$")
)

// TestREADMETour runs the blocks marked sh of the README's tour in one shell, as a newcomer pastes them while a server
// runs, with the test's own server and its binary in the place of the default ones. A line that fails, and an answer
// that says a path or a body in the README is wrong, fail the test. Afterwards everything is there after a restart.
func TestREADMETour(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if os.IsNotExist(err) {
		t.Skip("skipped: there is no README.md")
	}
	if err != nil {
		t.Fatal(err)
	}
	section := tourSection.FindSubmatch(readme)
	if section == nil {
		t.Fatal("README.md has no section Tour")
	}
	tour := string(section[1])
	if end := nextSection.FindStringIndex(tour); end != nil {
		tour = tour[:end[0]]
	}
	var script strings.Builder
	for _, block := range shellBlock.FindAllStringSubmatch(tour, -1) {
		script.WriteString(block[1])
	}
	if script.Len() == 0 {
		t.Fatal("the tour has no block marked sh")
	}
	s := start(t, "GRAPHY_DATA_DIR="+filepath.Join(t.TempDir(), "data"))
	s.paste(t, script.String())

	var graphs []string
	for _, item := range s.get(t, "/graphs").object(t).list("graphs") {
		graphs = append(graphs, object(item.(map[string]any)).text("graphId"))
	}
	if len(graphs) == 0 {
		t.Error("the tour has made no graph")
	}
	before := map[string]*replica{}
	for _, graph := range graphs {
		before[graph] = s.fold(t, graph)
	}
	if code := s.terminate(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	s.relaunch(t)
	for _, graph := range graphs {
		if difference := before[graph].differs(s.fold(t, graph)); difference != "" {
			t.Errorf("%s after a restart: %s", graph, difference)
		}
	}
}

// counted stands before a tour: curl notes what each call was answered, below a line of its own.
const counted = `curl() { command curl --max-time 30 -w '\nstatus %{http_code} of %{url_effective}\n' "$@"; }
`

// A mistake that the tour shows off is answered 409 or 422.
var answered = regexp.MustCompile(`(?m)^status (\d+) of (\S+)$`)

func (s *server) paste(t testing.TB, script string) {
	t.Helper()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("skipped: curl, which the tour uses, is not on the path")
	}
	for from, to := range map[string]string{
		"127.0.0.1:3000": strings.TrimPrefix(s.base, "http://"), "localhost:3000": strings.TrimPrefix(s.base, "http://"),
		"127.0.0.1:3001":             strings.TrimPrefix(s.admin, "http://"),
		"go run ./cmd/graphy import": binary + " import --server " + s.base,
		"go run ./cmd/graphy export": binary + " export --server " + s.base,
	} {
		script = strings.ReplaceAll(script, from, to)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	shell := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", counted+script)
	shell.Dir, shell.Env, shell.SysProcAttr, shell.WaitDelay = root, cleanEnv(), childAttributes(), time.Second
	said, err := shell.CombinedOutput()
	if err != nil {
		t.Fatalf("the tour fails: %v\n%s\nsaid:\n%s", err, script, said)
	}
	statuses := answered.FindAllSubmatch(said, -1)
	for _, status := range statuses {
		switch code := string(status[1]); {
		case strings.HasPrefix(code, "2"), code == "409", code == "422":
		default:
			t.Errorf("%s was answered %s", status[2], code)
		}
	}
	if calls := strings.Count(script, "curl "); len(statuses) != calls {
		t.Errorf("%d calls of curl, %d answers:\n%s", calls, len(statuses), said)
	}
	for line := range bytes.Lines(said) {
		if bytes.HasPrefix(line, []byte("{")) && !json.Valid(line) {
			t.Errorf("an answer is not JSON: %.300s", line)
		}
	}
}
