package upkeep_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"graphy/projection/upkeep"
)

// several returns a world with graphs g000, g001 and so on, of ten events each.
func several(t testing.TB, graphs int) *world {
	t.Helper()
	w := inMemory()
	for i := range graphs {
		w.write(t, fmt.Sprintf("g%03d", i), uint64(i), 10)
	}
	return w
}

func TestEachDoesEveryGraphOnce(t *testing.T) {
	w := several(t, 50)
	tests := []struct {
		name  string
		sel   upkeep.Selection
		first string
		count int
	}{
		{"all", upkeep.Selection{All: true}, "g000", 50},
		{"all, one by one", upkeep.Selection{All: true, Parallel: 1}, "g000", 50},
		{"all after", upkeep.Selection{All: true, After: "g019"}, "g020", 30},
		{"some", upkeep.Selection{Graphs: []string{"g007", "g003", "g007"}}, "g003", 2},
		{"some after", upkeep.Selection{Graphs: []string{"g007", "g003"}, After: "g003"}, "g007", 1},
		{"none", upkeep.Selection{}, "", 0},
	}
	for _, test := range tests {
		var done []string
		var last upkeep.Progress
		for step, err := range upkeep.Each(t.Context(), w.keeper, test.sel, w.keeper.Verify) {
			if err != nil || step.Err != nil {
				t.Fatal(err, step.Err)
			}
			if step.Result != nil {
				done = append(done, step.Graph)
				last = step.Progress
			}
		}
		slices.Sort(done)
		if len(done) != test.count || len(slices.Compact(done)) != test.count || test.count > 0 && done[0] != test.first {
			t.Errorf("%s: got %v", test.name, done)
		}
		if last.Done != test.count || last.Total != test.count || last.Events != int64(10*test.count) ||
			test.count > 0 && last.Graph != done[len(done)-1] {
			t.Errorf("%s: got %+v", test.name, last)
		}
	}
}

func TestEachGoesOnAfterAFailure(t *testing.T) {
	w := several(t, 10)
	failures, results := 0, 0
	failing := func(_ context.Context, graph string) (string, error) {
		if graph == "g004" {
			return "", errors.New("it is the fourth")
		}
		return graph, nil
	}
	for step, err := range upkeep.Each(t.Context(), w.keeper, upkeep.Selection{All: true}, failing) {
		switch {
		case err != nil:
			t.Fatal(err)
		case step.Err != nil:
			failures++
		case step.Result != nil && *step.Result == step.Graph:
			results++
		}
	}
	if failures != 1 || results != 9 {
		t.Errorf("got %d failures and %d results, want 1 and 9", failures, results)
	}
}

// What a Progress says is done is done, and the rest is done after it.
func TestEachIsResumed(t *testing.T) {
	w := several(t, 60)
	for stop := 1; stop < 60; stop += 7 {
		done := map[string]bool{}
		after, steps := "", 0
		for step := range upkeep.Each(t.Context(), w.keeper, upkeep.Selection{All: true, Parallel: 5}, w.keeper.Verify) {
			done[step.Graph] = true
			if after, steps = step.Progress.Graph, steps+1; steps == stop {
				break
			}
		}
		for step, err := range upkeep.Each(t.Context(), w.keeper, upkeep.Selection{All: true, After: after}, w.keeper.Verify) {
			if err != nil {
				t.Fatal(err)
			}
			done[step.Graph] = true
		}
		if delete(done, ""); len(done) != 60 {
			t.Errorf("stopped after %d, resumed after %q: %d graphs done, want 60", stop, after, len(done))
		}
	}
}

func TestEachIsCancelled(t *testing.T) {
	w := several(t, 20)
	ctx, cancel := context.WithCancel(t.Context())
	var running atomic.Int64
	waiting := func(ctx context.Context, graph string) (string, error) {
		running.Add(1)
		defer running.Add(-1)
		if graph == "g003" {
			cancel()
		}
		<-ctx.Done()
		return "", ctx.Err()
	}
	var last error
	for step, err := range upkeep.Each(ctx, w.keeper, upkeep.Selection{All: true, Parallel: 4}, waiting) {
		if step.Graph != "" {
			t.Errorf("got %+v although none was done", step)
		}
		last = err
	}
	if !errors.Is(last, context.Canceled) || running.Load() != 0 {
		t.Errorf("got %v, with %d still running", last, running.Load())
	}
}

func TestEachTellsProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := several(t, 8)
		slow := func(ctx context.Context, graph string) (upkeep.Verified, error) {
			verified, err := w.keeper.Verify(ctx, graph)
			time.Sleep(2500 * time.Millisecond)
			return verified, err
		}
		ticks := 0
		for step, err := range upkeep.Each(t.Context(), w.keeper, upkeep.Selection{All: true, Parallel: 2}, slow) {
			if err != nil {
				t.Fatal(err)
			}
			if step.Result == nil {
				ticks++
			}
			if p := step.Progress; p.Done == 4 && (p.Left < time.Second || p.Left > 6*time.Second || p.Rate < 5 || p.Events < 40) {
				t.Errorf("half way, 5 s before the end: got %+v", p)
			}
		}
		if ticks < 8 {
			t.Errorf("got %d steps of progress alone in 10 s", ticks)
		}
	})
}

func TestEachFailsWithoutTheDirectory(t *testing.T) {
	w := several(t, 3)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	steps := 0
	for _, err := range upkeep.Each(ctx, w.keeper, upkeep.Selection{All: true}, w.keeper.Verify) {
		if steps++; err == nil {
			t.Error("no error")
		}
	}
	if steps != 1 {
		t.Errorf("got %d steps, want the error alone", steps)
	}
}
