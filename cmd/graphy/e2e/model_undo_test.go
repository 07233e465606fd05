package e2e

import (
	"slices"
)

// skip is a path that an undo or redo left alone, because another user had written it since.
type skip struct {
	key, path string
	by        *deed
}

// step is what a user undoes at once.
type step struct {
	versions []int  // its own, ascending
	gesture  string // "" from its first undo on: the gesture begins anew
	inverts  []int  // what an undo inverts: its own events, or the redo's; of an undone step the undo's
}

func (s *step) newest() int { return s.versions[len(s.versions)-1] }

// steps derives a user's stack from the log: what is done, and what may be redone, both oldest first.
func (m *model) steps(user string) (done, undone []*step) {
	take := func(from []*step, found func(*step) bool) ([]*step, *step) {
		i := slices.IndexFunc(from, found)
		s := from[i]
		return slices.Delete(slices.Clone(from), i, i+1), s
	}
	for _, d := range m.log {
		if d.user != user || d.kind == "SET_POLICY" {
			continue
		}
		var s *step
		switch {
		case d.kind == "UNDO":
			done, s = take(done, func(s *step) bool { return slices.Equal(s.versions, d.undoes) })
			s.gesture, s.inverts = "", []int{d.version}
			undone = append(undone, s)
		case d.kind == "REDO":
			undone, s = take(undone, func(s *step) bool { return slices.Equal(s.inverts, d.redoes) })
			s.inverts = []int{d.version}
			if m.at(d.redoes[0]).partial || d.partial { // what was skipped is done by the step's own events
				s.inverts = append(slices.Clone(s.versions), d.version)
			}
			done = append(done, s)
		case len(d.writes) == 0:
			continue
		default:
			undone = nil
			at := slices.IndexFunc(done, func(s *step) bool { return d.gesture != "" && s.gesture == d.gesture && d.version-s.newest() <= 5000 })
			if at >= 0 {
				done, s = take(done, func(s *step) bool { return s == done[at] })
			} else {
				s = &step{gesture: d.gesture}
			}
			s.versions = append(s.versions, d.version)
			s.inverts = s.versions
			done = append(done, s)
			done = done[max(0, len(done)-100):]
		}
		slices.SortStableFunc(done, func(a, b *step) int { return a.newest() - b.newest() })
	}
	return done, undone
}

// undoOrRedo takes the newest step of which something is left.
func (d *deciding) undoOrRedo(made *deed) string {
	done, undone := d.m.steps(d.request.user)
	from, code := done, "nothing-to-undo"
	if made.kind == "REDO" {
		from, code = undone, "nothing-to-redo"
	}
	for _, s := range slices.Backward(from) {
		d.world, d.writes = d.m.worlds[d.m.head()].copied(), nil
		skipped := d.invert(s.inverts)
		if len(d.writes) == 0 {
			continue
		}
		made.skipped, made.moot = skipped, d.moot
		if made.kind == "UNDO" {
			made.undoes = s.versions
		} else {
			made.redoes = s.inverts
		}
		for _, version := range s.inverts {
			inverted := d.m.at(version)
			made.reopens, made.resolves, made.choice = inverted.resolves, inverted.reopens, d.choiceOf(inverted.reopens)
		}
		return ""
	}
	return code
}

// choiceOf returns how a conflict was resolved last.
func (d *deciding) choiceOf(conflict string) string {
	for _, event := range slices.Backward(d.m.log) {
		if conflict != "" && event.resolves == conflict {
			return event.choice
		}
	}
	return ""
}
