package transport

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"graphy/eventstore"
	"graphy/projection"
)

func TestLettersAreListedAndShown(t *testing.T) {
	d := newDesk(t)
	first, second := d.park("a"), d.park("b")
	got := d.operate(http.MethodGet, "/deadletters", "")
	wantJSON(t, got.raw, fmt.Sprintf(`{"letters":[
		{"id":"%s","graphId":"b","version":4,"cause":"it makes no sense","attempts":3,"time":5},
		{"id":"%s","graphId":"a","version":4,"cause":"it makes no sense","attempts":3,"time":5}]}`, second, first))
	wantJSON(t, d.operate(http.MethodGet, "/deadletters/"+first, "").raw,
		fmt.Sprintf(`{"id":"%s","graphId":"a","version":4,"cause":"it makes no sense","attempts":3,"time":5,"payload":"{\"version\":4}"}`, first))
	if fields := d.audited("dead letter read"); fields["graphId"] != "a" || fields["letter"] != first || fields["outcome"] != "done" {
		t.Errorf("put down was %v", fields)
	}
	page := d.operate(http.MethodGet, "/deadletters?limit=1", "")
	if page.json["before"] != second {
		t.Errorf("got %s", page.raw)
	}
	for query, want := range map[string]string{"?limit=1&before=" + second: first, "?graph=a": first, "?graph=b": second} {
		if got := d.operate(http.MethodGet, "/deadletters"+query, ""); strings.Count(string(got.raw), `"id":`) != 1 || !strings.Contains(string(got.raw), `"id":"`+want+`"`) {
			t.Errorf("%s: got %s, want %s alone", query, got.raw, want)
		}
	}
	for _, query := range []string{"?closed=true", "?graph=none"} {
		wantJSON(t, d.operate(http.MethodGet, "/deadletters"+query, "").raw, `{"letters":[]}`)
	}
	wantProblem(t, d.operate(http.MethodGet, "/deadletters/9999-0", ""), 404, "not-found")
}

// stalled tells whether a graph is parked.
func (d *desk) stalled(graph string) bool {
	d.t.Helper()
	checkpoint, err := d.models.Checkpoint(d.t.Context(), graph)
	if err != nil {
		d.t.Fatal(err)
	}
	return checkpoint.Stalled != ""
}

func TestRetryAndDiscard(t *testing.T) {
	d := newDesk(t)
	tests := []struct {
		verb, outcome, what string
		stalled             bool
	}{
		{"retry", "retried", "dead letter retried", false},
		{"discard", "discarded", "dead letter discarded", true},
	}
	for _, test := range tests {
		graph := "g-" + test.verb
		letter := d.park(graph)
		path := "/deadletters/" + letter + "/" + test.verb
		wantJSON(t, d.operate(http.MethodPost, path, `{"reason":"a try","dryRun":true}`).raw,
			fmt.Sprintf(`{"id":"%s","graphId":"%s","outcome":"%s","dryRun":true}`, letter, graph, test.outcome))
		if got := d.operate(http.MethodGet, "/deadletters/"+letter, ""); got.json["closed"] != nil || !d.stalled(graph) {
			t.Errorf("%s: a dry run did something: %s", test.verb, got.raw)
		}
		wantJSON(t, d.operate(http.MethodPost, path, `{"reason":"it was fixed"}`).raw,
			fmt.Sprintf(`{"id":"%s","graphId":"%s","outcome":"%s"}`, letter, graph, test.outcome))
		fields := d.audited(test.what)
		if fields["userId"] != "olga" || fields["graphId"] != graph || fields["reason"] != "it was fixed" || fields["outcome"] != "done" || fields["letter"] != letter {
			t.Errorf("put down was %v", fields)
		}
		closed, _ := d.operate(http.MethodGet, "/deadletters/"+letter, "").json["closed"].(map[string]any)
		if closed["outcome"] != test.outcome || closed["by"] != "olga" || closed["reason"] != "it was fixed" || closed["time"].(float64) < 1.7e12 {
			t.Errorf("%s: closed is %v", test.verb, closed)
		}
		if d.stalled(graph) != test.stalled {
			t.Errorf("%s: stalled is %v, want %v", test.verb, !test.stalled, test.stalled)
		}
		got := d.operate(http.MethodPost, path, `{"reason":"again"}`)
		wantProblem(t, got, 409, "not-possible")
		if !strings.Contains(string(got.raw), test.outcome+" by olga") {
			t.Errorf("got %s", got.raw)
		}
		if fields := d.audited(test.what); fields["outcome"] != "refused" {
			t.Errorf("put down was %v", fields)
		}
	}
}

