package archive

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/zstd"
	"pgregory.net/rapid"

	"graphy/eventstore"
)

// content is a graph as it stands in a file.
type content struct {
	graph  string
	base   eventstore.Base
	events []eventstore.Event
}

func write(t testing.TB, contents ...content) []byte {
	t.Helper()
	var file bytes.Buffer
	w, err := NewWriter(&file)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range contents {
		err := w.Begin(c.graph, c.base)
		for page := range slices.Chunk(c.events, 700) {
			err = errors.Join(err, w.Write(page))
		}
		segment, ending := w.End()
		if err := errors.Join(err, ending); err != nil {
			t.Fatal(err)
		}
		want := c.base.Position
		if len(c.events) > 0 {
			want = endOf(c.events)
		}
		if segment.GraphID != c.graph || segment.From != c.base.Position || segment.To != want {
			t.Fatalf("ended %v, want to %v", segment, want)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

// read reads a file to its end in pages of limit. With an error come those graphs that were read.
func read(r io.Reader, limit int) ([]content, Manifest, error) {
	reader, err := NewReader(r)
	if err != nil {
		return nil, Manifest{}, err
	}
	defer reader.Close()
	var contents []content
	for {
		graph, base, err := reader.Next()
		if err == io.EOF {
			return contents, reader.Manifest(), nil
		}
		if err != nil {
			return contents, reader.Manifest(), err
		}
		c := content{graph: graph, base: base}
		for {
			page, err := reader.Read(limit)
			if err == io.EOF {
				break
			}
			if err != nil {
				return contents, reader.Manifest(), err
			}
			c.events = append(c.events, page...)
		}
		contents = append(contents, c)
	}
}

func sameContents(t testing.TB, got, want []content) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("got %d graphs, want %d", len(got), len(want))
	}
	for i := range got {
		if got[i].graph != want[i].graph || got[i].base.Position != want[i].base.Position || !bytes.Equal(got[i].base.Data, want[i].base.Data) {
			t.Fatalf("graph %d: got %q after %v, want %q after %v", i, got[i].graph, got[i].base, want[i].graph, want[i].base)
		}
		same(t, got[i].graph, got[i].events, want[i].events)
	}
}

func someContents() []content {
	long := history(eventstore.Position{}, 3000, "long")
	base := eventstore.Base{Position: long[99].Position(), Data: []byte("state \x00\xff\n at 100")}
	return []content{
		{graph: "long", events: long},
		{graph: "Based~:@.x", base: base, events: long[100:250]},
		{graph: "base-only", base: base},
		{graph: "empty"},
		{graph: strings.Repeat("Z", 128), events: history(eventstore.Position{}, 1, "z")},
	}
}

func TestFileRoundTrip(t *testing.T) {
	want := someContents()
	file := write(t, want...)
	for _, limit := range []int{0, 1, 999, 1 << 40} {
		got, manifest, err := read(bytes.NewReader(file), limit)
		if err != nil {
			t.Fatal(err)
		}
		sameContents(t, got, want)
		if len(manifest.Graphs) != len(want) || manifest.Created == 0 {
			t.Errorf("manifest: %v", manifest)
		}
		for i, entry := range manifest.Graphs {
			if entry.GraphID != want[i].graph || entry.Events != int64(len(want[i].events)) || entry.From != want[i].base.Position {
				t.Errorf("entry %d: %v", i, entry)
			}
		}
	}
	if got, _, err := read(iotest.OneByteReader(bytes.NewReader(file)), 7); err != nil || len(got) != len(want) {
		t.Errorf("a byte at a time: got %d graphs, %v", len(got), err)
	}
	if got, _, err := read(iotest.DataErrReader(bytes.NewReader(file)), 7); err != nil || len(got) != len(want) {
		t.Errorf("io.EOF with the last bytes: got %d graphs, %v", len(got), err)
	}
}

// What zstd's own tools make of a file is what clients get from changes, a line each.
func TestFileIsLinesOfChanges(t *testing.T) {
	events := history(eventstore.Position{}, 2, "m")
	decoder, err := zstd.NewReader(bytes.NewReader(write(t, content{graph: "g", events: events})))
	if err != nil {
		t.Fatal(err)
	}
	defer decoder.Close()
	text, err := io.ReadAll(decoder)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	want := fmt.Sprintf(`%s,"hash":"%s"}`, events[0].Data[:len(events[0].Data)-1], events[0].Hash)
	if len(lines) != 7 || lines[2] != want {
		t.Errorf("got %q, want %q as the third line", lines, want)
	}
}

// Next goes past what was not read, and verifies it all the same.
func TestReaderSkips(t *testing.T) {
	want := someContents()
	reader, err := NewReader(bytes.NewReader(write(t, want...)))
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	for i := range want {
		if graph, _, err := reader.Next(); err != nil || graph != want[i].graph {
			t.Fatalf("got %q, %v, want %q", graph, err, want[i].graph)
		}
		if page, err := reader.Read(10); i == 1 && (err != nil || len(page) != 10) {
			t.Fatalf("got %d events, %v", len(page), err)
		}
	}
	for range 2 {
		if _, _, err := reader.Next(); err != io.EOF {
			t.Fatalf("at the end: got %v", err)
		}
	}
	if page, err := reader.Read(10); err != io.EOF || page != nil {
		t.Errorf("after the end: got %v, %v", page, err)
	}
}

// Any data come back byte for byte, also such as nobody writes.
func TestFileOfAnyData(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		data := rapid.SliceOfN(rapid.OneOf(
			rapid.SliceOf(rapid.Byte()),
			rapid.Just([]byte(`{}`)), rapid.Just([]byte(`{`)), rapid.Just([]byte(`}`)), rapid.Just([]byte("{\n}")), rapid.Just([]byte(`{"base64":"AA=="}`)),
			rapid.Just([]byte(`{"to":{"version":1,"hash":"00000000000000000000000000000000"},"events":1}`)),
			rapid.Just([]byte(`{"a":1,"hash":"00000000000000000000000000000000"}`)),
			rapid.Just(bytes.Repeat([]byte(`{"x":1}`), 1000)),
		), 0, 12).Draw(t, "data")
		var events []eventstore.Event
		at := eventstore.Position{}
		for _, data := range data {
			at = eventstore.Position{Version: at.Version + 1, Hash: eventstore.NextHash(at.Hash, data)}
			events = append(events, eventstore.Event{Version: at.Version, Data: data, Hash: at.Hash})
		}
		var file bytes.Buffer
		w, err := NewWriter(&file)
		if err != nil {
			t.Fatal(err)
		}
		err = errors.Join(w.Begin("g", eventstore.Base{}), w.Write(events))
		if _, ending := w.End(); errors.Join(err, ending, w.Close()) != nil {
			t.Fatal(err, ending)
		}
		got, _, err := read(&file, rapid.IntRange(0, 5).Draw(t, "limit"))
		if err != nil || len(got) != 1 || len(got[0].events) != len(events) {
			t.Fatalf("got %d graphs, %v", len(got), err)
		}
		for i, event := range got[0].events {
			if event.Position() != events[i].Position() || !bytes.Equal(event.Data, events[i].Data) {
				t.Fatalf("event %d: got %q, want %q", i, event.Data, events[i].Data)
			}
		}
	})
}

