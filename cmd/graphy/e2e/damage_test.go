package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"graphy/eventstore/redis/redistest"
)

// onOwnKeys starts a server on the shared Redis and returns it with a client beside it and the key of graph's stream.
func onOwnKeys(t *testing.T, graph string) (s *server, client rueidis.Client, stream string) {
	backing := redistest.Start(t)
	prefix := backing.Prefix(t)
	return start(t, "GRAPHY_REDIS_URL="+backing.URL, "GRAPHY_KEY_PREFIX="+prefix), backing.Client(t), prefix + "graph:{" + graph + "}:events"
}

// A log without its beginning is never handed out with a hole (I4): whoever is older is told to start anew, or that the
// graph cannot be read, and the other graphs go on.
func TestI4LogWithoutBeginning(t *testing.T) {
	t.Parallel()
	graph := newGraph(t)
	s, client, stream := onOwnKeys(t, graph)
	s.fill(t, graph, 3)
	for i := range 9 {
		s.accept(t, graph, "UPDATE_VIEWPORT", object{"x": i})
	}
	s.state(t, graph, 10)
	if err := client.Do(t.Context(), client.B().Xtrim().Key(stream).Minid().Threshold("6-0").Build()).Error(); err != nil {
		t.Fatal(err)
	}
	if r := s.get(t, "/graphs/"+graph+"/changes?since=2"); r.status == 200 && r.object(t).text("status") != "reset" {
		t.Errorf("since 2 of 6 to 10: %v", r)
	}
	socket := s.open(t, graph, "clientVersion", "2")
	if f, err := socket.wait(10e9); err == nil && f.text("status") != "reset" || errors.Is(err, errSilent) {
		t.Errorf("a subscriber at 2: %.300s, %v", f.raw, err)
	}
	other := newGraph(t)
	s.fill(t, other, 1)
	s.fold(t, other)
}

// A log that has vanished is an alarm, never a new log (I2), as long as anything else of the graph is there.
func TestI2VanishedLogIsNotBegunAnew(t *testing.T) {
	t.Parallel()
	graph := newGraph(t)
	s, client, stream := onOwnKeys(t, graph)
	head := s.fill(t, graph, 3)
	s.state(t, graph, head)
	other := newGraph(t)
	s.fill(t, other, 1)
	if err := client.Do(t.Context(), client.B().Del().Key(stream).Build()).Error(); err != nil {
		t.Fatal(err)
	}
	for _, when := range []string{"at once", "after a restart"} {
		r := s.post(t, graph, command("CREATE_NODE", object{}))
		if r.status == 202 {
			t.Errorf("%s a command was accepted as version %d", when, r.object(t).version())
		} else {
			s.refused(t, r, 503, "unavailable")
		}
		s.accept(t, other, "CREATE_NODE", object{})
		if when == "at once" {
			s.kill()
			s.relaunch(t)
		}
	}
	s.fold(t, other)
}

// A log that lost a suffix and gave its numbers out again is told from the one that clients have seen, by the hash.
func TestI4LostSuffixIsNoticed(t *testing.T) {
	t.Parallel()
	backing := redistest.StartOwn(t)
	prefix, graph := backing.Prefix(t), newGraph(t)
	s := start(t, "GRAPHY_REDIS_URL="+backing.URL, "GRAPHY_KEY_PREFIX="+prefix)
	s.fill(t, graph, 3)
	for i := range 5 {
		s.accept(t, graph, "UPDATE_VIEWPORT", object{"x": i})
	}
	subscriber := s.open(t, graph)
	seen, err := subscriber.follow(6)
	failOn(t, []error{err})
	s.state(t, graph, 6)
	events := s.changesOf(t, graph)
	client, stream := backing.Client(t), prefix+"graph:{"+graph+"}:"
	// As a failover does that takes a replica three events behind: everything of the graph goes back, and others write.
	entries, err := client.Do(t.Context(), client.B().Xrange().Key(stream+"events").Start("-").End("3-0").Build()).AsXRange()
	failOn(t, []error{err})
	s.kill()
	for _, key := range []string{"events", "operations", "state", "nodes", "edges", "viewport", "stats"} {
		failOn(t, []error{client.Do(t.Context(), client.B().Del().Key(stream+key).Build()).Error()})
	}
	for _, entry := range entries {
		failOn(t, []error{client.Do(t.Context(), client.B().Xadd().Key(stream+"events").Id(entry.ID).FieldValue().
			FieldValue("event", entry.FieldValues["event"]).FieldValue("hash", entry.FieldValues["hash"]).Build()).Error()})
	}
	s.relaunch(t)
	for i := range 5 {
		s.accept(t, graph, "UPDATE_VIEWPORT", object{"y": i})
	}
	s.fold(t, graph)
	if o := s.get(t, fmt.Sprintf("/graphs/%s/changes?since=%d&hash=%s", graph, seen.version, seen.hash)).object(t); o.text("status") != "conflict" {
		t.Errorf("since %d of the lost history: %.300v", seen.version, o)
	}
	f := s.open(t, graph, "clientVersion", fmt.Sprint(seen.version), "hash", seen.hash).expect(t, "sync")
	if f.text("status") != "conflict" || f.at("state") == nil {
		t.Errorf("a subscriber of the lost history: %.300s", f.raw)
	}
	s.refused(t, s.post(t, graph, command("UPDATE_VIEWPORT", object{"x": 9}, "clientVersion", seen.version, "hash", seen.hash)), 409, "history-mismatch")
	var kept change
	failOn(t, []error{decodeInto(events[2], &kept)})
	if o := s.get(t, fmt.Sprintf("/graphs/%s/changes?since=3&hash=%s", graph, kept.Hash)).object(t); o.text("status") != "behind" {
		t.Errorf("since 3, which is common to both: %.300v", o)
	}
}

