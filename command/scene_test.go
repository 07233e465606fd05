package command_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"graphy/command"
	"graphy/projection"
)

// scene is a graph on which clients act one after the other, each a second later.
type scene struct {
	t    testing.TB
	site *site
	p    *command.Processor
	now  *atomic.Int64 // Unix ms
}

func newScene(t testing.TB, opts command.Options) *scene {
	t.Helper()
	s, _ := newSite()
	now := &atomic.Int64{}
	opts.Now = func() time.Time { return time.UnixMilli(now.Load()) }
	return &scene{t: t, site: s, p: s.start(t, opts), now: now}
}

// say is the body of a command; more are further members of it.
func say(commandType, payload string, more ...string) string {
	return strings.Join(append([]string{`{"type":"` + commandType + `","payload":` + payload}, more...), ",") + "}"
}

func base(version int) string { return fmt.Sprintf(`"clientVersion":%d`, version) }

func strategyIs(name string) string { return `"strategy":"` + name + `"` }

func identityOf(client string) command.Identity {
	return command.Identity{UserID: "u-" + client, ClientID: client}
}

// try has a client send a command, and checks what holds of all answers and histories.
func (s *scene) try(client, body string) (command.Outcome, error) {
	s.t.Helper()
	c, err := command.Parse([]byte(body), identityOf(client))
	if err != nil {
		return command.Outcome{}, err
	}
	return s.submit(c)
}

func (s *scene) submit(c *command.Command) (command.Outcome, error) {
	s.t.Helper()
	s.now.Add(1000)
	head := s.site.head(s.t)
	outcome, err := s.p.Do(context.Background(), "g", c)
	graph := s.site.fold(s.t)
	if err != nil {
		if graph.Position.Version != head {
			s.t.Errorf("refused with %v, and at version %d", err, graph.Position.Version)
		}
		return outcome, err
	}
	event := s.event(outcome)
	if string(event.Conflict) != string(outcome.Conflict) {
		s.t.Errorf("conflict: told %s, in the log %s", outcome.Conflict, event.Conflict)
	}
	s.checkReverted(graph, outcome)
	for id := range graph.All(projection.Edge) {
		if source, target := graph.Ends(id); !graph.Has(projection.Node, source) || !graph.Has(projection.Node, target) {
			s.t.Errorf("I8: edge %s from %s to %s", id, source, target)
		}
	}
	return outcome, nil
}

// checkReverted: the sender falls back to the server's values of what lost paths, or has paths left open, and of nothing
// else.
func (s *scene) checkReverted(graph *projection.Graph, outcome command.Outcome) {
	s.t.Helper()
	lost := map[command.Target]bool{}
	open := false
	for path := range projection.Elements(projection.Member(outcome.Conflict, "paths")) {
		switch projection.Text(projection.Member(path, "resolution")) {
		case "manual":
			open = true
			fallthrough
		case "server":
			lost[command.Target{Kind: projection.Kind(projection.Text(projection.Member(path, "kind"))), ID: projection.Text(projection.Member(path, "id"))}] = true
		}
	}
	if outcome.Duplicate {
		return
	}
	for _, reverted := range outcome.Reverted {
		value := graph.Value(reverted.Kind, reverted.ID)
		if reverted.Kind == projection.Viewport {
			value = graph.ViewportValue()
		}
		if !lost[reverted.Target] || string(value) != string(reverted.Value) {
			s.t.Errorf("reverted %v to %s, want %s", reverted.Target, reverted.Value, value)
		}
		delete(lost, reverted.Target)
	}
	if len(lost) > 0 {
		s.t.Errorf("not reverted: %v", lost)
	}
	if want := map[bool]string{true: command.StatusConflict, false: command.StatusProcessing}[open]; outcome.Status != want {
		s.t.Errorf("status: got %s, want %s", outcome.Status, want)
	}
}

func (s *scene) do(client, body string) command.Outcome {
	s.t.Helper()
	outcome, err := s.try(client, body)
	if err != nil {
		s.t.Fatalf("%.300s: %v", body, err)
	}
	return outcome
}

// event returns the event of an outcome from the log.
func (s *scene) event(outcome command.Outcome) projection.Event {
	s.t.Helper()
	entries, err := s.site.log.Read(context.Background(), "g", outcome.Version-1, 1)
	if err != nil || len(entries) != 1 {
		s.t.Fatalf("event %d: %v", outcome.Version, err)
	}
	event, err := projection.DecodeEvent(entries[0].Data)
	if err != nil {
		s.t.Fatal(err)
	}
	return event
}

// bare returns an entity without its stamps, or any other value.
func bare(value jsontext.Value) string {
	if value.Kind() != '{' {
		return string(value)
	}
	return string(projection.Overlay(value, []byte(`{"createdAt":null,"updatedAt":null}`)))
}

// brief writes a conflict a line for each path: entity, path, strategy:resolution, by, base|server|client|written.
func brief(conflict jsontext.Value) string {
	var lines []string
	for path := range projection.Elements(projection.Member(conflict, "paths")) {
		at := func(name string) jsontext.Value { return projection.Member(path, name) }
		text := func(name string) string { return projection.Text(at(name)) }
		lines = append(lines, fmt.Sprintf("%s/%s %q %s:%s @%s %s|%s|%s|%s", text("kind"), text("id"), text("path"), text("strategy"), text("resolution"),
			projection.Member(at("by"), "version"), bare(at("base")), bare(at("server")), bare(at("client")), bare(at("written"))))
	}
	return strings.Join(lines, "\n")
}

// valueAt returns what stands at a path of plain names, "null" if nothing does.
func valueAt(value jsontext.Value, path string) string {
	for _, step := range strings.Split(path, "/")[1:] {
		value = projection.Member(value, step)
	}
	if value == nil {
		return "null"
	}
	return string(value)
}

// policyCommand is a SET_POLICY of the owner.
func policyCommand(t testing.TB, policy string) *command.Command {
	t.Helper()
	c, err := command.ParsePolicy([]byte(policy), identityOf("owner"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// resolveCommand is a client's RESOLVE.
func resolveCommand(t testing.TB, client, id, body string) *command.Command {
	t.Helper()
	c, err := command.ParseResolve([]byte(body), id, identityOf(client))
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return c
}
