package transport

import (
	"fmt"
	"unicode"
	"unicode/utf8"

	"graphy/command"
	"graphy/projection/upkeep"
)

const (
	reasonMost   = 500    // bytes of a reason
	selectedMost = 10_000 // graphs that are named one by one
	parallelMost = 64     // graphs that are worked on at once
)

// body decodes the body of the request strictly, once all parameters were taken.
func (a *act) body(into any) error {
	if err := a.q.done(); err != nil {
		return err
	}
	body, err := a.server.readBody(a.context)
	if err != nil {
		return err
	}
	return decode(body, into, "body", strictly)
}

// optionalBody is body for one that may be left out.
func (a *act) optionalBody(into any) error {
	if a.request.ContentLength == 0 {
		return a.q.done()
	}
	return a.body(into)
}

// selection returns what was selected, one of the two ways.
func (s *Selected) selection() (upkeep.Selection, error) {
	selection := upkeep.Selection{Graphs: s.Graphs, All: s.All, After: s.After, Parallel: s.Parallel}
	switch {
	case s.All && len(s.Graphs) > 0:
		return selection, refuseField("/all", "does not go together with graphs")
	case !s.All && len(s.Graphs) == 0:
		return selection, refuseField("/graphs", "name graphs, or say all: true")
	case len(s.Graphs) > selectedMost:
		return selection, refuse(command.TooLarge, "at most %d graphs can be named at once", selectedMost)
	case s.Parallel < 0 || s.Parallel > parallelMost:
		return selection, refuseField("/parallel", "is not from 1 to %d", parallelMost)
	}
	for i, graph := range s.Graphs {
		if err := command.CheckID(graph, fmt.Sprintf("/graphs/%d", i)); err != nil {
			return selection, err
		}
	}
	if s.After != "" {
		return selection, command.CheckID(s.After, "/after")
	}
	return selection, nil
}

// checkReason refuses a reason that says nothing, or too much.
func checkReason(reason string, needed bool) error {
	switch {
	case reason == "" && needed:
		return refuseField("/reason", "is missing: say why, for those who look into it later")
	case len(reason) > reasonMost:
		return refuseField("/reason", "is longer than %d bytes", reasonMost)
	}
	for _, r := range reason {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return refuseField("/reason", "is not one line of text")
		}
	}
	return nil
}
