package upkeep_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"

	"graphy/eventstore"
	"graphy/eventstore/archive"
	"graphy/projection/projectiontest"
	"graphy/projection/upkeep"
)

// names yields names as a listing does.
func names(graphs ...string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, graph := range graphs {
			if !yield(graph, nil) {
				return
			}
		}
	}
}

// export returns the archive of graphs.
func (w *world) export(t testing.TB, graphs ...string) []byte {
	t.Helper()
	var file bytes.Buffer
	if _, err := w.keeper.Export(t.Context(), &file, names(graphs...), nil); err != nil {
		t.Fatalf("export: %v", err)
	}
	return file.Bytes()
}

// imports takes an archive in and returns the reports.
func (w *world) imports(t testing.TB, file []byte, opts upkeep.ImportOptions) (reports []upkeep.Imported) {
	t.Helper()
	err := w.keeper.Import(t.Context(), bytes.NewReader(file), opts, func(report upkeep.Imported) { reports = append(reports, report) })
	if err != nil {
		t.Fatalf("import: %v", err)
	}
	return reports
}

func TestExportAndImport(t *testing.T) {
	w := inMemory().archived(newShelf())
	var writers []*projectiontest.Writer
	var graphs []string
	for i := range 10 {
		graph := fmt.Sprint("g", i)
		writers, graphs = append(writers, w.write(t, graph, uint64(i), 150*i+1)), append(graphs, graph)
		w.follow(t, graph)
	}
	w.retain(t, "g9", upkeep.Policy{Events: 100}) // the archive has the rest
	var told []upkeep.Exported
	var file bytes.Buffer
	manifest, err := w.keeper.Export(t.Context(), &file, names(append(graphs, "nobody")...), func(e upkeep.Exported) { told = append(told, e) })
	if err != nil || len(manifest.Graphs) != 10 || len(told) != 10 {
		t.Fatalf("got %+v, %v, told %d", manifest, err, len(told))
	}
	for i, e := range told {
		if e.GraphID != graphs[i] || e.To != writers[i].Graph.Position || e.Events != int64(150*i+1) || e.From.Version != 0 {
			t.Errorf("told %+v", e)
		}
	}
	for _, target := range []*world{inMemory(), keptOnRedis(t).world} {
		dry := target.imports(t, file.Bytes(), upkeep.ImportOptions{DryRun: true})
		if streams, err := target.log.Streams(t.Context(), "", 100); err != nil || len(streams) != 0 || len(dry) != 10 || dry[3].Outcome != "imported" {
			t.Fatalf("dry run: there are %v, %v; got %+v", streams, err, dry)
		}
		for i, got := range target.imports(t, file.Bytes(), upkeep.ImportOptions{}) {
			if got.GraphID != graphs[i] || got.Outcome != "imported" || got.Events != int64(150*i+1) || got.Version != eventstore.Version(150*i+1) {
				t.Errorf("got %+v", got)
			}
			if now := target.all(t, target.log, graphs[i]); !sameEvents(now, w.all(t, w.stores.Log, graphs[i])) {
				t.Errorf("%s: got %d events", graphs[i], len(now))
			}
			target.follow(t, graphs[i])
			target.mustBeWhole(t, writers[i])
		}
		for _, got := range target.imports(t, file.Bytes(), upkeep.ImportOptions{}) {
			if got.Outcome != "unchanged" || got.Events != 0 {
				t.Errorf("again: got %+v", got)
			}
		}
		if got := target.export(t, graphs...); len(got) == 0 {
			t.Error("what was imported cannot be exported")
		}
	}
}

