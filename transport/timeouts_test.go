package transport

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// serveShortly serves a site with short time limits, and returns its address.
func serveShortly(t *testing.T) string {
	t.Helper()
	s := newSite(t, func(o *Options) {
		o.Timeouts = Timeouts{Header: 100 * time.Millisecond, Request: 300 * time.Millisecond, Idle: 200 * time.Millisecond}
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := s.server.HTTPServer("", s.server.Handler())
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		_ = server.Close()
		<-served
	})
	return listener.Addr().String()
}

// TestSlowSendersAreCutOff: headers that trickle, a body that never comes, and a connection that nobody uses.
func TestSlowSendersAreCutOff(t *testing.T) {
	addr := serveShortly(t)
	command := fmt.Sprintf("POST /api/v2/graphs/g/command HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", len(moveNode))
	for _, test := range []struct {
		name    string
		at      time.Duration // when it is cut off, at the earliest
		first   string
		trickle string
	}{
		{"nothing", 100 * time.Millisecond, "", ""},
		{"headers", 100 * time.Millisecond, "GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", "a"},
		{"body", 300 * time.Millisecond, command, " "},
		{"idle", 200 * time.Millisecond, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			start := time.Now()
			if _, err := io.WriteString(conn, test.first); err != nil {
				t.Fatal(err)
			}
			gone := make(chan struct{})
			go func() {
				defer close(gone)
				_, _ = io.Copy(io.Discard, conn)
			}()
			ticker := time.NewTicker(20 * time.Millisecond)
			defer ticker.Stop()
			for {
				select {
				case <-gone:
					if took := time.Since(start); took < test.at-20*time.Millisecond || took > test.at+3*time.Second {
						t.Errorf("cut off after %v, want %v", took, test.at)
					}
					return
				case <-ticker.C:
					_, _ = io.WriteString(conn, test.trickle)
				}
			}
		})
	}
}

func TestHeadersAreBounded(t *testing.T) {
	addr := serveShortly(t)
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Large: "+strings.Repeat("x", 40<<10)+"\r\n\r\n")
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("40 KB of headers: got %d, want 431", response.StatusCode)
	}
}

func TestTimeoutsByDefault(t *testing.T) {
	server := New(Services{}, Options{}).HTTPServer("", nil)
	if server.ReadHeaderTimeout != 5*time.Second || server.ReadTimeout != time.Minute ||
		server.WriteTimeout <= maxWait || server.IdleTimeout <= 0 || server.MaxHeaderBytes != 32<<10 {
		t.Errorf("got %v, %v, %v, %v, %d", server.ReadHeaderTimeout, server.ReadTimeout, server.WriteTimeout, server.IdleTimeout, server.MaxHeaderBytes)
	}
}
