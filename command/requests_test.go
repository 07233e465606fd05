package command_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"graphy/command"
	"graphy/projection"
)

// request is anything that a client may ask for, as often as one likes.
type request struct {
	text  string
	parse func() (*command.Command, error)
}

func (r *request) command(t tester) *command.Command {
	t.Helper()
	c, err := r.parse()
	if err != nil {
		t.Fatalf("%s: %v", r.text, err)
	}
	return c
}

// requests draws requests of every kind: on few entities, with old bases, strategies, policies and resolutions.
type requests struct {
	t        *rapid.T
	count    int
	accepted int      // the head
	left     []string // ids of conflicts that were left open
}

func (r *requests) draw() request {
	t := r.t
	who := identityOf(fmt.Sprintf("tab-%d", rapid.IntRange(0, 2).Draw(t, "client")))
	id := fmt.Sprintf("o%d", r.count)
	r.count++
	special := func(what, body string, parse func([]byte, command.Identity) (*command.Command, error)) request {
		return request{fmt.Sprintf("%s by %s: %s", what, who.ClientID, body), func() (*command.Command, error) { return parse([]byte(body), who) }}
	}
	named := fmt.Sprintf(`{"operationId":%q`, id)
	switch kind := rapid.IntRange(0, 99).Draw(t, "request"); {
	case kind < 6:
		return special("undo", named+`}`, command.ParseUndo)
	case kind < 10:
		return special("redo", named+`,"force":true}`, command.ParseRedo)
	case kind < 14:
		policy := command.DrawPolicy(t)
		return special("policy", policy, func(body []byte, who command.Identity) (*command.Command, error) {
			c, err := command.ParsePolicy(body, who)
			if err == nil {
				c.OperationID = id
			}
			return c, err
		})
	case kind < 26:
		conflict := rapid.SampledFrom(append([]string{"1-0"}, r.left...)).Draw(t, "conflict")
		choice := rapid.SampledFrom([]string{`"client"`, `"server"`, `"values","values":{"/x":7}`, `"values","values":{"":{"x":8}}`}).Draw(t, "choice")
		return special("resolve "+conflict, named+`,"choice":`+choice+`}`, func(body []byte, who command.Identity) (*command.Command, error) {
			return command.ParseResolve(body, conflict, who)
		})
	case kind < 29:
		return special("command", named+fmt.Sprintf(`,"type":"RESTORE","payload":{"version":%d}}`, rapid.IntRange(0, r.accepted).Draw(t, "version")), command.Parse)
	case kind < 35:
		var parts []string
		for i := range rapid.IntRange(1, 3).Draw(t, "parts") {
			part := command.DrawContested(t)
			if strings.Contains(part, command.BatchUpdate) {
				part = `{"type":"CREATE_NODE","payload":{"id":"c"}}`
			}
			parts = append(parts, fmt.Sprintf(`{"operationId":"%s-%d",`, id, i)+part[1:len(part)-1]+r.strategy()+"}")
		}
		return special("batch", named+`,"atomic":true`+r.base()+r.strategy()+`,"operations":[`+strings.Join(parts, ",")+`]}`, func(body []byte, who command.Identity) (*command.Command, error) {
			c, _, _, err := command.ParseBatch(body, who)
			return c, err
		})
	case kind < 45:
		body := command.DrawCommand(t, true)
		return special("command", named+","+body[1:len(body)-1]+r.base()+r.strategy()+"}", command.Parse)
	}
	body := command.DrawContested(t)
	return special("command", named+","+body[1:len(body)-1]+r.base()+r.strategy()+"}", command.Parse)
}

func (r *requests) base() string {
	base := ""
	if age := rapid.IntRange(-1, 10).Draw(r.t, "age"); age >= 0 {
		base = fmt.Sprintf(`,"clientVersion":%d`, max(0, r.accepted-age))
	}
	if late := rapid.IntRange(-6, 6).Draw(r.t, "late"); late > 0 {
		base += fmt.Sprintf(`,"timestamp":%d`, late*late)
	}
	return base
}

func (r *requests) strategy() string {
	if name := rapid.SampledFrom([]string{"", "", "CLIENT_WINS", "SERVER_WINS", "LAST_WRITE_WINS", "MERGE", "MANUAL", "MANUAL"}).Draw(r.t, "strategy"); name != "" {
		return fmt.Sprintf(`,"strategy":%q`, name)
	}
	return ""
}

// note takes an accepted request into account.
func (r *requests) note(outcome command.Outcome) {
	r.accepted = int(outcome.Version)
	for path := range projection.Elements(projection.Member(outcome.Conflict, "paths")) {
		if id := projection.Text(projection.Member(path, "conflictId")); id != "" {
			r.left = append(r.left, id)
		}
	}
}

// wantAgain checks that a repetition got the first answer again.
func wantAgain(t tester, what string, got command.Outcome, err error, first command.Outcome) {
	t.Helper()
	if err != nil || !got.Duplicate || got.Version != first.Version || got.Hash != first.Hash || got.OperationID != first.OperationID ||
		got.Status != first.Status || !sameAnswer(got, first) {
		t.Errorf("%s: got %+v (%s, %s), %v,\nfirst %+v (%s, %s)", what, got, got.Result, got.Conflict, err, first, first.Result, first.Conflict)
	}
}

