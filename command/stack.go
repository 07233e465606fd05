package command

import (
	"cmp"
	"slices"
	"strings"

	"graphy/eventstore"
	"graphy/projection"
)

// Bounds of what can be undone. They are part of what the log means: every process draws the same stack from it.
const (
	stackDepth   = 100  // steps that a user can go back: with so many above it when a new one is made, a step has fallen off
	gestureReach = 5000 // versions between two events beyond which they are not of one gesture
)

// mark is what an event means to its user's stack.
type mark struct {
	version eventstore.Version
	kind    markKind
	refs    []eventstore.Version // undone: the versions of the step; redone: that of the UNDO; done: of a step that is closed
	gesture string
	partial bool // of an UNDO or REDO: it skipped something
}

type markKind int

const (
	done markKind = iota // a step, or part of one
	undone
	redone
)

// markOf returns what an event means to its user's stack; false if nothing.
func markOf(event *projection.Event) (mark, bool) {
	m := mark{version: event.Version}
	switch {
	case event.CommandType == Undo:
		m.kind, m.refs, m.partial = undone, event.Undoes, event.Skipped != nil
	case event.CommandType == Redo:
		m.kind, m.refs, m.partial = redone, event.Redoes, event.Skipped != nil
	case len(event.Changes) == 0:
		return mark{}, false
	default:
		m.gesture = strings.Clone(event.GestureID) // which may be part of all of the event's data
	}
	return m, m.kind == done || len(m.refs) > 0
}

// step is one thing that a user did, and can undo as one.
type step struct {
	versions []eventstore.Version // its events, ascending; nil while only its REDO is known
	gesture  string
	effect   []eventstore.Version // the events to take back: versions, the REDO that did it again, or both where not all was redone
	undo     eventstore.Version   // the UNDO that took it back; 0 if it is done
	partial  bool                 // that UNDO skipped something
	closed   bool                 // it was undone once: its gesture does not go on
	marks    []mark               // what says so
}

// newest is where the step stands among the others.
func (s *step) newest() eventstore.Version {
	if len(s.versions) == 0 {
		return 0
	}
	return s.versions[len(s.versions)-1]
}

// stack is what a user can undo and redo, drawn from the user's events after floor. Older ones can be added later, page by
// page: whatever of the stack lies above the floor is what all of the log would make of it.
type stack struct {
	floor eventstore.Version
	marks []mark // ascending

	limit     int                // of marks, beyond which those are dropped that mean nothing any more
	compacted eventstore.Version // the newest of marks when some were dropped
	fallen    eventstore.Version // bottom then

	folded       bool
	done, undone []*step            // as folded from marks: by where they stand; undone in the order of the UNDOs
	dead         []*step            // undone and beyond redo
	bottom       eventstore.Version // steps that stand below it have fallen off
}

// stacks holds the stacks of users who have undone something lately.
type stacks map[string]*stack

// maxStacks is how many users' stacks a session keeps.
const maxStacks = 100

func (s stacks) push(event *record) {
	stack := s[event.UserID]
	if stack == nil {
		return
	}
	stack.push(&event.Event)
	if len(stack.marks) > stack.limit && !stack.compact() {
		delete(s, event.UserID) // to be drawn anew when it is asked for
	}
}

// takeBack forgets the events after version, which did not get into the log.
func (s stacks) takeBack(version eventstore.Version) {
	for user, stack := range s {
		if stack.compacted > version || stack.floor > version {
			delete(s, user) // what was dropped may mean something again
			continue
		}
		stack.marks = slices.DeleteFunc(stack.marks, func(m mark) bool { return m.version > version })
		stack.folded = false
	}
}

// push adds the newest event of the user.
func (s *stack) push(event *projection.Event) {
	if m, ok := markOf(event); ok {
		s.marks, s.folded = append(s.marks, m), false
	}
}

// extend adds events before those that are known, the newest first, down to floor.
func (s *stack) extend(older []*projection.Event, floor eventstore.Version) {
	var marks []mark
	for _, event := range slices.Backward(older) {
		if m, ok := markOf(event); ok {
			marks = append(marks, m)
		}
	}
	s.floor = floor
	if len(marks) > 0 {
		s.marks, s.folded = append(marks, s.marks...), false
	}
	s.grown()
}

// grown sets how many more marks there may be.
func (s *stack) grown() { s.limit = max(4*stackDepth, 2*len(s.marks)) }

// fold draws the stack from the marks.
func (s *stack) fold() {
	if s.folded {
		return
	}
	s.done, s.undone, s.dead, s.bottom, s.folded = nil, nil, nil, s.fallen, true
	for _, m := range s.marks {
		switch m.kind {
		case done:
			s.foldDone(m)
		case undone:
			s.foldUndone(m)
		case redone:
			s.foldRedone(m)
		}
	}
}

