package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"graphy/eventstore/redis/redistest"
)

// SIGTERM under load: what is in the log was answered, sockets hear going_away and are closed with 1012, exit code 0.
func TestSIGTERMDrains(t *testing.T) {
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		stopUnderLoad(t, start(t, "GRAPHY_DATA_DIR="+filepath.Join(t.TempDir(), "data")))
	})
	t.Run("redis", func(t *testing.T) {
		t.Parallel()
		backing := redistest.Start(t)
		stopUnderLoad(t, start(t, "GRAPHY_REDIS_URL="+backing.URL, "GRAPHY_KEY_PREFIX="+backing.Prefix(t)))
	})
}

func stopUnderLoad(t *testing.T, s *server) {
	graph := newGraph(t)
	s.fillSettled(t, graph, 1)
	var mu sync.Mutex
	var accepted atomic.Int64
	acked := map[string]uint64{}
	note := func(id string, version uint64) {
		mu.Lock()
		defer mu.Unlock()
		acked[id] = version
		accepted.Add(1)
	}
	var group sync.WaitGroup
	for range 6 {
		group.Go(func() {
			for {
				id := newID()
				r, err := s.try(context.Background(), "POST", "/graphs/"+graph+"/command", encode(command("CREATE_NODE", object{"id": id}, "operationId", id)))
				switch {
				case err != nil:
					return // must not be in the log
				case r.status == http.StatusAccepted:
					note(id, decode(r.body).version())
				case r.status != http.StatusServiceUnavailable:
					t.Errorf("while stopping: %v", r)
				}
			}
		})
	}
	for range 3 {
		socket := s.open(t, graph)
		group.Go(func() { converseUntilGone(t, socket, note) })
	}
	poll := make(chan string, 1)
	group.Go(func() {
		r, err := s.try(context.Background(), "GET", "/graphs/"+newID()+"/changes?since=0&wait=30000", "")
		poll <- fmt.Sprint(r.status, err)
	})
	await(t, 20e9, "a long poll and load", func() bool { return s.metric(t, "graphy_http_long_polls") == 1 && accepted.Load() > 200 })
	failOn(t, []error{s.cmd.Process.Signal(syscall.SIGTERM)})
	if code := s.exitCode(t, 15e9); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	group.Wait()
	if got := <-poll; got != "200<nil>" && got != "200 <nil>" {
		t.Errorf("a long poll while stopping ended with %s", got)
	}
	s.relaunch(t)
	folded := s.fold(t, graph)
	for id, version := range acked {
		if folded.operations[id] != version {
			t.Errorf("I1: %s was acknowledged at %d, in the log it is at %d", id, version, folded.operations[id])
		}
	}
	if unanswered := len(folded.operations) - 1 - len(acked); unanswered > 0 {
		t.Errorf("%d of %d commands are in the log, but were not answered", unanswered, len(folded.operations))
	}
}

// converseUntilGone keeps twenty commands under way until the server says good-bye.
func converseUntilGone(t *testing.T, socket *socket, note func(id string, version uint64)) {
	warned := false
	send := func() { // fails once the server has gone
		id := newID()
		_ = socket.conn.WriteMessage(websocket.TextMessage, []byte(encode(wsCommand("CREATE_NODE", object{"id": id}, "operationId", id))))
	}
	for range 20 {
		send()
	}
	for {
		f, err := socket.wait(20e9)
		if err != nil {
			var closed *websocket.CloseError
			if !errors.As(err, &closed) || closed.Code != websocket.CloseServiceRestart || !warned {
				t.Errorf("the socket ended with %v, going_away before: %t", err, warned)
			}
			return
		}
		switch f.kind {
		case "going_away":
			warned = true
			if f.at("retryAfter") == nil {
				t.Errorf("going_away: %s", f.raw)
			}
		case "command_result":
			note(f.text("operationId"), f.version())
			send()
		case "revert":
			if code := f.text("error", "code"); code != "unavailable" {
				t.Errorf("while stopping: %.200s", f.raw)
			}
			if !warned {
				send()
			}
		}
	}
}

// What is under way when SIGTERM comes is answered before the sockets and the process end.
func TestSIGTERMWaitsForCommandsUnderWay(t *testing.T) {
	t.Parallel()
	backing := redistest.StartOwn(t)
	s := start(t, "GRAPHY_REDIS_URL="+backing.URL)
	graph := newGraph(t)
	s.fillSettled(t, graph, 1)
	socket := s.open(t, graph)
	socket.expect(t, "sync")
	backing.Freeze()
	socket.send(t, wsCommand("CREATE_NODE", object{"id": "over-websocket"}))
	answer := make(chan error, 1)
	go func() {
		_, err := s.tryCommand(context.Background(), graph, command("CREATE_NODE", object{"id": "over-http"}), nil, http.StatusAccepted)
		answer <- err
	}()
	pause(t.Context(), 100*time.Millisecond) // both are with the server now, which nothing tells from outside
	failOn(t, []error{s.cmd.Process.Signal(syscall.SIGTERM)})
	socket.expect(t, "going_away")
	pause(t.Context(), 200*time.Millisecond) // whoever does not wait has gone by now
	backing.Thaw()
	if f, _ := socket.until(t, "command_result"); f.at("accepted") != true {
		t.Errorf("the command over WebSocket: %.200s", f.raw)
	}
	if err := <-answer; err != nil {
		t.Errorf("the command over HTTP: %v", err)
	}
	if code := socket.closeCode(t); code != websocket.CloseServiceRestart {
		t.Errorf("closed with %d", code)
	}
	if code := s.exitCode(t, 15*time.Second); code != 0 {
		t.Errorf("exit code %d", code)
	}
}
