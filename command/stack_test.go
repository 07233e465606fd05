package command

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"graphy/eventstore"
	"graphy/projection"
)

// plainStack is the stack in its plainest form: it sees every event of its user once, in order, and forgets nothing.
type plainStack struct{ done, undone, fallen []*plainStep }

type plainStep struct {
	versions, effect []eventstore.Version
	gesture          string // "" from its first undo on
}

func (s *plainStep) newest() eventstore.Version { return s.versions[len(s.versions)-1] }

func (p *plainStack) see(event *projection.Event) {
	out := func(list *[]*plainStep, i int) *plainStep {
		step := (*list)[i]
		*list = slices.Delete(*list, i, i+1)
		return step
	}
	switch {
	case event.CommandType == Undo:
		step := out(&p.done, slices.IndexFunc(p.done, func(s *plainStep) bool { return slices.Equal(s.versions, event.Undoes) }))
		step.effect, step.gesture = []eventstore.Version{event.Version}, ""
		p.undone = append(p.undone, step)
	case event.CommandType == Redo:
		step := out(&p.undone, slices.IndexFunc(p.undone, func(s *plainStep) bool { return slices.Equal(s.effect, event.Redoes) }))
		step.effect = []eventstore.Version{event.Version}
		p.done = append(p.done, step)
		slices.SortFunc(p.done, func(a, b *plainStep) int { return int(a.newest()) - int(b.newest()) })
	case len(event.Changes) > 0:
		goesOn := func(s *plainStep) bool {
			return event.GestureID != "" && s.gesture == event.GestureID && event.Version-s.newest() <= gestureReach
		}
		step := &plainStep{gesture: event.GestureID}
		if i := slices.IndexFunc(p.done, goesOn); i >= 0 {
			step = out(&p.done, i)
		} else if i := slices.IndexFunc(p.fallen, goesOn); i >= 0 {
			step = out(&p.fallen, i)
		}
		step.versions = append(step.versions, event.Version)
		step.effect = slices.Clone(step.versions)
		p.undone, p.done = nil, append(p.done, step)
		if len(p.done) > stackDepth {
			p.fallen = append(p.fallen, out(&p.done, 0))
		}
	}
}

func (p *plainStack) String() string {
	var b strings.Builder
	for _, list := range [][]*plainStep{p.done, p.undone} {
		for _, step := range slices.Backward(list) {
			fmt.Fprint(&b, step.versions, step.effect, " ")
		}
		b.WriteString("| ")
	}
	return b.String()
}

// drawn is a stack with a log of its user's events to draw it from, and how it was read.
type drawn struct {
	stack
	log   []*projection.Event
	pages int
	size  eventstore.Version // versions in a page
}

func newDrawn(log []*projection.Event, floor, size eventstore.Version) *drawn {
	d := &drawn{stack: stack{floor: floor}, log: log, size: size}
	for _, event := range log {
		if event.Version > floor {
			d.push(event)
		}
	}
	return d
}

func (d *drawn) readBack() {
	d.pages++
	floor := d.floor - min(d.floor, d.size)
	var older []*projection.Event
	for _, event := range slices.Backward(d.log) {
		if event.Version <= d.floor && event.Version > floor {
			older = append(older, event)
		}
	}
	d.extend(older, floor)
}

// String is that of plainStack.
func (d *drawn) String() string {
	var b strings.Builder
	for _, find := range []func(int) (*step, bool){d.undoable, d.redoable} {
		for i := 0; ; i++ {
			step, sure := find(i)
			for !sure {
				d.readBack()
				step, sure = find(i)
			}
			if step == nil {
				break
			}
			effect := step.effect
			if step.undo > 0 {
				effect = []eventstore.Version{step.undo}
			}
			fmt.Fprint(&b, step.versions, effect, " ")
		}
		b.WriteString("| ")
	}
	return b.String()
}

// stackWriter writes what a user does, as far as the stack is concerned.
type stackWriter struct {
	plain plainStack
	log   []*projection.Event
	head  eventstore.Version
}

var someChange = []projection.Change{{Op: projection.Delete, Kind: projection.Node, ID: "n"}}

