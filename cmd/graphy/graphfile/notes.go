package graphfile

import "fmt"

// notes gathers what was changed, each kind of change once, with how often and the first example.
type notes struct {
	kinds []string
	count map[string]int
	first map[string]string
}

func (n *notes) add(kind, example string) {
	if n.count == nil {
		n.count, n.first = map[string]int{}, map[string]string{}
	}
	if n.count[kind]++; n.count[kind] == 1 {
		n.kinds = append(n.kinds, kind)
		n.first[kind] = example
	}
}

// lines returns one line for each kind, in the order they came up first.
func (n *notes) lines() []string {
	var lines []string
	for _, kind := range n.kinds {
		example := n.first[kind]
		switch count := n.count[kind]; {
		case example == "":
			lines = append(lines, kind)
		case count == 1:
			lines = append(lines, fmt.Sprintf("%s: %s", kind, example))
		default:
			lines = append(lines, fmt.Sprintf("%s: %s and %d more", kind, example, count-1))
		}
	}
	return lines
}
