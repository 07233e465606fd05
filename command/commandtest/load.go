package commandtest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/go-json-experiment/json"
)

// Load reads all cases of a folder, in the order of its files, and fails the test on what is not a case.
func Load(t testing.TB, dir string) []Case {
	t.Helper()
	cases, err := load(dir)
	if err != nil {
		t.Fatal(err)
	}
	return cases
}

func load(dir string) ([]Case, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("there are no cases in %s", dir)
	}
	slices.Sort(files)
	var all []Case
	titles := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		cases, err := decode(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		for _, c := range cases {
			c.File = filepath.Base(file)
			if err := c.check(); err != nil {
				return nil, fmt.Errorf("%s: %q: %w", file, c.Title, err)
			}
			if titles[c.Title] {
				return nil, fmt.Errorf("%s: there are two cases %q", file, c.Title)
			}
			titles[c.Title] = true
			all = append(all, c)
		}
	}
	return all, nil
}

func decode(text []byte) (cases []Case, err error) {
	return cases, json.Unmarshal(text, &cases, json.RejectUnknownMembers(true))
}

// check finds what a typing error would otherwise hide: a case that shows nothing passes.
func (c *Case) check() error {
	switch {
	case c.Title == "" || len(c.Shows) == 0:
		return fmt.Errorf("has no title, or does not say what it shows")
	case len(c.When) == 0:
		return fmt.Errorf("has no when")
	}
	for i, step := range c.Given {
		if step.Then != nil || step.Refused != "" {
			return fmt.Errorf("given %d: a history has no outcome", i)
		}
	}
	for i, step := range c.steps() {
		if err := step.check(); err != nil {
			return fmt.Errorf("step %d (%s): %w", i+1, step.Do, err)
		}
	}
	return nil
}

// bodies names the members that a body of each request may have beside those of commands.
var bodies = map[string][]string{
	"batch":   append([]string{"operations", "atomic"}, commandMembers...),
	"undo":    {"operationId", "force", "dryRun"},
	"redo":    {"operationId", "force", "dryRun"},
	"resolve": {"conflictId", "choice", "values", "operationId"},
	"policy":  {"policy"},
	"GET":     {"path"},
	"restart": {},
	"trim":    {"through"},
}

var commandMembers = []string{"operationId", "clientVersion", "hash", "timestamp", "strategy", "gestureId", "dryRun", "payload"}

func (s *Step) check() error {
	if s.Do == "" {
		return fmt.Errorf("does not say what to do")
	}
	if _, err := clientOf(s.By); err != nil {
		return err
	}
	known, own := bodies[s.Do]
	if !own {
		known = commandMembers
	}
	for name := range s.Body {
		if !slices.Contains(known, name) && name != "unknown" {
			return fmt.Errorf("%q is no member of it", name)
		}
	}
	if s.Then == nil {
		return nil
	}
	if s.Refused != "" && (s.Then.Answer != nil || s.Then.Event != nil || s.Then.Events != nil) {
		return fmt.Errorf("a refused request has no event and no other answer")
	}
	for client := range s.Then.Messages {
		if _, err := clientOf(client); err != nil {
			return err
		}
	}
	return nil
}

func (c *Case) steps() []Step { return slices.Concat(c.Given, c.When) }

// Clients returns who takes part, in order of appearance.
func (c *Case) Clients() []Client {
	var clients []Client
	for _, step := range c.steps() {
		client, _ := clientOf(step.By)
		if !slices.Contains(clients, client) {
			clients = append(clients, client)
		}
	}
	return clients
}

// Does returns the first step that does something, and whether there is one.
func (c *Case) Does(what string) (Step, bool) {
	for _, step := range c.steps() {
		if step.Do == what {
			return step, true
		}
	}
	return Step{}, false
}