func (s *stack) foldDone(m mark) {
	s.dead, s.undone = append(s.dead, s.undone...), nil
	var made *step
	if m.refs != nil {
		s.done = slices.DeleteFunc(s.done, func(part *step) bool { return slices.Contains(m.refs, part.newest()) })
		made = &step{versions: m.refs, closed: true}
	} else {
		made = take(&s.done, func(earlier *step) bool {
			return m.gesture != "" && earlier.gesture == m.gesture && !earlier.closed && m.version-earlier.newest() <= gestureReach
		})
		made.gesture, made.versions = m.gesture, append(made.versions, m.version)
	}
	made.effect, made.marks = made.versions, append(made.marks, m)
	s.done = append(s.done, made)
	if last := len(s.done) - stackDepth; last >= 0 {
		s.bottom = max(s.bottom, s.done[last].newest())
	}
}

func (s *stack) foldUndone(m mark) {
	newest := m.refs[len(m.refs)-1] // of a step that began before the floor only the end is known
	taken := take(&s.done, func(earlier *step) bool { return earlier.newest() == newest })
	taken.marks = nil
	if taken.newest() == newest {
		taken.marks = []mark{{version: newest, kind: done, refs: m.refs}}
	}
	taken.versions, taken.undo, taken.partial, taken.closed = m.refs, m.version, m.partial, true
	taken.marks = append(taken.marks, m)
	s.undone = append(s.undone, taken)
}

func (s *stack) foldRedone(m mark) {
	again := take(&s.undone, func(taken *step) bool { return taken.undo == m.refs[0] })
	again.effect, again.undo, again.closed = []eventstore.Version{m.version}, 0, true
	if again.partial || m.partial {
		again.effect = append(slices.Clone(again.versions), m.version)
	}
	again.marks = append(again.marks, m)
	at, _ := slices.BinarySearchFunc(s.done, again, func(a, b *step) int { return cmp.Compare(a.newest(), b.newest()) })
	s.done = slices.Insert(s.done, at, again)
}

// take takes the newest step that fits out of a list, a new one if none does.
func take(list *[]*step, fits func(*step) bool) *step {
	for i, found := range slices.Backward(*list) {
		if fits(found) {
			*list = slices.Delete(*list, i, i+1)
			return found
		}
	}
	return &step{}
}

// compact drops the marks of steps that can neither be undone nor redone, save what older or newer events may depend on. It
// refuses, with false, while steps before the floor may count: how many stood above them would be lost.
func (s *stack) compact() bool {
	s.fold()
	if s.floor > s.bottom {
		return false
	}
	head := s.marks[len(s.marks)-1].version
	var kept []mark
	for _, list := range [][]*step{s.done, s.undone, s.dead} {
		for _, step := range list {
			if s.matters(step, head) {
				kept = append(kept, step.marks...)
			}
		}
	}
	slices.SortFunc(kept, func(a, b mark) int { return cmp.Compare(a.version, b.version) })
	s.marks, s.compacted, s.fallen, s.folded = kept, head, s.bottom, false
	s.grown()
	return true
}

func (s *stack) matters(step *step, head eventstore.Version) bool {
	switch {
	case step.versions == nil, step.closed && step.versions[0] <= s.floor:
		return true // it began before the floor, and would look as if nothing had become of it
	case step.undo == 0 && step.newest() >= s.bottom, slices.Contains(s.undone, step):
		return true
	}
	return step.gesture != "" && !step.closed && step.newest()+gestureReach >= head // it may go on
}

// undoable returns the i-th step from the top that can be undone, nil if there is none; sure is false if older events
// have to be known first.
func (s *stack) undoable(i int) (step *step, sure bool) {
	s.fold()
	at := len(s.done) - 1 - i
	if at < 0 || s.done[at].newest() < s.bottom {
		return nil, s.floor <= s.bottom
	}
	step = s.done[at]
	switch {
	case s.floor == 0:
		return step, true
	case step.newest() < s.floor:
		return step, false // others may stand above it
	case step.gesture != "" && !step.closed:
		return step, s.floor+gestureReach < step.versions[0] // else it may have begun before
	}
	return step, true
}

// redoable returns the i-th step from the top that can be redone, nil if there is none; sure as in undoable.
func (s *stack) redoable(i int) (step *step, sure bool) {
	s.fold()
	if at := len(s.undone) - 1 - i; at >= 0 {
		return s.undone[at], true
	}
	// Nothing before a step can be redone.
	return nil, s.floor == 0 || slices.ContainsFunc(s.marks, func(m mark) bool { return m.kind == done })
}