func (w *stackWriter) write(event projection.Event) {
	w.head++
	event.Version = w.head
	w.log = append(w.log, &event)
	w.plain.see(&event)
}

// draw has the user do something, now and then often, and others something in between.
func (w *stackWriter) draw(t *rapid.T) {
	switch rapid.IntRange(0, 9).Draw(t, "who") {
	case 0:
		w.head += eventstore.Version(rapid.IntRange(1, 50).Draw(t, "events of others"))
	case 1:
		w.head += eventstore.Version(rapid.IntRange(gestureReach-60, gestureReach+10).Draw(t, "many events of others"))
	}
	times := 1
	if rapid.IntRange(0, 7).Draw(t, "often") == 0 {
		times = rapid.IntRange(1, 130).Draw(t, "times")
	}
	kind := rapid.IntRange(0, 9).Draw(t, "kind")
	gesture := rapid.SampledFrom([]string{"g", "h"}).Draw(t, "gesture")
	passed := 0
	if rapid.IntRange(0, 3).Draw(t, "pass over") == 0 {
		passed = rapid.IntRange(0, 3).Draw(t, "passed over")
	}
	for range times {
		switch kind {
		case 0, 1:
			w.write(projection.Event{CommandType: UpdateNode, Changes: someChange})
		case 2, 3:
			w.write(projection.Event{CommandType: UpdateNode, Changes: someChange, GestureID: gesture})
		case 4:
			w.write(projection.Event{CommandType: UpdateNode, GestureID: gesture}) // changes nothing
		case 5, 6, 7:
			if at := len(w.plain.done) - 1 - passed; at >= 0 {
				w.write(projection.Event{CommandType: Undo, Changes: someChange, Undoes: w.plain.done[at].versions})
			}
		default:
			if at := len(w.plain.undone) - 1 - passed; at >= 0 {
				w.write(projection.Event{CommandType: Redo, Changes: someChange, Redoes: w.plain.undone[at].effect})
			}
		}
	}
}

// TestStackIsTheSameHoweverItIsDrawn: by who saw everything, by who draws it anew from the log page by page, and by who
// began in the middle, dropped what means nothing any more, and had appends taken back.
func TestStackIsTheSameHoweverItIsDrawn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &stackWriter{}
		pageSize := eventstore.Version(rapid.SampledFrom([]int{20, 100, 500, 20000}).Draw(t, "page"))
		processes := []*drawn{newDrawn(nil, 0, pageSize)}
		for range rapid.IntRange(1, 60).Draw(t, "rounds") {
			from := len(w.log)
			w.draw(t)
			for _, d := range processes {
				lost := rapid.IntRange(0, 9).Draw(t, "lost") == 0
				before := eventstore.Version(0)
				if from > 0 {
					before = w.log[from-1].Version
				}
				d.log = w.log
				for _, event := range w.log[from:] {
					d.push(event)
				}
				if !lost {
					continue
				}
				all := stacks{"u": &d.stack}
				if all.takeBack(before); all["u"] == nil { // to be drawn anew
					d.stack = newDrawn(w.log[:from], before, pageSize).stack
				}
				for _, event := range w.log[from:] {
					d.push(event)
				}
			}
			if rapid.IntRange(0, 9).Draw(t, "another process") == 0 {
				floor := w.head - min(w.head, eventstore.Version(rapid.SampledFrom([]int{0, 1, 20, 300, 6000}).Draw(t, "kept")))
				processes = append(processes, newDrawn(w.log, floor, pageSize))
			}
			if d := rapid.SampledFrom(processes).Draw(t, "which"); len(d.marks) > 0 && rapid.IntRange(0, 4).Draw(t, "compact") == 0 {
				d.compact()
			}
			if rapid.IntRange(0, 3).Draw(t, "look") > 0 {
				continue
			}
			want := w.plain.String()
			for i, d := range append(slices.Clip(processes), newDrawn(w.log, w.head, pageSize)) {
				if got := d.String(); got != want {
					t.Fatalf("stack %d:\n got %s\nwant %s", i, got, want)
				}
			}
		}
		want := w.plain.String()
		for i, d := range append(slices.Clip(processes), newDrawn(w.log, w.head, pageSize)) {
			if got := d.String(); got != want {
				t.Fatalf("stack %d in the end:\n got %s\nwant %s", i, got, want)
			}
		}
	})
}

