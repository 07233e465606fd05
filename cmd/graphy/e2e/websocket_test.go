package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

func TestSyncs(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		graph := newGraph(t)
		if f := s.open(t, graph).expect(t, "sync"); f.version() != 0 || f.text("hash") != "" || f.text("clientId") == "" || f.at("reconnected") != false {
			t.Errorf("of an empty graph: %.300s", f.raw)
		}
		s.fillSettled(t, graph, 3)
		first := s.accept(t, graph, "UPDATE_VIEWPORT", object{"x": 1})
		second := s.accept(t, graph, "UPDATE_VIEWPORT", object{"x": 2})
		s.state(t, graph, 3)
		tests := []struct {
			name   string
			query  []string
			status string
			state  bool
			count  int
		}{
			{"no version", nil, "full", true, 0},
			{"the head", []string{"clientVersion", "3", "hash", second.text("hash")}, "in_sync", false, 0},
			{"behind", []string{"clientVersion", "2", "hash", first.text("hash")}, "behind", false, 1},
			{"behind, no hash", []string{"clientVersion", "1"}, "behind", false, 2},
			{"from the start", []string{"clientVersion", "0"}, "behind", false, 3},
			{"another history", []string{"clientVersion", "2", "hash", "00000000000000000000000000000000"}, "conflict", true, 0},
			{"ahead", []string{"clientVersion", "9"}, "conflict", true, 0},
		}
		for _, test := range tests {
			f := s.open(t, graph, append(test.query, "clientId", "c-"+newID())...).expect(t, "sync")
			if f.text("status") != test.status || f.version() != 3 || f.text("hash") != second.text("hash") ||
				(f.at("state") != nil) != test.state || len(f.list("changes")) != test.count {
				t.Errorf("%s: %.400s", test.name, f.raw)
			}
		}
		socket := s.open(t, graph)
		socket.expect(t, "sync")
		socket.send(t, object{"type": "request_sync"})
		if f := socket.expect(t, "sync"); f.text("status") != "full" || f.at("state") == nil {
			t.Errorf("request_sync without a version: %.300s", f.raw)
		}
		socket.send(t, object{"type": "REQUEST_SYNC", "clientVersion": 2})
		if f := socket.expect(t, "sync"); f.text("status") != "behind" || f.version("changes", 0) != 3 {
			t.Errorf("request_sync since 2: %.300s", f.raw)
		}
		socket.send(t, object{"type": "request_sync", "clientVersion": 3, "hash": "00000000000000000000000000000000"})
		if f := socket.expect(t, "sync"); f.text("status") != "conflict" {
			t.Errorf("request_sync of another history: %.300s", f.raw)
		}
		socket.send(t, object{"type": "heartbeat", "clientVersion": 3})
		if f := socket.expect(t, "heartbeat"); f.version() != 3 {
			t.Errorf("heartbeat: %.300s", f.raw)
		}
		for _, path := range []string{"/ws?graphId=" + graph} {
			root, err := dial("ws" + strings.TrimPrefix(s.base, "http") + path)
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			root.expect(t, "sync")
			root.conn.Close()
		}
	})
}

func TestClientComesBack(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		graph, client := newGraph(t), "c-"+newID()
		s.fillSettled(t, graph, 3)
		socket := s.open(t, graph, "clientId", client)
		if f := socket.expect(t, "sync"); f.text("clientId") != client || f.at("reconnected") != false {
			t.Errorf("first: %.200s", f.raw)
		}
		s.accept(t, graph, "UPDATE_VIEWPORT", object{"x": 1})
		socket.expect(t, "state_update")
		socket.send(t, object{"type": "heartbeat", "clientVersion": 2})
		socket.expect(t, "heartbeat")
		socket.conn.Close()
		s.accept(t, graph, "UPDATE_VIEWPORT", object{"x": 2})
		var f frame
		await(t, 10*time.Second, "a client that comes back is continued", func() bool { // once the server saw it go
			f = s.open(t, graph, "clientId", client).expect(t, "sync")
			return f.at("reconnected") == true
		})
		if f.text("status") == "behind" && f.version("changes", 0) > 3 || f.version() != 3 {
			t.Errorf("continued with %.300s", f.raw)
		}
	})
}

