package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	shellBlocks = regexp.MustCompile("(?ms)^```sh\n(.*?)^```$")
	inlineCode  = regexp.MustCompile("`(graphy [^`]+)`")
	assignments = regexp.MustCompile(`^(?:export )?(?:[A-Z_]+=\S* )*`)
)

// TestPagesOfOperationsNameWhatThereIs: every command line on the pages, and in the README, is one that is understood.
func TestPagesOfOperationsNameWhatThereIs(t *testing.T) {
	pages, err := filepath.Glob("operations/*.md")
	if err != nil || len(pages) != 3 {
		t.Fatalf("pages: %v, %v", pages, err)
	}
	seen := 0
	for _, page := range append(pages, "../../README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for _, block := range shellBlocks.FindAllSubmatch(text, -1) {
			lines = append(lines, strings.Split(string(block[1]), "\n")...)
		}
		for _, code := range inlineCode.FindAllSubmatch(text, -1) {
			lines = append(lines, string(code[1]))
		}
		for _, line := range lines {
			line, _, _ = strings.Cut(line, "  #")
			command, is := strings.CutPrefix(assignments.ReplaceAllString(line, ""), "graphy ")
			if !is {
				continue
			}
			seen++
			checkCommand(t, page, strings.TrimSpace(command))
		}
	}
	if seen < 40 {
		t.Errorf("only %d command lines were found", seen)
	}
}

func checkCommand(t *testing.T, page, line string) {
	t.Helper()
	args := strings.Fields(strings.NewReplacer(`"`, "", "VERSION", "7").Replace(line))
	cmd, rest, err := newRootCommand().Find(args)
	if err != nil {
		t.Errorf("%s: graphy %s: %v", page, line, err)
		return
	}
	if len(cmd.Commands()) > 0 && cmd.HasParent() {
		t.Errorf("%s: graphy %s: that is a family of commands", page, line)
	}
	if err := cmd.ParseFlags(rest); err != nil {
		t.Errorf("%s: graphy %s: %v", page, line, err)
	}
}
