package embedded

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"graphy/eventstore"
)

// upkeep are the steps of a life with everything that can happen to streams.
var upkeep = []struct {
	name    string
	do      func(t testing.TB, s *Store)
	several bool // it comes to more than one change of a stream
}{
	{"begin", func(t testing.TB, s *Store) { grow(t, s, "a", 6); grow(t, s, "b", 3) }, true},
	{"base", func(t testing.TB, s *Store) { rebase(t, s, "a", 4) }, false},
	{"trim", func(t testing.TB, s *Store) { trim(t, s, "a", 2) }, false},
	{"go on", func(t testing.TB, s *Store) { grow(t, s, "a", 1) }, false},
	{"trim to the base", func(t testing.TB, s *Store) { trim(t, s, "a", 2) }, false},
	{"later base", func(t testing.TB, s *Store) { rebase(t, s, "a", 7) }, false},
	{"rewrite from the first event", func(t testing.TB, s *Store) { rewrite(t, s, "b", eventstore.Base{}, 5) }, false},
	{"go on after a rewrite", func(t testing.TB, s *Store) { grow(t, s, "b", 2) }, true},
	{"rewrite from a base", func(t testing.TB, s *Store) {
		rewrite(t, s, "c", eventstore.Base{Position: eventstore.Position{Version: 40, Hash: "elsewhere"}, Data: []byte("old state")}, 3)
	}, false},
	{"only a base", func(t testing.TB, s *Store) {
		rewrite(t, s, "d", eventstore.Base{Position: eventstore.Position{Version: 9, Hash: "elsewhere"}, Data: []byte("state")}, 0)
	}, false},
	{"go on after a base", func(t testing.TB, s *Store) { grow(t, s, "c", 2); grow(t, s, "d", 3) }, true},
	{"trim what was rewritten", func(t testing.TB, s *Store) { rebase(t, s, "c", 43); trim(t, s, "c", 2) }, true},
	{"index", func(t testing.TB, s *Store) {
		event := read(t, s, "b", 2, 1)[0]
		event.Operations = []string{"found", "again"}
		err := s.Reindex(t.Context(), "b", []eventstore.Event{event}, map[string]eventstore.Version{"b-2": 2, "b-4": 5, "no": 1})
		if err != nil {
			t.Fatal(err)
		}
	}, false},
	{"rewrite what goes on meanwhile", func(t testing.TB, s *Store) {
		r, err := s.Rewrite(t.Context(), "b", eventstore.Base{})
		kept := read(t, s, "b", 0, 10)
		if err == nil {
			err = r.Write(t.Context(), kept)
		}
		if err != nil {
			t.Fatal(err)
		}
		grow(t, s, "b", 1)
		last := kept[len(kept)-1].Position()
		if committed, err := r.Commit(t.Context(), last); committed || err != nil {
			t.Fatalf("commit at %v, where it was before: %v, %v", last, committed, err)
		}
		if err := r.Write(t.Context(), read(t, s, "b", last.Version, 1)); err != nil {
			t.Fatal(err)
		}
		if committed, err := r.Commit(t.Context(), s.at("b", last.Version+1)); !committed || err != nil {
			t.Fatalf("commit: %v, %v", committed, err)
		}
	}, true},
	{"rewrite again", func(t testing.TB, s *Store) { rewrite(t, s, "a", eventstore.Base{}, 1) }, false},
	{"delete", func(t testing.TB, s *Store) {
		if err := s.Delete(t.Context(), "c"); err != nil {
			t.Fatal(err)
		}
	}, false},
	{"begin anew", func(t testing.TB, s *Store) { grow(t, s, "c", 1); trimmed(t, s) }, true},
}

var allStreams = []string{"a", "b", "c", "d"}

// trimmed trims b, whose index was repaired.
func trimmed(t testing.TB, s *Store) {
	t.Helper()
	rebase(t, s, "b", 6)
	oldest := read(t, s, "b", 0, 4)
	oldest[2].Operations = append(oldest[2].Operations, "found", "again")
	if err := s.Trim(t.Context(), "b", oldest); err != nil {
		t.Fatal(err)
	}
}

