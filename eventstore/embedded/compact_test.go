package embedded

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"testing"

	"graphy/eventstore"
)

// padded returns one event with data of the given size.
func padded(from eventstore.Position, size int) []eventstore.Event {
	data := append(append([]byte(`{"pad":"`), make([]byte, size)...), `"}`...)
	return []eventstore.Event{{Version: from.Version + 1, Data: data, Hash: eventstore.NextHash(from.Hash, data)}}
}

func TestDeletedGraphsAreCompactedAway(t *testing.T) {
	opts := Options{Dir: t.TempDir()}
	s := open(t, opts)
	for i := range 40 {
		stream := fmt.Sprintf("g%d", i)
		appendAll(t, s, stream, eventstore.Position{}, padded(eventstore.Position{}, 50<<10))
		if i%4 != 0 {
			if err := s.Delete(t.Context(), stream); err != nil {
				t.Fatal(err)
			}
		}
		if i%4 == 1 { // deleted, and come back smaller
			grow(t, s, stream, 2)
		}
	}
	before := s.journal.end
	s = reopen(t, s, opts)
	if after := s.journal.end; after > before/2 {
		t.Errorf("journal had %d bytes, has %d, want less than half", before, after)
	}
	if _, err := os.Stat(journalPath(opts.Dir) + ".new"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the copy is left behind: %v", err)
	}
	grow(t, s, "more", 3)
	s = reopen(t, s, opts) // what the compacted journal replays to
	verify(t, s, "more", 3)
	for i := range 40 {
		stream, want := fmt.Sprintf("g%d", i), eventstore.Version([]int{1, 2, 0, 0}[i%4])
		if head, err := s.Head(t.Context(), stream); err != nil || head.Version != want {
			t.Errorf("%q is at %d, %v, want %d", stream, head.Version, err, want)
		}
		if i%4 == 1 {
			verify(t, s, stream, 2)
		}
	}
}

func TestCompactionWithoutRoomGoesOn(t *testing.T) {
	opts := Options{Dir: t.TempDir()}
	s := open(t, opts)
	appendAll(t, s, "gone", eventstore.Position{}, padded(eventstore.Position{}, 2<<20))
	grow(t, s, "kept", 2)
	if err := s.Delete(t.Context(), "gone"); err != nil {
		t.Fatal(err)
	}
	before := s.journal.end
	if err := os.Mkdir(journalPath(opts.Dir)+".new", 0o700); err != nil { // nothing can be written there
		t.Fatal(err)
	}
	s = reopen(t, s, opts)
	if s.journal.end != before {
		t.Errorf("journal has %d bytes, want %d as before", s.journal.end, before)
	}
	grow(t, s, "kept", 1)
	verify(t, reopen(t, s, opts), "kept", 3)
}
