package transport

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"graphy/eventstore"
	"graphy/transport/auth/authtest"
)

// shown returns the lines of a log as changes of clients have them.
func (d *desk) shown(graph string) []string {
	d.t.Helper()
	token := authtest.Token(d.t, "ann", roles{"*": "viewer"})
	raw := string(d.as(token, http.MethodGet, "/api/v2/graphs/"+graph+"/changes", "").raw)
	_, raw, _ = strings.Cut(raw, `"changes":[`)
	raw, _, _ = strings.Cut(raw, `],"currentVersion"`)
	return strings.SplitAfter(strings.ReplaceAll(raw, `"},{"version"`, "\"}\n{\"version\""), "\n")
}

func TestLogIsShownByteForByte(t *testing.T) {
	d := newDesk(t)
	d.found("g")
	all := d.shown("g")
	all[2] += "\n"
	for query, want := range map[string][]string{
		"": all, "?since=1": all[1:], "?to=2": all[:2], "?since=1&to=2": all[1:2], "?limit=1": all[:1], "?since=1&limit=1": all[1:2],
		"?since=3": nil, "?since=9": nil, "?since=2&follow=true&limit=1": all[2:], "?follow=true&to=3": all,
	} {
		got := d.operate(http.MethodGet, "/graphs/g/log"+query, "")
		if string(got.raw) != strings.Join(want, "") || got.status != 200 || got.header.Get("Content-Type") != "application/x-ndjson" {
			t.Errorf("%s: got %d %q %q, want %q", query, got.status, got.header.Get("Content-Type"), got.raw, want)
		}
	}
	fields := d.audited("log read")
	if fields["userId"] != "olga" || fields["graphId"] != "g" || fields["outcome"] != "done" {
		t.Errorf("put down was %v", fields)
	}
	wantProblem(t, d.operate(http.MethodGet, "/graphs/never/log", ""), 404, "not-found")
	for _, query := range []string{"?since=2&to=2", "?since=x", "?limit=0", "?follow=1", "?user=x", "?since=1&since=2", "?to=0"} {
		wantProblem(t, d.operate(http.MethodGet, "/graphs/g/log"+query, ""), 400, "invalid-query")
	}
}

func TestLogIsFollowed(t *testing.T) {
	d := newDesk(t)
	d.found("g")
	ctx, cancel := context.WithCancel(t.Context())
	lines, _ := d.lines(ctx, http.MethodGet, "/graphs/g/log?since=2&follow=true", "")
	if line := next(t, lines); line["version"] != 3.0 {
		t.Errorf("got %v, want version 3", line)
	}
	founder := authtest.Token(t, "founder", roles{"*": "owner"})
	for i := range 5 {
		if got := d.as(founder, http.MethodPost, "/api/v2/graphs/g/command", createNode(fmt.Sprint("m", i))); got.status != 202 {
			t.Fatalf("got %s", got.raw)
		}
		if line := next(t, lines); line["version"] != float64(4+i) || line["hash"] != string(d.head("g").Hash) {
			t.Errorf("got %v, want version %d", line, 4+i)
		}
	}
	cancel()
	if fields := d.audited("log read"); fields["outcome"] != "cancelled" || fields["events"] != int64(6) {
		t.Errorf("put down was %v", fields)
	}
	eventually(t, "the place is free again", func() bool { return len(d.desk.acts) == 0 })
}

// TestFollowerIsToldOfTheEnd: of the log, and of the server.
func TestFollowerIsToldOfTheEnd(t *testing.T) {
	for what, end := range map[string]func(*desk) error{
		"the graph is deleted": func(d *desk) error { return d.log.Delete(t.Context(), "g") },
		"the server drains": func(d *desk) error {
			d.desk.drain()
			return nil
		},
	} {
		d := newDesk(t)
		d.found("g")
		lines, _ := d.lines(t.Context(), http.MethodGet, "/graphs/g/log?since=2&follow=true", "")
		next(t, lines)
		if err := end(d); err != nil {
			t.Fatal(err)
		}
		if last := rest(t, lines); len(last) != 1 || last[0]["type"] != "error" {
			t.Errorf("%s: got %v, want an error", what, last)
		}
	}
}