// TestImportOntoWhatIsThere tells what becomes of a graph that the archive has with version 200 of history 1.
func TestImportOntoWhatIsThere(t *testing.T) {
	source := inMemory()
	source.write(t, "g", 1, 200)
	long := source.all(t, source.log, "g")
	if _, err := source.keeper.Copy(t.Context(), "g", "h", 120); err != nil {
		t.Fatal(err)
	}
	file := source.export(t, "g")
	tests := []struct {
		name            string
		seed            uint64
		there           int
		plain, replaced string // outcomes
		events          int64  // of plain
	}{
		{"nothing", 1, 0, "imported", "imported", 200},
		{"a part of it", 1, 120, "extended", "extended", 80},
		{"the same", 1, 200, "unchanged", "unchanged", 0},
		{"more", 1, 300, "unchanged", "replaced", 0},
		{"another, shorter", 2, 150, "refused", "replaced", 0},
		{"another, as long", 2, 200, "refused", "replaced", 0},
		{"another, longer", 2, 250, "refused", "replaced", 0},
	}
	for _, test := range tests {
		for _, replace := range []bool{false, true} {
			for _, dry := range []bool{true, false} {
				w := inMemory()
				w.write(t, "g", test.seed, test.there)
				before := w.all(t, w.log, "g")
				want := test.plain
				if replace {
					want = test.replaced
				}
				got := w.imports(t, file, upkeep.ImportOptions{Replace: replace, DryRun: dry})
				if len(got) != 1 || got[0].Outcome != want || got[0].DryRun != dry || !replace && got[0].Events != test.events {
					t.Errorf("%s, replace %t, dry run %t: got %+v, want %s", test.name, replace, dry, got, want)
				}
				after := w.all(t, w.log, "g")
				expected := before
				if !dry && (want == "imported" || want == "extended" || want == "replaced") {
					expected = long
				}
				if !sameEvents(after, expected) {
					t.Errorf("%s, replace %t, dry run %t: the log has %d events", test.name, replace, dry, len(after))
				}
			}
		}
	}
}

// TestImportOntoATrimmedLog: what is there keeps its base.
func TestImportOntoATrimmedLog(t *testing.T) {
	source := inMemory()
	writer := source.write(t, "g", 1, 1200)
	early := source.export(t, "g")
	source.append(t, writer, 300)
	late := source.export(t, "g")
	other := inMemory()
	other.write(t, "g", 2, 1100)
	w := inMemory()
	w.imports(t, early, upkeep.ImportOptions{})
	w.follow(t, "g")
	w.retain(t, "g", upkeep.Policy{Events: 100})
	if got := w.imports(t, other.export(t, "g"), upkeep.ImportOptions{}); got[0].Outcome != "refused" {
		t.Errorf("another history, below the base: got %+v", got)
	}
	if got := w.imports(t, early, upkeep.ImportOptions{}); got[0].Outcome != "unchanged" {
		t.Errorf("got %+v", got)
	}
	if got := w.imports(t, late, upkeep.ImportOptions{}); got[0].Outcome != "extended" || got[0].Events != 300 {
		t.Errorf("got %+v", got)
	}
	if base, err := w.log.Base(t.Context(), "g"); err != nil || base.Version != 1100 {
		t.Errorf("base %v, %v", base.Position, err)
	}
	w.follow(t, "g")
	w.mustBeWhole(t, writer)
}

// TestExportOfATrimmedLog: what the archive begins with is a state.
func TestExportOfATrimmedLog(t *testing.T) {
	source := inMemory()
	writer := source.write(t, "g", 1, 1200)
	source.follow(t, "g")
	source.retain(t, "g", upkeep.Policy{Events: 100})
	file := source.export(t, "g")
	w := inMemory()
	if got := w.imports(t, file, upkeep.ImportOptions{}); got[0].Outcome != "imported" || got[0].Events != 100 || got[0].Version != 1200 {
		t.Errorf("got %+v", got)
	}
	w.follow(t, "g")
	w.mustBeWhole(t, writer)
	above := inMemory()
	above.write(t, "g", 1, 50) // the archive begins above it
	if got := above.imports(t, file, upkeep.ImportOptions{}); got[0].Outcome != "refused" {
		t.Errorf("got %+v", got)
	}
}

