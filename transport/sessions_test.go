package transport

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gorilla/websocket"

	"graphy/transport/auth/authtest"
)

// kicks are Kicks of the processes of a test.
type kicks struct {
	mu   sync.Mutex
	ends map[int]func(Kick) int
	next int
	fail error
}

func (k *kicks) Kick(_ context.Context, kick Kick) (ended int, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, end := range k.ends {
		ended += end(kick)
	}
	return ended, k.fail
}

func (k *kicks) Subscribe(ctx context.Context, end func(Kick) int) {
	k.mu.Lock()
	if k.ends == nil {
		k.ends = map[int]func(Kick) int{}
	}
	id := k.next
	k.next++
	k.ends[id] = end
	k.mu.Unlock()
	<-ctx.Done()
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.ends, id)
}

func (k *kicks) listeners() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.ends)
}

// connect opens a WebSocket to the desk's server, and waits for its sync.
func (d *desk) connect(graph, user, client, query string) *peer {
	d.t.Helper()
	header := http.Header{"Authorization": {"Bearer " + authtest.Token(d.t, user, roles{"*": "editor"})}}
	address := "ws" + strings.TrimPrefix(d.public.URL, "http") + basePath + "/graphs/" + graph + "/subscribe?clientId=" + client + "&" + query
	conn, _, err := websocket.DefaultDialer.Dial(address, header)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { conn.Close() })
	p := &peer{TB: d.t, conn: conn}
	if first := p.frame(); first.Type != "sync" {
		d.t.Fatalf("got %s, want a sync", first.raw)
	}
	return p
}

// listed returns "graph client kind" of the sessions that a query finds, over all pages.
func (d *desk) listed(query string) (found []string) {
	d.t.Helper()
	for cursor := ""; ; {
		got := d.operate(http.MethodGet, "/sessions?"+query+"&cursor="+strings.ReplaceAll(cursor, "/", "%2F"), "")
		if got.status != 200 {
			d.t.Fatalf("got %d %s", got.status, got.raw)
		}
		for _, one := range got.json["sessions"].([]any) {
			info := one.(map[string]any)
			found = append(found, fmt.Sprint(info["graphId"], " ", info["clientId"], " ", info["kind"]))
		}
		if cursor, _ = got.json["cursor"].(string); cursor == "" || len(found) > 100 {
			return found
		}
	}
}

// twoDesks are two processes that share what processes share.
func twoDesks(t *testing.T) (a, b *desk, shared *sightings, carrier *kicks) {
	shared, carrier = &sightings{}, &kicks{}
	share := func(s *Services) { s.Clients, s.Kicks = shared, carrier }
	s := newGuarded(t)
	a, b = newDeskOn(s, nil, share), newDeskOn(s, nil, share)
	eventually(t, "both listen to kicks", func() bool { return carrier.listeners() == 2 })
	return a, b, shared, carrier
}

func TestSessionsOfAllProcessesAreListed(t *testing.T) {
	a, b, shared, _ := twoDesks(t)
	for _, graph := range []string{"g", "h"} {
		a.found(graph)
	}
	a.connect("g", "ann", "tab-1", "clientVersion=2")
	a.connect("h", "bob", "tab-2", "")
	b.connect("g", "bob", "tab-3", "clientVersion=3")
	a.connect("unwritten", "ann", "tab-4", "")
	left := a.connect("g", "cid", "tab-5", "clientVersion=1")
	left.conn.Close()
	eventually(t, "what is to be shared is", func() bool {
		return len(shared.of("tab-3")) == 1 && len(shared.of("tab-1")) == 1 && slices.ContainsFunc(shared.of("tab-5"), func(s Sighting) bool { return s.Left })
	})
	all := []string{"g tab-1 websocket", "g tab-3 elsewhere", "g tab-5 away", "h tab-2 websocket", "unwritten tab-4 websocket"}
	for query, want := range map[string][]string{
		"": all, "graph=g": all[:3], "graph=h": all[3:4], "graph=none": nil, "user=ann": {all[0], all[4]}, "graph=g&user=bob": all[1:2], "user=nobody": nil,
	} {
		for _, limit := range []string{"", "&limit=1", "&limit=2", "&limit=1000"} {
			if got := a.listed(query + limit); !slices.Equal(got, want) {
				t.Errorf("%s: got %v, want %v", query+limit, got, want)
			}
		}
	}
	got := a.operate(http.MethodGet, "/sessions?graph=g&limit=1", "")
	info := got.json["sessions"].([]any)[0].(map[string]any)
	for field, want := range map[string]any{"userId": "ann", "address": "127.0.0.1", "sent": 3.0, "reported": 2.0, "lag": nil, "queued": nil} {
		if info[field] != want {
			t.Errorf("%s is %v, want %v, in %s", field, info[field], want, got.raw)
		}
	}
	if connected, _ := info["connected"].(float64); connected < 1.7e12 {
		t.Errorf("connected is %v", info["connected"])
	}
	shared.setAway(true)
	wantProblem(t, a.operate(http.MethodGet, "/sessions?graph=g", ""), 500, "internal")
	shared.setAway(false)
}

