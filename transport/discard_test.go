package transport

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestRefusedBodyIsAnswered: a client that sends all of a body before it reads gets its answer, and the connection stays.
func TestRefusedBodyIsAnswered(t *testing.T) {
	s := newSite(t)
	server := httptest.NewServer(s.server.Handler())
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	answers := bufio.NewReader(conn)
	body := strings.Repeat("x", 4<<20)
	for _, test := range []struct {
		contentType string
		want        int
	}{{"application/json", http.StatusRequestEntityTooLarge}, {"text/plain", http.StatusUnsupportedMediaType}} {
		if _, err := fmt.Fprintf(conn, "POST /api/v2/graphs/g/command HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s",
			test.contentType, len(body), body); err != nil {
			t.Fatalf("%s: send: %v", test.contentType, err)
		}
		response, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatalf("%s: %v", test.contentType, err)
		}
		response.Body.Close()
		if response.StatusCode != test.want || response.Close {
			t.Errorf("%s: got %s, close %v, want %d on a connection that stays", test.contentType, response.Status, response.Close, test.want)
		}
	}
}
