package upkeep_test

import (
	"testing"

	"graphy/eventstore/embedded"
	"graphy/projection/projectiontest"
	models "graphy/projection/redis"
	"graphy/projection/upkeep"
)

// inFolder returns a world on a log inside the process, with its journal in a folder.
func inFolder(t testing.TB, dir string) (*world, func()) {
	t.Helper()
	store, err := embedded.Open(t.Context(), embedded.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{log: store, models: models.New(store.Client(), store.Keys(), models.Options{})}
	return w.open(), func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestEmbeddedToRedisAndBack: a file takes the logs from the one to the other, whole or trimmed, and the journal has them
// when it is opened again.
func TestEmbeddedToRedisAndBack(t *testing.T) {
	small, end := inFolder(t, t.TempDir())
	defer end()
	graphs := []string{"g", "h"}
	one, other := small.write(t, "g", 1, 800), small.write(t, "h", 2, 300)
	small.follow(t, "g")
	small.retain(t, "g", upkeep.Policy{Events: 100})
	if got, err := small.keeper.Copy(t.Context(), "h", "i", 200); err != nil || got.Version != 200 {
		t.Fatalf("copy: got %+v, %v", got, err)
	}

	large := keptOnRedis(t)
	for _, got := range large.imports(t, small.export(t, graphs...), upkeep.ImportOptions{}) {
		if got.Outcome != "imported" {
			t.Errorf("into Redis: got %+v", got)
		}
	}
	large.append(t, one, 400)
	for i, graph := range graphs {
		large.follow(t, graph)
		large.mustBeWhole(t, []*projectiontest.Writer{one, other}[i])
	}
	file := large.export(t, graphs...)

	for _, got := range small.imports(t, file, upkeep.ImportOptions{}) {
		if want := map[string]string{"g": "extended", "h": "unchanged"}[got.GraphID]; got.Outcome != want {
			t.Errorf("back: got %+v, want %s", got, want)
		}
	}
	dir := t.TempDir()
	fresh, end2 := inFolder(t, dir)
	fresh.imports(t, file, upkeep.ImportOptions{})
	end2()
	again, end3 := inFolder(t, dir)
	defer end3()
	for _, w := range []*world{small, again} {
		for i, graph := range graphs {
			if !sameEvents(w.all(t, w.log, graph), large.all(t, large.log, graph)) {
				t.Errorf("%s is not the same", graph)
			}
			w.follow(t, graph)
			w.mustBeWhole(t, []*projectiontest.Writer{one, other}[i])
		}
	}
}
