package e2e

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"graphy/eventstore/redis/redistest"
)

// kill -9 under load, again and again: nothing acknowledged is lost (I1), nothing is in the log twice (I1), the chain
// holds (I2) and the read models follow (I3).
func TestI1KilledServerLosesNothing(t *testing.T) {
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		killUnderLoad(t, start(t, "GRAPHY_DATA_DIR="+filepath.Join(t.TempDir(), "data")), 6)
	})
	t.Run("redis", func(t *testing.T) {
		t.Parallel()
		backing := redistest.Start(t)
		killUnderLoad(t, start(t, "GRAPHY_REDIS_URL="+backing.URL, "GRAPHY_KEY_PREFIX="+backing.Prefix(t)), 6)
	})
}

func killUnderLoad(t *testing.T, s *server, times int) {
	rng := random(t)
	l := put(t, 2, s)
	for range times {
		l.awaitMore(t, 20+rng.IntN(120))
		s.kill()
		s.relaunch(t)
	}
	l.awaitMore(t, 100)
	l.verify(t, s)
}

// A crash between append and fold: a process that only appends is killed, another that only folds comes later.
func TestI3AppendedIsProjectedByWhoComesNext(t *testing.T) {
	t.Parallel()
	backing := redistest.Start(t)
	env := []string{"GRAPHY_REDIS_URL=" + backing.URL, "GRAPHY_KEY_PREFIX=" + backing.Prefix(t)}
	api := start(t, append(env, "GRAPHY_ROLES=api")...)
	graph := newGraph(t)
	last := api.fill(t, graph, 50)
	for range 20 {
		last = api.accept(t, graph, "UPDATE_NODE_TITLE", object{"nodeId": "n1", "title": newID()}).version()
	}
	r := api.get(t, "/graphs/"+graph+"/state?minVersion="+"21&timeout=100")
	api.refused(t, r, http.StatusGatewayTimeout, "projection-behind")
	if r := api.get(t, "/graphs/"+graph+"/subscribe"); r.status != http.StatusNotFound {
		t.Errorf("a process without the role realtime answers subscribe with %v", r)
	}
	api.kill()
	projector := start(t, append(env, "GRAPHY_ROLES=projector")...)
	if r := projector.get(t, "/graphs/"+graph+"/state"); r.status != http.StatusNotFound {
		t.Errorf("a process without the role api answers state with %v", r)
	}
	reader := start(t, append(env, "GRAPHY_ROLES=api")...)
	begin := time.Now()
	reader.state(t, graph, last)
	t.Logf("projected %v after the start", time.Since(begin))
	reader.fold(t, graph)
}

func TestSecondProcessOnOneDataDirIsRefused(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	first := start(t, "GRAPHY_DATA_DIR="+dir)
	graph := newGraph(t)
	first.fill(t, graph, 3)
	second, err := launch("GRAPHY_DATA_DIR=" + dir)
	if err == nil {
		second.kill()
		t.Fatal("a second process works on the same data")
	}
	if code := second.exitCode(t, 10*time.Second); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	text := second.output.String()
	if !strings.Contains(text, "GRAPHY_DATA_DIR") || !strings.Contains(text, dir) || strings.Contains(text, "goroutine") {
		t.Errorf("it says: %s", text)
	}
	first.fold(t, graph)
}

// Everything is there after stop and start, the index of operations included.
func TestRestartFindsEverything(t *testing.T) {
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		restart(t, start(t, "GRAPHY_DATA_DIR="+filepath.Join(t.TempDir(), "data")))
	})
	t.Run("redis", func(t *testing.T) {
		t.Parallel()
		backing := redistest.Start(t)
		restart(t, start(t, "GRAPHY_REDIS_URL="+backing.URL, "GRAPHY_KEY_PREFIX="+backing.Prefix(t)))
	})
}

func restart(t *testing.T, s *server) {
	graph, gone := newGraph(t), newGraph(t)
	s.fill(t, graph, 20)
	s.fill(t, gone, 5)
	body := command("UPDATE_NODE_TITLE", object{"nodeId": "n3", "title": "kept"}, "operationId", "op-"+graph)
	first := s.acceptBody(t, graph, body)
	s.call(t, "DELETE", "/graphs/"+gone, "")
	before := s.fold(t, graph)
	if code := s.terminate(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	s.relaunch(t)
	if difference := before.differs(s.fold(t, graph)); difference != "" {
		t.Errorf("after the restart: %s", difference)
	}
	again := s.acceptBody(t, graph, body)
	if again.at("duplicate") != true || again.version() != first.version() || again.text("hash") != first.text("hash") {
		t.Errorf("the operation again: %v", again)
	}
	if state := s.get(t, "/graphs/"+gone+"/state").object(t); state.version() != 0 {
		t.Errorf("a deleted graph came back at version %d", state.version())
	}
	if o := s.accept(t, graph, "CREATE_NODE", object{}); o.version() != first.version()+1 {
		t.Errorf("the next command: %v", o)
	}
	s.fold(t, graph)
}
