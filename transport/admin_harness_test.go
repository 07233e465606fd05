package transport

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"graphy/eventstore/archive"
	"graphy/projection"
	"graphy/projection/upkeep"
	"graphy/transport/auth/authtest"
)

// desk is what operators see of a site: a server of its own on the same stores, with all that is for operators, and both
// its listeners.
type desk struct {
	*site
	desk      *Server
	logs      *observer.ObservedLogs
	public    *httptest.Server
	operators *httptest.Server
	token     string // with the claim admin
	stop      func()
}

// newDesk starts one that takes tokens; each of change adapts its services.
func newDesk(t testing.TB, change ...func(*Services)) *desk {
	t.Helper()
	return newDeskOn(newGuarded(t), nil, change...)
}

// newDeskOn starts another server on what s has, as if in a process of its own.
func newDeskOn(s *site, adapt func(*Server), change ...func(*Services)) *desk {
	s.t.Helper()
	core, logs := observer.New(zapcore.InfoLevel)
	services, opts := s.server.services, s.server.opts
	opts.Registry, opts.Logger, opts.Audit = prometheus.NewRegistry(), zap.New(core), nil
	services.Maintainer, services.Letters, services.Snapshots = s.log, s.models, s.models
	services.Upkeep = upkeep.New(upkeep.Stores{Log: s.log, Maintainer: s.log, Models: s.models, Workshop: s.models,
		Snapshots: s.models, Letters: s.models}, upkeep.Options{})
	for _, change := range change {
		change(&services)
	}
	d := &desk{site: s, logs: logs, token: authtest.Token(s.t, "olga", nil, authtest.Admin)}
	d.desk = New(services, opts)
	if adapt != nil {
		adapt(d.desk)
	}
	d.public = httptest.NewServer(d.desk.Handler())
	d.operators = httptest.NewUnstartedServer(nil)
	d.operators.Config = d.desk.HTTPServer("", d.desk.AdminHandler())
	d.operators.Start()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = d.desk.Run(ctx) })
	d.stop = sync.OnceFunc(func() {
		d.desk.drain()
		cancel()
		running.Wait()
		d.operators.CloseClientConnections()
		d.operators.Close()
		d.public.CloseClientConnections()
		d.public.Close()
	})
	s.t.Cleanup(d.stop)
	return d
}

// withArchive has an archive in a folder.
func withArchive(t testing.TB) func(*Services) {
	store, err := archive.OpenStore(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return func(s *Services) { s.Archive = archive.New(store) }
}

// operate sends an operator's request. Path is below /api/v2/admin.
func (d *desk) operate(method, path, body string, headers ...string) reply {
	d.t.Helper()
	return d.ask(d.token, method, adminPath+path, body, headers...)
}

// ask sends a request to the operators' listener.
func (d *desk) ask(token, method, path, body string, headers ...string) reply {
	d.t.Helper()
	if token != "" {
		headers = append(headers, bearer(token)...)
	}
	return callAt(d.t, d.operators, method, path, body, headers...)
}

// lines sends a request for lines, which come with the answer's body.
func (d *desk) lines(ctx context.Context, method, path, body string) (*bufio.Scanner, *http.Response) {
	d.t.Helper()
	request, err := http.NewRequestWithContext(ctx, method, d.operators.URL+adminPath+path, strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+d.token)
	request.Header.Set("Accept", "application/x-ndjson")
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := d.operators.Client().Do(request)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { response.Body.Close() })
	return bufio.NewScanner(response.Body), response
}

// next returns the next line.
func next(t testing.TB, lines *bufio.Scanner) (line map[string]any) {
	t.Helper()
	if !lines.Scan() {
		t.Fatalf("no further line: %v", lines.Err())
	}
	if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
		t.Fatalf("line %q: %v", lines.Bytes(), err)
	}
	return line
}

// rest returns the lines that are left.
func rest(t testing.TB, lines *bufio.Scanner) (all []map[string]any) {
	t.Helper()
	for lines.Scan() {
		var line map[string]any
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatalf("line %q: %v", lines.Bytes(), err)
		}
		all = append(all, line)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// ofType returns the lines of one type.
func ofType(lines []map[string]any, kind string) (of []map[string]any) {
	for _, line := range lines {
		if line["type"] == kind {
			of = append(of, line)
		}
	}
	return of
}

// audited returns the newest entry of the audit, which is awaited: it is written behind the answer.
func (d *desk) audited(what string) map[string]any {
	d.t.Helper()
	var fields map[string]any
	eventually(d.t, "an entry "+what, func() bool {
		for _, entry := range d.logs.FilterLoggerName("audit").FilterMessage(what).All() {
			fields = entry.ContextMap()
		}
		return fields != nil
	})
	d.logs.TakeAll()
	return fields
}

// park stops the projection of a graph behind its version 1, with a dead letter about the next one.
func (d *desk) park(graph string) (letter string) {
	d.t.Helper()
	d.found(graph)
	checkpoint, err := d.models.Checkpoint(d.t.Context(), graph)
	if err != nil {
		d.t.Fatal(err)
	}
	err = d.models.Stall(d.t.Context(), graph, checkpoint.Position, projection.DeadLetter{Graph: graph, Version: checkpoint.Version + 1,
		Cause: "it makes no sense", Attempts: 3, Payload: []byte(`{"version":4}`), Time: 5})
	if err != nil {
		d.t.Fatal(err)
	}
	letters, err := d.models.Letters(d.t.Context(), false, graph, "", 1)
	if err != nil || len(letters) != 1 {
		d.t.Fatalf("got %v, %v, want a letter", letters, err)
	}
	return letters[0].ID
}

// errSecret is a failure that nobody is to be told of.
var errSecret = errors.New("dial tcp 10.1.2.3:6379: password hunter2 refused by " + os.Args[0])
