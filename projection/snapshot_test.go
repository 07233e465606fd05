package projection_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/klauspost/compress/zstd"
	"pgregory.net/rapid"

	"graphy/eventstore"
	"graphy/projection"
	"graphy/projection/projectiontest"
)

// whole is all that a graph holds: its image, and what stands beside the entities.
func whole(g *projection.Graph) string {
	return fmt.Sprintf("%s\n%s\n%s\n%d %v %v", image(g), g.Policy, projectiontest.Conflicts(g), g.Len(projection.Viewport), g.Position, g.ByType)
}

func snapshot(t testing.TB, g *projection.Graph) projection.Snapshot {
	t.Helper()
	s, err := g.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestSnapshotIsTheState: what a snapshot holds is the graph, and it folds on as the graph does.
func TestSnapshotIsTheState(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		w := writer(r)
		w.Events(rapid.IntRange(1, 60).Draw(r, "events"))
		s := snapshot(t, w.Graph)
		if s.Position != w.Graph.Position || s.Checksum != w.Graph.Checksum {
			r.Fatalf("got %v %s, want %v %s", s.Position, s.Checksum, w.Graph.Position, w.Graph.Checksum)
		}
		g, err := projection.DecodeSnapshot("g", s)
		if err != nil {
			r.Fatal(err)
		}
		if got, want := whole(g), whole(w.Graph); got != want {
			r.Fatalf("got %s\nwant %s", got, want)
		}
		if err := g.Fold(w.Events(10)...); err != nil {
			r.Fatal(err)
		}
		if got, want := whole(g), whole(w.Graph); got != want {
			r.Fatalf("folded on: got %s\nwant %s", got, want)
		}
	})
}

// TestSnapshotOfABigGraph takes more than one piece on the way in, and more than zstd's window.
func TestSnapshotOfABigGraph(t *testing.T) {
	w := projectiontest.NewWriter("g", source(1))
	for range 6000 {
		w.CreateNode()
	}
	for n := range 1000 {
		w.CreateEdge(fmt.Sprint("n", 1+2*n), "n1")
	}
	s := snapshot(t, w.Graph)
	g, err := projection.DecodeSnapshot("g", s)
	if err != nil || whole(g) != whole(w.Graph) {
		t.Fatalf("not the same: %v", err)
	}
	size := len(w.Graph.AppendState(nil))
	if len(s.Data) > size/4 {
		t.Errorf("got %d bytes for %d", len(s.Data), size)
	}
	if _, err := w.Graph.SnapshotWithin(size - 1000); err == nil {
		t.Error("a snapshot of more than the limit was made")
	}
	if g, err := projection.DecodeSnapshotWithin("g", s, size-1000); !errors.Is(err, projection.ErrEvent) {
		t.Errorf("inflated above the limit: got %v, %v", g, err)
	}
}

func deflate(t testing.TB, text []byte) []byte {
	t.Helper()
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20))
	if err != nil {
		t.Fatal(err)
	}
	return encoder.EncodeAll(text, nil)
}

