package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"graphy/command"
)

func TestLimitsFromEnvironmentAndFlags(t *testing.T) {
	for name, value := range map[string]string{"BODY": "2097152", "ENTITY": "1048576", "TITLE": "8192", "DEPTH": "64", "OPERATIONS": "5",
		"NODES": "6", "EDGES": "", "CONNECTIONS": "7", "CONNECTIONS_USER": "8"} {
		t.Setenv("GRAPHY_MAX_"+name, value)
	}
	c, cmd := &config{}, &cobra.Command{}
	if err := c.bind(cmd); err != nil {
		t.Fatal(err)
	}
	want := limits{2 << 20, 1 << 20, 8192, 64, 5, 6, command.MaxEdges, 7, 10_000, 8}
	if c.Limits != want {
		t.Errorf("from the environment: got %+v, want %+v", c.Limits, want)
	}
	if err := cmd.ParseFlags([]string{"--max-body=16777216", "--max-entity=2", "--max-title=1", "--max-depth=1000", "--max-operations=4",
		"--max-nodes=5", "--max-edges=6", "--max-connections-graph=9"}); err != nil {
		t.Fatal(err)
	}
	want = limits{16 << 20, 2, 1, 1000, 4, 5, 6, 7, 9, 8}
	if c.Limits != want {
		t.Errorf("from flags: got %+v, want %+v", c.Limits, want)
	}
	if got, want := c.Limits.ofCommands(), (command.Limits{Entity: 2, Title: 1, Depth: 1000, Operations: 4, Nodes: 5, Edges: 6}); got != want {
		t.Errorf("of commands: got %+v, want %+v", got, want)
	}
	if err := c.check(); err != nil {
		t.Error(err)
	}
}

func TestLimitsThatAreNoNumbers(t *testing.T) {
	t.Setenv("GRAPHY_MAX_BODY", "2MiB")
	if err := (&config{}).bind(&cobra.Command{}); err == nil || !strings.Contains(err.Error(), "MaxBody") || !strings.Contains(err.Error(), "2MiB") {
		t.Errorf("got %v, want an error with MaxBody and 2MiB", err)
	}
}

func TestSenselessLimitsAreRefused(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(*limits)
		want  string // in the error; "" for none
	}{
		{"no body", func(l *limits) { l.MaxBody = 0 }, "GRAPHY_MAX_BODY is 0"},
		{"no entity", func(l *limits) { l.MaxEntity = 0 }, "GRAPHY_MAX_ENTITY is 0"},
		{"no title", func(l *limits) { l.MaxTitle = -1 }, "GRAPHY_MAX_TITLE is -1"},
		{"no depth", func(l *limits) { l.MaxDepth = 0 }, "GRAPHY_MAX_DEPTH is 0"},
		{"no operations", func(l *limits) { l.MaxOperations = 0 }, "GRAPHY_MAX_OPERATIONS is 0"},
		{"no nodes", func(l *limits) { l.MaxNodes = -5 }, "GRAPHY_MAX_NODES is -5"},
		{"no edges", func(l *limits) { l.MaxEdges = 0 }, "GRAPHY_MAX_EDGES is 0"},
		{"body of 1 GiB", func(l *limits) { l.MaxBody = 1 << 30 }, "GRAPHY_MAX_BODY is 1073741824: give at most 16777216"},
		{"too deep", func(l *limits) { l.MaxDepth = 1001 }, "GRAPHY_MAX_DEPTH is 1001: give at most 1000"},
		{"entity over the body", func(l *limits) { l.MaxEntity = 2 << 20 }, "GRAPHY_MAX_ENTITY is 2097152, above GRAPHY_MAX_BODY"},
		{"title over the entity", func(l *limits) { l.MaxTitle = 1 << 20 }, "GRAPHY_MAX_TITLE is 1048576, above GRAPHY_MAX_ENTITY"},
		{"small body", func(l *limits) { l.MaxBody = 2000 }, ""},
		{"small entity", func(l *limits) { l.MaxEntity = 2000 }, ""},
		{"all as large as the body", func(l *limits) { l.MaxEntity, l.MaxTitle = l.MaxBody, l.MaxBody }, ""},
	}
	for _, test := range tests {
		l := usualLimits()
		test.spoil(&l)
		switch err := l.check(); {
		case test.want == "" && err != nil:
			t.Errorf("%s: got %v, want none", test.name, err)
		case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%s: got %v, want an error with %q", test.name, err, test.want)
		}
	}
}

// TestConfiguredLimitsHold: those of a body, of what a command holds, and of what a graph grows to, in a wired process.
func TestConfiguredLimitsHold(t *testing.T) {
	c := &config{Roles: allRoles, Limits: usualLimits()}
	c.Limits.MaxBody, c.Limits.MaxTitle, c.Limits.MaxNodes = 200, 10, 1
	back, err := openBackend(t.Context(), c, zap.NewNop(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	defer back.close()
	n := newNode(c, back, nil, nil, zap.NewNop())
	defer n.processor.Close(t.Context())
	post := func(payload string) int {
		request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://127.0.0.1/api/v2/graphs/g/command",
			strings.NewReader(`{"type":"CREATE_NODE","payload":`+payload+`}`))
		request.Header.Set("Content-Type", "application/json")
		answer := httptest.NewRecorder()
		n.server.Handler().ServeHTTP(answer, request)
		return answer.Code
	}
	steps := []struct {
		name, payload string
		want          int
	}{
		{"body", `{"x":"` + strings.Repeat("x", 200) + `"}`, http.StatusRequestEntityTooLarge},
		{"title", `{"title":"12345678901"}`, http.StatusRequestEntityTooLarge},
		{"fitting", `{"title":"1234567890"}`, http.StatusAccepted},
		{"second node", `{"title":"2"}`, http.StatusRequestEntityTooLarge},
	}
	for _, step := range steps { // in order: the third fills the graph
		if got := post(step.payload); got != step.want {
			t.Errorf("%s: got %d, want %d", step.name, got, step.want)
		}
	}
}