// A text is read line by line, whatever the buffer is at the beginning and however the text comes in.
func TestLines(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`([a-c]{0,9}\n){0,20}[a-c]{0,3}`).Draw(t, "text")
		source := io.Reader(strings.NewReader(text))
		if rapid.Bool().Draw(t, "halves") {
			source = iotest.HalfReader(source)
		}
		if rapid.Bool().Draw(t, "end with data") {
			source = iotest.DataErrReader(source)
		}
		lines := &lines{source: source, buffer: make([]byte, rapid.IntRange(1, 30).Draw(t, "buffer"))}
		for text != "" {
			want, rest, whole := strings.Cut(text, "\n")
			line, err := lines.next()
			if whole && (err != nil || string(line) != want) || !whole && !errors.Is(err, ErrDamaged) {
				t.Fatalf("got %q, %v, want %q", line, err, want)
			}
			if text = rest; !whole {
				return
			}
		}
		if line, err := lines.next(); err != io.EOF {
			t.Fatalf("at the end: got %q, %v", line, err)
		}
	})
}

// An event may be larger than any buffer or page, and leaves none behind.
func TestFileOfLargeEvents(t *testing.T) {
	var events []eventstore.Event
	at := eventstore.Position{}
	for _, size := range []int{10, 9 * lineBuffer, 10, SegmentBytes, 10, 10} {
		data := append(append([]byte(`{"x":"`), bytes.Repeat([]byte{'x'}, size)...), `"}`...)
		at = eventstore.Position{Version: at.Version + 1, Hash: eventstore.NextHash(at.Hash, data)}
		events = append(events, eventstore.Event{Version: at.Version, Data: data, Hash: at.Hash})
	}
	got, _, err := read(bytes.NewReader(write(t, content{graph: "g", events: events})), 0)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "read", got[0].events, events)
	a := New(newHeap())
	mustPut(t, a, "g", eventstore.Position{}, events)
	page, err := a.Read(t.Context(), "g", at, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "archived", page, events)
}
