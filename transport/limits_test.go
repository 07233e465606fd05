package transport

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"graphy/command"
)

// TestConfiguredLimits: what is over the default passes where the limit is higher, and what is under it does not where
// the limit is lower, in whatever way a command comes.
func TestConfiguredLimits(t *testing.T) {
	title := func(bytes int) string {
		return `"payload":{"nodeId":"n1","title":"` + strings.Repeat("x", bytes) + `"}}`
	}
	part := func(bytes int) string { return `{"type":"UPDATE_NODE_TITLE",` + title(bytes) }
	for name, limit := range map[string]int{"lower": 10, "higher": command.MaxTitle + 10} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, func(o *Options) { o.Limits.Title = limit })
			s.createNodes("g", 1)
			post := func(path, body string) reply {
				return s.call(http.MethodPost, "/api/v2/graphs/g"+path, body)
			}
			if got := post("/command", part(limit)); got.status != http.StatusAccepted {
				t.Errorf("command: got %d %.200s, want 202", got.status, got.raw)
			}
			wantProblem(t, post("/command", part(limit+1)), http.StatusRequestEntityTooLarge, "too-large")
			batch := func(bytes int) string { return `{"atomic":true,"operations":[` + part(bytes) + `]}` }
			if got := post("/batch", batch(limit)); got.status != http.StatusAccepted {
				t.Errorf("batch: got %d %.200s, want 202", got.status, got.raw)
			}
			wantProblem(t, post("/batch", batch(limit+1)), http.StatusRequestEntityTooLarge, "too-large")

			conn, response, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(s.http.URL, "http")+"/api/v2/graphs/g/subscribe?userId=ann", nil)
			if err != nil {
				t.Fatalf("dial: %v, %+v", err, response)
			}
			defer conn.Close()
			p := &peer{TB: t, conn: conn}
			p.expect("sync")
			frame := `{"type":"command","operationId":"op","command":"UPDATE_NODE_TITLE",`
			p.send(frame + title(limit+1))
			if m := p.expect("revert"); m.Error.Code != "too-large" {
				t.Errorf("frame: got %.300s, want too-large", m.raw)
			}
			p.send(frame + title(limit))
			p.expect("command_result")
		})
	}
}

// TestConfiguredLimitOfAResolution: the values that a person gives are commands' too.
func TestConfiguredLimitOfAResolution(t *testing.T) {
	s := newSite(t, func(o *Options) { o.Limits.Title = 5 })
	s.createConflicts("g")
	choosing := func(title string) string { return `{"choice":"values","values":{"/title":"` + title + `"}}` }
	wantProblem(t, s.call(http.MethodPost, "/api/v2/graphs/g/conflicts/6-0/resolve", choosing("123456")), http.StatusRequestEntityTooLarge, "too-large")
	s.post("g", "/conflicts/6-0/resolve", "ann", choosing("12345"))
}
