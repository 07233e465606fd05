package embedded

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"go.uber.org/zap"

	"graphy/eventstore"
	"graphy/eventstore/redis"
)

// fataler is a testing.TB or a *rapid.T.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
	Context() context.Context
}

// picture says all that streams hold, line by line.
func picture(t fataler, s *Store, streams ...string) string {
	t.Helper()
	var text bytes.Buffer
	for _, stream := range streams {
		head, err := s.Head(t.Context(), stream)
		base, errBase := s.Base(t.Context(), stream)
		if err != nil || errBase != nil {
			t.Fatalf("%q: %v, %v", stream, err, errBase)
		}
		fmt.Fprintf(&text, "%s at %v, base %v %q\n", stream, head, base.Position, base.Data)
		for before := eventstore.Version(0); before != 1 && head.Version > 0; {
			page, err := s.ReadBackward(t.Context(), stream, before, 3)
			if err != nil { // all that is kept was read
				fmt.Fprintf(&text, "  %v\n", err)
				break
			}
			for _, event := range page {
				before = event.Version
				fmt.Fprintf(&text, "  %v %s\n", event.Position(), event.Data)
			}
		}
		index := map[string]eventstore.Version{}
		for page, err := range s.Index(t.Context(), stream) {
			if err != nil {
				t.Fatalf("index of %q: %v", stream, err)
			}
			maps.Copy(index, page)
		}
		fmt.Fprintf(&text, "  index %v\n", index) // printed in order
	}
	return text.String()
}

// read returns up to limit events of a stream after a version.
func read(t fataler, s *Store, stream string, after eventstore.Version, limit int) []eventstore.Event {
	t.Helper()
	events, err := s.Read(t.Context(), stream, after, limit)
	if err != nil {
		t.Fatalf("read %q after %d: %v", stream, after, err)
	}
	for i := range events { // reads leave them out
		events[i].Operations = []string{fmt.Sprintf("%s-%d", stream, events[i].Version)}
	}
	return events
}

// rebase gives the stream a base of the event of that version.
func rebase(t fataler, s *Store, stream string, version eventstore.Version) {
	t.Helper()
	base := eventstore.Base{Position: s.at(stream, version), Data: fmt.Appendf(nil, "state of %s at %d", stream, version)}
	if err := s.SetBase(t.Context(), stream, base); err != nil {
		t.Fatalf("set base of %q at %d: %v", stream, version, err)
	}
}

// trim drops the n oldest events.
func trim(t fataler, s *Store, stream string, n int) {
	t.Helper()
	if err := s.Trim(t.Context(), stream, read(t, s, stream, s.firstEvent(stream)-1, n)); err != nil {
		t.Fatalf("trim %d events of %q: %v", n, stream, err)
	}
}

// rewrite puts other content in the place of a stream: n events with a base before them, if that is not zero.
func rewrite(t fataler, s *Store, stream string, base eventstore.Base, n int) {
	t.Helper()
	head, err := s.Head(t.Context(), stream)
	if err != nil {
		t.Fatalf("head of %q: %v", stream, err)
	}
	r, err := s.Rewrite(t.Context(), stream, base)
	if err != nil {
		t.Fatalf("rewrite %q: %v", stream, err)
	}
	events := chain(base.Position, stream, n)
	for from := 0; from < n; from += 2 {
		if err := r.Write(t.Context(), events[from:min(from+2, n)]); err != nil {
			t.Fatalf("write new content of %q: %v", stream, err)
		}
	}
	if committed, err := r.Commit(t.Context(), head); !committed || err != nil {
		t.Fatalf("commit new content of %q at %v: %v, %v", stream, head, committed, err)
	}
}

// compactDir compacts the journal of a folder, however little of it is dead.
func compactDir(t fataler, opts Options) {
	t.Helper()
	p := newReplayer(opts.Prefix)
	j, err := p.replay(t.Context(), journalPath(opts.Dir))
	if err == nil {
		if j, err = p.compact(j, journalPath(opts.Dir)); err == nil {
			err = j.close()
		}
	}
	if err != nil {
		t.Fatalf("compact %s: %v", opts.Dir, err)
	}
}

func newReplayer(prefix string) *replayer {
	return &replayer{db: miniredis.NewMiniRedis().DB(0), keys: redis.Keys{Prefix: prefix}, streams: map[string]*stream{}, logger: zap.NewNop()}
}

// stored is a picture of one stream made of its keys alone.
func stored(t fataler, db *miniredis.RedisDB, keys redis.Keys, stream string) string {
	t.Helper()
	entries, err := db.Stream(keys.Events(stream))
	if err != nil {
		t.Fatalf("%q: %v", stream, err)
	}
	var text bytes.Buffer
	for i, entry := range entries {
		if entry.Values[0] == "event" || i == len(entries)-1 { // what stands for the base is not needed any more
			fmt.Fprintln(&text, entry.ID, entry.Values)
		}
	}
	for _, key := range []string{keys.Base(stream), keys.Operations(stream)} {
		if fields, err := db.HKeys(key); err == nil {
			for _, field := range fields { // sorted
				fmt.Fprintln(&text, key, field, db.HGet(key, field))
			}
		}
	}
	return text.String()
}

// openContent opens a Store on a journal of that content.
func openContent(t testing.TB, content []byte) *Store {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(journalPath(dir), content, 0o600); err != nil {
		t.Fatal(err)
	}
	return open(t, Options{Dir: dir})
}
