package e2e

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"graphy/eventstore/redis/redistest"
)

// TestI1OperatorIsKilled: rebuild, retain, export and import killed at any moment and started again leave nothing half done,
// and nothing behind that matters.
func TestI1OperatorIsKilled(t *testing.T) {
	t.Parallel()
	backing := redistest.Start(t)
	prefix, dir := backing.Prefix(t), t.TempDir()
	env := []string{"GRAPHY_REDIS_URL=" + backing.URL, "GRAPHY_KEY_PREFIX=" + prefix, "GRAPHY_ARCHIVE=" + filepath.Join(dir, "archive")}
	s := start(t, env...)
	ops, rng, client := operator{env}, random(t), backing.Client(t)
	graphs := make([]string, 4)
	before := map[string]*replica{}
	for i := range graphs {
		graphs[i] = newGraph(t)
		s.fill(t, graphs[i], 10)
		for n := range 150 {
			s.batch(t, graphs[i], object{"operations": []any{
				command("UPDATE_VIEWPORT", object{"x": n}), command("UPDATE_NODE", object{"nodeId": "n1", "updates": object{"n": n}})}})
		}
		before[graphs[i]] = s.fold(t, graphs[i])
	}
	file := filepath.Join(dir, "all.zst")
	ops.must(t, 0, "log", "export", "--all", "--file", file)
	other := operator{append(env, "GRAPHY_KEY_PREFIX="+prefix+"other:", "GRAPHY_ARCHIVE=")}
	for _, act := range []struct {
		ops  operator
		args []string
	}{
		{ops, []string{"rebuild", "--all"}},
		{ops, []string{"retain", "--all", "--events", "120"}},
		{other, []string{"log", "import", file}},
	} {
		for round := range 4 {
			for _, graph := range graphs { // so that there is something to rebuild
				failOn(t, []error{client.Do(t.Context(), client.B().Del().Key(prefix+"graph:{"+graph+"}:nodes").Build()).Error()})
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(50+rng.IntN(600))*time.Millisecond)
			_ = act.ops.command(ctx, act.args...).Run() // killed, or faster than that
			cancel()
			if t.Failed() {
				t.Fatalf("%v, round %d", act.args, round)
			}
		}
		act.ops.must(t, 0, act.args...)
	}
	ops.must(t, 0, "rebuild", "--all")
	ops.must(t, 0, "verify", "--all")
	other.must(t, 0, "rebuild", "--all")
	other.must(t, 0, "verify", "--all")
	there := start(t, other.env...)
	s.kill()
	s.relaunch(t) // it remembers the newest events itself for a while
	for _, graph := range graphs {
		if difference := before[graph].differs(there.fold(t, graph)); difference != "" {
			t.Errorf("%s imported: %s", graph, difference)
		}
		r := s.get(t, "/graphs/"+graph+"/changes?since=0").object(t)
		if r.text("status") != "reset" {
			t.Errorf("%s: changes since 0 of a trimmed log: %.200s", graph, fmt.Sprint(r))
		}
		if at := s.get(t, "/graphs/"+graph+"/state?at=5"); at.status != 200 || at.object(t).version() != 5 {
			t.Errorf("%s: the state at 5, through the archive: %v", graph, at)
		}
		s.accept(t, graph, "UPDATE_VIEWPORT", object{"y": 1})
	}
	ops.must(t, 0, append([]string{"restore", "--yes"}, graphs...)...)
	for _, graph := range graphs {
		s.fold(t, graph)
	}
	ops.must(t, 0, "verify", "--all")
}

