package command_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"graphy/command"
)

// deep is an array of so many levels.
func deep(levels int) string { return strings.Repeat("[", levels) + strings.Repeat("]", levels) }

// listOf is n items, made of their numbers.
func listOf(n int, item string) string {
	list := make([]string, n)
	for i := range list {
		list[i] = strings.ReplaceAll(item, "#", fmt.Sprint(i))
	}
	return strings.Join(list, ",")
}

// formLimits are the limits of a Parser: values of each below and above the default, and what holds exactly so much.
var formLimits = []struct {
	name      string
	set       func(l *command.Limits, value int)
	low, high int
	code      command.Code
	holding   map[string]func(n int) string
}{
	{"title", func(l *command.Limits, value int) { l.Title = value }, 5, command.MaxTitle + 100, command.TooLarge, map[string]func(int) string{
		"create": func(n int) string { return say("CREATE_NODE", `{"title":"`+strings.Repeat("x", n)+`"}`) },
		"update": func(n int) string {
			return say("UPDATE_NODE", `{"nodeId":"n0","updates":{"title":"`+strings.Repeat("x", n)+`"}}`)
		},
		"title": func(n int) string {
			return say("UPDATE_NODE_TITLE", `{"nodeId":"n0","title":"`+strings.Repeat("x", n)+`"}`)
		},
		"upsert": func(n int) string {
			return say("BATCH_UPDATE", `{"nodes":{"n1":{"title":"`+strings.Repeat("x", n)+`"}}}`)
		},
	}},
	{"entity", func(l *command.Limits, value int) { l.Entity = value }, 100, command.MaxEntity + 100, command.TooLarge, map[string]func(int) string{
		"create": func(n int) string { return say("CREATE_NODE", sized(`{"x":"#"}`, n)) },
		"update": func(n int) string { return say("UPDATE_NODE", `{"nodeId":"n0","updates":`+sized(`{"x":"#"}`, n)+`}`) },
		"edge":   func(n int) string { return say("CREATE_EDGE", sized(`{"source":"n0","target":"n0","x":"#"}`, n)) },
		"upsert": func(n int) string { return say("BATCH_UPDATE", `{"nodes":{"n1":`+sized(`{"x":"#"}`, n)+`}}`) },
		"upsert of an edge": func(n int) string {
			return say("BATCH_UPDATE", `{"edges":[`+sized(`{"source":"n0","target":"n0","x":"#"}`, n)+`]}`)
		},
	}},
	{"depth", func(l *command.Limits, value int) { l.Depth = value }, 3, command.MostDepth, command.InvalidPayload, map[string]func(int) string{
		"create": func(n int) string { return say("CREATE_NODE", `{"x":`+deep(n-1)+`}`) },
		"update": func(n int) string { return say("UPDATE_NODE", `{"nodeId":"n0","updates":{"x":`+deep(n-1)+`}}`) },
		"edge":   func(n int) string { return say("CREATE_EDGE", `{"source":"n0","target":"n0","x":`+deep(n-1)+`}`) },
		"upsert": func(n int) string { return say("BATCH_UPDATE", `{"nodes":{"n1":{"x":`+deep(n-1)+`}}}`) },
	}},
	{"operations", func(l *command.Limits, value int) { l.Operations = value }, 2, command.MaxOperations + 100, command.TooLarge, map[string]func(int) string{
		"operations": func(n int) string {
			return say("BATCH_UPDATE", `{"operations":[`+listOf(n, say("CREATE_NODE", `{"id":"n#"}`))+`]}`)
		},
		"upserts": func(n int) string { return say("BATCH_UPDATE", `{"nodes":{`+listOf(n, `"n#":{}`)+`}}`) },
		"batch":   func(n int) string { return `{"operations":[` + listOf(n, say("CREATE_NODE", `{"id":"n#"}`)) + `]}` },
		"atomic": func(n int) string {
			return `{"atomic":true,"operations":[` + listOf(n, say("CREATE_NODE", `{"id":"n#"}`)) + `]}`
		},
	}},
}

// sized puts as many bytes in the place of "#" as make the whole n bytes long.
func sized(object string, n int) string {
	return strings.Replace(object, "#", strings.Repeat("x", n-len(object)+1), 1)
}

// refusals parses a body, and what holds it as a part, in all ways that there are.
func refusals(p *command.Parser, body string) map[string]error {
	one := func(_ *command.Command, err error) error { return err }
	batch := func(body string) error {
		_, _, errs, err := p.ParseBatch([]byte(body), tab1)
		return errors.Join(append(errs, err)...)
	}
	if !strings.HasPrefix(body, `{"type"`) {
		return map[string]error{"batch": batch(body)}
	}
	came := map[string]error{
		"command": one(p.Parse([]byte(body), tab1)),
		"frame":   one(p.ParseFrame([]byte(`{"type":"command","data":`+body+`}`), tab1)),
		"flat":    one(p.ParseFrame([]byte(`{"type":"command","command"`+strings.TrimPrefix(body, `{"type"`)), tab1)),
	}
	if !strings.Contains(body, "BATCH_UPDATE") {
		came["atomic"] = batch(`{"atomic":true,"operations":[` + body + `]}`)
		came["each"] = batch(`{"operations":[` + body + `]}`)
		came["part"] = one(p.Parse([]byte(say("BATCH_UPDATE", `{"operations":[`+body+`]}`)), tab1))
	}
	return came
}

