package e2e

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"graphy/transport/auth/authtest"
)

// Tokens end while events come. Who brings a new one in time stays; the others are sent away, and go on with a new one
// where they were. A command whose sender was sent away was answered, or is not in the log.
func TestI1I4TokensEndUnderTraffic(t *testing.T) {
	t.Parallel()
	s := start(t, "GRAPHY_DATA_DIR=", "GRAPHY_JWT_SECRET="+authtest.Secret)
	graph := newGraph(t)
	token := func(long time.Duration) string {
		return authtest.Token(t, "ann", map[string]string{graph: "editor"}, authtest.Expires(time.Now().Add(long)))
	}
	brief := func() http.Header { return http.Header{"Authorization": {"Bearer " + token(2*time.Second)}} }
	s.always = bearer(token(time.Hour))
	a := gather(t, graph)
	more := a.trickle(s)
	var renewals atomic.Int64
	renew := func(ctx context.Context, conn *websocket.Conn) {
		for pause(ctx, 700*time.Millisecond) {
			_ = conn.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, `{"type":"auth","token":%q}`, token(2*time.Second))) // or it is cut off, which shows
			renewals.Add(1)
		}
	}
	places := []string{s.base}
	careful := a.admit(&subscriber{places: places, header: brief, speak: renew}, a.watch)
	careless := a.admit(&subscriber{places: places, header: brief}, a.watch)
	stream := a.admit(&subscriber{places: places, header: brief}, a.listen)
	var acked, unanswered atomic.Int64
	a.pens.Go(func() {
		for a.writes.Err() == nil {
			a.talk(s, brief(), func(id string, version uint64) {
				if version > 0 {
					acked.Add(1)
				} else {
					unanswered.Add(1)
				}
				a.note(id, version)
			})
		}
	})
	a.awaitLive(t)
	await(t, 30*time.Second, "tokens end", func() bool {
		return careless.joins.Load() >= 4 && stream.joins.Load() >= 4 && renewals.Load() >= 8
	})
	more(t, 20)
	if joins := careful.joins.Load(); joins != 1 {
		t.Errorf("the one that brings new tokens joined %d times", joins)
	}
	a.mu.Lock()
	if a.closes[tokenExpired] < 3 || len(a.closes) > 1 {
		t.Errorf("connections ended by %v, want %d alone", a.closes, tokenExpired)
	}
	a.mu.Unlock()
	t.Logf("%d commands were answered, %d were not", acked.Load(), unanswered.Load())
	a.verify(t, s)
}

// talk sends commands over a WebSocket, eight at a time, until it is closed, and tells what became of each: the version
// at which it was accepted, or 0 if there was no answer.
func (a *audience) talk(s *server, header http.Header, became func(id string, version uint64)) {
	conn, _, err := websocket.DefaultDialer.DialContext(a.ctx, s.wsURL(a.graph, nil), header)
	if err != nil {
		return
	}
	defer conn.Close()
	defer context.AfterFunc(a.ctx, func() { conn.Close() })()
	waiting := map[string]bool{}
	for a.writes.Err() == nil || len(waiting) > 0 {
		for len(waiting) < 8 && a.writes.Err() == nil {
			id := newID()
			waiting[id] = true
			_ = conn.WriteMessage(websocket.TextMessage, []byte(encode(wsCommand("UPDATE_VIEWPORT", object{"x": len(waiting)}, "operationId", id)))) // then nothing comes either
		}
		_, message, err := conn.ReadMessage()
		if err != nil {
			break
		}
		if f := decode(message); waiting[f.text("operationId")] && (f.text("type") == "command_result" || f.text("type") == "revert") {
			id := f.text("operationId")
			delete(waiting, id)
			if f.text("type") == "command_result" {
				became(id, f.version())
			} else {
				became(id, 0)
			}
			pause(a.ctx, 2*time.Millisecond)
		}
	}
	for id := range waiting {
		became(id, 0)
	}
}
