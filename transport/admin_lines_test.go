package transport

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"graphy/eventstore"
)

func TestVerifyByAnOperator(t *testing.T) {
	d := newDesk(t)
	for _, graph := range []string{"a", "b", "c"} {
		d.found(graph)
	}
	one := d.operate(http.MethodPost, "/graphs/a/verify", "")
	if one.status != 200 || one.json["graphId"] != "a" || one.json["ok"] != true || one.json["events"] != 3.0 {
		t.Errorf("one graph: got %d %s", one.status, one.raw)
	}
	got := d.operate(http.MethodPost, "/verify", `{"all":true}`)
	results, _ := got.json["results"].([]any)
	summary, _ := got.json["summary"].(map[string]any)
	if got.status != 200 || len(results) != 3 || summary["graphs"] != 3.0 || summary["outcomes"].(map[string]any)["ok"] != 3.0 || summary["events"] != 9.0 {
		t.Errorf("all: got %d %s", got.status, got.raw)
	}
	lines, response := d.lines(t.Context(), http.MethodPost, "/verify", `{"graphs":["a","never","c"],"parallel":1}`)
	all := rest(t, lines)
	if kind := response.Header.Get("Content-Type"); response.StatusCode != 200 || kind != "application/x-ndjson" {
		t.Errorf("got %d %s", response.StatusCode, kind)
	}
	found := ofType(all, "result")
	if len(found) != 3 || found[0]["result"].(map[string]any)["ok"] != true {
		t.Fatalf("got %v", all)
	}
	failed := found[2]["result"].(map[string]any)
	if problem, _ := failed["error"].(map[string]any); failed["graphId"] != "never" || problem["code"] != "not-found" || problem["status"] != 404.0 || problem["title"] == nil {
		t.Errorf("of a graph that is not there: %v", failed)
	}
	progress := ofType(all, "progress")
	if last := progress[len(progress)-1]; last["done"] != 3.0 || last["total"] != 3.0 || last["events"] != 6.0 || last["after"] != "never" {
		t.Errorf("the last progress is %v", last)
	}
	end := all[len(all)-1]
	if summary := end["summary"].(map[string]any); end["type"] != "end" || summary["graphs"] != 3.0 || summary["failed"] != 1.0 {
		t.Errorf("the end is %v", end)
	}
	wantProblem(t, d.operate(http.MethodPost, "/graphs/never/verify", ""), 404, "not-found")
	if fields := d.audited("verify"); fields["code"] != "not-found" && fields["outcome"] != "done" {
		t.Errorf("put down was %v", fields)
	}
}

func TestRebuildByAnOperator(t *testing.T) {
	d := newDesk(t)
	d.found("g")
	if got := d.operate(http.MethodPost, "/graphs/g/rebuild", `{"dryRun":true}`); got.json["outcome"] != "unchanged" || got.json["dryRun"] != true {
		t.Errorf("got %d %s", got.status, got.raw)
	}
	if fields := d.audited("rebuild"); fields["dryRun"] != true || fields["graphId"] != "g" || fields["userId"] != "olga" || fields["outcome"] != "done" {
		t.Errorf("put down was %v", fields)
	}
	if err := d.models.Delete(t.Context(), "g"); err != nil {
		t.Fatal(err)
	}
	lines, _ := d.lines(t.Context(), http.MethodPost, "/rebuild", `{"graphs":["g"],"fromSnapshot":true}`)
	all := rest(t, lines)
	if found := ofType(all, "result"); len(found) != 1 || found[0]["result"].(map[string]any)["outcome"] == nil || all[len(all)-1]["type"] != "end" {
		t.Errorf("got %v", all)
	}
	checkpoint, err := d.models.Checkpoint(t.Context(), "g")
	if err != nil || checkpoint.Position != d.head("g") {
		t.Errorf("the read models stand at %+v, %v", checkpoint, err)
	}
}

