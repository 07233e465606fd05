// Package seed makes up the history of a demo graph: several users draw, drag, edit the same things at once, disagree and
// settle it, undo, redo, delete and bring back.
//
// A Step is one request of the API; a history is a list of them in the order in which they are sent, one after the other.
// The same Options make the same history, and more Events make a longer one that begins in the same way. On a new graph
// every step is accepted and makes one event.
//
// The package is pure. Sending the steps is left to the caller.
package seed

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Options say what history to make. The zero value makes a thousand events of four users.
type Options struct {
	Events int    // default 1000
	Users  int    // default 4, at least 2
	Seed   uint64 // default 1
}

// Step is one request.
type Step struct {
	User, Client string
	OperationID  string

	Kind    Kind
	Type    string         // of a Command
	Payload jsontext.Value // of a Command; the operations of a Batch; the Policy; what a Resolve with "values" writes
	Base    int            // the step whose version this was made on; Now: the newest
	Gesture string

	Target int    // of a Restore: the step to go back to; of a Resolve: the one that left a conflict open
	Choice string // of a Resolve
}

// Now stands for the newest version.
const Now = -1

// Kind is which request a Step is.
type Kind string

// The kinds of steps.
const (
	Policy  Kind = "policy"
	Command Kind = "command"
	Batch   Kind = "batch"
	Undo    Kind = "undo"
	Redo    Kind = "redo"
	Restore Kind = "restore"
	Resolve Kind = "resolve"
)

// EventType returns the type of the event that the step makes.
func (s *Step) EventType() string {
	switch s.Kind {
	case Command:
		return s.Type
	case Policy:
		return "SET_POLICY"
	}
	return strings.ToUpper(string(s.Kind))
}

// History returns the steps of a history.
func History(opts Options) []Step {
	events := cmp.Or(max(opts.Events, 0), 1000)
	m := &maker{
		run:  fmt.Sprintf("seed-%d-%d", cmp.Or(opts.Seed, 1), max(cmp.Or(opts.Users, 4), 2)),
		rand: rand.New(rand.NewPCG(cmp.Or(opts.Seed, 1), 0x6772617068790a)), edges: map[string]edge{},
	}
	for i := range max(cmp.Or(opts.Users, 4), 2) {
		m.users = append(m.users, userName(i))
	}
	m.open()
	for len(m.steps) < events {
		m.scene()
	}
	return m.steps[:events]
}

func userName(i int) string {
	name := names[i%len(names)]
	if i >= len(names) {
		name += fmt.Sprint(i/len(names) + 1)
	}
	return name
}

var names = []string{"ada", "grace", "alan", "edsger", "barbara", "donald", "frances", "niklaus"}

// maker makes up a history, and knows what there is in the graph by then.
type maker struct {
	run   string // names operations
	rand  *rand.Rand
	users []string
	steps []Step

	alive    []string // nodes, in the order in which they came
	edges    map[string]edge
	nodeIDs  int
	edgeIDs  int
	gestures int
}

type edge struct{ source, target string }

// newest is the step that was made last.
func (m *maker) newest() int { return len(m.steps) - 1 }

// add adds a step, and returns it for the caller to say more.
func (m *maker) add(user string, kind Kind, commandType string, payload any) *Step {
	m.steps = append(m.steps, Step{User: user, Client: user + "-tab", OperationID: fmt.Sprintf("%s-%06d", m.run, len(m.steps)+1),
		Kind: kind, Type: commandType, Payload: encode(payload), Base: Now, Target: Now})
	return &m.steps[len(m.steps)-1]
}

func (m *maker) user() string { return pick(m, m.users) }

// pair returns two users.
func (m *maker) pair() (string, string) {
	i := m.rand.IntN(len(m.users))
	j := (i + 1 + m.rand.IntN(len(m.users)-1)) % len(m.users)
	return m.users[i], m.users[j]
}

func pick[T any](m *maker, from []T) T { return from[m.rand.IntN(len(from))] }

func (m *maker) node() string { return pick(m, m.alive) }

// chance is true once in so many times.
func (m *maker) chance(times int) bool { return m.rand.IntN(times) == 0 }
