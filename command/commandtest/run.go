package commandtest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Run carries out a case.
func Run(t *testing.T, c *Case, d Driver) {
	t.Helper()
	r := runner{t: t, driver: d}
	for i := range c.Given {
		r.step(fmt.Sprintf("given %d", i+1), &c.Given[i])
	}
	for i := range c.When {
		r.step(fmt.Sprintf("when %d", i+1), &c.When[i])
	}
	r.end(&c.Then)
}

type runner struct {
	t      *testing.T
	driver Driver
	known  symbols
	events []jsontext.Value
}

func (r *runner) step(name string, s *Step) {
	r.t.Helper()
	for n := range max(1, s.Times) {
		r.driver.Tick(r.t)
		request, err := s.request(n+1, &r.known)
		if err != nil {
			r.t.Fatalf("%s: %s: %v", name, s.Do, err)
		}
		r.send(fmt.Sprintf("%s, %s by %s", name, s.Do, request.By), s, request)
	}
}

// send carries out one request and checks everything that comes of it.
func (r *runner) send(name string, s *Step, request Request) {
	r.t.Helper()
	reply, err := r.driver.Send(r.t, request)
	switch {
	case errors.Is(err, ErrUnsupported):
		r.t.Logf("%s: passed over: %v", name, err)
		return
	case err != nil:
		r.t.Fatalf("%s: %v", name, err)
	}
	before := len(r.events)
	if r.events = r.driver.Events(r.t); len(r.events) < before {
		r.t.Fatalf("%s: there were %d events, now there are %d", name, before, len(r.events))
	}
	made := r.events[before:]
	r.learn(name, before)
	outcome := s.Then
	if outcome == nil {
		outcome = &Outcome{}
	}
	if r.answer(name, s, outcome, reply) {
		r.made(name, s, outcome, request, reply, made)
	}
	if got := r.driver.Messages(r.t); got != nil {
		r.messages(name, s, outcome, request, reply, got)
	}
}

func (r *runner) learn(name string, before int) {
	for _, event := range r.events[before:] {
		var known stamp
		if err := json.Unmarshal(event, &known); err != nil {
			r.t.Fatalf("%s: an event: %v: %.300s", name, err, event)
		}
		r.known.events = append(r.known.events, known)
		for _, value := range notCanonical(event) {
			r.t.Errorf("%s: not in canonical form: %.300s", name, value)
		}
	}
}

func (r *runner) check(name, what string, want, got jsontext.Value) {
	r.t.Helper()
	for _, difference := range r.known.differences(want, got) {
		r.t.Errorf("%s: %s%s", name, what, difference)
	}
}

func (r *runner) end(want *End) {
	r.t.Helper()
	state := r.driver.State(r.t)
	if want.State != nil {
		r.check("then", "state", want.State, state)
	}
	if want.Version > 0 && len(r.events) != want.Version {
		r.t.Errorf("then: the graph is at version %d, want %d", len(r.events), want.Version)
	}
	if want.Checksum != "" {
		r.check("then", "state", object(map[string]jsontext.Value{"checksum": quote(want.Checksum)}), state)
	}
}
