package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// readBuffer is what a connection of the generator reads at once.
const readBuffer = 64 << 10

// excerpt is what is shown of an answer too large for the buffer.
const excerpt = 200

// dialLimit bounds connecting, and each handshake.
const dialLimit = 5 * time.Second

// httpConn is a kept-alive HTTP/1.1 connection that does the least a client can do: it sends bytes that are ready,
// and reads of an answer the status and as many bytes as Content-Length says.
type httpConn struct {
	conn   net.Conn
	in     *bufio.Reader
	length int // of the newest body
	unread int // of that
}

// dialHTTP connects; when ctx is done the connection fails.
func dialHTTP(ctx context.Context, addr string) (*httpConn, error) {
	conn, err := dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	return &httpConn{conn: conn, in: bufio.NewReaderSize(conn, readBuffer)}, nil
}

// dial returns a connection that is closed when ctx is done.
func dial(ctx context.Context, addr string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: dialLimit}
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err == nil {
		context.AfterFunc(ctx, func() { conn.Close() })
	}
	return conn, err
}

var contentLength = []byte("Content-Length: ")

// exchange sends a request and returns the answer's status and its body, which is valid until the next call; of a body
// larger than the buffer, its beginning.
func (c *httpConn) exchange(request []byte) (status int, body []byte, err error) {
	if _, err := c.conn.Write(request); err != nil {
		return 0, nil, err
	}
	if _, err := c.in.Discard(c.unread); err != nil {
		return 0, nil, err
	}
	c.unread = 0
	status, length, err := c.readHead()
	if err != nil {
		return 0, nil, err
	}
	c.length = length
	if length > readBuffer {
		body, err = beginning(c.in, length)
		return status, body, err
	}
	body, err = c.in.Peek(length)
	c.unread = len(body)
	return status, body, err
}

// beginning drops so many bytes and returns the first of them.
func beginning(in *bufio.Reader, length int) ([]byte, error) {
	first, err := in.Peek(excerpt)
	if err != nil {
		return nil, err
	}
	first = bytes.Clone(first) // what follows overwrites the buffer
	_, err = io.CopyN(io.Discard, in, int64(length))
	return first, err
}

func (c *httpConn) readHead() (status, length int, err error) {
	text, err := c.in.ReadSlice('\n')
	if err != nil {
		return 0, 0, err
	}
	if len(text) < len("HTTP/1.1 200") {
		return 0, 0, fmt.Errorf("status line %q", text)
	}
	if status, err = strconv.Atoi(string(text[9:12])); err != nil {
		return 0, 0, fmt.Errorf("status line %q", text)
	}
	length = -1
	for {
		if text, err = c.in.ReadSlice('\n'); err != nil {
			return 0, 0, err
		}
		if value, ok := bytes.CutPrefix(text, contentLength); ok {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return 0, 0, fmt.Errorf("header %q", text)
			}
		}
		if len(text) <= len("\r\n") {
			break
		}
	}
	if status == 304 || status == 204 {
		length = 0
	}
	if length < 0 {
		return 0, 0, errors.New("an answer without Content-Length")
	}
	return status, length, nil
}

// closedHTTP returns a worker that sends one request after another, each when the answer to the one before is there.
// next appends a request; anything but the status wanted is an error.
func closedHTTP(addr string, want int, next func(dst []byte, now time.Time) []byte) worker {
	return dialogue(addr, want, next, func([]byte) error { return nil })
}

// dialogue is closedHTTP for who wants to hear the bodies of the answers, too. What heard returns ends the round, if it
// is an error.
func dialogue(addr string, want int, next func(dst []byte, now time.Time) []byte, heard func(body []byte) error) worker {
	return func(ctx context.Context, r *recorder) error {
		c, err := dialHTTP(ctx, addr)
		if err != nil {
			return err
		}
		defer c.conn.Close()
		var request []byte
		for ctx.Err() == nil {
			now := time.Now()
			request = next(request[:0], now)
			status, body, err := c.exchange(request)
			if err != nil {
				return err
			}
			if status != want {
				return fmt.Errorf("status %d, want %d: %.300s", status, want, body)
			}
			r.done(time.Since(now))
			if err := heard(body); err != nil {
				return err
			}
		}
		return nil
	}
}

// closedGet returns n workers that get the same path over and over. headers are whole lines.
func closedGet(addr, path, headers string, want, n int) []worker {
	request := []byte("GET " + path + " HTTP/1.1\r\nHost: bench\r\n" + headers + "\r\n")
	workers := make([]worker, n)
	for i := range workers {
		workers[i] = closedHTTP(addr, want, func(dst []byte, _ time.Time) []byte { return append(dst, request...) })
	}
	return workers
}

// appendPost appends a request that posts a JSON body.
func appendPost(dst []byte, path string, body []byte) []byte {
	dst = append(append(append(dst, "POST "...), path...), " HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: "...)
	dst = strconv.AppendInt(dst, int64(len(body)), 10)
	return append(append(dst, "\r\n\r\n"...), body...)
}
