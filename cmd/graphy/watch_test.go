package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// echoing answers the first message with who sent it and what, then closes with a code of the contract if told to.
func echoing(t *testing.T) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/v2/graphs/g/subscribe" {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, `{"status":403,"code":"forbidden","detail":"not yours"}`)
			return
		}
		var upgrader websocket.Upgrader
		ws, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer ws.Close()
		_ = ws.WriteMessage(websocket.TextMessage, []byte(`{"type":"sync"}`))
		for {
			_, message, err := ws.ReadMessage()
			if err != nil {
				return
			}
			if string(message) == "bye" {
				_ = ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1012, "restart"), time.Now().Add(time.Second))
				return
			}
			_ = ws.WriteMessage(websocket.TextMessage, []byte(r.Header.Get("X-User-Id")+" sent "+string(message)))
		}
	}))
	t.Cleanup(server.Close)
	return server
}

func TestWatchPrintsAndSends(t *testing.T) {
	client := &apiClient{server: echoing(t).URL, graph: "g", user: "ada"}
	in, typed := io.Pipe()
	printed, out := io.Pipe()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- client.watch(ctx, in, out) }()
	lines := bufio.NewScanner(printed)
	if !lines.Scan() || lines.Text() != `{"type":"sync"}` {
		t.Fatalf("got %q first", lines.Text())
	}
	if _, err := io.WriteString(typed, "hello\n\n"); err != nil {
		t.Fatal(err)
	}
	if !lines.Scan() || lines.Text() != "ada sent hello" {
		t.Fatalf("got %q", lines.Text())
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("ended by its user: got %v", err)
	}
}

func TestWatchSaysWhyItEnded(t *testing.T) {
	server := echoing(t)
	client := &apiClient{server: server.URL, graph: "g"}
	if err := client.watch(t.Context(), strings.NewReader("bye\n"), io.Discard); err == nil || !strings.Contains(err.Error(), "1012 restart") {
		t.Errorf("got %v, want the close code", err)
	}
	client.graph = "other"
	if err := client.watch(t.Context(), strings.NewReader(""), io.Discard); err == nil || !strings.Contains(err.Error(), "not yours") {
		t.Errorf("got %v, want the problem", err)
	}
}
