package main

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// Every command has a help with an example of its own, and says where its exit codes are told.
func TestHelp(t *testing.T) {
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		for _, child := range cmd.Commands() {
			if child.Name() != "completion" && child.Name() != "help" && !child.IsAdditionalHelpTopicCommand() {
				walk(child)
			}
		}
		path := cmd.CommandPath()
		if cmd.Short == "" || cmd.Long == "" || !cmd.Runnable() {
			t.Errorf("%s: no help", path)
		}
		if !strings.Contains(cmd.Example, "  "+path) && !strings.Contains(cmd.Example, " "+path+" ") {
			t.Errorf("%s has no example of itself:\n%s", path, cmd.Example)
		}
		if !cmd.HasSubCommands() && !strings.Contains(cmd.Long, "graphy help exit-codes") {
			t.Errorf("%s does not say where exit codes are told", path)
		}
		for line := range strings.Lines(cmd.Long + "\n" + cmd.Example) {
			if len(line) > 130 {
				t.Errorf("%s: a line of %d bytes: %s", path, len(line), line)
			}
		}
		parse(t, cmd)
	}
	root := newRootCommand()
	root.InitDefaultHelpCmd()
	walk(root)
}

// parse checks that the examples are what the commands take.
func parse(t *testing.T, cmd *cobra.Command) {
	for line := range strings.Lines(cmd.Example) {
		line, _, _ = strings.Cut(strings.TrimSpace(line), " #")
		line, _, _ = strings.Cut(line, " | ")
		line, _, _ = strings.Cut(line, " > ")
		words := splitWords(line)
		for len(words) > 0 && (strings.Contains(words[0], "=") || words[0] == "export") && words[0] != "graphy" {
			words = words[1:]
		}
		if len(words) == 0 || words[0] != "graphy" {
			continue // of another program
		}
		root := newRootCommand()
		found, rest, err := root.Find(words[1:])
		if err == nil {
			err = found.ParseFlags(rest)
		}
		if err == nil && found.Args != nil {
			err = found.ValidateArgs(found.Flags().Args())
		}
		if err == nil && found.PreRunE != nil && !strings.HasPrefix(line, "GRAPHY_JWT") {
			err = found.PreRunE(found, found.Flags().Args())
		}
		if err != nil {
			t.Errorf("%s: the example %q: %v", cmd.CommandPath(), line, err)
		}
	}
}

// splitWords is what a shell does to a simple line.
func splitWords(line string) []string {
	var words []string
	quoted := false
	for _, word := range strings.FieldsFunc(line, func(r rune) bool {
		if r == '\'' {
			quoted = !quoted
		}
		return r == ' ' && !quoted
	}) {
		words = append(words, strings.Trim(word, "'"))
	}
	return words
}

func TestHelpTopics(t *testing.T) {
	for args, want := range map[string]string{
		"help exit-codes": "130  Interrupted", "help": "Keeping logs", "log": "export and import without \"log\" are about drawings",
		"help import": "graphy log import", "import --help": "graphy log import", "help log import": "graphy import brings in a drawing",
	} {
		root := newRootCommand()
		var out bytes.Buffer
		root.SetArgs(strings.Fields(args))
		root.SetOut(&out)
		root.SetErr(io.Discard)
		if code := execute(t.Context(), root, io.Discard); code != 0 || !strings.Contains(strings.Join(strings.Fields(out.String()), " "), strings.Join(strings.Fields(want), " ")) {
			t.Errorf("%s: exit code %d, want %q in\n%s", args, code, want, out.String())
		}
	}
}

func TestCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		root := newRootCommand()
		var out bytes.Buffer
		root.SetArgs([]string{"completion", shell})
		root.SetOut(&out)
		if code := execute(t.Context(), root, io.Discard); code != 0 || !strings.Contains(out.String(), "graphy") {
			t.Errorf("%s: exit code %d, %d bytes", shell, code, out.Len())
		}
	}
	graphs := object(`{"graphs":[{"graphId":"demo"},{"graphId":"demo-2"},{"graphId":"other"}]}`)
	for args, want := range map[string]string{
		"log ":                   "show tail diff export import :4",
		"deadl":                  "deadletters :4",
		"graphs list --state ":   "ok behind parked broken :4",
		"verify --output ":       "table json :4",
		"conflicts list --stat":  "--status :4",
		"verify de":              "demo demo-2 :4",
		"graphs show demo ":      ":4",
		"log diff oth":           "other :4",
		"rebuild demo other d":   "demo demo-2 :4",
		"import --graph g x.jso": ":0",
	} {
		r := newRig(t, map[string]http.HandlerFunc{"GET /graphs": graphs})
		words := strings.Split(args, " ")
		got := r.complete(words...)
		var names []string
		for line := range strings.Lines(got) {
			name, _, _ := strings.Cut(strings.TrimSpace(line), "\t")
			names = append(names, name)
		}
		if missing := lacks(names, strings.Fields(want)); missing != "" {
			t.Errorf("%q: got %v, want %s", args, names, missing)
		}
	}
}

// lacks returns a wanted name that is not there, or one that is there and not wanted, if that is the end.
func lacks(names, want []string) string {
	if len(names) != len(want) {
		return strings.Join(want, " ")
	}
	seen := map[string]bool{}
	for _, name := range names {
		seen[name] = true
	}
	for _, name := range want {
		if !seen[name] {
			return name
		}
	}
	return ""
}
