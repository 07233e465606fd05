package command_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"pgregory.net/rapid"

	"graphy/command"
)

func policy(t testing.TB, text string) *command.Policy {
	t.Helper()
	p, err := command.ParsePolicyConfig([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return p
}

func TestPolicyPatterns(t *testing.T) {
	tests := []struct {
		policy string
		want   map[string]string // by path
	}{
		{`{}`, map[string]string{"": "", "/title": ""}},
		{`{"":"MANUAL"}`, map[string]string{"": "MANUAL", "/title": "MANUAL", "/a/b": "MANUAL"}},
		{`{"/data":"MANUAL"}`, map[string]string{"": "", "/data": "MANUAL", "/data/x/y": "MANUAL", "/datas": "", "/x/data": ""}},
		{`{"/data/status":"MANUAL","/data":"MERGE"}`, map[string]string{"/data": "MERGE", "/data/x": "MERGE", "/data/status": "MANUAL", "/data/status/z": "MANUAL"}},
		{`{"/*":"MANUAL"}`, map[string]string{"": "", "/a": "MANUAL", "/a/b": "MANUAL"}},
		{`{"/*/x":"MANUAL","/data":"MERGE"}`, map[string]string{"/data/x": "MANUAL", "/data/y": "MERGE", "/x": "", "/a/x/z": "MANUAL"}},
		{`{"/*/x":"MANUAL","/data/*":"MERGE"}`, map[string]string{"/data/x": "MERGE", "/a/x": "MANUAL", "/a/y": ""}},
		{`{"/a/*/c":"MANUAL","/*/b/c":"MERGE","/a/b":"SERVER_WINS"}`, map[string]string{"/a/b/c": "MANUAL", "/a/b/d": "SERVER_WINS", "/x/b/c": "MERGE"}},
		{`{"/*/*":"MANUAL","/*":"MERGE","":"SERVER_WINS"}`, map[string]string{"": "SERVER_WINS", "/a": "MERGE", "/a/b": "MANUAL", "/a/b/c": "MANUAL"}},
		{`{"/a~1b":"MANUAL","/a~0b":"MERGE","/a~01b":"SERVER_WINS"}`, map[string]string{"/a~1b": "MANUAL", "/a~0b": "MERGE", "/a~01b": "SERVER_WINS", "/a/b": ""}},
		{`{"/":"MANUAL","/a/":"MERGE"}`, map[string]string{"/": "MANUAL", "/a/": "MERGE", "/a": "", "": ""}},
		{`{"/\u00e4\"\\\n":"MANUAL","/😀":"MERGE"}`, map[string]string{"/ä\"\\\n": "MANUAL", "/😀": "MERGE"}},
	}
	for _, test := range tests {
		p := policy(t, test.policy)
		for path, want := range test.want {
			if got := p.At(path); got != want {
				t.Errorf("%s at %q: got %q, want %q", test.policy, path, got, want)
			}
		}
	}
	if got := (*command.Policy)(nil).At("/x"); got != "" {
		t.Errorf("no policy: got %q", got)
	}
}

// TestPolicyPrefersTheLongestPattern holds a policy against the plain reading of its rule.
func TestPolicyPrefersTheLongestPattern(t *testing.T) {
	step := rapid.SampledFrom([]string{"a", "b", "*", "~0", "~1"})
	path := rapid.Custom(func(t *rapid.T) string {
		var text string
		for _, s := range rapid.SliceOfN(step, 0, 4).Draw(t, "steps") {
			text += "/" + s
		}
		return text
	})
	rapid.Check(t, func(t *rapid.T) {
		rules := rapid.MapOfN(path, rapid.SampledFrom([]string{"MANUAL", "MERGE", "CLIENT_WINS"}), 0, 8).Draw(t, "policy")
		text, err := json.Marshal(rules)
		if err != nil {
			t.Fatal(err)
		}
		p, err := command.ParsePolicyConfig(text)
		if err != nil {
			t.Fatal(err)
		}
		at := path.Draw(t, "path")
		best, want := "", ""
		for pattern, strategy := range rules {
			if patternFits(pattern, at) && (want == "" || isCloser(pattern, best)) {
				best, want = pattern, strategy
			}
		}
		if got := p.At(at); got != want {
			t.Errorf("%s at %q: got %q, want %q", text, at, got, want)
		}
	})
}

func patternFits(pattern, path string) bool {
	steps, at := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(steps) > len(at) {
		return false
	}
	for i := range steps {
		if steps[i] != "*" && steps[i] != at[i] {
			return false
		}
	}
	return true
}

func isCloser(pattern, than string) bool {
	a, b := strings.Split(pattern, "/"), strings.Split(than, "/")
	if len(a) != len(b) {
		return len(a) > len(b)
	}
	for i := range a {
		if (a[i] == "*") != (b[i] == "*") {
			return b[i] == "*"
		}
	}
	return false
}

func TestBadPolicies(t *testing.T) {
	tests := []struct {
		policy  string
		code    command.Code
		pointer string
	}{
		{`{"title":"MANUAL"}`, command.InvalidPayload, "/title"},
		{`{"/a~2":"MANUAL"}`, command.InvalidPayload, "/~1a~02"},
		{`{"/a~":"MANUAL"}`, command.InvalidPayload, "/~1a~0"},
		{`{"/a":"MANUAL","/b/c":"manual"}`, command.InvalidPayload, "/~1b~1c"},
		{`{"/a":""}`, command.InvalidPayload, "/~1a"},
		{`{"":"FIRST_WRITE_WINS"}`, command.InvalidPayload, "/"},
		{`{"/a":null}`, command.InvalidPayload, "/~1a"},
		{`{"/a":["MANUAL"]}`, command.InvalidPayload, "/~1a"},
		{`[]`, command.InvalidPayload, ""},
		{`"MANUAL"`, command.InvalidPayload, ""},
		{`{"/a":"MANUAL","/a":"MANUAL"}`, command.MalformedJSON, ""},
		{`{"/a":"MANUAL"`, command.MalformedJSON, ""},
		{``, command.MalformedJSON, ""},
		{policyOfBytes(command.MaxPolicy + 1), command.TooLarge, ""},
	}
	for _, test := range tests {
		_, configErr := command.ParsePolicyConfig([]byte(test.policy))
		_, bodyErr := command.ParsePolicy([]byte(test.policy), tab1)
		for _, err := range []error{configErr, bodyErr} {
			var refusal *command.Error
			if !errors.As(err, &refusal) || refusal.Code != test.code || len(refusal.Fields) > 0 && refusal.Fields[0].Pointer != test.pointer {
				t.Errorf("%.60s: got %+v, want %s at %q", test.policy, err, test.code, test.pointer)
			}
		}
	}
	if p := policy(t, policyOfBytes(command.MaxPolicy)); p.At("/p0007") != "MANUAL" {
		t.Error("the largest policy is not read")
	}
}

// policyOfBytes is a policy of many patterns and so many bytes.
func policyOfBytes(size int) string {
	text := strings.Builder{}
	for i := 0; text.Len() < size-100; i++ {
		fmt.Fprintf(&text, `,"/p%04d":"MANUAL"`, i)
	}
	last := size - text.Len() - len(`{,"/":"MANUAL"}`) + 1
	return "{" + text.String()[1:] + `,"/` + strings.Repeat("z", last) + `":"MANUAL"}`
}

// TestStrategyPrecedence: what the operation says, then its batch, then the graph, then the deployment, then the table.
func TestStrategyPrecedence(t *testing.T) {
	const mine = `{"type":"UPDATE_NODE","payload":{"nodeId":"n1","updates":{"x":3}}`
	tests := []struct {
		name, deployment, graph, body string
		want                          string
	}{
		{"default", "", "", mine + `,"clientVersion":3}`, "LAST_WRITE_WINS"},
		{"deployment", `{"/x":"MANUAL"}`, "", mine + `,"clientVersion":3}`, "MANUAL"},
		{"graph over deployment", `{"/x":"MANUAL"}`, `{"":"SERVER_WINS"}`, mine + `,"clientVersion":3}`, "SERVER_WINS"},
		{"deployment where the graph says nothing", `{"/x":"MANUAL"}`, `{"/y":"SERVER_WINS"}`, mine + `,"clientVersion":3}`, "MANUAL"},
		{"an empty graph policy", `{"/x":"MANUAL"}`, `{}`, mine + `,"clientVersion":3}`, "MANUAL"},
		{"command over graph", `{"/x":"MANUAL"}`, `{"/x":"SERVER_WINS"}`, mine + `,"clientVersion":3,"strategy":"CLIENT_WINS"}`, "CLIENT_WINS"},
		{"batch over graph", "", `{"/x":"SERVER_WINS"}`, `{"atomic":true,"clientVersion":3,"strategy":"MANUAL","operations":[` + mine + `}]}`, "MANUAL"},
		{"operation over batch", "", `{"/x":"SERVER_WINS"}`, `{"atomic":true,"clientVersion":3,"strategy":"MANUAL","operations":[` + mine + `,"strategy":"CLIENT_WINS"}]}`, "CLIENT_WINS"},
		{"graph in a batch", "", `{"/x":"SERVER_WINS"}`, `{"atomic":true,"clientVersion":3,"operations":[` + mine + `}]}`, "SERVER_WINS"},
		{"BATCH_UPDATE as a whole", "", `{"/x":"SERVER_WINS"}`, `{"type":"BATCH_UPDATE","clientVersion":3,"strategy":"MANUAL","payload":{"operations":[` + mine + `}]}}`, "MANUAL"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			opts := command.Options{}
			if test.deployment != "" {
				opts.Policy = policy(t, test.deployment)
			}
			s := newScene(t, opts)
			s.do("tab-1", say("CREATE_NODE", `{"id":"n1","x":1}`))
			s.do("tab-1", say("UPDATE_VIEWPORT", `{"x":1}`))
			if test.graph == "" {
				s.do("tab-1", say("UPDATE_VIEWPORT", `{"x":2}`))
			} else if _, err := s.submit(policyCommand(t, test.graph)); err != nil {
				t.Fatal(err)
			}
			s.do("tab-2", say("UPDATE_NODE", `{"nodeId":"n1","updates":{"x":2}}`))
			c, err := command.Parse([]byte(test.body), identityOf("tab-1"))
			if strings.Contains(test.body, "atomic") {
				c, _, _, err = command.ParseBatch([]byte(test.body), identityOf("tab-1"))
			}
			if err != nil {
				t.Fatal(err)
			}
			outcome, err := s.submit(c)
			if got := brief(outcome.Conflict); err != nil || !strings.HasPrefix(got, `node/n1 "/x" `+test.want+":") {
				t.Errorf("got %s, %v, want %s", got, err, test.want)
			}
		})
	}
}

// TestPolicyIsPartOfTheLog: it is an event like others, which every process and every later one obeys from there on.
func TestPolicyIsPartOfTheLog(t *testing.T) {
	s := newScene(t, command.Options{})
	other := s.site.start(t, command.Options{})
	s.do("tab-1", say("CREATE_NODE", `{"id":"n1","x":1}`))
	mustDo(t, other, say("UPDATE_VIEWPORT", `{"x":1}`, `"dryRun":true`))
	set := policyCommand(t, `{"/x":"MANUAL"}`)
	set.OperationID = "p"
	outcome, err := s.submit(set)
	if err != nil || string(outcome.Result) != `{"/x":"MANUAL"}` || outcome.Version != 2 {
		t.Fatalf("got %+v, %v", outcome, err)
	}
	if event := s.event(outcome); event.CommandType != command.SetPolicy || string(event.Policy) != `{"/x":"MANUAL"}` || len(event.Changes) > 0 || event.UserID != "u-owner" {
		t.Errorf("event: got %+v", event)
	}
	again, err := s.submit(set)
	wantAgain(t, "again", again, err, outcome)
	s.do("tab-2", say("UPDATE_NODE", `{"nodeId":"n1","updates":{"x":2}}`))
	for name, p := range map[string]*command.Processor{"same": s.p, "other": other, "restarted": s.site.start(t, command.Options{RecentEvents: 1})} {
		got, err := do(t, p, say("UPDATE_NODE", `{"nodeId":"n1","updates":{"x":3}}`, base(1)))
		if err != nil || !strings.HasPrefix(brief(got.Conflict), `node/n1 "/x" MANUAL:manual @3`) {
			t.Errorf("%s: got %s, %v", name, got.Conflict, err)
		}
	}
	if _, err := s.submit(policyCommand(t, `{}`)); err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]*command.Processor{"same": s.p, "other": other} {
		got, err := do(t, p, say("UPDATE_NODE", `{"nodeId":"n1","updates":{"x":3}}`, base(1), `"dryRun":true`))
		if err != nil || !strings.HasPrefix(brief(got.Conflict), `node/n1 "/x" LAST_WRITE_WINS:client @3`) {
			t.Errorf("%s, policy taken back: got %s, %v", name, got.Conflict, err)
		}
	}
}