// TestImportOfADamagedFile: cut or flipped anywhere, it changes nothing but what was whole before.
func TestImportOfADamagedFile(t *testing.T) {
	source := inMemory()
	source.write(t, "g", 1, 300)
	source.write(t, "h", 2, 300)
	file := source.export(t, "g", "h")
	for i := 1; i < len(file); i += len(file)/40 + 1 {
		cut := file[:i]
		flipped := bytes.Clone(file)
		flipped[i] ^= 4
		for _, damaged := range [][]byte{cut, flipped} {
			w := inMemory()
			there := w.write(t, "h", 3, 10)
			before := w.all(t, w.log, "h")
			err := w.keeper.Import(t.Context(), bytes.NewReader(damaged), upkeep.ImportOptions{Replace: true}, nil)
			if !errors.Is(err, archive.ErrDamaged) {
				t.Fatalf("byte %d of %d: got %v", i, len(file), err)
			}
			if got := w.all(t, w.log, "g"); len(got) != 0 && !sameEvents(got, source.all(t, source.log, "g")) {
				t.Fatalf("byte %d of %d: %d events were imported", i, len(file), len(got))
			}
			if got := w.all(t, w.log, "h"); !sameEvents(got, before) && !sameEvents(got, source.all(t, source.log, "h")) {
				t.Fatalf("byte %d of %d: %d events are in the place of %d", i, len(file), len(got), there.Graph.Position.Version)
			}
		}
	}
}

// TestExportOfADamagedLog: the others are exported all the same, and it up to the damage.
func TestExportOfADamagedLog(t *testing.T) {
	s := keptOnRedis(t)
	s.write(t, "a", 1, 100)
	events := s.all(t, s.log, "a")
	broken := append([]eventstore.Event(nil), events...)
	broken[60].Data = []byte("x")
	s.rewrite(t, "b", broken)
	s.write(t, "c", 3, 100)
	var file bytes.Buffer
	manifest, err := s.keeper.Export(t.Context(), &file, names("a", "b", "c"), nil)
	if !errors.Is(err, eventstore.ErrBroken) || len(manifest.Graphs) != 3 || manifest.Graphs[1].To != events[59].Position() {
		t.Fatalf("got %+v, %v", manifest, err)
	}
	if got := inMemory().imports(t, file.Bytes(), upkeep.ImportOptions{}); len(got) != 3 || got[1].Version != 60 || got[2].Version != 100 {
		t.Errorf("got %+v", got)
	}
	if got := s.imports(t, file.Bytes(), upkeep.ImportOptions{}); got[0].Outcome != "unchanged" {
		t.Errorf("onto itself: got %+v", got)
	}
	s.do(t, s.keys.Events("a"), "DEL")
	s.do(t, s.keys.Events("a"), "SET", "something")
	if got := s.imports(t, file.Bytes(), upkeep.ImportOptions{}); got[0].Outcome != "refused" {
		t.Errorf("onto a key of another type: got %+v", got)
	}
	if got := s.imports(t, file.Bytes(), upkeep.ImportOptions{Replace: true}); got[0].Outcome != "replaced" {
		t.Errorf("in the place of a key of another type: got %+v", got)
	}
	if now := s.all(t, s.log, "a"); !sameEvents(now, events) {
		t.Errorf("got %d events", len(now))
	}
}

// TestExportWhileWritten: each graph is exported up to where it stood.
func TestExportWhileWritten(t *testing.T) {
	w := inMemory()
	writer := w.write(t, "g", 1, 2000)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil && writer.Graph.Position.Version < 20_000 {
			projectiontest.Append(t, w.log, "g", writer.Random())
		}
	}()
	file := w.export(t, "g")
	cancel()
	<-done
	target := inMemory()
	got := target.imports(t, file, upkeep.ImportOptions{})
	if len(got) != 1 || got[0].Version < 2000 || got[0].Version > writer.Graph.Position.Version {
		t.Errorf("got %+v", got)
	}
	if got := target.imports(t, w.export(t, "g"), upkeep.ImportOptions{}); got[0].Version != writer.Graph.Position.Version {
		t.Errorf("got %+v", got)
	}
}

func TestExportStops(t *testing.T) {
	w := inMemory()
	w.write(t, "g", 1, 2000)
	failed := errors.New("no listing")
	_, err := w.keeper.Export(t.Context(), &bytes.Buffer{}, func(yield func(string, error) bool) { yield("", failed) }, nil)
	if !errors.Is(err, failed) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.keeper.Export(ctx, &bytes.Buffer{}, names("g"), nil); err == nil {
		t.Error("a cancelled export has ended well")
	}
	if _, err := w.keeper.Export(t.Context(), full{}, names("g"), nil); err == nil {
		t.Error("an export to a full disk has ended well")
	}
}

// full is a disk without space.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }
