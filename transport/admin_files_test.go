package transport

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"graphy/eventstore"
)

// export returns the archive file of graphs.
func (d *desk) export(query string) []byte {
	d.t.Helper()
	got := d.operate(http.MethodGet, "/export?"+query, "")
	if got.status != 200 || got.header.Get("Content-Type") != "application/zstd" {
		d.t.Fatalf("export: got %d %s", got.status, got.raw)
	}
	return got.raw
}

func (d *desk) importing(file []byte, query, accept string) reply {
	d.t.Helper()
	return d.operate(http.MethodPost, "/import?"+query, string(file), "Content-Type", "application/zstd", "Accept", accept)
}

func TestExportAndImport(t *testing.T) {
	from, to := newDesk(t), newDesk(t)
	for _, graph := range []string{"a", "b", "c"} {
		from.found(graph)
	}
	file := from.export("graph=a&graph=c&graph=a")
	if fields := from.audited("export"); fields["outcome"] != "done" || fields["graphs"] != int64(2) || fields["userId"] != "olga" {
		t.Errorf("put down was %v", fields)
	}
	got := to.importing(file, "dryRun", "application/json")
	if results, _ := got.json["results"].([]any); got.status != 200 || len(results) != 2 || to.head("a").Version != 0 {
		t.Fatalf("dry: got %d %s", got.status, got.raw)
	}
	got = to.importing(file, "", "application/json")
	summary, _ := got.json["summary"].(map[string]any)
	if got.status != 200 || fmt.Sprint(summary["outcomes"]) != "map[imported:2]" {
		t.Fatalf("got %d %s", got.status, got.raw)
	}
	if fields := to.audited("import"); fields["outcome"] != "done" || fields["graphs"] != int64(2) {
		t.Errorf("put down was %v", fields)
	}
	if to.head("a") != from.head("a") || to.head("c") != from.head("c") || to.head("b").Version != 0 {
		t.Error("the logs are not the same")
	}
	got = to.importing(from.export("all=true"), "replace=true", "application/x-ndjson")
	lines := strings.Split(strings.TrimSpace(string(got.raw)), "\n")
	if !strings.Contains(lines[len(lines)-1], `"type":"end"`) || !strings.Contains(string(got.raw), `"unchanged":2`) || !strings.Contains(string(got.raw), `"imported":1`) {
		t.Errorf("got %s", got.raw)
	}
	wantProblem(t, from.operate(http.MethodGet, "/export?graph=a&graph=never", ""), 404, "not-found")
}

// TestDamagedFilesAreRefused in words, whatever was taken in before.
func TestDamagedFilesAreRefused(t *testing.T) {
	from, to := newDesk(t), newDesk(t)
	from.found("a")
	file := from.export("all=true")
	flipped := bytes.Clone(file)
	flipped[len(flipped)/2] ^= 0x40
	for name, bad := range map[string][]byte{"nothing like it": []byte("hello"), "half": file[:len(file)/2], "flipped": flipped} {
		got := to.importing(bad, "", "application/json")
		problem, _ := got.json["error"].(map[string]any) // after a graph was taken in
		if got.status == 200 && problem["status"] == nil || got.status != 200 && got.status != 409 {
			t.Errorf("%s: got %d %s", name, got.status, got.raw)
		}
		if fields := to.audited("import"); fields["outcome"] != "refused" {
			t.Errorf("%s: put down was %v", name, fields)
		}
	}
	for contentType, status := range map[string]int{"application/json": 415, "": 415, "application/octet-stream": 200} {
		got := newDesk(t).operate(http.MethodPost, "/import", string(file), "Content-Type", contentType)
		if got.status != status {
			t.Errorf("%q: got %d %s, want %d", contentType, got.status, got.raw, status)
		}
	}
}

// TestExportThatBreaksOff is no whole answer.
func TestExportThatBreaksOff(t *testing.T) {
	d := newDesk(t)
	d.found("a")
	head, long := d.head("a"), incompressible(1<<20)
	for range 2 {
		data := []byte(`{"title":"` + long + `"}`)
		event := eventstore.Event{Version: head.Version + 1, Data: data, Hash: eventstore.NextHash(head.Hash, data)}
		if _, err := d.log.Append(t.Context(), "a", head, []eventstore.Event{event}); err != nil {
			t.Fatal(err)
		}
		head = event.Position()
	}
	d.found("b")
	d.mu.Lock()
	d.failRead = func(graph string) error {
		if graph == "b" {
			return errSecret
		}
		return nil
	}
	d.mu.Unlock()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.operators.URL+adminPath+"/export?all=true", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+d.token)
	response, err := d.operators.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err == nil {
		t.Error("the answer ended as if it were whole")
	}
	if fields := d.audited("export"); fields["outcome"] != "failed" {
		t.Errorf("put down was %v", fields)
	}
}

// incompressible returns letters that make no sense.
func incompressible(length int) string {
	text, seed := make([]byte, length), uint64(1)
	for i := range text {
		seed = seed*6364136223846793005 + 1442695040888963407
		text[i] = 'A' + byte(seed>>58)%26
	}
	return string(text)
}

func TestCopyByAnOperator(t *testing.T) {
	d := newDesk(t)
	d.found("a")
	got := d.operate(http.MethodPost, "/graphs/a/copy", `{"to":"b","at":2}`)
	if got.status != 200 || got.json["graphId"] != "b" || got.json["from"] != "a" || got.json["version"] != 2.0 || got.json["hash"] != string(d.head("b").Hash) {
		t.Errorf("got %d %s", got.status, got.raw)
	}
	if fields := d.audited("graph copied"); fields["graphId"] != "a" || fields["to"] != "b" || fields["outcome"] != "done" {
		t.Errorf("put down was %v", fields)
	}
	wantProblem(t, d.operate(http.MethodPost, "/graphs/a/copy", `{"to":"b"}`), 409, "not-possible")
	wantProblem(t, d.operate(http.MethodPost, "/graphs/never/copy", `{"to":"c"}`), 404, "not-found")
}

func TestRetainAndRestoreByAnOperator(t *testing.T) {
	d := newDesk(t, withArchive(t))
	d.found("g")
	got := d.operate(http.MethodPost, "/retain", `{"graphs":["g"],"events":1,"dryRun":true}`)
	if results, _ := got.json["results"].([]any); got.status != 200 || len(results) != 1 || results[0].(map[string]any)["outcome"] == nil {
		t.Errorf("got %d %s", got.status, got.raw)
	}
	if fields := d.audited("retain"); fields["policy"] != "events=1" || fields["dryRun"] != true {
		t.Errorf("put down was %v", fields)
	}
	got = d.operate(http.MethodPost, "/restore", `{"all":true}`)
	if results, _ := got.json["results"].([]any); got.status != 200 || len(results) != 1 {
		t.Errorf("got %d %s", got.status, got.raw)
	}
	if got := d.operate(http.MethodGet, "/graphs/g/archive", ""); got.status != 200 || !slices.Contains([]string{`{"segments":[]}`}, string(got.raw)) {
		t.Errorf("got %d %s", got.status, got.raw)
	}
}

// trickle is a body that comes slowly, and stops for good where it is empty before its end.
type trickle struct {
	t     *testing.T
	parts [][]byte
	pause time.Duration
	hangs bool
}

func (r *trickle) Read(into []byte) (int, error) {
	if len(r.parts) == 0 {
		if r.hangs {
			<-r.t.Context().Done()
		}
		return 0, io.EOF
	}
	_ = await(r.t.Context(), after(r.pause))
	n := copy(into, r.parts[0])
	r.parts = r.parts[1:]
	return n, nil
}

// TestImportThatComesSlowly has no limit in all, only one for each part of it.
func TestImportThatComesSlowly(t *testing.T) {
	from := newDesk(t)
	from.found("a")
	file := from.export("all=true")
	to := newDeskOn(newGuarded(t, func(o *Options) { o.Timeouts = Timeouts{Request: 300 * time.Millisecond} }), nil)
	send := func(body io.Reader) (int, string) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, to.operators.URL+adminPath+"/import", body)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+to.token)
		request.Header.Set("Content-Type", "application/zstd")
		response, err := to.operators.Client().Do(request)
		if err != nil {
			return 0, err.Error()
		}
		defer response.Body.Close()
		text, _ := io.ReadAll(response.Body)
		return response.StatusCode, string(text)
	}
	half := file[:len(file)/2]
	if status, text := send(&trickle{t: t, parts: [][]byte{half}, hangs: true}); status == 200 {
		t.Errorf("a body that stops: got %d %s", status, text)
	}
	if fields := to.audited("import"); fields["outcome"] == "done" || to.head("a").Version != 0 {
		t.Errorf("put down was %v", fields)
	}
	slow := &trickle{t: t, parts: slices.Collect(slices.Chunk(file, len(file)/5+1)), pause: 150 * time.Millisecond}
	if status, text := send(slow); status != 200 || !strings.Contains(text, `"imported":1`) {
		t.Errorf("a slow one: got %d %s", status, text)
	}
}