func inflate(t testing.TB, data []byte) []byte {
	t.Helper()
	decoder, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer decoder.Close()
	text, err := decoder.DecodeAll(data, nil)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestSnapshotRefused(t *testing.T) {
	w := projectiontest.NewWriter("g", source(1))
	w.Events(50)
	good := snapshot(t, w.Graph)
	text := inflate(t, good.Data)
	if !jsontext.Value(text).IsValid() {
		t.Fatalf("not JSON: %s", text)
	}
	replaced := func(old, new string) func(*projection.Snapshot) {
		if !strings.Contains(string(text), old) {
			t.Fatalf("no %s in %s", old, text)
		}
		return func(s *projection.Snapshot) { s.Data = deflate(t, []byte(strings.Replace(string(text), old, new, 1))) }
	}
	tests := []struct {
		name  string
		spoil func(*projection.Snapshot)
		err   error
	}{
		{"nothing", func(s *projection.Snapshot) { s.Data = nil }, projection.ErrEvent},
		{"no zstd", func(s *projection.Snapshot) { s.Data = text }, projection.ErrEvent},
		{"cut off", func(s *projection.Snapshot) { s.Data = s.Data[:len(s.Data)-5] }, projection.ErrEvent},
		{"flipped", func(s *projection.Snapshot) { s.Data[len(s.Data)/2] ^= 4 }, projection.ErrEvent},
		{"other version", func(s *projection.Snapshot) { s.Version-- }, projection.ErrEvent},
		{"other hash", func(s *projection.Snapshot) { s.Hash = "00000000000000000000000000000000" }, projection.ErrEvent},
		{"other checksum", func(s *projection.Snapshot) { s.Checksum++ }, projection.ErrChecksum},
		{"other graph", replaced(`"graphId":"g"`, `"graphId":"h"`), projection.ErrEvent},
		{"other entity", replaced(`"title":"“`, `"title":"x“`), projection.ErrChecksum},
		{"says another checksum", replaced(`"checksum":"`, `"checksum":"0`), projection.ErrChecksum},
		{"counts below nothing", replaced(`"byType":{`, `"byType":{"X":-1,`), projection.ErrEvent},
		{"counts are a list", replaced(`"byType":{`, `"byType":[],"x":{`), projection.ErrEvent},
		{"node without an id", replaced(`"nodes":[`, `"nodes":[{},`), projection.ErrEvent},
		{"node is no object", replaced(`"nodes":[`, `"nodes":[1,`), projection.ErrEvent},
		{"edge to nowhere", replaced(`"edges":[`, `"edges":[{"id":"e","source":"x","target":"y"},`), projection.ErrEvent},
		{"policy is no object", replaced(`"nodes":[`, `"policy":1,"nodes":[`), projection.ErrEvent},
		{"trailing data", func(s *projection.Snapshot) { s.Data = deflate(t, append(slices.Clone(text), '}')) }, projection.ErrEvent},
		{"half of it", func(s *projection.Snapshot) { s.Data = deflate(t, text[:len(text)/2]) }, projection.ErrEvent},
	}
	for _, test := range tests {
		s := good
		s.Data = slices.Clone(good.Data)
		test.spoil(&s)
		if g, err := projection.DecodeSnapshot("g", s); !errors.Is(err, test.err) {
			t.Errorf("%s: got %v, %v, want %v", test.name, g, err, test.err)
		}
	}
	bomb := good
	bomb.Data = deflate(t, make([]byte, 64<<20))
	if g, err := projection.DecodeSnapshotWithin("g", bomb, 1<<20); !errors.Is(err, projection.ErrEvent) || !strings.Contains(err.Error(), "more bytes") {
		t.Errorf("%d bytes that inflate to 64 MiB: got %v, %v", len(bomb.Data), g, err)
	}
	zero := projection.Snapshot{Data: deflate(t, []byte(`{"graphId":"g","version":0,"hash":"","checksum":"0000000000000000"}`))}
	if g, err := projection.DecodeSnapshot("g", zero); !errors.Is(err, projection.ErrEvent) {
		t.Errorf("version 0: got %v, %v", g, err)
	}
	unknown := good
	unknown.Data = deflate(t, append([]byte(`{"future":[1,{}],`), text[1:]...))
	if _, err := projection.DecodeSnapshot("g", unknown); err != nil {
		t.Errorf("a field of a newer version: %v", err)
	}
}

// FuzzReadSnapshot: the JSON of a snapshot is refused, or a graph that makes a snapshot of its own and comes back from it.
func FuzzReadSnapshot(f *testing.F) {
	w := projectiontest.NewWriter("g", source(1))
	for range 4 {
		w.Events(20)
		s := snapshot(f, w.Graph)
		f.Add(inflate(f, s.Data), uint64(s.Version), string(s.Hash), uint64(s.Checksum))
	}
	const head = `{"graphId":"g","version":1,"hash":"h","checksum":"0000000000000000"`
	f.Add([]byte(head+`,"conflicts":[{"conflictId":"1-0"},{}],"policy":{}}`), uint64(1), "h", uint64(0))
	f.Add([]byte(head+`,"nodes":[{"id":"\u0061"}],"viewport":{},"edges":[{"id":"e","source":"a","target":"a"}]}`), uint64(1), "h", uint64(0))
	f.Fuzz(func(t *testing.T, text []byte, version uint64, hash string, checksum uint64) {
		g, err := projection.ReadSnapshot("g", eventstore.Position{Version: eventstore.Version(version), Hash: eventstore.Hash(hash)},
			projection.Checksum(checksum), text)
		if err != nil {
			if !errors.Is(err, projection.ErrEvent) && !errors.Is(err, projection.ErrChecksum) {
				t.Fatalf("error is neither ErrEvent nor ErrChecksum: %v", err)
			}
			return
		}
		again, err := g.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		second, err := projection.DecodeSnapshot("g", again)
		if err != nil {
			t.Fatalf("its own snapshot is refused: %v", err)
		}
		if third, err := second.Snapshot(); err != nil || !bytes.Equal(third.Data, again.Data) {
			t.Fatalf("round trip: %v", err)
		}
	})
}

// FuzzDecodeSnapshot: whatever bytes are in the place of a snapshot, they are refused in bounded time and memory.
func FuzzDecodeSnapshot(f *testing.F) {
	w := projectiontest.NewWriter("g", source(1))
	w.Events(20)
	good := snapshot(f, w.Graph)
	f.Add(good.Data)
	f.Add(deflate(f, make([]byte, 1<<20)))
	f.Fuzz(func(t *testing.T, data []byte) {
		s := good
		s.Data = data
		g, err := projection.DecodeSnapshotWithin("g", s, 1<<16)
		if err == nil && g.Checksum != good.Checksum {
			t.Fatalf("got a graph of checksum %s", g.Checksum)
		}
	})
}

// BenchmarkSnapshot is the encoding, and the decoding, of 1,000 nodes.
func BenchmarkSnapshot(b *testing.B) {
	w := projectiontest.NewWriter("g", source(1))
	for range 1000 {
		w.CreateNode()
	}
	s := snapshot(b, w.Graph)
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			snapshot(b, w.Graph)
		}
		b.ReportMetric(float64(len(s.Data)), "bytes")
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := projection.DecodeSnapshot("g", s); err != nil {
				b.Fatal(err)
			}
		}
	})
}