// TestUpkeepIsReplayed does all that can be done to streams; opening anew, and compacting, change nothing of it.
func TestUpkeepIsReplayed(t *testing.T) {
	opts := Options{Dir: t.TempDir(), Prefix: "p:"}
	s := open(t, opts)
	for _, step := range upkeep {
		step.do(t, s)
		want := picture(t, s, allStreams...)
		s = reopen(t, s, opts)
		if got := picture(t, s, allStreams...); got != want {
			t.Fatalf("after %q, opened anew: got\n%s\nwant\n%s", step.name, got, want)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		compactDir(t, opts)
		s = open(t, opts)
		if got := picture(t, s, allStreams...); got != want {
			t.Fatalf("after %q, compacted: got\n%s\nwant\n%s", step.name, got, want)
		}
	}
	t.Log(picture(t, s, allStreams...))
}

// TestJournalOfUpkeepCutAtEveryByte cuts the journal of that life at every byte: each stream is what it was after some
// record, never anything between, and goes on from there.
func TestJournalOfUpkeepCutAtEveryByte(t *testing.T) {
	opts := Options{Dir: t.TempDir()}
	s := open(t, opts)
	var moments []moment
	note := func() {
		m := moment{s.journal.end, map[string]string{}}
		for _, stream := range allStreams {
			m.seen[stream] = stored(t, s.db, s.Keys(), stream)
		}
		moments = append(moments, m)
	}
	note()
	for _, step := range upkeep {
		step.do(t, s)
		note()
	}
	whole, err := os.ReadFile(journalPath(opts.Dir))
	if err != nil {
		t.Fatal(err)
	}
	path := journalPath(t.TempDir())
	for size := moments[1].end; size <= int64(len(whole)); size++ {
		if err := os.WriteFile(path, whole[:size], 0o600); err != nil {
			t.Fatal(err)
		}
		p := newReplayer("")
		j, err := p.replay(t.Context(), path)
		if err != nil {
			t.Fatalf("cut at %d: %v", size, err)
		}
		j.close()
		at := slices.IndexFunc(moments, func(m moment) bool { return m.end > size }) - 1
		if at < 0 {
			at = len(moments) - 1
		}
		before, after := moments[at], moments[min(at+1, len(moments)-1)]
		for _, stream := range allStreams {
			got := stored(t, p.db, p.keys, stream)
			// Some steps append, rebase or trim more than once: those alone may have come half the way.
			between := size > before.end && upkeep[at].several
			if got != before.seen[stream] && got != after.seen[stream] && !between || size == before.end && got != before.seen[stream] {
				t.Fatalf("cut at %d, %d after the end of step %d: %q is\n%s\nwant\n%s\nor\n%s",
					size, size-before.end, at, stream, got, before.seen[stream], after.seen[stream])
			}
			if p.streams[stream] != nil && p.streams[stream].broken != nil {
				t.Fatalf("cut at %d: %q is broken: %v", size, stream, p.streams[stream].broken)
			}
		}
		if size%97 == 0 {
			goesOn(t, whole[:size])
		}
	}
}

// A moment is what the keys of each stream held when the journal had come to end.
type moment struct {
	end  int64
	seen map[string]string
}

// goesOn checks that a Store on that journal can be written to and opened again.
func goesOn(t *testing.T, content []byte) {
	t.Helper()
	s := openContent(t, content)
	for _, stream := range allStreams {
		grow(t, s, stream, 1)
	}
	want := picture(t, s, allStreams...)
	s = reopen(t, s, Options{Dir: s.dir()})
	if got := picture(t, s, allStreams...); got != want {
		t.Fatalf("cut at %d, gone on and opened anew: got\n%s\nwant\n%s", len(content), got, want)
	}
	s.Close()
}

// TestAbandonedRewritingIsForgotten leaves new content behind, uncommitted.
func TestAbandonedRewritingIsForgotten(t *testing.T) {
	opts := Options{Dir: t.TempDir()}
	s := open(t, opts)
	grow(t, s, "g", 2)
	want := picture(t, s, "g")
	for range 2 {
		r, err := s.Rewrite(t.Context(), "g", eventstore.Base{Position: eventstore.Position{Version: 7, Hash: "h"}, Data: []byte("state")})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Write(t.Context(), chain(eventstore.Position{Version: 7, Hash: "h"}, "g", 3)); err != nil {
			t.Fatal(err)
		}
	}
	s = reopen(t, s, opts)
	if got := picture(t, s, "g"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if streams, err := s.Streams(t.Context(), "", 10); err != nil || len(streams) != 1 || len(s.streams) != 1 {
		t.Errorf("streams %q, %v, in memory %d, want g alone", streams, err, len(s.streams))
	}
	s.Close()
	compactDir(t, opts)
	if content, err := os.ReadFile(journalPath(opts.Dir)); err != nil || strings.Contains(string(content), rewritingPrefix) {
		t.Errorf("the compacted journal holds what was abandoned: %v", err)
	}
}

// TestBrokenStreamCanBeRewritten brings a stream back whose journal does not chain.
func TestBrokenStreamCanBeRewritten(t *testing.T) {
	opts := Options{Dir: t.TempDir()}
	s := open(t, opts)
	events := chain(eventstore.Position{}, "g", 4)
	events[2].Data = []byte(`{"flipped":true}`)
	if err := s.journal.append(record{kind: kindAppend, stream: "g", events: events}); err != nil {
		t.Fatal(err)
	}
	s = reopen(t, s, opts)
	if _, err := s.Base(t.Context(), "g"); !errors.Is(err, eventstore.ErrBroken) {
		t.Fatalf("Base: %v, want ErrBroken", err)
	}
	r, err := s.Rewrite(t.Context(), "g", eventstore.Base{})
	if err == nil {
		err = r.Write(t.Context(), chain(eventstore.Position{}, "g", 4))
	}
	if err != nil {
		t.Fatal(err)
	}
	if committed, err := r.Commit(t.Context(), eventstore.Position{Version: 4}); committed || err != nil {
		t.Fatalf("commit where it never stood: %v, %v", committed, err)
	}
	for range 2 { // and again, as one who got no answer
		if committed, err := r.Commit(t.Context(), eventstore.Position{}); !committed || err != nil {
			t.Fatalf("commit: %v, %v", committed, err)
		}
	}
	if err := r.Discard(t.Context()); err != nil {
		t.Fatal(err)
	}
	grow(t, s, "g", 1)
	verify(t, s, "g", 5)
	s = reopen(t, s, opts)
	verify(t, s, "g", 5)
}

// TestDamagedInMemoryCanBeRewritten puts something else where the stream was, in the Redis inside.
func TestDamagedInMemoryCanBeRewritten(t *testing.T) {
	opts := Options{Dir: t.TempDir()}
	s := open(t, opts)
	grow(t, s, "g", 4)
	client := s.Client()
	for _, damage := range []func() error{
		func() error {
			return client.Do(t.Context(), client.B().Set().Key(s.Keys().Events("g")).Value("x").Build()).Error()
		},
		func() error {
			return client.Do(t.Context(), client.B().Del().Key(s.Keys().Events("g")).Build()).Error()
		},
	} {
		if err := damage(); err != nil {
			t.Fatal(err)
		}
		r, err := s.Rewrite(t.Context(), "g", eventstore.Base{})
		if err == nil {
			err = r.Write(t.Context(), chain(eventstore.Position{}, "g", 6))
		}
		if err != nil {
			t.Fatal(err)
		}
		if committed, err := r.Commit(t.Context(), eventstore.Position{}); !committed || err != nil {
			t.Fatalf("commit: %v, %v", committed, err)
		}
		verify(t, s, "g", 6)
	}
	verify(t, reopen(t, s, opts), "g", 6)
}

// TestTrimmedWithoutBaseIsBroken writes a journal that trims what no base stands for.
func TestTrimmedWithoutBaseIsBroken(t *testing.T) {
	opts := Options{Dir: t.TempDir()}
	s := open(t, opts)
	grow(t, s, "g", 4)
	grow(t, s, "other", 2)
	for _, r := range []record{
		{kind: kindTrim, stream: "g", position: s.at("g", 2)},
		{kind: kindRename, stream: rewritingPrefix + "lost", target: "h"},
		{kind: kindBase, stream: "other", position: eventstore.Position{Version: 2, Hash: "another"}},
	} {
		if err := s.journal.append(r); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		s = reopen(t, s, opts)
		for _, stream := range []string{"g", "h", "other"} {
			var broken *eventstore.ChainError
			if _, err := s.Head(t.Context(), stream); !errors.As(err, &broken) || broken.Stream != stream {
				t.Errorf("%q: got %v, want a *ChainError", stream, err)
			}
		}
		s.Close()
		compactDir(t, opts) // keeps the evidence
		s = open(t, opts)
	}
}