// TestWhatIsWrongWithRequests of operators is said, and nothing is done.
func TestWhatIsWrongWithRequestsOfOperators(t *testing.T) {
	d := newDesk(t)
	d.found("g")
	tests := []struct {
		path, body string
		status     int
		code       string
		pointer    string
	}{
		{"/verify", ``, 400, "malformed-json", ""},
		{"/verify", `{`, 400, "malformed-json", ""},
		{"/verify", `{"all":true,"all":true}`, 400, "malformed-json", ""},
		{"/verify", `{}`, 422, "invalid-payload", "/graphs"},
		{"/verify", `{"graphs":[]}`, 422, "invalid-payload", "/graphs"},
		{"/verify", `{"graphs":["g"],"all":true}`, 422, "invalid-payload", "/all"},
		{"/verify", `{"graphs":["g","a b"]}`, 400, "invalid-id", "/graphs/1"},
		{"/verify", `{"graphs":"g"}`, 422, "invalid-payload", "/graphs"},
		{"/verify", `{"all":true,"after":"a b"}`, 400, "invalid-id", "/after"},
		{"/verify", `{"all":true,"parallel":-1}`, 422, "invalid-payload", "/parallel"},
		{"/verify", `{"all":true,"parallel":1000}`, 422, "invalid-payload", "/parallel"},
		{"/verify", `{"all":true,"dryRun":true}`, 422, "invalid-payload", "/dryRun"},
		{"/verify?all=true", `{"all":true}`, 400, "invalid-query", ""},
		{"/graphs/g/verify", `{"all":true}`, 422, "invalid-payload", ""},
		{"/graphs/g/rebuild", `{"dryRun":1}`, 422, "invalid-payload", "/dryRun"},
		{"/graphs/a%20b/rebuild", `{}`, 400, "invalid-id", ""},
		{"/graphs/g/copy", `{}`, 400, "invalid-id", "/to"},
		{"/graphs/g/copy", `{"to":"h","at":-1}`, 422, "invalid-payload", "/at"},
		{"/graphs/g/copy", `{"to":"h","at":9007199254740993}`, 422, "invalid-payload", "/at"},
		{"/retain", `{"all":true}`, 422, "invalid-payload", "/events"},
		{"/retain", `{"all":true,"events":-1}`, 422, "invalid-payload", "/events"},
		{"/retain", `{"all":true,"age":"a year"}`, 422, "invalid-payload", "/age"},
		{"/retain", `{"all":true,"age":"-720h"}`, 422, "invalid-payload", "/age"},
		{"/deadletters/1-0/skip", `{}`, 422, "invalid-payload", "/reason"},
		{"/deadletters/1-0/retry", `{"reason":"` + strings.Repeat("x", 501) + `"}`, 422, "invalid-payload", "/reason"},
		{"/deadletters/1-0/discard", `{"reason":"a\nb"}`, 422, "invalid-payload", "/reason"},
		{"/deadletters/1-0/discard", `{"reason":"r","cascade":true}`, 422, "invalid-payload", "/cascade"},
		{"/deadletters/a%20b/discard", `{"reason":"r"}`, 400, "invalid-id", ""},
	}
	for _, test := range tests {
		got := d.operate(http.MethodPost, test.path, test.body)
		wantProblem(t, got, test.status, test.code)
		errors, _ := got.json["errors"].([]any)
		if test.pointer != "" && (len(errors) == 0 || errors[0].(map[string]any)["pointer"] != test.pointer) {
			t.Errorf("%s %s: got %s, want pointer %s", test.path, test.body, got.raw, test.pointer)
		}
	}
	for _, path := range []string{"/graphs?limit=0", "/graphs?state=bad", "/graphs?cursor=a%20b", "/graphs?x=1", "/graphs?limit=1&limit=2",
		"/sessions?graph=a%20b", "/sessions?limit=x", "/conflicts?status=bad", "/deadletters?closed=1", "/deadletters?before=a%20b",
		"/export", "/export?graph=g&all=true", "/export?graph=a%20b", "/doctor?x=1x&token=y"} {
		want := "invalid-query"
		got := d.operate(http.MethodGet, path, "")
		if got.status != 400 && !(strings.HasPrefix(path, "/doctor") && got.status == 404) || got.status == 400 && got.json["code"] != want {
			t.Errorf("%s: got %d %s, want 400", path, got.status, got.raw)
		}
	}
	if got := d.operate(http.MethodPut, "/verify", "{}"); got.status != 405 || got.header.Get("Allow") == "" {
		t.Errorf("got %d %s", got.status, got.raw)
	}
	if got := d.operate(http.MethodPost, "/verify", `{"all":true}`, "Content-Type", "text/plain"); got.status != 415 {
		t.Errorf("got %d %s", got.status, got.raw)
	}
}

// busy holds all places for long acts until the returned function is called.
func (d *desk) busy() (free func()) {
	for range longActs {
		d.desk.acts <- struct{}{}
	}
	return func() {
		for range longActs {
			<-d.desk.acts
		}
	}
}

func TestLongActsAreFew(t *testing.T) {
	d := newDesk(t)
	d.found("g")
	free := d.busy()
	for _, path := range []string{"/graphs/g/verify", "/graphs/g/rebuild"} {
		got := d.operate(http.MethodPost, path, "")
		wantProblem(t, got, 429, "rate-limited")
		if got.header.Get("Retry-After") == "" {
			t.Errorf("headers are %v, want Retry-After", got.header)
		}
		if fields := d.audited(strings.TrimPrefix(path, "/graphs/g/")); fields["outcome"] != "refused" {
			t.Errorf("put down was %v", fields)
		}
	}
	if got := d.operate(http.MethodGet, "/graphs", ""); got.status != 200 {
		t.Errorf("a short one: got %d", got.status)
	}
	free()
	if got := d.operate(http.MethodPost, "/graphs/g/verify", ""); got.status != 200 {
		t.Errorf("got %d %s", got.status, got.raw)
	}
}