// TestI4ServerRetains: a server trims by itself and is killed again and again meanwhile; clients are given every change once
// or a state, what was trimmed is in the archive, and without one it is gone and said to be.
func TestI4ServerRetains(t *testing.T) {
	t.Run("into an archive", func(t *testing.T) {
		t.Parallel()
		s, graph, _ := retaining(t, "GRAPHY_ARCHIVE="+filepath.Join(t.TempDir(), "archive"))
		if r := s.get(t, "/graphs/"+graph+"/state?at=3"); r.status != 200 || r.object(t).version() != 3 {
			t.Errorf("the state at 3, through the archive: %v", r)
		}
	})
	t.Run("into nothing", func(t *testing.T) {
		t.Parallel()
		s, graph, first := retaining(t)
		s.refused(t, s.get(t, "/graphs/"+graph+"/state?at=3"), 410, "history-trimmed")
		head := s.accept(t, graph, "UPDATE_VIEWPORT", object{"x": 1000}).version()
		since := max(first, head-50)
		r := s.get(t, fmt.Sprintf("/graphs/%s/changes?since=%d", graph, since)).object(t)
		if r.text("status") != "behind" || len(r.list("changes")) != int(head-since) {
			t.Errorf("changes since %d of %d: %.200s", since, head, fmt.Sprint(r))
		}
	})
}

// retaining returns a server that trims by itself, was killed again and again, and has trimmed a graph up to first.
func retaining(t *testing.T, env ...string) (s *server, graph string, first uint64) {
	backing := redistest.Start(t)
	env = append(env, "GRAPHY_REDIS_URL="+backing.URL, "GRAPHY_KEY_PREFIX="+backing.Prefix(t), "GRAPHY_RETAIN=events=150", "GRAPHY_RETAIN_EVERY=1s")
	s, graph = start(t, env...), newGraph(t)
	s.fill(t, graph, 3)
	for i := range 3 {
		for n := range 60 {
			s.batch(t, graph, object{"operations": []any{command("UPDATE_VIEWPORT", object{"x": n}), command("UPDATE_VIEWPORT", object{"y": i})}})
		}
		s.kill()
		s.relaunch(t)
	}
	ops := operator{env}
	await(t, time.Minute, "the log is trimmed", func() bool { // who was killed had the lease for a while
		r, err := s.tryAt(t.Context(), s.admin, "GET", "/api/v2/admin/graphs/"+graph, "")
		if err != nil || r.status != 200 {
			return false
		}
		number, _ := r.object(t).at("first").(float64)
		first = uint64(number)
		return first > 1
	})
	if r := s.get(t, "/graphs/"+graph+"/changes?since=0").object(t); r.text("status") != "reset" {
		t.Errorf("changes since 0: %.200s", fmt.Sprint(r))
	}
	ops.must(t, 0, "verify", graph)
	return s, graph, first
}

// TestOperatorMovesToRedisAndBack: whole histories go from the Redis inside to another and back, and are the same to the byte.
func TestOperatorMovesToRedisAndBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	backing := redistest.Start(t)
	first := []string{"GRAPHY_DATA_DIR=" + filepath.Join(dir, "first")}
	second := []string{"GRAPHY_REDIS_URL=" + backing.URL, "GRAPHY_KEY_PREFIX=" + backing.Prefix(t)}
	third := []string{"GRAPHY_DATA_DIR=" + filepath.Join(dir, "third")}
	s := start(t, first...)
	graph := newGraph(t)
	s.fill(t, graph, 20)
	operation := s.accept(t, graph, "UPDATE_NODE_TITLE", object{"nodeId": "n1", "title": "moved"}).text("operationId")
	want := fmt.Sprintf("%s", s.changesOf(t, graph))
	if done := (operator{first}).run(t, "verify", "--all", "--server", s.admin); done.code != 0 {
		t.Errorf("verify of a running server: %+v", done)
	}
	if code := s.terminate(t); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	out, back := filepath.Join(dir, "out.zst"), filepath.Join(dir, "back.zst")
	operator{first}.must(t, 0, "log", "export", "--all", "--file", out)
	operator{second}.must(t, 0, "log", "import", out)
	operator{second}.must(t, 0, "log", "export", graph, "--file", back)
	operator{third}.must(t, 0, "log", "import", back)
	for _, env := range [][]string{second, third} {
		s := start(t, env...)
		s.fold(t, graph)
		if got := fmt.Sprintf("%s", s.changesOf(t, graph)); got != want {
			t.Errorf("%v: the history differs", env)
		}
		if r := s.get(t, "/graphs/"+graph+"/operations/"+operation); r.status != 200 || r.object(t).text("status") != "completed" {
			t.Errorf("%v: the operation: %v", env, r)
		}
		s.kill()
	}
}
