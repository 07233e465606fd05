package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/oklog/ulid/v2"
)

// reply is a whole HTTP answer.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// object decodes an answer that is a JSON object.
func (r reply) object(t testing.TB) object {
	t.Helper()
	var o object
	if err := json.Unmarshal(r.body, &o); err != nil {
		t.Fatalf("the answer is not a JSON object: %v: %.300s", err, r.body)
	}
	return o
}

// decode returns an object that may be none: then it has no members.
func decode(body []byte) object {
	var o object
	if json.Unmarshal(body, &o) != nil {
		return nil
	}
	return o
}

func decodeInto(text []byte, into any) error { return json.Unmarshal(text, into) }

func (r reply) String() string { return fmt.Sprintf("%d %.400s", r.status, r.body) }

// object is a JSON object.
type object map[string]any

// at follows a path of names and indices.
func (o object) at(path ...any) any {
	var value any = map[string]any(o)
	for _, step := range path {
		switch step := step.(type) {
		case string:
			members, _ := value.(map[string]any)
			value = members[step]
		case int:
			items, _ := value.([]any)
			if step >= len(items) {
				return nil
			}
			value = items[step]
		}
	}
	return value
}

func (o object) text(path ...any) string {
	text, _ := o.at(path...).(string)
	return text
}

func (o object) version(path ...any) uint64 {
	number, _ := o.at(append(path, "version")...).(float64)
	return uint64(number)
}

func (o object) list(path ...any) []any {
	items, _ := o.at(path...).([]any)
	return items
}

// try sends a request; headers are "Name: value".
func (s *server) try(ctx context.Context, method, path, body string, headers ...string) (reply, error) {
	if strings.HasPrefix(path, "/graphs") || strings.HasPrefix(path, "/operations") {
		path = "/api/v2" + path
	}
	return s.tryAt(ctx, s.base, method, path, body, headers...)
}

func (s *server) tryAt(ctx context.Context, base, method, path, body string, headers ...string) (reply, error) {
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	request, err := http.NewRequestWithContext(ctx, method, base+path, reader)
	if err != nil {
		return reply{}, err
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	for _, header := range append(s.always[:len(s.always):len(s.always)], headers...) {
		name, value, _ := strings.Cut(header, ": ")
		request.Header.Set(name, value)
	}
	response, err := s.http.Do(request)
	if err != nil {
		return reply{}, err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	return reply{response.StatusCode, response.Header, content}, err
}

// call is try that fails the test if there is no answer. It may be called by the test's own goroutine only.
func (s *server) call(t testing.TB, method, path, body string, headers ...string) reply {
	t.Helper()
	r, err := s.try(t.Context(), method, path, body, headers...)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return r
}

func (s *server) get(t testing.TB, path string, headers ...string) reply {
	t.Helper()
	return s.call(t, "GET", path, "", headers...)
}

// post sends a command's body, marshalled unless it is a string.
func (s *server) post(t testing.TB, graph string, body any, headers ...string) reply {
	t.Helper()
	return s.call(t, "POST", "/graphs/"+graph+"/command", encode(body), headers...)
}

func (s *server) batch(t testing.TB, graph string, body any, headers ...string) reply {
	t.Helper()
	return s.call(t, "POST", "/graphs/"+graph+"/batch", encode(body), headers...)
}

// accept posts a command that must be accepted, and returns the answer.
func (s *server) accept(t testing.TB, graph, kind string, payload any, headers ...string) object {
	t.Helper()
	r := s.post(t, graph, command(kind, payload), headers...)
	if r.status != http.StatusAccepted {
		t.Fatalf("%s %v: got %v, want 202", kind, payload, r)
	}
	return r.object(t)
}

// fill puts count nodes n0, n1 … into a graph by atomic batches, and returns its version.
func (s *server) fill(t testing.TB, graph string, count int) uint64 {
	t.Helper()
	version := uint64(0)
	for from := 0; from < count; from += 500 {
		var operations []any
		for i := from; i < min(from+500, count); i++ {
			operations = append(operations, command("CREATE_NODE", object{"id": fmt.Sprintf("n%d", i), "title": "t",
				"position": object{"x": 0, "y": 0}}))
		}
		r := s.batch(t, graph, object{"atomic": true, "operations": operations})
		if r.status != http.StatusAccepted {
			t.Fatalf("fill: %v", r)
		}
		version = r.object(t).version()
	}
	return version
}

// fillSettled is fill that waits for the read model, from which who joins next is given a state.
func (s *server) fillSettled(t testing.TB, graph string, count int) uint64 {
	t.Helper()
	version := s.fill(t, graph, count)
	s.state(t, graph, version)
	return version
}

// command returns the body of a command; more are names and values of further members.
func command(kind string, payload any, more ...any) object {
	body := object{"type": kind, "payload": payload}
	for i := 0; i < len(more); i += 2 {
		body[more[i].(string)] = more[i+1]
	}
	return body
}

func encode(body any) string {
	if text, ok := body.(string); ok {
		return text
	}
	encoded, err := json.Marshal(body)
	if err != nil {
		panic(err) // our own literals
	}
	return string(encoded)
}

// newGraph returns the id of a graph that nobody else uses.
func newGraph(testing.TB) string { return fmt.Sprintf("g%d-%s", shared.graphs.Add(1), newID()) }

func newID() string { return ulid.Make().String() }

// wsURL returns the address of a graph's WebSocket.
func (s *server) wsURL(graph string, query url.Values) string {
	return "ws" + strings.TrimPrefix(s.base, "http") + "/api/v2/graphs/" + graph + "/subscribe?" + query.Encode()
}

// state reads the whole state at minVersion or later.
func (s *server) state(t testing.TB, graph string, minVersion uint64) object {
	t.Helper()
	r := s.get(t, fmt.Sprintf("/graphs/%s/state?minVersion=%d&timeout=10000", graph, minVersion))
	if r.status != http.StatusOK {
		t.Fatalf("state of %s at %d: %v", graph, minVersion, r)
	}
	return r.object(t)
}
