package transport

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"graphy/eventstore"
	"graphy/projection"
)

// historyVersions returns the versions of the events in an answer, and from where it says to go on.
func historyVersions(got reply) (versions []int, before any) {
	for _, event := range got.json["events"].([]any) {
		versions = append(versions, int(event.(map[string]any)["version"].(float64)))
	}
	return versions, got.json["before"]
}

func TestHistorySaysWhereToGoOn(t *testing.T) {
	s := newSite(t)
	for i := range 7 {
		got := s.call(http.MethodPost, "/api/v2/graphs/g/command?userId="+[]string{"ann", "bob"}[i%2], createNode(fmt.Sprintf("n%d", i)))
		if got.status != http.StatusAccepted {
			t.Fatalf("got %d %s", got.status, got.raw)
		}
	}
	for query, want := range map[string]string{
		"": "[7 6 5 4 3 2 1] <nil>", "?limit=7": "[7 6 5 4 3 2 1] <nil>", "?limit=6": "[7 6 5 4 3 2] 2", "?before=3&limit=1": "[2] 2", "?before=2&limit=1": "[1] <nil>",
		"?before=1": "[] <nil>", "?user=ann&limit=2": "[7 5] 5", "?user=ann&limit=4": "[7 5 3 1] <nil>", "?user=bob&limit=3": "[6 4 2] 2",
		"?user=bob&limit=3&before=2": "[] <nil>", "?user=an": "[] <nil>", "?user=": "[] <nil>",
	} {
		versions, before := historyVersions(s.get("/graphs/g/history" + query))
		if got := fmt.Sprint(versions, before); got != want {
			t.Errorf("%q: got %s, want %s", query, got, want)
		}
	}
}

// TestHistoryOfOneUserAlone: a property called userId makes nobody the author.
func TestHistoryOfOneUserAlone(t *testing.T) {
	s := newSite(t)
	s.call(http.MethodPost, "/api/v2/graphs/g/command?userId=bob", `{"type":"CREATE_NODE","payload":{"id":"n","userId":"ann"}}`)
	for user, want := range map[string]string{"ann": "[]", "bob": "[1]"} {
		if versions, _ := historyVersions(s.get("/graphs/g/history?user=" + user)); fmt.Sprint(versions) != want {
			t.Errorf("%s: got %v, want %s", user, versions, want)
		}
	}
}

// TestHistoryOfOneUserIsBounded follows a user whose events are few and old through a log that is longer than what one
// request looks through.
func TestHistoryOfOneUserIsBounded(t *testing.T) {
	s := newSite(t)
	const head = historyScan + 2*historyPage + 10
	w := s.append(nil, "g", 5)
	rare := projection.Event{Version: 6, CommandType: "UPDATE_VIEWPORT", OperationID: "rare", UserID: "ann \"\u2028é", Request: "1f3a9c02", Checksum: w.Graph.Checksum.String()}
	data := rare.AppendJSON(nil)
	entry := eventstore.Event{Version: 6, Data: data, Hash: eventstore.NextHash(w.Graph.Position.Hash, data), Operations: []string{"rare"}}
	if result, err := s.log.Append(t.Context(), "g", w.Graph.Position, []eventstore.Event{entry}); err != nil || result.Outcome != eventstore.Applied {
		t.Fatalf("append: %+v, %v", result, err)
	}
	w.Graph.Position = entry.Position()
	later := make([]eventstore.Event, head-6)
	for i := range later {
		later[i] = w.Write("UPDATE_NODE")
	}
	if _, err := s.log.Append(t.Context(), "g", entry.Position(), later); err != nil {
		t.Fatal(err)
	}
	query := "?user=" + url.QueryEscape(rare.UserID)
	first := s.get("/graphs/g/history" + query)
	versions, before := historyVersions(first)
	if len(versions) > 0 || before != float64(head-historyScan+1) {
		t.Fatalf("first: got %v, go on before %v, want %d", versions, before, head-historyScan+1)
	}
	second := s.get(fmt.Sprintf("/graphs/g/history%s&before=%v", query, int(before.(float64))))
	if versions, before := historyVersions(second); fmt.Sprint(versions) != "[6]" || before != nil || !strings.Contains(string(second.raw), string(data[:len(data)-1])) {
		t.Errorf("second: got %s", second.raw)
	}
	all := 0
	for path := "/graphs/g/history?user=u1&limit=1000"; ; {
		got := s.get(path)
		versions, before := historyVersions(got)
		if all += len(versions); before == nil {
			break
		}
		path = fmt.Sprintf("/graphs/g/history?user=u1&limit=1000&before=%v", int(before.(float64)))
	}
	if all != head-1 {
		t.Errorf("page after page: %d events of u1, want %d", all, head-1)
	}
}
