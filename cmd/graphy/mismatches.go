package main

import (
	"fmt"

	"graphy/projection"
)

// mismatchLines describes what is not as it should be, a line for each.
func mismatchLines(graph string, first []projection.Mismatch, all int) []string {
	lines := make([]string, 0, len(first)+1)
	for _, m := range first {
		text := graph + ": " + m.Kind
		if m.ID != "" {
			text += " " + m.ID
		}
		if m.Version > 0 {
			text += fmt.Sprintf(" at version %d", m.Version)
		}
		switch {
		case m.Want != "" && m.Found != "":
			text += fmt.Sprintf(": is %s, should be %s", m.Found, m.Want)
		case m.Want != "":
			text += ": is missing, should be " + m.Want
		case m.Found != "":
			text += ": is there, should not be: " + m.Found
		}
		if m.Detail != "" {
			text += ": " + m.Detail
		}
		lines = append(lines, text)
	}
	if more := all - len(first); more > 0 {
		lines = append(lines, fmt.Sprintf("%s: and %d more", graph, more))
	}
	return lines
}
