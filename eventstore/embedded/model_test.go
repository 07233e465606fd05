package embedded

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"graphy/eventstore"
)

// TestI2StoreAgreesWithModel appends, repeats, deletes, trims, rewrites, fills the disk, tears the journal's end, compacts
// it and opens anew at random; the streams are always what was acknowledged.
func TestI2StoreAgreesWithModel(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "") // one for each run
		if err != nil {
			r.Fatal(err)
		}
		m := &model{T: r, opts: Options{Dir: dir}, streams: map[string]content{}}
		m.start()
		defer func() { m.store.Close() }()
		r.Repeat(map[string]func(*rapid.T){
			"append": m.append, "repeat": m.repeat, "delete": m.delete, "disk full": m.diskFull,
			"base": m.base, "trim": m.trim, "rewrite": m.rewrite, "abandon": m.abandon,
			"reopen":  func(*rapid.T) { m.stop(); m.start() },
			"compact": func(t *rapid.T) { m.stop(); compactDir(t, m.opts); m.start() },
			"tear":    m.tear,
			"":        m.check,
		})
	})
}

// A model is what the store ought to hold.
type model struct {
	*rapid.T
	opts    Options
	store   *Store
	disk    *faults
	streams map[string]content
}

// content is what a stream holds: events after floor.
type content struct {
	base   eventstore.Base
	floor  eventstore.Position
	events []eventstore.Event
}

func (c content) head() eventstore.Position {
	if len(c.events) == 0 {
		return c.floor
	}
	return c.events[len(c.events)-1].Position()
}

func (m *model) start() {
	store, err := Open(m.Context(), m.opts)
	if err != nil {
		m.Fatal(err)
	}
	m.store, m.disk = store, breakFile(store.journal)
}

func (m *model) stop() {
	if err := m.store.Close(); err != nil {
		m.Fatal(err)
	}
}

func drawStream(t *rapid.T) string {
	return rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "stream")
}

// drawEvents returns a stream, where it is, and events that follow.
func (m *model) drawEvents(t *rapid.T) (stream string, head eventstore.Position, events []eventstore.Event) {
	stream = drawStream(t)
	head = m.streams[stream].head()
	return stream, head, chain(head, stream, rapid.IntRange(1, 5).Draw(t, "events"))
}

func (m *model) append(t *rapid.T) {
	stream, head, events := m.drawEvents(t)
	result, err := m.store.Append(m.Context(), stream, head, events)
	if err != nil || result.Outcome != eventstore.Applied {
		t.Fatalf("Append(%q, %v): %+v, %v", stream, head, result, err)
	}
	c := m.streams[stream]
	c.events = append(slices.Clip(c.events), events...)
	m.streams[stream] = c
}

func (m *model) repeat(t *rapid.T) {
	stream := drawStream(t)
	held := m.streams[stream].events
	if len(held) == 0 {
		t.Skip("nothing to repeat")
	}
	from := rapid.IntRange(0, len(held)-1).Draw(t, "from")
	expected := m.streams[stream].floor
	if from > 0 {
		expected = held[from-1].Position()
	}
	result, err := m.store.Append(m.Context(), stream, expected, held[from:])
	if err != nil || result.Outcome != eventstore.Applied || result.Head != m.streams[stream].head().Version {
		t.Fatalf("Append(%q, %d) again: %+v, %v", stream, from, result, err)
	}
}

func (m *model) delete(t *rapid.T) {
	stream := drawStream(t)
	if err := m.store.Delete(m.Context(), stream); err != nil {
		t.Fatal(err)
	}
	delete(m.streams, stream)
}

func (m *model) base(t *rapid.T) {
	stream := drawStream(t)
	c := m.streams[stream]
	if len(c.events) == 0 {
		t.Skip("nothing to begin with")
	}
	at := c.events[rapid.IntRange(0, len(c.events)-1).Draw(t, "at")].Position()
	base := eventstore.Base{Position: at, Data: rapid.SliceOf(rapid.Byte()).Draw(t, "data")}
	if err := m.store.SetBase(m.Context(), stream, base); err != nil {
		t.Fatal(err)
	}
	if at.Version >= c.base.Version {
		c.base = base
	}
	m.streams[stream] = c
}

// trim drops what the base allows, and asks for more now and then.
func (m *model) trim(t *rapid.T) {
	stream := drawStream(t)
	c := m.streams[stream]
	n := rapid.IntRange(0, len(c.events)).Draw(t, "events")
	err := m.store.Trim(m.Context(), stream, c.events[:n])
	allowed := n == 0 || n < len(c.events) && c.events[n-1].Version <= c.base.Version
	if allowed != (err == nil) || err != nil && !errors.Is(err, eventstore.ErrBroken) {
		t.Fatalf("trim %d of %d events, base at %d: %v", n, len(c.events), c.base.Version, err)
	}
	if allowed && n > 0 {
		c.floor, c.events = c.events[n-1].Position(), c.events[n:]
		m.streams[stream] = c
	}
}