// sameAnswer compares what answers hold.
func sameAnswer(a, b command.Outcome) bool {
	return bytes.Equal(a.Result, b.Result) && bytes.Equal(a.Conflict, b.Conflict) && bytes.Equal(a.Skipped, b.Skipped) &&
		fmt.Sprint(a.Undoes, a.Redoes) == fmt.Sprint(b.Undoes, b.Redoes)
}

// TestRepetitionGetsTheFirstAnswer: whatever was asked for, and whatever has happened since.
func TestRepetitionGetsTheFirstAnswer(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s, _ := newSite()
		var processors []*command.Processor
		var clock atomic.Int64 // which never stands: two processes that decide the very same event are both first
		now := func() time.Time { return time.UnixMilli(clock.Add(1)) }
		for i := range 3 {
			processors = append(processors, command.New(s.log, s.models, s.recorder, command.Options{RecentEvents: 1 + 4*i*i, Now: now}))
		}
		defer func() {
			for _, p := range processors {
				p.Close(context.Background())
			}
		}()
		type sent struct {
			request
			first command.Outcome
		}
		var accepted []sent
		run := func(r request) (command.Outcome, error) {
			p := rapid.SampledFrom(processors).Draw(rt, "process")
			return p.Do(context.Background(), "g", r.command(rt))
		}
		drawn := requests{t: rt}
		for range rapid.IntRange(1, 40).Draw(rt, "requests") {
			r := drawn.draw()
			if first, err := run(r); err == nil {
				accepted = append(accepted, sent{r, first})
				drawn.note(first)
			} else if codeOf(err) == command.Internal || codeOf(err) == command.Unavailable {
				rt.Fatalf("%s: %v", r.text, err)
			}
			if len(accepted) > 0 && rapid.Bool().Draw(rt, "repeat") {
				earlier := rapid.SampledFrom(accepted).Draw(rt, "which")
				outcome, err := run(earlier.request)
				wantAgain(rt, earlier.text, outcome, err, earlier.first)
			}
		}
		for _, earlier := range accepted {
			outcome, err := run(earlier.request)
			wantAgain(rt, earlier.text, outcome, err, earlier.first)
			operation, err := rapid.SampledFrom(processors).Draw(rt, "process").Operation(context.Background(), "g", earlier.first.OperationID)
			if err != nil || operation.Version != earlier.first.Version || !bytes.Equal(operation.Conflict, earlier.first.Conflict) ||
				operation.Result != nil && !bytes.Equal(operation.Result, earlier.first.Result) {
				rt.Errorf("%s: asked about, got %+v (%s), %v, first %s", earlier.text, operation, operation.Result, err, earlier.first.Result)
			}
		}
		if head, err := s.log.Head(context.Background(), "g"); err != nil || int(head.Version) != len(accepted) {
			rt.Errorf("head: got %d, want %d", head.Version, len(accepted))
		}
	})
}

// TestOutcomeDoesNotDependOnMemory: whether the events since the base are in memory or must be read from the log, a process
// says the same would come of a command, and the same comes of it.
func TestOutcomeDoesNotDependOnMemory(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s, _ := newSite()
		var clock atomic.Int64
		now := func() time.Time { return time.UnixMilli(clock.Load()) }
		var processors []*command.Processor
		for _, recent := range []int{4096, 1, 3} {
			processors = append(processors, command.New(s.log, s.models, s.recorder, command.Options{RecentEvents: recent, Now: now}))
		}
		defer func() {
			for _, p := range processors {
				p.Close(context.Background())
			}
		}()
		drawn := requests{t: rt}
		for range rapid.IntRange(1, 30).Draw(rt, "requests") {
			clock.Add(1)
			r := drawn.draw()
			var outcomes []command.Outcome
			var errs []error
			try := func(p *command.Processor, dry bool) {
				c := r.command(rt)
				c.DryRun = dry
				outcome, err := p.Do(context.Background(), "g", c)
				outcomes, errs = append(outcomes, outcome), append(errs, err)
			}
			for _, p := range processors {
				try(p, true)
			}
			try(rapid.SampledFrom(processors).Draw(rt, "process"), false)
			last := len(outcomes) - 1
			for i := range outcomes {
				if codeOf(errs[i]) != codeOf(errs[last]) || !sameAnswer(outcomes[i], outcomes[last]) || outcomes[i].Version != outcomes[last].Version ||
					fmt.Sprintf("%s", outcomes[i].Reverted) != fmt.Sprintf("%s", outcomes[last].Reverted) {
					rt.Fatalf("%s: %d says %+v, %v (%s %s)\nand there came %+v, %v (%s %s)", r.text, i, outcomes[i], errs[i], outcomes[i].Result, outcomes[i].Conflict,
						outcomes[last], errs[last], outcomes[last].Result, outcomes[last].Conflict)
				}
			}
			if errs[last] == nil {
				drawn.note(outcomes[last])
			}
		}
	})
}