func TestLimitsOfAParser(t *testing.T) {
	for _, limit := range formLimits {
		for _, value := range []int{limit.low, limit.high} {
			var limits command.Limits
			limit.set(&limits, value)
			p := command.NewParser(limits)
			for name, holding := range limit.holding {
				for way, err := range refusals(p, holding(value)) {
					if err != nil {
						t.Errorf("%s of %d, %s in a %s: got %v, want none", limit.name, value, name, way, err)
					}
				}
				for way, err := range refusals(p, holding(value+1)) {
					wantCode(t, fmt.Sprintf("%s over %d, %s in a %s", limit.name, value, name, way), err, limit.code)
				}
			}
		}
	}
}

func TestLimitOfDepthInValues(t *testing.T) {
	for _, depth := range []int{3, command.MostDepth} {
		p := command.NewParser(command.Limits{Depth: depth})
		for levels, want := range map[int]command.Code{depth: "", depth + 1: command.InvalidPayload} {
			_, err := p.ParseResolve([]byte(`{"choice":"values","values":{"":`+deep(levels)+`}}`), "1-0", tab1)
			wantCode(t, fmt.Sprintf("%d levels, where %d are allowed", levels, depth), err, want)
		}
	}
}

// TestLimitsOfTheWholeWay: what a Parser lets through under raised limits, a Processor under the same writes, and the log
// folds to it.
func TestLimitsOfTheWholeWay(t *testing.T) {
	for _, limit := range formLimits {
		var limits command.Limits
		limit.set(&limits, limit.high)
		p := command.NewParser(limits)
		for name, holding := range limit.holding {
			t.Run(limit.name+"/"+name, func(t *testing.T) {
				value := limit.high
				if limit.name == "entity" {
					value -= 90 // for id and stamps
				}
				body := []byte(holding(value))
				s, _ := newSite()
				processor := s.start(t, command.Options{Limits: limits})
				mustDo(t, processor, say("CREATE_NODE", `{"id":"n0"}`))
				if limit.name == "operations" {
					mustDo(t, processor, say("DELETE_NODE", `{"nodeId":"n0"}`))
				}
				if !strings.HasPrefix(string(body), `{"type"`) {
					atomic, each, _, err := p.ParseBatch(body, tab1)
					if err != nil {
						t.Fatal(err)
					}
					if atomic != nil {
						each = []*command.Command{atomic}
					}
					for _, result := range processor.DoEach(t.Context(), "g", each) {
						if result.Err != nil {
							t.Fatal(result.Err)
						}
					}
				} else if c, err := p.Parse(body, tab1); err != nil {
					t.Fatal(err)
				} else if _, err := processor.Do(t.Context(), "g", c); err != nil {
					t.Fatal(err)
				}
				if s.fold(t).Len("node") < 1 {
					t.Error("nothing came of it")
				}
			})
		}
	}
}

