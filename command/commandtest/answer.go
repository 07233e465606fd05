package commandtest

import (
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// This file checks the answer to a step.

// answer checks the answer to a step, and reports whether it is what events are to be expected of.
func (r *runner) answer(name string, s *Step, outcome *Outcome, reply Reply) bool {
	r.t.Helper()
	switch {
	case s.Refused != "" && !reply.Refused:
		r.t.Errorf("%s: got %.600s, want it refused: %s", name, reply.Body, s.Refused)
		return false
	case s.Refused != "":
		if got := refusal(reply.Body); got != s.Refused && got[:max(0, strings.IndexByte(got, ' '))] != s.Refused {
			r.t.Errorf("%s: refused with %q, want %q: %.400s", name, got, s.Refused, reply.Body)
		}
		return true
	case reply.Refused:
		r.t.Errorf("%s: refused: %.600s", name, reply.Body)
		return false
	}
	want := outcome.Answer
	if want == nil && (isQuery(s) || s.Do == "policy" || s.separate()) {
		return true
	}
	if want == nil {
		want = jsontext.Value("{}")
	}
	if isQuery(s) {
		for reply.Retry != nil && len(r.known.differences(want, reply.Body)) > 0 {
			next := reply.Retry()
			reply.Body, reply.Retry = next.Body, next.Retry
		}
	} else if s.Do != "policy" && !s.separate() {
		want = withDefaults(want)
	}
	r.check(name, "answer", want, reply.Body)
	return true
}

// refusal returns the code of a problem, and the pointer where it has one.
func refusal(problem jsontext.Value) string {
	var p struct {
		Code   string                     `json:"code"`
		Errors []struct{ Pointer string } `json:"errors"`
	}
	_ = json.Unmarshal(problem, &p, json.MatchCaseInsensitiveNames(true)) // what is no problem has no code
	if len(p.Errors) == 0 {
		return p.Code
	}
	return p.Code + " " + p.Errors[0].Pointer
}

// withDefaults completes what is wanted of an answer: an accepted command is in progress, its first time, without
// conflict.
func withDefaults(want jsontext.Value) jsontext.Value {
	var members map[string]jsontext.Value
	if json.Unmarshal(want, &members) != nil {
		return want
	}
	for name, value := range map[string]string{"accepted": "true", "status": `"processing"`, "conflict": "null", "duplicate": "null"} {
		if _, named := members[name]; !named {
			members[name] = jsontext.Value(value)
		}
	}
	return object(members)
}

func isQuery(s *Step) bool { return s.Do == "GET" || s.Do == "restart" || s.Do == "trim" }