// TestKickAcrossProcesses: a client is kicked wherever it is connected, is told so, and cannot be continued.
func TestKickAcrossProcesses(t *testing.T) {
	a, b, shared, _ := twoDesks(t)
	a.found("g")
	here, there := a.connect("g", "ann", "tab", "clientVersion=3"), b.connect("g", "ann", "tab", "clientVersion=3")
	bystander := b.connect("g", "ann", "other", "clientVersion=3")
	eventually(t, "what is to be shared is", func() bool { return len(shared.of("tab")) == 2 && len(shared.of("other")) == 1 })
	got := a.operate(http.MethodDelete, "/sessions/tab", `{"reason":"it floods"}`)
	wantJSON(t, got.raw, `{"clientId":"tab","ended":2,"forgotten":true}`)
	for _, p := range []*peer{here, there} {
		if code := p.closed(); code != websocket.ClosePolicyViolation {
			t.Errorf("closed with %d, want 1008", code)
		}
	}
	fields := a.audited("client kicked")
	if fields["client"] != "tab" || fields["reason"] != "it floods" || fields["ended"] != int64(2) || fields["outcome"] != "done" {
		t.Errorf("put down was %v", fields)
	}
	eventually(t, "it is forgotten", func() bool {
		return len(shared.of("tab")) == 0 && len(a.desk.sockets.open()) == 0 && len(b.desk.sockets.open()) == 1
	})
	again := a.connectFirst("g", "ann", "tab")
	if again["reconnected"] == true || again["status"] != "full" {
		t.Errorf("came back as %v, want a new one", again["status"])
	}
	bystander.send(`{"type":"heartbeat"}`)
	bystander.expect("heartbeat")
	wantProblem(t, a.operate(http.MethodDelete, "/sessions/nobody", ""), 404, "not-found")
	wantProblem(t, a.operate(http.MethodDelete, "/sessions/a%20b", ""), 400, "invalid-id")
	wantProblem(t, a.operate(http.MethodDelete, "/sessions/tab", `{"why":"x"}`), 422, "invalid-payload")
	if fields := a.audited("client kicked"); fields["outcome"] != "refused" {
		t.Errorf("put down was %v", fields)
	}
}

// connectFirst returns the first sync of a new connection.
func (d *desk) connectFirst(graph, user, client string) map[string]any {
	d.t.Helper()
	header := http.Header{"Authorization": {"Bearer " + authtest.Token(d.t, user, roles{"*": "editor"})}}
	conn, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(d.public.URL, "http")+basePath+"/graphs/"+graph+"/subscribe?clientId="+client, header)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { conn.Close() })
	var first map[string]any
	if err := conn.ReadJSON(&first); err != nil {
		d.t.Fatal(err)
	}
	return first
}

// TestKickOfOneThatLeft: who is only remembered can be forgotten, here and in all that the processes share.
func TestKickOfOneThatLeft(t *testing.T) {
	for _, withShared := range []bool{true, false} {
		shared := &sightings{}
		d := newDesk(t, func(s *Services) {
			if withShared {
				s.Clients = shared
			}
		})
		d.found("g")
		p := d.connect("g", "ann", "tab", "clientVersion=3")
		p.send(`{"type":"heartbeat","clientVersion":3}`)
		p.expect("heartbeat")
		p.conn.Close()
		eventually(t, "it left", func() bool { return len(d.desk.sockets.open()) == 0 })
		if withShared {
			eventually(t, "it is remembered", func() bool { return len(shared.of("tab")) == 1 })
		}
		got := d.operate(http.MethodDelete, "/sessions/tab", "")
		wantJSON(t, got.raw, `{"clientId":"tab","ended":0,"forgotten":true}`)
		if first := d.connectFirst("g", "ann", "tab"); first["reconnected"] == true {
			t.Errorf("shared %v: came back as %v", withShared, first)
		}
	}
}

// TestEventStreamsAreListedAndKicked like WebSockets.
func TestEventStreamsAreListedAndKicked(t *testing.T) {
	d := newDesk(t)
	d.found("g")
	open := func(client string) (ended chan struct{}) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.public.URL+basePath+"/graphs/g/changes?since=2", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+authtest.Token(t, "ann", roles{"*": "viewer"}))
		request.Header.Set("Accept", "text/event-stream")
		request.Header.Set("X-Client-Id", client)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		ended = make(chan struct{})
		go func() {
			defer close(ended)
			defer response.Body.Close()
			for buffer := make([]byte, 1024); ; {
				if _, err := response.Body.Read(buffer); err != nil {
					return
				}
			}
		}()
		return ended
	}
	ended := open("tab")
	open("other")
	eventually(t, "both have got version 3", func() bool {
		got := d.operate(http.MethodGet, "/sessions?graph=g", "")
		return strings.Count(string(got.raw), `"sent":3`) == 2
	})
	if got, want := d.listed(""), []string{"g other stream", "g tab stream"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	wantJSON(t, d.operate(http.MethodDelete, "/sessions/tab", "").raw, `{"clientId":"tab","ended":1,"forgotten":false}`)
	<-ended
	eventually(t, "one is left", func() bool { return slices.Equal(d.listed(""), []string{"g other stream"}) })
}
