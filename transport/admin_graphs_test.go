package transport

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"graphy/eventstore"
	"graphy/projection"
	"graphy/transport/auth/authtest"
)

// ids returns the ids of the graphs listed.
func ids(got reply) (ids []string) {
	graphs, _ := got.json["graphs"].([]any)
	for _, one := range graphs {
		ids = append(ids, one.(map[string]any)["graphId"].(string))
	}
	return ids
}

// states has one graph in each state.
func (d *desk) states() {
	d.t.Helper()
	for _, graph := range []string{"fine-1", "fine-2", "lost"} {
		d.found(graph)
	}
	d.park("parked")
	// The projector never hears of what is appended to a graph that it has parked, or whose read models are ahead.
	if err := d.log.Delete(d.t.Context(), "lost"); err != nil {
		d.t.Fatal(err)
	}
}

func TestGraphsAndHowTheyStand(t *testing.T) {
	d := newDesk(t)
	d.states()
	got := d.operate(http.MethodGet, "/graphs", "")
	graphs := map[string]map[string]any{}
	for _, one := range got.json["graphs"].([]any) {
		graphs[one.(map[string]any)["graphId"].(string)] = one.(map[string]any)
	}
	for name, want := range map[string]map[string]any{
		"fine-1": {"state": "ok", "version": 3.0, "checkpoint": 3.0, "lag": 0.0, "lagSeconds": 0.0, "nodes": 2.0, "edges": 1.0, "first": 1.0, "cause": nil, "bytes": nil},
		"parked": {"state": "parked", "version": 3.0, "cause": "it makes no sense"},
	} {
		for field, value := range want {
			if graphs[name][field] != value {
				t.Errorf("%s: %s is %v, want %v", name, field, graphs[name][field], value)
			}
		}
	}
	for state, want := range map[string][]string{"ok": {"fine-1", "fine-2"}, "parked": {"parked"}, "behind": nil} {
		if got := ids(d.operate(http.MethodGet, "/graphs?state="+state, "")); !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", state, got, want)
		}
	}
	for limit := 1; limit <= 4; limit++ {
		var all []string
		for cursor := ""; ; {
			page := d.operate(http.MethodGet, fmt.Sprintf("/graphs?limit=%d&cursor=%s", limit, cursor), "")
			if found := ids(page); len(found) <= limit {
				all = append(all, found...)
			}
			if cursor, _ = page.json["cursor"].(string); cursor == "" {
				break
			}
		}
		if !slices.Equal(all, []string{"fine-1", "fine-2", "parked"}) {
			t.Errorf("in pages of %d: %v", limit, all)
		}
	}
	if got := ids(d.operate(http.MethodGet, "/graphs?state=parked&limit=1", "")); !slices.Equal(got, []string{"parked"}) {
		t.Errorf("the first that is parked: %v", got)
	}
}

func TestGraphThatIsBehind(t *testing.T) {
	d := newDesk(t)
	d.park("g")
	if err := d.models.Release(t.Context(), "g"); err != nil { // nobody tells the projector
		t.Fatal(err)
	}
	head := d.head("g")
	data := []byte(`{"version":4,"timestamp":1000,"commandType":"X","operationId":"o","userId":"u","changes":[],"checksum":"0"}`)
	if _, err := d.log.Append(t.Context(), "g", head, []eventstore.Event{{Version: 4, Data: data, Hash: eventstore.NextHash(head.Hash, data)}}); err != nil {
		t.Fatal(err)
	}
	got := d.operate(http.MethodGet, "/graphs/g", "")
	if state := got.json["state"]; state != "behind" && state != "parked" || got.json["lag"] != 1.0 || got.json["lagSeconds"].(float64) < 1e6 {
		t.Errorf("got %s", got.raw)
	}
}

func TestGraphInDetail(t *testing.T) {
	d := newDesk(t, withArchive(t), func(s *Services) {
		s.Clients = &sightings{seen: map[string]Sighting{"c": {Graph: "g", Client: "tab", User: "ann", Connection: "c", Left: true}}}
	})
	d.found("g")
	loaded, err := d.models.Load(t.Context(), "g")
	if err != nil {
		t.Fatal(err)
	}
	snapshot, err := loaded.Snapshot()
	if err == nil {
		err = d.models.Save(t.Context(), "g", snapshot)
	}
	if err == nil {
		err = d.log.SetBase(t.Context(), "g", eventstore.Base{Position: snapshot.Position, Data: snapshot.Data})
	}
	if err != nil {
		t.Fatal(err)
	}
	got := d.operate(http.MethodGet, "/graphs/g", "")
	at := fmt.Sprintf(`{"version":3,"hash":"%s"}`, snapshot.Hash)
	for _, part := range []string{`"graphId":"g"`, `"stats":{"version":3,"events":3,`, `"base":` + at, `"snapshots":[` + at + `]`,
		`"clientId":"tab"`, `"kind":"away"`, `"state":"ok"`} {
		if !strings.Contains(string(got.raw), part) {
			t.Errorf("%s is not in %s", part, got.raw)
		}
	}
	wantProblem(t, d.operate(http.MethodGet, "/graphs/never", ""), 404, "not-found")
	wantProblem(t, d.operate(http.MethodGet, "/graphs/a%20b", ""), 400, "invalid-id")
	wantProblem(t, d.operate(http.MethodGet, "/graphs/g/more", ""), 404, "not-found")
}

