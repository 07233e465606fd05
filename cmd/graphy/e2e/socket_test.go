package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// socket is a WebSocket client that collects what it is sent.
type socket struct {
	conn   *websocket.Conn
	frames chan frame // closed when the connection has ended
	err    error      // why; for readers of a closed frames
}

// frame is one message of the server.
type frame struct {
	raw []byte
	object
	kind string
}

// open subscribes to a graph; pairs are names and values of the query.
func (s *server) open(t testing.TB, graph string, pairs ...string) *socket {
	t.Helper()
	query := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		query.Set(pairs[i], pairs[i+1])
	}
	socket, err := dial(s.wsURL(graph, query))
	if err != nil {
		t.Fatalf("subscribe to %s: %v", graph, err)
	}
	t.Cleanup(func() { socket.conn.Close() })
	return socket
}

func dial(address string) (*socket, error) {
	dialer := websocket.Dialer{HandshakeTimeout: 10 * time.Second, Subprotocols: []string{"graphy.v2"}}
	conn, response, err := dialer.Dial(address, nil)
	if err != nil {
		if response != nil {
			err = fmt.Errorf("%w: %s", err, response.Status)
		}
		return nil, err
	}
	s := &socket{conn: conn, frames: make(chan frame, 1<<14)}
	go s.read()
	return s, nil
}

func (s *socket) read() {
	defer close(s.frames)
	for {
		_, message, err := s.conn.ReadMessage()
		if err != nil {
			s.err = err
			return
		}
		f := frame{raw: message}
		if err := json.Unmarshal(message, &f.object); err != nil {
			s.err = fmt.Errorf("a frame is not one JSON object: %w: %.200s", err, message)
			return
		}
		f.kind = f.text("type")
		s.frames <- f
	}
}

// errSilent says that nothing came, over a connection that is open.
var errSilent = errors.New("nothing came in time")

// next waits for the next frame.
func (s *socket) next(t testing.TB) frame {
	t.Helper()
	f, err := s.wait(15 * time.Second)
	if err != nil {
		t.Fatalf("the next frame: %v", err)
	}
	return f
}

// wait is next that fails with errSilent, or with why the connection has ended.
func (s *socket) wait(limit time.Duration) (frame, error) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case f, ok := <-s.frames:
		if !ok {
			return frame{}, fmt.Errorf("the connection has ended: %w", s.err)
		}
		return f, nil
	case <-timer.C:
		return frame{}, errSilent
	}
}

// expect waits for the next frame, which must be of this kind.
func (s *socket) expect(t testing.TB, kind string) frame {
	t.Helper()
	f := s.next(t)
	if f.kind != kind {
		t.Fatalf("got a %q frame, want %q: %.300s", f.kind, kind, f.raw)
	}
	return f
}

// until waits for a frame of this kind and returns it with those before it.
func (s *socket) until(t testing.TB, kind string) (frame, []frame) {
	t.Helper()
	var before []frame
	for {
		f := s.next(t)
		if f.kind == kind {
			return f, before
		}
		before = append(before, f)
	}
}

// send sends one message, marshalled unless it is a string.
func (s *socket) send(t testing.TB, message any) {
	t.Helper()
	if err := s.conn.WriteMessage(websocket.TextMessage, []byte(encode(message))); err != nil {
		t.Fatalf("send: %v", err)
	}
}

// closeCode waits for the end of the connection and returns its close code.
func (s *socket) closeCode(t testing.TB) int {
	t.Helper()
	timeout := time.After(15 * time.Second)
	for {
		select {
		case _, ok := <-s.frames:
			if ok {
				continue
			}
			var closed *websocket.CloseError
			if !errors.As(s.err, &closed) {
				t.Fatalf("the connection ended without a close frame: %v", s.err)
			}
			return closed.Code
		case <-timeout:
			t.Fatal("the connection stays open")
		}
	}
}

// wsCommand is a command in the first of the two message shapes.
func wsCommand(kind string, payload any, more ...any) object {
	body := command(kind, payload, more...)
	body["command"], body["type"] = body["type"], "command"
	return body
}

// follower folds what a subscriber is sent.
type follower struct {
	*replica
	synced bool
}

// take folds a frame that is a sync or a state_update.
func (f *follower) take(message frame) error {
	switch {
	case message.kind == "sync":
		return f.sync(message)
	case message.kind == "state_update" && !f.synced:
		return fmt.Errorf("I4: a state_update of version %d before the first sync", message.version())
	case message.kind == "state_update":
		return f.apply(message.raw)
	}
	return nil
}

func (f *follower) sync(message frame) error {
	f.synced = true
	var body struct {
		Status  string
		Changes []json.RawMessage
		State   json.RawMessage
	}
	if err := json.Unmarshal(message.raw, &body); err != nil {
		return err
	}
	switch body.Status {
	case "in_sync":
	case "behind":
		for _, raw := range body.Changes {
			if err := f.apply(raw); err != nil && !strings.Contains(err.Error(), "after version") {
				return err
			}
		}
	default:
		state, _ := message.at("state").(map[string]any)
		if err := f.load(object(state)); err != nil {
			return err
		}
	}
	if f.version != message.version() || f.hash != message.text("hash") {
		return fmt.Errorf("after %s sync at %d %q, want %d %q", body.Status, f.version, f.hash, message.version(), message.text("hash"))
	}
	return nil
}

// follow returns a follower that has taken frames until it stands at version.
func (s *socket) follow(version uint64) (*follower, error) {
	f := &follower{replica: newReplica()}
	for !f.synced || f.version < version {
		message, err := s.wait(20 * time.Second)
		if err != nil {
			return f, fmt.Errorf("at version %d, waiting for %d: %w", f.version, version, err)
		}
		if err := f.take(message); err != nil {
			return f, err
		}
	}
	return f, nil
}

// dialRaw opens a socket and leaves reading to the caller.
func dialRaw(t testing.TB, address string, header http.Header) (*websocket.Conn, *http.Response, error) {
	t.Helper()
	conn, response, err := websocket.DefaultDialer.Dial(address, header)
	if err == nil {
		t.Cleanup(func() { conn.Close() })
	}
	return conn, response, err
}