// TestLimitsOfAProcessor: what entities and graphs may grow to is the Processor's word, whatever the command was parsed
// under. Each command is refused under the first limits, and accepted under the second.
func TestLimitsOfAProcessor(t *testing.T) {
	node := func(id string) string { return say("CREATE_NODE", `{"id":"`+id+`"}`) }
	edge := func(id string) string { return say("CREATE_EDGE", `{"id":"`+id+`","source":"n1","target":"n1"}`) }
	filled := func(bytes int) string { return strings.Repeat("x", bytes) }
	title := func(title string, more ...string) string {
		return say("UPDATE_NODE_TITLE", `{"nodeId":"n1","title":"`+title+`"}`, more...)
	}
	conflict := []string{say("CREATE_NODE", `{"id":"n1","title":"a","x":1}`), title("b"), title("c", base(1), strategyIs("MANUAL"))}
	resolving := func(id, values string) string {
		return "resolve " + id + ` {"choice":"values","values":` + values + `}`
	}
	set := func(what string, more ...string) string {
		return say("UPDATE_NODE", `{"nodeId":"n1","updates":`+what+`}`, more...)
	}
	tests := []struct {
		name         string
		before       []string // by clients that take turns
		body         string   // or "undo", by whom, or "resolve", what and how
		tight, loose command.Limits
		code         command.Code
	}{
		{"nodes", []string{node("n1"), node("n2")}, node("n3"), command.Limits{Nodes: 2}, command.Limits{Nodes: 3}, command.TooLarge},
		{"nodes that come back", []string{node("n1"), say("DELETE_NODE", `{"nodeId":"n1"}`), node("n2")}, "undo 1",
			command.Limits{Nodes: 1}, command.Limits{Nodes: 2}, command.TooLarge},
		{"edges", []string{node("n1"), edge("e1")}, edge("e2"), command.Limits{Edges: 1}, command.Limits{Edges: 2}, command.TooLarge},
		{"new entity", nil, say("CREATE_NODE", `{"x":"`+filled(100)+`"}`), command.Limits{Entity: 150}, command.Limits{Entity: 250}, command.TooLarge},
		{"new entity over the default", nil, say("CREATE_NODE", `{"x":"`+filled(command.MaxEntity-20)+`"}`),
			command.Limits{}, command.Limits{Entity: command.MaxEntity + 100}, command.TooLarge},
		{"entity that grows", []string{say("CREATE_NODE", `{"id":"n1","x":"`+filled(200<<10)+`"}`)},
			say("UPDATE_NODE", `{"nodeId":"n1","updates":{"y":"`+filled(100<<10)+`"}}`), command.Limits{}, command.Limits{Entity: 400 << 10}, command.TooLarge},
		{"entity that grows beyond less than the default", []string{say("CREATE_NODE", `{"id":"n1","x":"`+filled(100)+`"}`)},
			set(`{"y":"` + filled(100) + `"}`), command.Limits{Entity: 250}, command.Limits{Entity: 350}, command.TooLarge},
		{"entity that an undo fills", []string{say("CREATE_NODE", `{"id":"n1","x":"`+filled(100)+`"}`), set(`{"x":null}`), set(`{"y":"` + filled(100) + `"}`)},
			"undo 1", command.Limits{Entity: 250}, command.Limits{Entity: 350}, command.TooLarge},
		{"edges that come back", []string{node("n1"), edge("e1"), say("DELETE_EDGE", `{"edgeId":"e1"}`), edge("e2")}, "undo 0",
			command.Limits{Edges: 1}, command.Limits{Edges: 2}, command.TooLarge},
		{"open conflicts", append(conflict, say("CREATE_NODE", `{"id":"n2","x":1}`), say("UPDATE_NODE", `{"nodeId":"n2","updates":{"x":2}}`)),
			say("UPDATE_NODE", `{"nodeId":"n2","updates":{"x":3}}`, base(4), strategyIs("MANUAL")), command.Limits{Conflicts: 1}, command.Limits{Conflicts: 2}, command.TooLarge},
		{"conflict that an undo reopens", append(conflict, resolving("3-0", `{"/title":"d"}`), set(`{"x":2}`), set(`{"x":3}`, base(4), strategyIs("MANUAL"))),
			"undo 1", command.Limits{Conflicts: 1}, command.Limits{Conflicts: 2}, command.TooLarge},
		{"chosen depth", []string{say("CREATE_NODE", `{"id":"n1","data":{"a":1}}`), set(`{"data":{"a":2}}`), set(`{"data":{"a":3}}`, base(1), strategyIs("MANUAL"))},
			resolving("3-0", `{"/data/a":[[]]}`), command.Limits{Depth: 3}, command.Limits{Depth: 4}, command.InvalidPayload},
		{"chosen node", []string{say("CREATE_NODE", `{"id":"n1","title":"a"}`), say("CREATE_NODE", `{"id":"n1","title":"b"}`, base(0), strategyIs("MANUAL"))},
			resolving("2-0", `{"":{"title":"12345"}}`), command.Limits{Title: 4}, command.Limits{Title: 5}, command.TooLarge},
		{"chosen title", conflict, resolving("3-0", `{"/title":"12345"}`), command.Limits{Title: 4}, command.Limits{Title: 5}, command.TooLarge},
		{"chosen entity", conflict, resolving("3-0", `{"/title":"`+filled(100)+`"}`), command.Limits{Entity: 150}, command.Limits{Entity: 250}, command.TooLarge},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newScene(t, command.Options{})
			try := func(client, what string) error {
				t.Helper()
				var c *command.Command
				var err error
				switch how, rest, _ := strings.Cut(what, " "); how {
				case "undo":
					c, err = command.ParseUndo(nil, identityOf("tab-"+rest))
				case "resolve":
					id, body, _ := strings.Cut(rest, " ")
					c = resolveCommand(t, client, id, body)
				default:
					c, err = command.Parse([]byte(what), identityOf(client))
				}
				if err != nil {
					t.Fatal(err)
				}
				_, err = s.submit(c)
				return err
			}
			for i, what := range test.before {
				if err := try(fmt.Sprint("tab-", i%2), what); err != nil {
					t.Fatalf("%.100s: %v", what, err)
				}
			}
			under := func(limits command.Limits) error {
				t.Helper()
				s.p = s.site.start(t, command.Options{Limits: limits, Now: func() time.Time { return time.UnixMilli(s.now.Load()) }})
				return try("tab-2", test.body)
			}
			wantCode(t, "under the tight limits", under(test.tight), test.code)
			if err := under(test.loose); err != nil {
				t.Errorf("under the loose limits: got %v", err)
			}
		})
	}
}
