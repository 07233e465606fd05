package upkeep

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// tail is how many of a graph's newest events are kept whatever the policy says: as many as a user can go back by undo
// if nobody else is there.
const tail = 100

// Policy says what a log keeps: events that are beyond either bound may go. The zero Policy keeps everything.
type Policy struct {
	Events int           // newest events of a graph that are kept; 0: no such bound
	Age    time.Duration // for how long an event is kept; 0: no such bound
}

// ParsePolicy reads a policy as GRAPHY_RETAIN has it, such as "events=10000,age=720h"; "" is the one that keeps
// everything.
func ParsePolicy(text string) (Policy, error) {
	var p Policy
	known := map[string]bool{}
	for part := range strings.SplitSeq(text, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		var err error
		switch {
		case strings.TrimSpace(text) == "":
			continue
		case known[name]:
			return Policy{}, fmt.Errorf("policy %q: %s is there twice", text, name)
		case name == "events":
			p.Events, err = strconv.Atoi(value)
			if err == nil && p.Events < 1 {
				err = fmt.Errorf("%d is not above 0", p.Events)
			}
		case name == "age":
			p.Age, err = time.ParseDuration(value)
			if err == nil && p.Age < time.Minute {
				err = fmt.Errorf("%v is less than a minute", p.Age)
			}
		default:
			return Policy{}, fmt.Errorf(`policy %q: %q is neither "events=<number>" nor "age=<duration>"`, text, part)
		}
		if err != nil {
			return Policy{}, fmt.Errorf("policy %q: %s: %w", text, name, err)
		}
		known[name] = true
	}
	return p, nil
}

// KeepsAll tells whether nothing is ever let go.
func (p Policy) KeepsAll() bool { return p.Events <= 0 && p.Age <= 0 }

// String returns the policy as ParsePolicy reads it.
func (p Policy) String() string {
	var parts []string
	if p.Events > 0 {
		parts = append(parts, fmt.Sprintf("events=%d", p.Events))
	}
	if p.Age > 0 {
		parts = append(parts, fmt.Sprintf("age=%v", p.Age))
	}
	return strings.Join(parts, ",")
}
