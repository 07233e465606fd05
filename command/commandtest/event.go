package commandtest

import (
	"bytes"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// This file checks the events that a step made.

// made checks the events that a step made.
func (r *runner) made(name string, s *Step, outcome *Outcome, request Request, reply Reply, made []jsontext.Value) {
	r.t.Helper()
	want := outcome.Events
	switch {
	case outcome.Event != nil:
		want = []jsontext.Value{outcome.Event}
	case want != nil:
	case s.separate():
		want = make([]jsontext.Value, len(made))
	case s.Refused == "" && !isQuery(s) && !isRepeated(reply.Body) && !isDry(reply.Body):
		want = make([]jsontext.Value, 1)
	}
	if len(made) != len(want) {
		r.t.Errorf("%s: made %d events, want %d: %.400s", name, len(made), len(want), made)
		return
	}
	for i, event := range made {
		if want[i] != nil {
			r.check(name, "event", want[i], event)
		}
		common := map[string]jsontext.Value{"userId": quote(request.By.User), "clientId": quote(request.By.ID)}
		if kind := eventType(s); kind != "" {
			common["commandType"] = quote(kind)
		}
		r.check(name, "event", object(common), event)
	}
	if len(made) == 1 && !s.separate() && s.Do != "policy" {
		if answered, logged := textOf(reply.Body, "conflict"), textOf(made[0], "conflict"); answered != logged {
			r.t.Errorf("%s: the answer tells the conflict %s, the event %s", name, answered, logged)
		}
	}
}

// eventType is the commandType of the event that a step makes, "" where that is another for each.
func eventType(s *Step) string {
	switch {
	case s.separate():
		return ""
	case s.Do == "policy":
		return "SET_POLICY"
	}
	return strings.ToUpper(s.Do)
}

func isRepeated(answer jsontext.Value) bool { return textOf(answer, "duplicate") == "true" }
func isDry(answer jsontext.Value) bool      { return textOf(answer, "status") == `"dry-run"` }

func textOf(body jsontext.Value, name string) string {
	var members map[string]jsontext.Value
	_ = json.Unmarshal(body, &members) // what is no object has no members
	return string(members[name])
}

func quote(text string) jsontext.Value {
	quoted, _ := jsontext.AppendQuote(nil, text)
	return quoted
}

// notCanonical returns the values in an event's changes that are not in canonical form.
func notCanonical(event jsontext.Value) (found []jsontext.Value) {
	var e struct {
		Changes []map[string]jsontext.Value `json:"changes"`
	}
	if err := json.Unmarshal(event, &e); err != nil {
		return []jsontext.Value{event}
	}
	for _, change := range e.Changes {
		for _, name := range []string{"value", "set", "was"} {
			value := change[name]
			canonical := slices.Clone(value)
			if value != nil && (canonical.Canonicalize() != nil || !bytes.Equal(canonical, value)) {
				found = append(found, value)
			}
		}
	}
	return found
}

// separate tells whether a step is a batch of commands that are each on their own.
func (s *Step) separate() bool { return s.Do == "batch" && string(s.Body["atomic"]) != "true" }