// A journal whose end was torn by a power cut: what is whole is there, and the server says what it cut.
func TestI1TornJournal(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	s := start(t, "GRAPHY_DATA_DIR="+dir)
	graph := newGraph(t)
	s.fill(t, graph, 30)
	before := s.fold(t, graph)
	s.kill()
	journal, size := largest(t, dir)
	for i, torn := range []string{"\x00\x00\x01\x00half a record", strings.Repeat("\x00", 4096), "\xff\xff\xff\xff\xff"} {
		file, err := os.OpenFile(journal, os.O_APPEND|os.O_WRONLY, 0)
		failOn(t, []error{err})
		_, err = file.WriteString(torn)
		failOn(t, []error{err, file.Close()})
		s.relaunch(t)
		if difference := before.differs(s.fold(t, graph)); difference != "" {
			t.Errorf("torn end %d: %s", i, difference)
		}
		s.accept(t, graph, "CREATE_NODE", object{})
		before = s.fold(t, graph)
		if text := s.output.String(); !strings.Contains(text, "torn") && !strings.Contains(text, "cut") {
			t.Errorf("torn end %d: nothing is said of it: %s", i, text)
		}
		s.kill()
	}
	if _, now := largest(t, dir); now <= size {
		t.Errorf("the journal has %d bytes, before %d", now, size)
	}
}

// largest returns the largest file of a folder.
func largest(t testing.TB, dir string) (path string, size int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil && info.Size() > size {
			path, size = name, info.Size()
		}
		return err
	})
	if err != nil || path == "" {
		t.Fatalf("no file in %s: %v", dir, err)
	}
	return path, size
}

// Half requests and garbage over TCP are answered or cut off, and nobody else notices.
func TestGarbageOverHTTP(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		graph := newGraph(t)
		s.fill(t, graph, 1)
		address, path := strings.TrimPrefix(s.base, "http://"), "/api/v2/graphs/"+graph+"/command"
		for _, garbage := range []string{
			"garbage\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "GET / HTTP/9.9\r\n\r\n", "POST " + path + " HTTP/1.1\r\n\r\n",
			"POST " + path + " HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"type\":",
			"POST " + path + " HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
			"POST " + path + " HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n{}",
			"GET /" + strings.Repeat("a", 64<<10) + " HTTP/1.1\r\nHost: x\r\n\r\n",
		} {
			conn, err := net.Dial("tcp", address)
			failOn(t, []error{err})
			_, err = conn.Write([]byte(garbage))
			failOn(t, []error{err, conn.(*net.TCPConn).CloseWrite(), conn.SetReadDeadline(time.Now().Add(10 * time.Second))})
			answer := make([]byte, 512)
			n, _ := conn.Read(answer) // an answer or the end
			if answer := answer[:n]; n > 0 && !bytes.HasPrefix(answer, []byte("HTTP/1.1 4")) && !bytes.HasPrefix(answer, []byte("HTTP/1.1 505")) {
				t.Errorf("%.60q was answered %.100q", garbage, answer)
			}
			conn.Close()
		}
		if folded := s.fold(t, graph); folded.version != 1 {
			t.Errorf("garbage made version %d", folded.version)
		}
	})
}
