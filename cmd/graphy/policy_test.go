package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"graphy/command"
)

func TestConflictPolicyFromEnvironmentFlagAndFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "policy.json")
	if err := os.WriteFile(file, []byte("\ufeff{\n  \"/data/*\": \"MERGE\"\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, environment string
		args              []string
		set               bool
	}{
		{name: "none"},
		{name: "environment", environment: `{"/title":"MANUAL"}`, set: true},
		{name: "flag", environment: `no JSON`, args: []string{"--conflict-policy", `{"":"SERVER_WINS"}`}, set: true},
		{name: "flag takes it away", environment: `{"/title":"MANUAL"}`, args: []string{"--conflict-policy", ""}},
		{name: "file", environment: "@" + file, set: true},
		{name: "empty object", environment: `{}`, set: true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("GRAPHY_CONFLICT_POLICY", test.environment)
			c, cmd := &config{}, &cobra.Command{}
			if err := c.bind(cmd); err != nil {
				t.Fatal(err)
			}
			if err := cmd.ParseFlags(test.args); err != nil {
				t.Fatal(err)
			}
			policy, err := c.conflictPolicy()
			if err != nil || (policy != nil) != test.set {
				t.Errorf("got %v, %v, want a policy: %v", policy, err, test.set)
			}
		})
	}
}

func TestBadConflictPolicyStopsTheStart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bad.json")
	if err := os.WriteFile(file, []byte(`{"/data/a/b":"BEST"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for policy, words := range map[string][]string{
		`{"/title":"merge"}`:                  {"GRAPHY_CONFLICT_POLICY", `"merge" does not exist`, `at "/title"`},
		`{"title":"MERGE"}`:                   {`at "title"`, "JSON Pointer"},
		`{"/title":7}`:                        {`at "/title"`},
		`{"/title":"MERGE","/title":"MERGE"}`: {"GRAPHY_CONFLICT_POLICY"},
		`MERGE`:                               {"GRAPHY_CONFLICT_POLICY", "JSON"},
		`["MERGE"]`:                           {"object"},
		` `:                                   {"JSON"},
		"@" + file:                            {file, `"BEST" does not exist`, `at "/data/a/b"`},
		"@" + file + ".not":                   {file + ".not", "no such file"},
		"@":                                   {"GRAPHY_CONFLICT_POLICY"},
	} {
		root := newRootCommand()
		root.SetArgs([]string{"serve", "--addr", "127.0.0.1:0", "--admin-addr", "", "--data-dir", "", "--conflict-policy", policy})
		err := root.ExecuteContext(t.Context())
		if err == nil {
			t.Fatalf("%s: it started", policy)
		}
		for _, word := range words {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%s: got %v, want %s in it", policy, err, word)
			}
		}
	}
}

func TestConflictPolicyOfTheDeploymentHolds(t *testing.T) {
	c := &config{Roles: allRoles, ConflictPolicy: `{"/title":"SERVER_WINS"}`}
	policy, err := c.conflictPolicy()
	if err != nil {
		t.Fatal(err)
	}
	back, err := openBackend(t.Context(), c, zap.NewNop(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	defer back.close()
	n := newNode(c, back, policy, nil, zap.NewNop())
	defer n.processor.Close(t.Context())
	do := func(user, body string) command.Outcome {
		t.Helper()
		parsed, err := command.NewParser(command.Limits{}).Parse([]byte(body), command.Identity{UserID: user})
		if err != nil {
			t.Fatal(err)
		}
		outcome, err := n.processor.Do(t.Context(), "g", parsed)
		if err != nil {
			t.Fatal(err)
		}
		return outcome
	}
	do("bob", `{"type":"CREATE_NODE","payload":{"id":"n1","title":"t"}}`)
	retitle := `{"type":"UPDATE_NODE_TITLE","payload":{"nodeId":"n1","title":"%s's"},"clientVersion":1}`
	do("bob", fmt.Sprintf(retitle, "bob"))
	if outcome := do("ann", fmt.Sprintf(retitle, "ann")); !strings.Contains(string(outcome.Result), `"title":"bob's"`) ||
		!strings.Contains(string(outcome.Conflict), `"strategy":"SERVER_WINS"`) {
		t.Errorf("got %s with conflict %s, want bob's title to stay", outcome.Result, outcome.Conflict)
	}
}