// TestPoisonousEventIsSkipped: what is refused because later events need it names them, with cascade they go too.
func TestPoisonousEventIsSkipped(t *testing.T) {
	d := newDesk(t)
	d.found("g")
	checkpoint, err := d.models.Checkpoint(t.Context(), "g")
	if err != nil {
		t.Fatal(err)
	}
	poison := []byte(`{"version":4,"commandType":"CREATE_NODE","operationId":"bad","userId":"u","timestamp":1,"changes":[{"op":"put","kind":"comet","id":"x","value":{}}],"checksum":"0"}`)
	head := d.head("g")
	event := eventstore.Event{Version: 4, Data: poison, Hash: eventstore.NextHash(head.Hash, poison), Operations: []string{"bad"}}
	if _, err := d.log.Append(t.Context(), "g", head, []eventstore.Event{event}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is parked", func() bool { return d.stalled("g") })
	letters, err := d.models.Letters(t.Context(), false, "g", "", 1)
	if err != nil || len(letters) != 1 || letters[0].Version != checkpoint.Version+1 {
		t.Fatalf("got %v, %v", letters, err)
	}
	path := "/deadletters/" + letters[0].ID + "/skip"
	got := d.operate(http.MethodPost, path, `{"reason":"a bug wrote it","dryRun":true}`)
	if got.status != 200 || got.json["outcome"] != "skipped" || d.head("g") != event.Position() {
		t.Errorf("dry: got %d %s", got.status, got.raw)
	}
	got = d.operate(http.MethodPost, path, `{"reason":"a bug wrote it"}`)
	skipped, _ := got.json["skipped"].(map[string]any)
	if got.status != 200 || got.json["outcome"] != "skipped" || fmt.Sprint(skipped["skipped"]) != "[4]" {
		t.Fatalf("got %d %s", got.status, got.raw)
	}
	fields := d.audited("dead letter skipped")
	if fields["graphId"] != "g" || fields["reason"] != "a bug wrote it" || fields["version"] != uint64(4) || fields["outcome"] != "done" {
		t.Errorf("put down was %v", fields)
	}
	events, err := d.log.Read(t.Context(), "g", 3, 1)
	if err != nil || len(events) != 1 || projection.Text(projection.Member(events[0].Data, "commandType")) != "SKIP" {
		t.Errorf("version 4 is now %s, %v", events[0].Data, err)
	}
	eventually(t, "the read models go on", func() bool {
		checkpoint, err := d.models.Checkpoint(t.Context(), "g")
		return err == nil && checkpoint.Position == d.head("g")
	})
}

func TestSkipThatNeedsMore(t *testing.T) {
	err := refuseNeeds(4, []eventstore.Version{5, 9})
	p := problemOf(err)
	if p.status != 409 || len(p.fields) != 2 || p.fields[1].Pointer != "/cascade" || p.fields[1].Detail != "version 9" {
		t.Errorf("got %+v", p)
	}
	many := make([]eventstore.Version, 5000)
	if p := problemOf(refuseNeeds(4, many)); len(p.fields) != needsMost || !strings.Contains(p.detail, "5000 later ones") {
		t.Errorf("got %d fields, %s", len(p.fields), p.detail)
	}
}
