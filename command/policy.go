package command

import (
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"graphy/projection"
)

// MaxPolicy is how many bytes a policy may have in canonical form: it goes with every commit of the read models.
const MaxPolicy = 16 << 10

// Policy says which strategy settles conflicts where. A pattern is a JSON Pointer in which "*" stands for any one step; it
// holds for the path that it names and for all below. The longest that fits decides; of equally long ones the one that is
// more exact, from the left. The nil *Policy says nothing.
type Policy struct{ rules []rule }

type rule struct {
	steps    []string
	strategy string
}

// ParsePolicyConfig reads a policy as a deployment configures it: a JSON object of pattern → strategy. Its error is an
// *Error.
func ParsePolicyConfig(text []byte) (*Policy, error) {
	object, err := canonicalObject(text, MaxDepth)
	if err != nil {
		return nil, err
	}
	policy, refusal := readPolicy(object)
	if refusal != nil {
		return nil, refusal
	}
	return policy, nil
}

// readPolicy reads a canonical object of pattern → strategy.
func readPolicy(object jsontext.Value) (*Policy, *Error) {
	if len(object) > MaxPolicy {
		return nil, refuse(TooLarge, "", "a policy has at most %d bytes", MaxPolicy)
	}
	p := &Policy{}
	for name, value := range projection.Members(object) {
		pattern := projection.Name(name)
		at := "/" + escapePointer(pattern)
		steps, ok := pointerSteps(pattern)
		if !ok {
			return nil, invalid(at, `a pattern is a JSON Pointer, "" or one that begins with "/", with "*" for any step`)
		}
		strategy, err := strategyName(value)
		if err != nil {
			return nil, err.under(at)
		}
		p.rules = append(p.rules, rule{steps, strategy})
	}
	slices.SortFunc(p.rules, rule.compare)
	return p, nil
}

// compare puts the rule first that decides where both fit.
func (r rule) compare(other rule) int {
	if len(r.steps) != len(other.steps) {
		return len(other.steps) - len(r.steps)
	}
	for i := range r.steps {
		if a, b := r.steps[i] == "*", other.steps[i] == "*"; a != b {
			if a {
				return 1
			}
			return -1
		}
	}
	return slices.Compare(r.steps, other.steps)
}

// strategy returns the strategy for a path, "" where the policy says nothing.
func (p *Policy) strategy(steps []string) string {
	if p == nil {
		return ""
	}
	for i := range p.rules {
		if p.rules[i].fits(steps) {
			return p.rules[i].strategy
		}
	}
	return ""
}

func (r *rule) fits(path []string) bool {
	if len(r.steps) > len(path) {
		return false
	}
	for i, step := range r.steps {
		if step != "*" && step != path[i] {
			return false
		}
	}
	return true
}

// pointerSteps splits a JSON Pointer (RFC 6901); false if it is none.
func pointerSteps(pointer string) ([]string, bool) {
	if pointer == "" {
		return nil, true
	}
	if pointer[0] != '/' {
		return nil, false
	}
	steps := strings.Split(pointer[1:], "/")
	for i, step := range steps {
		if strings.Count(step, "~") != strings.Count(step, "~0")+strings.Count(step, "~1") {
			return nil, false
		}
		steps[i] = strings.ReplaceAll(strings.ReplaceAll(step, "~1", "/"), "~0", "~")
	}
	return steps, true
}

// policies are the graph's own and the deployment's.
type policies struct{ graph, deployment *Policy }

// strategy returns what decides a path: what the command says, then the graph, then the deployment, then the default.
func (p policies) strategy(command string, steps []string, otherwise string) string {
	for _, name := range []string{command, p.graph.strategy(steps), p.deployment.strategy(steps)} {
		if name != "" {
			return name
		}
	}
	return otherwise
}
