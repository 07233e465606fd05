package embedded

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"graphy/eventstore"
)

func header(t *testing.T, dir string) []byte {
	t.Helper()
	content, err := os.ReadFile(journalPath(dir))
	if err != nil {
		t.Fatal(err)
	}
	return content[:headerSize]
}

// TestJournalKeepsTheOldestFormatThatWillDo: an older program goes on with a journal for as long as it can.
func TestJournalKeepsTheOldestFormatThatWillDo(t *testing.T) {
	opts := Options{Dir: t.TempDir()}
	s := open(t, opts)
	grow(t, s, "g", 3)
	if err := s.Delete(t.Context(), "g"); err != nil {
		t.Fatal(err)
	}
	grow(t, s, "g", 3)
	if got := header(t, opts.Dir); !slices.Equal(got, fileHeader(oldestFormat)) {
		t.Errorf("header of appends and deletes is %q", got)
	}
	rebase(t, s, "g", 2)
	if got := header(t, opts.Dir); !slices.Equal(got, fileHeader(newestFormat)) {
		t.Errorf("header after a base is %q", got)
	}
	s = reopen(t, s, opts)
	trim(t, s, "g", 1)
	s.Close()
	compactDir(t, opts)
	if got := header(t, opts.Dir); !slices.Equal(got, fileHeader(newestFormat)) {
		t.Errorf("header after compaction is %q", got)
	}
}

func TestNewerFormatIsNamed(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(journalPath(dir), fileHeader(newestFormat+1), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), Options{Dir: dir})
	var corrupt *CorruptError
	if err == nil || errors.As(err, &corrupt) || !strings.Contains(err.Error(), "written by a newer one") {
		t.Errorf("got %v, want one that names the format", err)
	}
}

// TestHeaderTornWhileItIsLifted ends the process between any two bytes of the new header.
func TestHeaderTornWhileItIsLifted(t *testing.T) {
	opts := Options{Dir: t.TempDir()}
	s := open(t, opts)
	grow(t, s, "g", 3)
	s.Close()
	content, err := os.ReadFile(journalPath(opts.Dir))
	if err != nil {
		t.Fatal(err)
	}
	for n := range headerSize + 1 {
		for _, backwards := range []bool{false, true} {
			torn := slices.Clone(content)
			if backwards {
				copy(torn[n:headerSize], fileHeader(newestFormat)[n:])
			} else {
				copy(torn, fileHeader(newestFormat)[:n])
			}
			s := openContent(t, torn)
			verify(t, s, "g", 3)
			rebase(t, s, "g", 2)
			s = reopen(t, s, Options{Dir: s.dir()})
			if base, err := s.Base(t.Context(), "g"); err != nil || base.Version != 2 {
				t.Fatalf("torn at %d: base %v, %v", n, base, err)
			}
			s.Close()
		}
	}
}

// TestHeaderThatCannotBeLifted has the disk fail where the header is to be changed: nothing is written, and what an older
// program can read goes on to be.
func TestHeaderThatCannotBeLifted(t *testing.T) {
	opts := Options{Dir: t.TempDir()}
	s := open(t, opts)
	grow(t, s, "g", 3)
	f := breakFile(s.journal)
	for _, written := range []int{0, 9, 13} {
		f.set(func(f *faults) { f.write, f.written = errDisk, written })
		base := eventstore.Base{Position: s.at("g", 2), Data: []byte("state")}
		if err := s.SetBase(t.Context(), "g", base); !errors.Is(err, eventstore.ErrUnavailable) {
			t.Fatalf("got %v, want ErrUnavailable", err)
		}
		f.set(func(f *faults) { f.write = nil })
		grow(t, s, "g", 1)
		s = reopen(t, s, opts)
		if base, err := s.Base(t.Context(), "g"); err != nil || base.Version != 0 {
			t.Fatalf("base is %v, %v, want none", base, err)
		}
		f = breakFile(s.journal)
	}
	verify(t, s, "g", 6)
	rebase(t, s, "g", 2)
}
