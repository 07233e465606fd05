package transport

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"graphy/eventstore"
)

// createTriangle makes nodes a, b and c with edges ab and bc.
func (s *site) createTriangle(graph string) {
	s.t.Helper()
	s.accept(graph, `{"type":"BATCH_UPDATE","payload":{"nodes":{"a":{"status":"done"},"b":{},"c":{}},"edges":[
		{"id":"ab","source":"a","target":"b"},{"id":"bc","source":"b","target":"c"}]}}`)
}

func idsOf(list any) string {
	ids := []string{}
	for _, entity := range list.([]any) {
		ids = append(ids, entity.(map[string]any)["id"].(string))
	}
	return fmt.Sprint(ids)
}

func TestEntities(t *testing.T) {
	s := newSite(t)
	s.createTriangle("g")
	for path, want := range map[string]string{"/nodes": "[a b c]", "/edges": "[ab bc]", "/nodes/a/edges": "[ab]", "/nodes/b/edges": "[ab bc]"} {
		list := "edges"
		if path == "/nodes" {
			list = "nodes"
		}
		if got := s.get("/graphs/g" + path); got.status != 200 || idsOf(got.json[list]) != want {
			t.Errorf("%s: got %d %s, want %s", path, got.status, got.raw, want)
		}
	}
	if got := s.get("/graphs/g/nodes/a"); got.json["id"] != "a" || got.json["status"] != "done" {
		t.Errorf("node: got %d %s", got.status, got.raw)
	}
	if got := s.get("/graphs/g/edges/%61b"); got.json["source"] != "a" || got.json["target"] != "b" {
		t.Errorf("edge: got %d %s", got.status, got.raw)
	}
	for _, path := range []string{"/nodes/x", "/edges/x", "/nodes/x/edges", "/nodes/a/b/c", "/edges/a/b"} {
		wantProblem(t, s.get("/graphs/g"+path), 404, "not-found")
	}
	for _, path := range []string{"/nodes/a%20b", "/edges/%2E", "/nodes/a%25b/edges"} {
		wantProblem(t, s.get("/graphs/g"+path), 400, "invalid-id")
	}
	wantJSON(t, s.get("/graphs/none/nodes").raw, `{"nodes":[]}`)
	wantJSON(t, s.get("/graphs/none/edges").raw, `{"edges":[]}`)
	for _, path := range []string{"/nodes", "/edges", "/nodes/a", "/nodes/a/edges", "/edges/ab", "/stats"} {
		wantProblem(t, s.get("/graphs/g"+path+"?minVersion=1"), 400, "invalid-query")
	}
	s.breakModels(eventstore.ErrUnavailable)
	for _, path := range []string{"/nodes", "/edges", "/nodes/a", "/nodes/a/edges", "/edges/ab", "/stats"} {
		wantProblem(t, s.get("/graphs/g"+path), 503, "unavailable")
	}
}

func TestStats(t *testing.T) {
	s := newSite(t)
	s.createTriangle("g")
	s.accept("g", createNode("d"))
	wantJSON(t, s.get("/graphs/g/stats").raw, `{"version":2,"nodes":4,"edges":2,"events":2,"byType":{"BATCH_UPDATE":1,"CREATE_NODE":1},"progress":0.25}`)
	wantJSON(t, s.get("/graphs/none/stats").raw, `{"version":0,"nodes":0,"edges":0,"events":0,"byType":{},"progress":0}`)
}

