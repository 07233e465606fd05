package transport

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"graphy/eventstore"
	"graphy/projection"
)

// listener is a client of Server-Sent Events that folds what it gets, and so proves I4, as peer does.
type listener struct {
	testing.TB
	peer     peer // folds
	body     io.Closer
	lines    *bufio.Scanner
	header   http.Header
	lastID   string
	retry    string // the newest, in ms
	resets   int
	comments int
	hangUp   context.CancelFunc
}

// sseEvent is an event as it was sent.
type sseEvent struct{ id, name, data string }

// listen opens a stream for a client that has graph; headers are name, value pairs. It tries again where the server
// cannot tell yet where the client stands.
func listen(t testing.TB, graph *projection.Graph, url string, headers ...string) *listener {
	t.Helper()
	for {
		l, status := tryListen(t, graph, url, headers...)
		if l != nil {
			return l
		}
		if status != http.StatusServiceUnavailable {
			t.Fatalf("listen: got %d", status)
		}
	}
}

func tryListen(t testing.TB, graph *projection.Graph, url string, headers ...string) (*listener, int) {
	t.Helper()
	ctx, hangUp := context.WithCancel(context.Background())
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", "text/event-stream")
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "text/event-stream" {
		hangUp()
		response.Body.Close()
		return nil, response.StatusCode
	}
	l := &listener{TB: t, peer: peer{TB: t, graph: graph}, body: response.Body, header: response.Header, hangUp: hangUp}
	l.lines = bufio.NewScanner(response.Body)
	l.lines.Buffer(nil, 64<<20)
	t.Cleanup(l.close)
	return l, http.StatusOK
}

func (s *stage) changesURL(graph, query string) string {
	return s.http.URL + "/api/v2/graphs/" + graph + "/changes?" + query
}

// listen opens a stream for a client that has version since of a graph; more is further query.
func (s *stage) listen(t testing.TB, graph string, since eventstore.Version, more string, headers ...string) *listener {
	t.Helper()
	return listen(t, s.folded(t, graph, since), s.changesURL(graph, fmt.Sprint("since=", since, more)), headers...)
}

// folded returns a graph as it was at version.
func (s *stage) folded(t testing.TB, graph string, version eventstore.Version) *projection.Graph {
	t.Helper()
	folded := projection.NewGraph(graph)
	events, err := s.log.Read(t.Context(), graph, 0, int(version))
	if err == nil {
		err = folded.Fold(events...)
	}
	if err != nil {
		t.Fatal(err)
	}
	return folded
}

func (l *listener) close() {
	l.hangUp()
	l.body.Close()
}

// next reads an event and folds it; io.EOF at the end of the stream.
func (l *listener) next() (sseEvent, error) {
	var event sseEvent
	for l.lines.Scan() {
		line := l.lines.Text()
		if line == "" {
			if event.name == "" && event.data == "" { // a comment or a retry
				continue
			}
			l.lastID = event.id
			return event, l.fold(event)
		}
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case name == "":
			l.comments++
		case name == "id" && event.id == "":
			event.id = value
		case name == "event" && event.name == "":
			event.name = value
		case name == "data" && event.data == "":
			event.data = value
		case name == "retry":
			l.retry = value
		default:
			return event, fmt.Errorf("line %.100q after %+.200v", line, event)
		}
	}
	if err := l.lines.Err(); err != nil {
		return event, err
	}
	if event != (sseEvent{}) {
		return event, fmt.Errorf("the stream ends within an event: %+.200v", event)
	}
	return event, io.EOF
}

func (l *listener) fold(event sseEvent) error {
	switch event.name {
	case "change":
		if err := l.peer.takeChange([]byte(event.data)); err != nil {
			return err
		}
	case "reset":
		l.resets++
		var update struct {
			Type    string
			Version eventstore.Version
			Hash    eventstore.Hash
			Data    jsontext.Value
		}
		if err := json.Unmarshal([]byte(event.data), &update, json.MatchCaseInsensitiveNames(true)); err != nil {
			return err
		}
		state, err := decodeState(update.Data)
		if err != nil {
			return err
		}
		if at := (eventstore.Position{Version: update.Version, Hash: update.Hash}); state.Position != at || update.Type != "FULL_UPDATE" {
			return fmt.Errorf("I4: reset says %s %+v, its state is at %+v", update.Type, at, state.Position)
		}
		l.peer.graph = state
	default:
		return fmt.Errorf("an event of name %q", event.name)
	}
	if want := strconv.FormatUint(uint64(l.peer.graph.Position.Version), 10); event.id != want {
		return fmt.Errorf("the id is %q, want %s", event.id, want)
	}
	return nil
}

// reach reads until the listener has come to a position.
func (l *listener) reach(at eventstore.Position) {
	l.Helper()
	for l.peer.graph.Position.Version < at.Version {
		if _, err := l.next(); err != nil {
			l.Fatalf("at version %d, on the way to %d: %v", l.peer.graph.Position.Version, at.Version, err)
		}
	}
	if l.peer.graph.Position != at {
		l.Fatalf("I4: the listener is at %+v, the log at %+v", l.peer.graph.Position, at)
	}
}

func (l *listener) expect(name string) sseEvent {
	l.Helper()
	event, err := l.next()
	if err != nil || event.name != name {
		l.Fatalf("got %+.300v, %v, want %s", event, err, name)
	}
	return event
}

// ended reads to the end of the stream.
func (l *listener) ended() {
	l.Helper()
	for {
		if _, err := l.next(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			l.Fatalf("the stream ended by %v", err)
		}
	}
}
