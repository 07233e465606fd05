package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestImportsPointOneWay keeps the architecture: cmd → transport → command → projection → eventstore, and drivers in
// the adapters alone.
func TestImportsPointOneWay(t *testing.T) {
	layers := []string{"graphy/eventstore", "graphy/projection", "graphy/command", "graphy/transport", "graphy/cmd"}
	layer := func(path string) int {
		return slices.IndexFunc(layers, func(l string) bool { return path == l || strings.HasPrefix(path, l+"/") })
	}
	out, err := exec.CommandContext(t.Context(), "go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "graphy/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		from, imports := fields[0], fields[1:]
		for _, to := range imports {
			if layer(to) > layer(from) {
				t.Errorf("%s imports %s: imports point one way", from, to)
			}
			if slices.Contains(layers[:4], from) && strings.Contains(to, "rueidis") {
				t.Errorf("%s imports %s: drivers belong into the adapters below it", from, to)
			}
		}
	}
}