// TestPolicyOfACommandBeforeIt in one append is obeyed, too, and taken back with it where the append is lost.
func TestPolicyOfACommandBeforeIt(t *testing.T) {
	s := newScene(t, command.Options{})
	s.do("tab-1", say("CREATE_NODE", `{"id":"n1","x":1}`))
	s.do("tab-2", say("UPDATE_NODE", `{"nodeId":"n1","updates":{"x":2}}`))
	for _, dry := range []bool{true, false} {
		set := policyCommand(t, `{"/x":"SERVER_WINS"}`)
		update := parse(t, say("UPDATE_NODE", `{"nodeId":"n1","updates":{"x":3}}`, base(1)))
		set.DryRun, update.DryRun = dry, dry
		results := s.p.DoEach(t.Context(), "g", []*command.Command{set, update})
		if results[1].Err != nil || !strings.HasPrefix(brief(results[1].Outcome.Conflict), `node/n1 "/x" SERVER_WINS`) {
			t.Errorf("dry %v: got %+v", dry, results[1])
		}
		if dry {
			got := mustDo(t, s.p, say("UPDATE_NODE", `{"nodeId":"n1","updates":{"x":3}}`, base(1), `"dryRun":true`))
			if !strings.HasPrefix(brief(got.Conflict), `node/n1 "/x" LAST_WRITE_WINS`) {
				t.Errorf("after a dry run: got %s", got.Conflict)
			}
		}
	}
}
