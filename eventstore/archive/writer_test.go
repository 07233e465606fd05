package archive

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"graphy/eventstore"
)

func TestWriterRefuses(t *testing.T) {
	events := history(eventstore.Position{}, 10, "m")
	tests := []struct {
		name string
		act  func(w *Writer) error
	}{
		{"events without a graph", func(w *Writer) error { return w.Write(events) }},
		{"an end without a graph", func(w *Writer) error { _, err := w.End(); return err }},
		{"no id", func(w *Writer) error { return w.Begin("", eventstore.Base{}) }},
		{"not an id", func(w *Writer) error { return w.Begin("../x", eventstore.Base{}) }},
		{"a graph in a graph", func(w *Writer) error { w.Begin("g", eventstore.Base{}); return w.Begin("h", eventstore.Base{}) }},
		{"a graph twice", func(w *Writer) error {
			w.Begin("g", eventstore.Base{})
			w.End()
			return w.Begin("g", eventstore.Base{})
		}},
		{"a hole", func(w *Writer) error {
			w.Begin("g", eventstore.Base{})
			return w.Write(slices.Delete(slices.Clone(events), 3, 4))
		}},
		{"another history", func(w *Writer) error {
			w.Begin("g", eventstore.Base{})
			w.Write(events[:5])
			return w.Write(history(eventstore.Position{}, 10, "other")[5:])
		}},
		{"a base without a hash", func(w *Writer) error {
			return w.Begin("g", eventstore.Base{Position: eventstore.Position{Version: 3}})
		}},
		{"a graph that is not ended", func(w *Writer) error { w.Begin("g", eventstore.Base{}); return w.Close() }},
	}
	for _, test := range tests {
		var file bytes.Buffer
		w, err := NewWriter(&file)
		if err != nil {
			t.Fatal(err)
		}
		if test.act(w) == nil {
			t.Errorf("%s: got no error", test.name)
		}
		if w.Close() == nil {
			t.Errorf("%s: closed without an error", test.name)
		}
		w.Abort()
		if _, _, err := read(&file, 0); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: what was written reads as %v", test.name, err)
		}
	}
}

// A writer that fails is told of at the latest by Close.
func TestWriterFails(t *testing.T) {
	file := write(t, someContents()...)
	for _, room := range []int{0, 1, 100, len(file) - 60, len(file) - 20} {
		w, err := NewWriter(&full{room})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range someContents() {
			w.Begin(c.graph, c.base)
			w.Write(c.events)
			w.End()
		}
		if err := w.Close(); !errors.Is(err, errFull) {
			t.Errorf("room for %d bytes: got %v", room, err)
		}
	}
}

var errFull = errors.New("full")

type full struct{ room int }

func (f *full) Write(p []byte) (int, error) {
	if f.room -= len(p); f.room < 0 {
		return 0, errFull
	}
	return len(p), nil
}
