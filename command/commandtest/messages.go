package commandtest

import (
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// This file checks what a step had clients sent.

// messages checks what each client was sent beside the events. Where the case does not say, the sender of a refused
// command gets revert, of an accepted one command_result, and conflict and revert with it as the answer has it; nobody
// else gets anything.
func (r *runner) messages(name string, s *Step, outcome *Outcome, request Request, reply Reply, got map[string][]jsontext.Value) {
	r.t.Helper()
	want := outcome.Messages
	if want == nil || !reply.Socket {
		want = map[string][]jsontext.Value{}
		if reply.Socket {
			for _, kind := range kindsOf(reply) {
				want[request.By.String()] = append(want[request.By.String()], jsontext.Value(`{"type":"`+kind+`"}`))
			}
		}
	}
	for client, list := range got {
		if len(list) != len(want[client]) {
			r.t.Errorf("%s: %s was sent %d messages, want %d: %.600s", name, client, len(list), len(want[client]), list)
			continue
		}
		for i, message := range list {
			r.check(name, fmt.Sprintf("message %d to %s", i+1, client), want[client][i], message)
		}
	}
	for client := range want {
		if _, known := got[client]; !known {
			r.t.Errorf("%s: %s takes no part in the case", name, client)
		}
	}
}

func kindsOf(reply Reply) []string {
	var a struct {
		Duplicate bool
		Conflict  struct{ Paths []struct{ Resolution string } }
	}
	if reply.Refused {
		return []string{"revert"}
	}
	kinds := []string{"command_result"}
	if json.Unmarshal(reply.Body, &a, json.MatchCaseInsensitiveNames(true)) != nil || a.Duplicate || len(a.Conflict.Paths) == 0 {
		return kinds
	}
	kinds = append(kinds, "conflict")
	for _, path := range a.Conflict.Paths {
		if path.Resolution == "server" || path.Resolution == "manual" {
			return append(kinds, "revert")
		}
	}
	return kinds
}