func TestHistory(t *testing.T) {
	s := newSite(t)
	for i := range 7 {
		got := s.call(http.MethodPost, "/api/v2/graphs/g/command?userId="+[]string{"ann", "bob"}[i%2], createNode(fmt.Sprintf("n%d", i)))
		if got.status != http.StatusAccepted {
			t.Fatalf("got %d %s", got.status, got.raw)
		}
	}
	for query, want := range map[string]string{
		"": "[7 6 5 4 3 2 1]", "?limit=2": "[7 6]", "?before=3": "[2 1]", "?before=6&limit=2": "[5 4]", "?before=1": "[]", "?before=99": "[7 6 5 4 3 2 1]",
		"?user=ann": "[7 5 3 1]", "?user=bob&limit=2": "[6 4]", "?user=bob&before=6&limit=9": "[4 2]", "?user=eve": "[]", "?limit=100000": "[7 6 5 4 3 2 1]",
	} {
		got := s.get("/graphs/g/history" + query)
		versions := []int{}
		for _, event := range got.json["events"].([]any) {
			versions = append(versions, int(event.(map[string]any)["version"].(float64)))
		}
		if fmt.Sprint(versions) != want {
			t.Errorf("%s: got %v, want %s", query, versions, want)
		}
	}
	newest := s.get("/graphs/g/history?limit=1").json["events"].([]any)[0].(map[string]any)
	if newest["hash"] != string(s.head("g").Hash) || newest["userId"] != "ann" {
		t.Errorf("newest is %v", newest)
	}
	wantJSON(t, s.get("/graphs/none/history").raw, `{"events":[]}`)
	for _, query := range []string{"before=0", "before=x", "limit=0", "since=1", "user=a&user=b"} {
		wantProblem(t, s.get("/graphs/g/history?"+query), 400, "invalid-query")
	}
	s.breakLog(eventstore.ErrUnavailable)
	wantProblem(t, s.get("/graphs/g/history"), 503, "unavailable")
	wantProblem(t, s.get("/graphs/g/changes"), 503, "unavailable")
}

func TestHistoryOfAUserReachesOverPages(t *testing.T) {
	s := newSite(t)
	write := func(user string, count int) {
		operations := strings.Repeat(`{"type":"CREATE_NODE","payload":{}},`, count)
		got := s.call(http.MethodPost, "/api/v2/graphs/g/batch", `{"operations":[`+strings.TrimSuffix(operations, ",")+`]}`, "X-User-Id", user)
		if got.status != http.StatusAccepted {
			t.Fatalf("got %d %.200s", got.status, got.raw)
		}
	}
	write("ann", historyPage-1)
	write("bob", 1)
	write("ann", historyPage)
	got := s.get("/graphs/g/history?user=bob")
	if events := got.json["events"].([]any); len(events) != 1 || events[0].(map[string]any)["version"] != float64(historyPage) {
		t.Errorf("got %s, want version %d", got.raw, historyPage)
	}
}

func TestGraphsPageByPage(t *testing.T) {
	s := newSite(t)
	wantJSON(t, s.get("/graphs").raw, `{"graphs":[]}`)
	s.createTriangle("c")
	s.accept("a", createNode("n"))
	s.accept("b", createNode("n"))
	var names []string
	path := "/graphs?limit=2"
	for pages := 1; ; pages++ {
		got := s.get(path)
		for _, graph := range got.json["graphs"].([]any) {
			names = append(names, graph.(map[string]any)["graphId"].(string))
		}
		cursor, more := got.json["cursor"].(string)
		if !more {
			break
		}
		if pages > 3 {
			t.Fatal("the pages do not end")
		}
		path = "/graphs?limit=2&cursor=" + cursor
	}
	if fmt.Sprint(names) != "[a b c]" {
		t.Errorf("got %v, want a, b, c", names)
	}
	last := s.get("/graphs?cursor=b").json["graphs"].([]any)[0].(map[string]any)
	if len(last) != 5 || last["graphId"] != "c" || last["version"] != 1.0 || last["nodes"] != 3.0 || last["edges"] != 2.0 || last["lastModified"].(float64) <= 0 {
		t.Errorf("got %v", last)
	}
	for _, query := range []string{"limit=0", "limit=x", "cursor=a%20b", "page=1"} {
		wantProblem(t, s.get("/graphs?"+query), 400, "invalid-query")
	}
	if got := s.get("/graphs?cursor=&limit=99999"); len(got.json["graphs"].([]any)) != 3 {
		t.Errorf("got %s", got.raw)
	}
}

func TestDeleteOfAGraph(t *testing.T) {
	s := newSite(t)
	s.createNodes("g", 2)
	for range 2 {
		if got := s.call(http.MethodDelete, "/api/v2/graphs/g", ""); got.status != http.StatusNoContent || len(got.raw) > 0 {
			t.Errorf("got %d %s, want 204", got.status, got.raw)
		}
	}
	wantJSON(t, s.get("/graphs").raw, `{"graphs":[]}`)
	wantProblem(t, s.call(http.MethodDelete, "/api/v2/graphs/a%20b", ""), 400, "invalid-id")
	s.breakLog(eventstore.ErrUnknown)
	wantProblem(t, s.call(http.MethodDelete, "/api/v2/graphs/g", ""), 504, "outcome-unknown")
}