func TestCommandsOverWebSocket(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		graph := newGraph(t)
		a, b := s.open(t, graph, "clientId", "a", "userId", "ann"), s.open(t, graph, "clientId", "b", "userId", "bob")
		fa, fb := &follower{replica: newReplica()}, &follower{replica: newReplica()}
		failOn(t, []error{fa.take(a.expect(t, "sync")), fb.take(b.expect(t, "sync"))})
		id := newID()
		a.send(t, wsCommand("CREATE_NODE", object{"id": "n", "title": "x"}, "operationId", id))
		b.send(t, object{"type": "COMMAND", "data": command("CREATE_NODE", object{"id": "m"}, "operationId", id+"b")})
		for sender, one := range map[string]struct {
			socket   *socket
			follower *follower
			id       string
		}{"ann": {a, fa, id}, "bob": {b, fb, id + "b"}} {
			results := 0
			for results == 0 || one.follower.version < 2 {
				f := one.socket.next(t)
				if f.kind == "command_result" {
					results++
					if f.text("operationId") != one.id || f.at("accepted") != true || f.at("result") == nil || f.text("hash") == "" || f.text("status") != "processing" {
						t.Errorf("%s: %.300s", sender, f.raw)
					}
				}
				failOn(t, []error{one.follower.take(f)})
			}
		}
		if difference := fa.differs(fb.replica); difference != "" {
			t.Errorf("two clients: %s", difference)
		}
		if difference := s.fold(t, graph).differs(fa.replica); difference != "" {
			t.Errorf("server and client: %s", difference)
		}
		var last change
		if err := json.Unmarshal(s.changesOf(t, graph)[0], &last); err != nil || (last.UserID != "ann" && last.UserID != "bob") || (last.ClientID != "a" && last.ClientID != "b") {
			t.Errorf("the author: %+v, %v", last, err)
		}
		a.send(t, wsCommand("CREATE_NODE", object{"id": "n", "title": "x"}, "operationId", id))
		if f := a.expect(t, "command_result"); f.at("duplicate") != true || f.text("operationId") != id {
			t.Errorf("a duplicate: %.300s", f.raw)
		}
		a.send(t, wsCommand("UPDATE_NODE_TITLE", object{"nodeId": "n", "title": 7}, "operationId", newID()))
		if f := a.expect(t, "revert"); f.text("error", "code") != "invalid-payload" || f.text("error", "errors", 0, "pointer") != "/payload/title" {
			t.Errorf("an invalid payload: %.300s", f.raw)
		}
		a.send(t, wsCommand("CREATE_NODE", object{"id": "n", "title": "other"}, "operationId", newID()))
		if f := a.expect(t, "revert"); f.text("error", "code") != "already-exists" || f.text("entities", 0, "value", "title") != "x" {
			t.Errorf("an id taken: %.300s", f.raw)
		}
	})
}

// Garbage harms nobody, the sender's own connection included where it names a frame.
func TestGarbageOverWebSocket(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		graph := newGraph(t)
		s.fillSettled(t, graph, 1)
		healthy := s.open(t, graph)
		healthy.expect(t, "sync")
		socket := s.open(t, graph)
		socket.expect(t, "sync")
		for _, garbage := range []string{"", "garbage", "[]", "{}", `{"type":7}`, `{"type":"explode"}`, `{"type":"heartbeat"} x`, `{"type":"heartbeat","type":"heartbeat"}`,
			`{"type":"command"`, "\x00", `{"type":"heartbeat","clientVersion":-1}`, `{"type":"request_sync","clientVersion":"x"}`} {
			socket.send(t, garbage)
			if f := socket.expect(t, "error"); f.text("error", "code") == "" || f.at("error", "status") == nil {
				t.Errorf("%q: %.300s", garbage, f.raw)
			}
		}
		socket.send(t, wsCommand("UPDATE_NODE_TITLE", object{"nodeId": "n0", "title": "still there"}))
		socket.until(t, "command_result")

		ends := []struct {
			name string
			do   func(conn *websocket.Conn) error
			code int
		}{
			{"binary", func(conn *websocket.Conn) error { return conn.WriteMessage(websocket.BinaryMessage, []byte("{}")) }, websocket.CloseUnsupportedData},
			{"oversize", func(conn *websocket.Conn) error {
				_ = conn.WriteMessage(websocket.TextMessage, []byte(`{"type":"`+strings.Repeat("a", 2<<20)+`"}`)) // may be cut off while sending
				return nil
			}, websocket.CloseMessageTooBig},
		}
		for _, end := range ends {
			one := s.open(t, graph)
			one.expect(t, "sync")
			failOn(t, []error{end.do(one.conn)})
			if code := one.closeCode(t); code != end.code {
				t.Errorf("%s: closed with %d, want %d", end.name, code, end.code)
			}
		}
		for _, raw := range []string{"\xc1\x05abcde", "\x81\xfe\xff", "\xff\xff\xff\xff\xff\xff", "\x81\x05hello", "\x83\x80\x00\x00\x00\x00", "\x89\xfe\x10\x00"} { // bad bits, half a header, no mask …
			conn, _, err := dialRaw(t, s.wsURL(graph, url.Values{}), nil)
			failOn(t, []error{err})
			if _, err := conn.NetConn().Write([]byte(raw)); err != nil {
				t.Error(err)
			}
			failOn(t, []error{conn.NetConn().(*net.TCPConn).CloseWrite()})
			conn.SetReadDeadline(time.Now().Add(15 * time.Second))
			for err == nil {
				_, _, err = conn.ReadMessage()
			}
			if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
				t.Errorf("%q: the connection stays open", raw)
			}
		}
		s.accept(t, graph, "UPDATE_NODE_TITLE", object{"nodeId": "n0", "title": "the end"})
		for version := uint64(2); version <= 3; version++ {
			if f := healthy.expect(t, "state_update"); f.version() != version {
				t.Errorf("the healthy one got %.200s", f.raw)
			}
		}
	})
}