// TestInternalsStayInside: the cause of a failure goes into the server's log, not to who asked.
func TestInternalsStayInside(t *testing.T) {
	d := newDesk(t, withArchive(t), func(s *Services) {
		s.Doctor = func(context.Context) (Diagnosis, error) { return Diagnosis{}, errSecret }
		s.MintToken = func(TokenRequest) (Token, error) { return Token{}, errSecret }
		s.Seed = func(context.Context, SeedRequest, func(done, total int)) (Seeded, error) { return Seeded{}, errSecret }
		s.Kicks = &kicks{fail: errSecret}
	})
	d.found("g")
	letter := d.park("h")
	for _, fail := range []error{errSecret, fmt.Errorf("%w: %w", eventstore.ErrUnavailable, errSecret)} {
		d.breakLog(fail)
		d.breakModels(fail)
		for name, row := range adminTable {
			method, path, _ := strings.Cut(name, " ")
			fill := strings.NewReplacer("GRAPH", "g", "COPY", "copy", ":graphId", "g", ":clientId", "nobody", ":id", letter)
			for _, accept := range []string{"application/json", "application/x-ndjson"} {
				got := d.operate(method, fill.Replace(path+"?"+row.query), fill.Replace(row.body), "Accept", accept)
				for _, inner := range []string{"10.1.2.3", "hunter2", "dial tcp"} {
					if strings.Contains(string(got.raw), inner) {
						t.Errorf("%s tells of internals: %s", name, got.raw)
					}
				}
			}
		}
		d.breakLog(nil)
		d.breakModels(nil)
	}
	if fields := d.audited("token made"); fields["outcome"] != "failed" || fields["code"] != "internal" {
		t.Errorf("put down was %v", fields)
	}
}

// TestLongActIsCancelledByItsReader: closing the connection ends the work, at once, and it is put down.
func TestLongActIsCancelledByItsReader(t *testing.T) {
	ended := make(chan error, 1)
	d := newDesk(t, func(s *Services) {
		s.Seed = func(ctx context.Context, request SeedRequest, progress func(done, total int)) (Seeded, error) {
			progress(3, 10)
			<-ctx.Done()
			ended <- ctx.Err()
			return Seeded{}, ctx.Err()
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	lines, _ := d.lines(ctx, http.MethodPost, "/seed", `{"graphId":"demo"}`)
	if line := next(t, lines); line["type"] != "progress" || line["done"] != 3.0 || line["total"] != 10.0 {
		t.Errorf("got %v", line)
	}
	cancel()
	select {
	case err := <-ended:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	case <-time.After(testPatience):
		t.Fatal("it goes on")
	}
	if fields := d.audited("graph seeded"); fields["outcome"] != "cancelled" || fields["graphId"] != "demo" {
		t.Errorf("put down was %v", fields)
	}
	eventually(t, "the place is free again", func() bool { return len(d.desk.acts) == 0 })
}

func TestLongActEndsWithTheServer(t *testing.T) {
	begun := make(chan struct{})
	d := newDesk(t, func(s *Services) {
		s.Seed = func(ctx context.Context, _ SeedRequest, progress func(done, total int)) (Seeded, error) {
			close(begun)
			<-ctx.Done()
			return Seeded{}, ctx.Err()
		}
	})
	go func() {
		<-begun
		d.desk.drain()
	}()
	got := d.operate(http.MethodPost, "/seed", `{"graphId":"demo"}`)
	wantProblem(t, got, 503, "unavailable")
	if !strings.Contains(string(got.raw), "going away") {
		t.Errorf("got %s", got.raw)
	}
}

func TestWantsLines(t *testing.T) {
	for accept, want := range map[string]bool{"": false, "*/*": false, "application/json": false, "application/x-ndjson": true,
		"application/json, application/x-ndjson": true, "APPLICATION/X-NDJSON; q=0.5": true, "application/x-ndjson;q=0": false} {
		if got := wantsLines([]string{accept}); got != want {
			t.Errorf("%q: got %v", accept, got)
		}
	}
}

// TestLongActsOutlastTheLimitsOfRequests: with lines, and without, while something is told each second.
func TestLongActsOutlastTheLimitsOfRequests(t *testing.T) {
	s := newGuarded(t, func(o *Options) {
		o.Timeouts = Timeouts{Request: 300 * time.Millisecond, Answer: 300 * time.Millisecond}
	})
	d := newDeskOn(s, nil, func(s *Services) {
		s.Seed = func(ctx context.Context, request SeedRequest, progress func(done, total int)) (Seeded, error) {
			for i := range 11 {
				progress(i, 11)
				if pause := after(120 * time.Millisecond); await(ctx, pause) != nil {
					return Seeded{}, ctx.Err()
				}
			}
			return Seeded{GraphID: request.GraphID}, nil
		}
	})
	if got := d.operate(http.MethodPost, "/seed", `{"graphId":"demo"}`); got.status != 200 || got.json["graphId"] != "demo" {
		t.Errorf("got %d %s", got.status, got.raw)
	}
	lines, _ := d.lines(t.Context(), http.MethodPost, "/seed", `{"graphId":"demo"}`)
	all := rest(t, lines)
	if len(ofType(all, "progress")) == 0 || len(ofType(all, "result")) != 1 || all[len(all)-1]["type"] != "end" {
		t.Errorf("got %v", all)
	}
	// The next request on the same connection has its limits again, and is answered.
	if got := d.operate(http.MethodGet, "/graphs", ""); got.status != 200 {
		t.Errorf("got %d %s", got.status, got.raw)
	}
}
