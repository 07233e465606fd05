package command

import (
	"cmp"
	"iter"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"graphy/projection"
)

// touched says which moments have touched a path, at it or below it. What is below is sorted by members when it is asked
// for, each moment once, so that taking a wide change back does not look through all of it for each member.
type touched struct {
	by      []touch // the newest first
	others  int     // of by: those that are not the step's
	whole   []touch // of by: those that touch all that is below
	members map[string]*touched
	sorted  int // of by: how many are in members, or whole
}

// touch is what a moment did at a path.
type touch struct {
	*moment
	was, is jsontext.Value // what stood at the path before and after
}

// add takes the next older moment into account.
func (t *touched) add(next touch) {
	t.by = append(t.by, next)
	if !next.mine {
		t.others++
	}
}

// below says which moments have touched a member of what stands at steps.
func (t *touched) below(steps []string, name []byte) *touched {
	if t.members == nil {
		t.members = map[string]*touched{}
	}
	for ; t.sorted < len(t.by); t.sorted++ {
		next := t.by[t.sorted]
		comes := len(steps) == 0 && next.was == nil // what comes into being is new at every path
		if comes || !isObject(next.is) || next.was != nil && !isObject(next.was) {
			t.whole = append(t.whole, touch{moment: next.moment})
			continue
		}
		for name, sides := range changedMembers(steps, next.was, next.is) {
			t.member(name).add(touch{next.moment, sides[0], sides[1]})
		}
	}
	found := t.member(name)
	if len(t.whole) == 0 {
		return found
	}
	both := &touched{}
	all := slices.Concat(found.by, t.whole)
	slices.SortFunc(all, func(a, b touch) int { return cmp.Compare(b.event.Version, a.event.Version) })
	for _, next := range all {
		both.add(next)
	}
	return both
}

func (t *touched) member(name []byte) *touched {
	found := t.members[string(name)]
	if found == nil {
		found = &touched{}
		t.members[string(name)] = found
	}
	return found
}

// changedMembers yields the members of what stands at steps that differ, each with its values before and after. The time of
// the last update is none of them.
func changedMembers(steps []string, before, after jsontext.Value) iter.Seq2[[]byte, [2]jsontext.Value] {
	return func(yield func([]byte, [2]jsontext.Value) bool) {
		for name, sides := range projection.SideBySide(before, after) {
			if same(sides[0], sides[1]) || len(steps) == 0 && string(name) == updatedAt {
				continue
			}
			if !yield(name, sides) {
				return
			}
		}
	}
}

// eachLeaf visits the paths that a change is about: the finest in which before and after differ.
func eachLeaf(path string, steps []string, before, after jsontext.Value, visit func(path string)) {
	for name, sides := range changedMembers(steps, before, after) {
		at, stepsAt := below(path, steps, name)
		if splits(sides[0], sides[1]) && !isWholeAt(steps, name) {
			eachLeaf(at, stepsAt, sides[0], sides[1], visit)
			continue
		}
		visit(at)
	}
}

// splits tells whether a change is one of the members of an object, rather than of a value.
func splits(before, after jsontext.Value) bool {
	return isObject(after) && (isObject(before) || before == nil && len(after) > 2)
}
