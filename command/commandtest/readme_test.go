package commandtest

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const folder = "../../testdata/cases"

// TestEveryRuleHasItsCases holds the table of rules and cases against the cases: what a case says it shows is a rule, the
// rule names the case, and nothing else.
func TestEveryRuleHasItsCases(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(folder, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	cases := Load(t, folder)
	for _, c := range cases {
		for _, shown := range c.Shows {
			if !strings.Contains(string(text), strings.ReplaceAll(shown, "|", `\|`)) {
				t.Errorf("%q shows %q, which is no rule", c.Title, shown)
			}
		}
	}
	_, table, _ := strings.Cut(string(text), "\n## ")
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.ReplaceAll(strings.TrimSpace(line), `\|`, "\x00"), " | ")
		if len(cells) != 2 || cells[0] == "| rule" {
			continue
		}
		rule := strings.ReplaceAll(strings.TrimPrefix(cells[0], "| "), "\x00", "|")
		var want []string
		for _, c := range cases {
			if slices.ContainsFunc(c.Shows, func(shown string) bool { return strings.Contains(rule, shown) }) {
				want = append(want, c.Title)
			}
		}
		var got []string
		for name := range strings.SplitSeq(strings.TrimSuffix(cells[1], " |"), "<br>") {
			if !strings.HasPrefix(name, "*") { // shown elsewhere
				got = append(got, name)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%.60q: the table names %q, the cases are %q", rule, got, want)
		}
	}
}

func TestThereAreEnoughCases(t *testing.T) {
	if cases := Load(t, folder); len(cases) < 60 {
		t.Errorf("%d cases", len(cases))
	}
}
