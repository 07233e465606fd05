package embedded

import (
	"errors"
	"os"
	"testing"

	"pgregory.net/rapid"

	"graphy/eventstore"
)

// TestI2StoreAgreesWithModel appends, repeats, deletes, fills the disk, tears the journal's end and opens anew at
// random; the streams are always what was acknowledged.
func TestI2StoreAgreesWithModel(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "") // one for each run
		if err != nil {
			r.Fatal(err)
		}
		m := &model{T: r, opts: Options{Dir: dir}, streams: map[string][]eventstore.Event{}}
		m.start()
		defer func() { m.store.Close() }()
		r.Repeat(map[string]func(*rapid.T){
			"append": m.append, "repeat": m.repeat, "delete": m.delete, "disk full": m.diskFull,
			"reopen": func(*rapid.T) { m.stop(); m.start() },
			"tear":   m.tear,
			"":       m.check,
		})
	})
}

// A model is what the store ought to hold.
type model struct {
	*rapid.T
	opts    Options
	store   *Store
	disk    *faults
	streams map[string][]eventstore.Event
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
	if held := m.streams[stream]; len(held) > 0 {
		head = held[len(held)-1].Position()
	}
	return stream, head, chain(head, stream, rapid.IntRange(1, 5).Draw(t, "events"))
}

func (m *model) append(t *rapid.T) {
	stream, head, events := m.drawEvents(t)
	result, err := m.store.Append(m.Context(), stream, head, events)
	if err != nil || result.Outcome != eventstore.Applied {
		t.Fatalf("Append(%q, %v): %+v, %v", stream, head, result, err)
	}
	m.streams[stream] = append(m.streams[stream], events...)
}

func (m *model) repeat(t *rapid.T) {
	stream := drawStream(t)
	held := m.streams[stream]
	if len(held) == 0 {
		t.Skip("nothing to repeat")
	}
	from := rapid.IntRange(0, len(held)-1).Draw(t, "from")
	expected := eventstore.Position{}
	if from > 0 {
		expected = held[from-1].Position()
	}
	result, err := m.store.Append(m.Context(), stream, expected, held[from:])
	if err != nil || result.Outcome != eventstore.Applied || result.Head != eventstore.Version(len(held)) {
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
		got, err := m.store.Read(m.Context(), stream, 0, len(want)+1)
		if err != nil || len(got) != len(want) {
			t.Fatalf("%q has %d events, %v, want %d", stream, len(got), err, len(want))
		}
		if err := eventstore.VerifyChain(stream, eventstore.Position{}, got); err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, event := range want {
			ids = append(ids, event.Operations...)
		}
		versions, err := m.store.Operations(m.Context(), stream, ids...)
		for i, event := range got {
			if err != nil || versions[i] != event.Version || event.Hash != want[i].Hash {
				t.Fatalf("%q at %d: got hash %q, operations at %v, %v, want %q", stream, event.Version, event.Hash, versions, err, want[i].Hash)
			}
		}
	}
}