func TestSocketHandshakes(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		graph := newGraph(t)
		_, response, err := dialRaw(t, s.wsURL(graph, url.Values{}), http.Header{"Origin": {"https://evil.example"}})
		if err == nil || response == nil || response.StatusCode != 403 {
			t.Errorf("a foreign origin: %v", err)
		}
		conn, _, err := dialRaw(t, s.wsURL(graph, url.Values{}), http.Header{"Origin": {"http://localhost:1234"}})
		if err != nil {
			t.Errorf("a loopback origin: %v", err)
		} else {
			conn.Close()
		}
		for _, bad := range []string{"clientVersion=x", "clientVersion=-1", "clientId=a%20b", "clientVersion=1&clientVersion=2"} {
			_, response, err := dialRaw(t, s.wsURL(graph, url.Values{})+bad, nil)
			if err == nil || response == nil || response.StatusCode != 400 {
				t.Errorf("%s: %v", bad, err)
			}
		}
		if r := s.get(t, "/graphs/"+graph+"/subscribe"); r.status < 400 || r.status >= 500 {
			t.Errorf("subscribe without a handshake: %v", r)
		}
	})
}

// Half of the commands fail: each has one answer, and the accepted ones take effect in the order sent.
func TestPipelinedCommandsKeepTheirOrder(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		graph, count := newGraph(t), 200
		socket := s.open(t, graph)
		socket.expect(t, "sync")
		for i := range count {
			node := fmt.Sprint("n", i)
			socket.send(t, wsCommand("CREATE_NODE", object{"id": node}, "operationId", fmt.Sprint("c", i)))
			socket.send(t, wsCommand("UPDATE_NODE_TITLE", object{"nodeId": fmt.Sprint("n", i+i%2), "title": "t"}, "operationId", fmt.Sprint("u", i)))
		}
		answers, last := map[string]int{}, uint64(0)
		for len(answers) < 2*count {
			f := socket.next(t)
			if f.kind != "command_result" && f.kind != "revert" {
				continue
			}
			if answers[f.text("operationId")]++; answers[f.text("operationId")] > 1 {
				t.Fatalf("a second answer: %.200s", f.raw)
			}
			if f.kind == "revert" {
				if id := f.text("operationId"); id[0] != 'u' || f.text("error", "code") != "node-not-found" {
					t.Errorf("revert: %.200s", f.raw)
				}
				continue
			}
			if f.version() != last+1 {
				t.Fatalf("after version %d the answer %.200s", last, f.raw)
			}
			last = f.version()
		}
		if want := uint64(count + count/2); last != want {
			t.Errorf("%d were accepted, want %d", last, want)
		}
		s.fold(t, graph)
	})
}

// Frames of many messages, for who asks for them.
func TestBatchedFrames(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		graph := newGraph(t)
		s.fillSettled(t, graph, 1)
		conn, _, err := dialRaw(t, s.wsURL(graph, url.Values{"batch": {"true"}}), nil)
		failOn(t, []error{err})
		const commands = 300
		for i := range commands {
			failOn(t, []error{conn.WriteMessage(websocket.TextMessage, []byte(encode(wsCommand("UPDATE_NODE_POSITION", object{"nodeId": "n0", "position": object{"x": i, "y": 0}}))))})
		}
		f, frames, results := &follower{replica: newReplica()}, 0, 0
		failOn(t, []error{conn.SetReadDeadline(time.Now().Add(20 * time.Second))})
		for f.version < commands+1 || results < commands {
			_, message, err := conn.ReadMessage()
			failOn(t, []error{err})
			frames++
			for line := range bytes.Lines(message) {
				one := frame{raw: bytes.TrimSuffix(line, []byte("\n"))}
				failOn(t, []error{decodeInto(one.raw, &one.object)})
				if one.kind = one.text("type"); one.kind == "command_result" {
					results++
				}
				failOn(t, []error{f.take(one)})
			}
		}
		t.Logf("%d commands, %d frames", commands, frames)
	})
}
