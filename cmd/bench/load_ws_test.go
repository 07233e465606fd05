package main

import (
	"bufio"
	"bytes"
	"net"
	"testing"
	"time"
)

// appendUnmasked appends a frame as servers send them.
func appendUnmasked(dst []byte, first byte, payload []byte) []byte {
	begin := len(dst)
	dst = appendFrame(dst, opText, nil)
	masked := appendFrame(nil, opText, payload)
	head := len(masked) - len(payload) - 4
	dst = append(dst[:begin], masked[:head]...)
	dst[begin], dst[begin+1] = first, dst[begin+1]&0x7F
	return append(dst, payload...)
}

func TestConnAnswersPingsAndKnowsTheEnd(t *testing.T) {
	client, server := net.Pipe()
	defer client.Close()
	defer server.Close()
	_ = client.SetDeadline(time.Now().Add(10 * time.Second))
	c := &wsConn{conn: client, in: bufio.NewReader(client)}
	pong := make(chan []byte, 1)
	go func() {
		_, _ = server.Write(appendUnmasked(appendUnmasked(nil, final|opPing, []byte("hey")), final|opText, []byte("text")))
		_, _ = server.Write(appendUnmasked(nil, final|opClose, []byte("\x03\xf5")))
	}()
	go func() {
		got := make([]byte, len(appendFrame(nil, opPong, []byte("hey"))))
		_, _ = server.Read(got)
		pong <- got
	}()
	if text, err := c.next(); err != nil || string(text) != "text" {
		t.Errorf("got %q, %v", text, err)
	}
	if got := <-pong; !bytes.Equal(got, appendFrame(nil, opPong, []byte("hey"))) {
		t.Errorf("answered a ping with %q", got)
	}
	if text, err := c.next(); err == nil {
		t.Errorf("got %q behind a close frame", text)
	}
}

// TestNextReadsALargeFrame: what follows does not write over it.
func TestNextReadsALargeFrame(t *testing.T) {
	client, server := net.Pipe()
	defer client.Close()
	defer server.Close()
	message := append([]byte(`{"type":"sync",`), bytes.Repeat([]byte("x"), 100_000)...)
	go func() {
		_, _ = server.Write(appendUnmasked(appendUnmasked(nil, final|opText, message), final|opText, []byte("next")))
	}()
	c := &wsConn{conn: client, in: bufio.NewReaderSize(client, 1000)}
	if text, err := c.next(); err != nil || !bytes.Equal(text, message) {
		t.Errorf("got %d bytes, %v, want %d", len(text), err, len(message))
	}
	if text, err := c.next(); err != nil || string(text) != "next" {
		t.Errorf("got %q, %v behind it", text, err)
	}
}