// begin writes new content for a stream.
func (m *model) begin(t *rapid.T) (stream string, c content, r eventstore.Rewriting) {
	stream = drawStream(t)
	if rapid.Bool().Draw(t, "from a base") {
		version := eventstore.Version(rapid.IntRange(1, 20).Draw(t, "version"))
		c.base = eventstore.Base{Position: eventstore.Position{Version: version, Hash: "base"}, Data: []byte("state")}
		c.floor = c.base.Position
	}
	c.events = chain(c.floor, stream, rapid.IntRange(0, 6).Draw(t, "events"))
	r, err := m.store.Rewrite(m.Context(), stream, c.base)
	if err != nil {
		t.Fatal(err)
	}
	for page := range slices.Chunk(c.events, 2) {
		for range rapid.IntRange(1, 2).Draw(t, "times") {
			if err := r.Write(m.Context(), page); err != nil {
				t.Fatal(err)
			}
		}
	}
	return stream, c, r
}

func (m *model) rewrite(t *rapid.T) {
	stream, c, r := m.begin(t)
	if committed, err := r.Commit(m.Context(), eventstore.Position{Version: 1000, Hash: "nowhere"}); committed || (err == nil) != (c.head().Version > 0) {
		t.Fatalf("commit where the stream never was: %v, %v", committed, err)
	}
	if c.head().Version == 0 {
		return
	}
	if committed, err := r.Commit(m.Context(), m.streams[stream].head()); !committed || err != nil {
		t.Fatalf("commit at %v: %v, %v", m.streams[stream].head(), committed, err)
	}
	m.streams[stream] = c
}

func (m *model) abandon(t *rapid.T) {
	_, _, r := m.begin(t)
	if rapid.Bool().Draw(t, "discard") {
		if err := r.Discard(m.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func (m *model) diskFull(t *rapid.T) {
	written := rapid.IntRange(0, 400).Draw(t, "written")
	m.disk.set(func(f *faults) { f.write, f.written = errDisk, written })
	stream, head, events := m.drawEvents(t)
	if _, err := m.store.Append(m.Context(), stream, head, events); !errors.Is(err, eventstore.ErrUnavailable) {
		t.Fatalf("Append to a full disk: got %v, want ErrUnavailable", err)
	}
	m.disk.set(func(f *faults) { f.write = nil })
}

// tear ends the journal with a part of a frame, as a crash does.
func (m *model) tear(t *rapid.T) {
	_, _, events := m.drawEvents(t)
	frame := record{kind: kindAppend, stream: "torn", events: events}.appendTo(beginFrame(0))
	endFrame(frame)
	m.stop()
	f, err := os.OpenFile(journalPath(m.opts.Dir), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Write(frame[:rapid.IntRange(1, len(frame)-1).Draw(t, "kept")])
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	m.start()
}

func (m *model) check(t *rapid.T) {
	for _, stream := range []string{"a", "b", "c", "torn"} {
		want := m.streams[stream]
		got, err := m.store.Read(m.Context(), stream, want.floor.Version, len(want.events)+1)
		if err != nil || len(got) != len(want.events) {
			t.Fatalf("%q has %d events, %v, want %d", stream, len(got), err, len(want.events))
		}
		if err := eventstore.VerifyChain(stream, want.floor, got); err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, event := range want.events {
			ids = append(ids, event.Operations...)
		}
		versions, err := m.store.Operations(m.Context(), stream, ids...)
		for i, event := range got {
			if err != nil || versions[i] != event.Version || event.Hash != want.events[i].Hash {
				t.Fatalf("%q at %d: got hash %q, operations at %v, %v, want %q", stream, event.Version, event.Hash, versions, err, want.events[i].Hash)
			}
		}
		m.checkRest(t, stream, want)
	}
}

// checkRest looks at what is kept of a stream beside its events.
func (m *model) checkRest(t *rapid.T, stream string, want content) {
	base, err := m.store.Base(m.Context(), stream)
	if err != nil || base.Position != want.base.Position || !bytes.Equal(base.Data, want.base.Data) {
		t.Fatalf("%q: base %v %q, %v, want %v %q", stream, base.Position, base.Data, err, want.base.Position, want.base.Data)
	}
	if head, err := m.store.Head(m.Context(), stream); err != nil || head != want.head() {
		t.Fatalf("%q: head %v, %v, want %v", stream, head, err, want.head())
	}
	if n, err := m.store.Indexed(m.Context(), stream); err != nil || n != int64(len(want.events)) {
		t.Fatalf("%q: %d operations in the index, %v, want %d", stream, n, err, len(want.events))
	}
	if want.floor.Version == 0 {
		return
	}
	var trimmed *eventstore.TrimmedError
	if _, err := m.store.Read(m.Context(), stream, want.floor.Version-1, 1); !errors.As(err, &trimmed) || trimmed.First != want.floor.Version+1 {
		t.Fatalf("%q: read of version %d: %v, want a *TrimmedError", stream, want.floor.Version, err)
	}
}
