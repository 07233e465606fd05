package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"graphy/transport"
)

// clearSettings takes all settings out of the environment of the test.
func clearSettings(t *testing.T) {
	t.Helper()
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "GRAPHY_") {
			t.Setenv(name, "")
			if err := os.Unsetenv(name); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// Every flag of serve is a setting, named as its help says.
func TestEveryFlagIsASetting(t *testing.T) {
	clearSettings(t)
	cmd := &cobra.Command{}
	if err := (&config{}).bind(cmd); err != nil {
		t.Fatal(err)
	}
	listed := map[string]transport.Setting{}
	for _, setting := range settingsOf(cmd.Flags()) {
		listed[setting.Name] = setting
		if setting.Source != "default" {
			t.Errorf("%s comes from %s in an empty environment", setting.Name, setting.Source)
		}
	}
	cmd.Flags().VisitAll(func(flag *pflag.Flag) {
		if variableOf(flag) == "" {
			t.Errorf("--%s is no setting: its help lacks its variable", flag.Name)
		}
	})
	for _, name := range []string{"GRAPHY_ADDR", "GRAPHY_MAX_BODY", "GRAPHY_JWT_SECRET", "GRAPHY_RETAIN", "GRAPHY_RATE_LIMIT"} {
		if listed[name].Name == "" {
			t.Errorf("%s is not listed", name)
		}
	}
}

func TestConfigCommand(t *testing.T) {
	clearSettings(t)
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("k7Jq0ZpX2vWm9TgLr5YbNc8HsDf3AeUx\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"GRAPHY_REDIS_URL": "rediss://user:pa@ss@h:1/3?key=k&sentinel_password=x", "GRAPHY_JWT_SECRET": "k7Jq0ZpX2vWm9TgLr5YbNc8HsDf3AeUx",
		"GRAPHY_ADMIN_ADDR": "", "GRAPHY_ADDR": "", "GRAPHY_ROLES": "api,projector", "GRAPHY_TOKEN": "t", "GRAPHY_SNAPSHOT_EVENT": "7", "GRAPHY_XYZZY_PLUGH": "",
		"GRAPHY_ARCHIVE": "s3://bucket/prefix?region=eu&endpoint=https://s3.example.org",
	} {
		t.Setenv(name, value)
	}
	r := newRig(t, nil)
	os.Setenv("GRAPHY_TOKEN", "t")
	got := r.run(t.Context(), "config", "--output", "json", "--snapshot-events", "9", "--data-dir", "relative")
	listed := map[string]transport.Setting{}
	for line := range strings.Lines(got.out) {
		var setting transport.Setting
		if err := json.Unmarshal([]byte(line), &setting); err != nil {
			t.Fatal(err)
		}
		listed[setting.Name] = setting
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []transport.Setting{
		{Name: "GRAPHY_REDIS_URL", Value: "rediss://***@h:1/3?key=***&sentinel_password=***", Source: "environment"},
		{Name: "GRAPHY_JWT_SECRET", Value: "***", Source: "environment", Secret: true},
		{Name: "GRAPHY_ADMIN_ADDR", Value: "", Source: "environment"},
		{Name: "GRAPHY_ADDR", Value: "127.0.0.1:3000", Source: "default"},
		{Name: "GRAPHY_ROLES", Value: "api,projector", Source: "environment"},
		{Name: "GRAPHY_SNAPSHOT_EVENTS", Value: "9", Source: "flag"},
		{Name: "GRAPHY_DATA_DIR", Value: filepath.Join(here, "relative"), Source: "flag"},
		{Name: "GRAPHY_MAX_DEPTH", Value: "32", Source: "default"},
		{Name: "GRAPHY_ARCHIVE", Value: "s3://bucket/prefix?region=eu&endpoint=https://s3.example.org", Source: "environment"},
	} {
		if listed[want.Name] != want {
			t.Errorf("got %+v, want %+v", listed[want.Name], want)
		}
	}
	if got.code != 0 || strings.Contains(got.out, "k7Jq") || strings.Contains(got.out, "pa@ss") {
		t.Errorf("exit code %d: %s%s", got.code, got.out, got.errors)
	}
	want := "warning: GRAPHY_SNAPSHOT_EVENT is no setting and has no effect; did you mean GRAPHY_SNAPSHOT_EVENTS?\n" +
		"warning: GRAPHY_XYZZY_PLUGH is no setting and has no effect\n"
	if got.errors != want {
		t.Errorf("got %q, want %q", got.errors, want)
	}
	if table := r.run(t.Context(), "config", "--quiet"); table.code != 0 || table.errors != "" || !strings.Contains(table.out, "GRAPHY_JWT_SECRET") || strings.Contains(table.out, "k7Jq") {
		t.Errorf("exit code %d: %s%s", table.code, table.out, table.errors)
	}
	if file := r.run(t.Context(), "config", "--jwt-secret", "@"+secret, "--quiet"); !strings.Contains(file.out, "@"+secret) || file.code != 0 {
		t.Errorf("exit code %d: %s", file.code, file.errors)
	}
	for _, refused := range [][]string{{"--addr", "0.0.0.0:1", "--jwt-secret", ""}, {"--jwt-secret", "weak"}, {"--roles", "none"}, {"--conflict-policy", "x"}} {
		if got := r.run(t.Context(), append([]string{"config", "--quiet"}, refused...)...); got.code != exitWrong || !strings.Contains(got.errors, "serve would not start") {
			t.Errorf("%v: exit code %d: %s", refused, got.code, got.errors)
		}
	}
	t.Setenv("GRAPHY_MAX_BODY", "many")
	if got := r.run(t.Context(), "config"); got.code != exitUsage {
		t.Errorf("exit code %d: %s", got.code, got.errors)
	}
}

func TestWithoutPassword(t *testing.T) {
	for url, want := range map[string]string{
		"redis://h:1": "redis://h:1", "redis://u:p?w@h:1": "redis://***", "redis://u@h": "redis://***@h",
		"s3://b?access_key_id=1&region=eu": "s3://b?access_key_id=***&region=eu", "https://keys.example.org/jwks": "https://keys.example.org/jwks",
	} {
		if got := withoutPassword(url); got != want {
			t.Errorf("%s: got %s, want %s", url, got, want)
		}
	}
}

func TestNearest(t *testing.T) {
	known := map[string]bool{"GRAPHY_ADDR": true, "GRAPHY_ADMIN_ADDR": true, "GRAPHY_ROLES": true}
	for name, want := range map[string]string{"GRAPHY_ROLE": "GRAPHY_ROLES", "GRAPHY_ADRR": "GRAPHY_ADDR", "GRAPHY_ADMINADDR": "GRAPHY_ADMIN_ADDR", "GRAPHY_NOTHING": ""} {
		if got := nearest(name, known); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	for _, pair := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"abc", "", 3}, {"", "ab", 2}, {"kitten", "sitting", 3}, {"flaw", "lawn", 2}} {
		if got := distance(pair.a, pair.b); got != pair.want {
			t.Errorf("%s, %s: got %d, want %d", pair.a, pair.b, got, pair.want)
		}
	}
}