// TestCompactKeepsWhereAGestureEnded: its step was undone and done again before the gesture's id was used anew, and then
// undone once more.
func TestCompactKeepsWhereAGestureEnded(t *testing.T) {
	w := &stackWriter{}
	drag := projection.Event{CommandType: UpdateNode, Changes: someChange, GestureID: "g"}
	undo := func(step ...eventstore.Version) {
		w.write(projection.Event{CommandType: Undo, Changes: someChange, Undoes: step})
	}
	w.write(drag)
	w.write(drag)
	undo(1, 2)
	w.write(projection.Event{CommandType: Redo, Changes: someChange, Redoes: []eventstore.Version{3}})
	w.write(drag)
	undo(1, 2) // the newer one was passed over
	d := newDrawn(w.log, 0, 1)
	for range 3 {
		if !d.compact() {
			t.Fatal("not compacted")
		}
		if got, want := d.String(), w.plain.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// TestCompactWaitsForWhatMayCount: how many steps stood above those before the floor is what they have fallen off by.
func TestCompactWaitsForWhatMayCount(t *testing.T) {
	w := &stackWriter{}
	made := projection.Event{CommandType: UpdateNode, Changes: someChange}
	for range 60 {
		w.write(made)
	}
	d := newDrawn(w.log, w.head, 100)
	for range 50 {
		w.write(made) // ten fall off
	}
	for range 50 {
		w.write(projection.Event{CommandType: Undo, Changes: someChange, Undoes: w.plain.done[len(w.plain.done)-1].versions})
	}
	w.write(made)
	for d.log = w.log; len(d.marks) < 101; {
		d.push(w.log[60+len(d.marks)])
	}
	if d.compact() {
		t.Error("compacted before it is known what is below the floor")
	}
	if got, want := d.String(), w.plain.String(); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

// TestTakenBackAfterCompact: what was dropped because of a new step means something again without it.
func TestTakenBackAfterCompact(t *testing.T) {
	w := &stackWriter{}
	w.write(projection.Event{CommandType: CreateNode, Changes: someChange})
	w.write(projection.Event{CommandType: Undo, Changes: someChange, Undoes: []eventstore.Version{1}})
	d := newDrawn(w.log, 0, 1)
	want := d.String()
	d.push(&projection.Event{Version: 3, CommandType: CreateNode, Changes: someChange})
	all := stacks{"u": &d.stack}
	if all.takeBack(2); all["u"] == nil || d.String() != want {
		t.Errorf("without compact: got %s, want %s", d, want)
	}
	d.push(&projection.Event{Version: 3, CommandType: CreateNode, Changes: someChange})
	if !d.compact() || len(d.marks) != 1 {
		t.Fatalf("compact left %v", d.marks)
	}
	if all.takeBack(2); all["u"] != nil {
		t.Errorf("kept what it cannot tell: %s", d)
	}
}

// TestCompactKeepsWhatBeganBeforeTheFloor: that it was undone shows only after the floor, and that it was a gesture only
// before.
func TestCompactKeepsWhatBeganBeforeTheFloor(t *testing.T) {
	w := &stackWriter{}
	drag := projection.Event{CommandType: UpdateNode, Changes: someChange, GestureID: "g"}
	w.write(drag)
	d := newDrawn(w.log, w.head, 1)
	w.write(projection.Event{CommandType: Undo, Changes: someChange, Undoes: []eventstore.Version{1}})
	w.write(drag)
	for range stackDepth - 1 {
		w.write(projection.Event{CommandType: CreateNode, Changes: someChange})
	}
	d.log = w.log
	for _, event := range w.log[1:] {
		d.push(event)
	}
	if !d.compact() {
		t.Fatal("not compacted")
	}
	if got, want := d.String(), w.plain.String(); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}