// TestBrokenGraphIsToldOf: what is wrong with one graph is told of it, in words, and the others are listed all the same.
func TestBrokenGraphIsToldOf(t *testing.T) {
	d := newDesk(t)
	d.found("g")
	d.breakLog(&eventstore.ChainError{Stream: "g", Version: 2, Reason: "hash is wrong"})
	got := d.operate(http.MethodGet, "/graphs/g", "")
	if got.json["state"] != "broken" || got.json["cause"] != "the log cannot be read: version 2: hash is wrong" {
		t.Errorf("got %s", got.raw)
	}
	d.breakLog(nil)
	d.breakModels(projection.ErrChecksum)
	if got := d.operate(http.MethodGet, "/graphs", ""); got.status != 200 || !strings.Contains(string(got.raw), `"state":"broken"`) {
		t.Errorf("got %s", got.raw)
	}
	d.breakModels(eventstore.ErrUnavailable)
	wantProblem(t, d.operate(http.MethodGet, "/graphs", ""), 503, "unavailable")
}

func TestSizesThatMayNotBeAskedFor(t *testing.T) {
	refusal := errors.New("NOPERM")
	d := newDesk(t, func(s *Services) {
		s.Sizes = func(context.Context, string) (int64, error) { return 4711, refusal }
	})
	d.found("g")
	if got := d.operate(http.MethodGet, "/graphs/g", ""); got.status != 200 || got.json["bytes"] != nil {
		t.Errorf("got %s", got.raw)
	}
	refusal = nil
	if got := d.operate(http.MethodGet, "/graphs/g", ""); got.json["bytes"] != 4711.0 {
		t.Errorf("got %s", got.raw)
	}
}

func TestDeleteByAnOperator(t *testing.T) {
	d := newDesk(t, withArchive(t))
	d.found("g")
	for _, query := range []string{"", "?archive=true", "?archive"} {
		if got := d.operate(http.MethodDelete, "/graphs/g"+query, ""); got.status != 204 || len(got.raw) != 0 {
			t.Errorf("%s: got %d %s", query, got.status, got.raw)
		}
		if fields := d.audited("graph deleted"); fields["userId"] != "olga" || fields["graphId"] != "g" || fields["outcome"] != "done" {
			t.Errorf("%s: put down was %v", query, fields)
		}
	}
	if d.head("g").Version != 0 {
		t.Error("it is still there")
	}
	wantProblem(t, newDesk(t).operate(http.MethodDelete, "/graphs/g?archive=true", ""), 404, "not-found")
}

func TestConflictsOfAllGraphs(t *testing.T) {
	d := newDesk(t)
	for _, graph := range []string{"a", "b", "c"} {
		d.found(graph)
		ann := authtest.Token(t, "ann", roles{"*": "owner"})
		for _, title := range []string{"x", "y"} {
			body := fmt.Sprintf(`{"type":"UPDATE_NODE_TITLE","clientId":"%s","clientVersion":3,"strategy":"MANUAL","payload":{"nodeId":"n1","title":"%s"}}`, title, title)
			if got := d.as(ann, http.MethodPost, "/api/v2/graphs/"+graph+"/command?wait=completed", body); got.status != 200 {
				t.Fatalf("got %d %s", got.status, got.raw)
			}
		}
	}
	got := d.operate(http.MethodGet, "/conflicts", "")
	for _, graph := range []string{"a", "b", "c"} {
		if strings.Count(string(got.raw), `{"graphId":"`+graph+`",`) != 1 {
			t.Errorf("got %s, want one of each graph", got.raw)
		}
	}
	if got := d.operate(http.MethodGet, "/conflicts?status=resolved", ""); string(got.raw) != `{"conflicts":[]}` {
		t.Errorf("got %s", got.raw)
	}
	if got := d.operate(http.MethodGet, "/conflicts?graph=b&status=open", ""); len(got.json["conflicts"].([]any)) != 1 {
		t.Errorf("got %s", got.raw)
	}
	got = d.operate(http.MethodGet, "/conflicts?limit=2", "")
	if len(got.json["conflicts"].([]any)) != 2 || got.json["cursor"] != "b" {
		t.Errorf("got %s", got.raw)
	}
	wantProblem(t, d.operate(http.MethodGet, "/conflicts?graph=b&cursor=a", ""), 400, "invalid-query")
	if fields := d.audited("conflicts read"); fields["outcome"] != "refused" || fields["code"] != "invalid-query" {
		t.Errorf("put down was %v", fields)
	}
}