// TestDamagedLogIsShown: what is no change is shown as what it is; where the log cannot be read further it says why.
func TestDamagedLogIsShown(t *testing.T) {
	d := newDesk(t)
	d.found("g")
	for _, data := range []string{"x", "", "{\"a\":1\n}", `{"a":`, "\xff"} {
		head := d.head("g")
		event := eventstore.Event{Version: head.Version + 1, Data: []byte(data), Hash: eventstore.NextHash(head.Hash, []byte(data))}
		if _, err := d.log.Append(t.Context(), "g", head, []eventstore.Event{event}); err != nil {
			t.Fatal(err)
		}
	}
	lines, _ := d.lines(t.Context(), http.MethodGet, "/graphs/g/log?since=3", "")
	all := rest(t, lines)
	if len(all) != 5 || all[0]["damaged"] != "x" || all[2]["damaged"] != "{\"a\":1\n}" || all[4]["version"] != 8.0 {
		t.Errorf("got %v", all)
	}
	d.breakLog(&eventstore.ChainError{Stream: "g", Version: 2, Reason: "an entry is foreign"})
	got := d.operate(http.MethodGet, "/graphs/g/log", "")
	wantProblem(t, got, 409, "not-possible")
	if !strings.Contains(string(got.raw), "version 2: an entry is foreign") {
		t.Errorf("got %s", got.raw)
	}
	d.breakLog(&eventstore.TrimmedError{Stream: "g", First: 7})
	got = d.operate(http.MethodGet, "/graphs/g/log", "")
	wantProblem(t, got, 410, "history-trimmed")
	if !strings.Contains(string(got.raw), "begins with version 7") {
		t.Errorf("got %s", got.raw)
	}
}

func TestLogsAreCompared(t *testing.T) {
	d := newDesk(t)
	d.found("a")
	d.found("b")
	public := d.as(authtest.Token(t, "ann", roles{"*": "viewer"}), http.MethodGet, "/api/v2/graphs/a/diff?from=1&to=3", "")
	got := d.operate(http.MethodGet, "/graphs/a/log/diff?from=1&to=3", "")
	if got.status != 200 || string(got.raw) != string(public.raw) {
		t.Errorf("got %s, want %s", got.raw, public.raw)
	}
	wantJSON(t, d.operate(http.MethodGet, "/graphs/a/log/diff?with=b", "").raw,
		fmt.Sprintf(`{"same":false,"common":{"version":0,"hash":""},"a":{"version":3,"hash":"%s"},"b":{"version":3,"hash":"%s"}}`, d.head("a").Hash, d.head("b").Hash))
	for _, query := range []string{"?from=3&to=1", "?with=b&from=1", "?with=__proto__", "?from=1&to=9", "?x=1"} {
		wantProblem(t, d.operate(http.MethodGet, "/graphs/a/log/diff"+query, ""), 400, "invalid-query")
	}
	wantProblem(t, d.operate(http.MethodGet, "/graphs/a/log/diff?with=never", ""), 404, "not-found")
}

// TestSlowReaderIsCutOff: who takes nothing holds nothing up for long.
func TestSlowReaderIsCutOff(t *testing.T) {
	s := newGuarded(t)
	d := newDeskOn(s, func(server *Server) { server.sockets.limits.write = 200 * time.Millisecond })
	d.found("g")
	head, long := d.head("g"), strings.Repeat("x", 1<<20)
	for range 32 {
		data := []byte(`{"title":"` + long + `"}`)
		event := eventstore.Event{Version: head.Version + 1, Data: data, Hash: eventstore.NextHash(head.Hash, data)}
		if _, err := d.log.Append(t.Context(), "g", head, []eventstore.Event{event}); err != nil {
			t.Fatal(err)
		}
		head = event.Position()
	}
	_, response := d.lines(t.Context(), http.MethodGet, "/graphs/g/log", "")
	if fields := d.audited("log read"); fields["outcome"] != "cancelled" {
		t.Errorf("put down was %v", fields)
	}
	response.Body.Close()
}
