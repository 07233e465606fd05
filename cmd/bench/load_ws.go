package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"slices"
	"time"
)

// Opcodes and flags of RFC 6455 and RFC 7692.
const (
	opMore  = 0
	opText  = 1
	opClose = 8
	opPing  = 9
	opPong  = 10

	final      = 0x80
	compressed = 0x40
)

// wsConn is a client's WebSocket that does the least: frames are masked with zero, which spares the generator the
// work of masking and not the server that of unmasking.
type wsConn struct {
	conn   net.Conn
	in     *bufio.Reader
	unread int    // of the newest frame
	large  []byte // a frame that does not fit the reader

	deflate bool // messages may be compressed
}

// wsOptions say how a WebSocket is opened. The zero value is the usual.
type wsOptions struct {
	buffer  int  // bytes read at once; 0: readBuffer
	deflate bool // offer permessage-deflate, as browsers do
}

// dialWS connects and shakes hands; when ctx is done the connection fails.
func dialWS(ctx context.Context, addr, path string) (*wsConn, error) {
	return dialWSWith(ctx, addr, path, wsOptions{})
}

func dialWSWith(ctx context.Context, addr, path string, opts wsOptions) (*wsConn, error) {
	conn, err := dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	_ = conn.SetDeadline(time.Now().Add(dialLimit))
	c := &wsConn{conn: conn, in: bufio.NewReaderSize(conn, cmp.Or(opts.buffer, readBuffer))}
	extensions := ""
	if opts.deflate {
		extensions = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
	}
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: bench\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n", path, extensions)
	if err := c.readHandshake(path); err != nil {
		conn.Close()
		return nil, err
	}
	_ = conn.SetDeadline(time.Time{})
	return c, nil
}

func (c *wsConn) readHandshake(path string) error {
	for first := true; ; first = false {
		text, err := c.in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if first && !bytes.HasPrefix(text, []byte("HTTP/1.1 101 ")) {
			return fmt.Errorf("handshake at %s: %s", path, text)
		}
		if bytes.Contains(text, []byte(": permessage-deflate")) {
			c.deflate = true
		}
		if len(text) <= len("\r\n") {
			return nil
		}
	}
}

// next returns the next text frame, valid until the next call. It answers pings.
func (c *wsConn) next() ([]byte, error) {
	for {
		if err := c.skip(); err != nil {
			return nil, err
		}
		first, length, err := c.readHead()
		if err != nil {
			return nil, err
		}
		frame, err := c.readPayload(length)
		if err != nil {
			return nil, err
		}
		if first == final|opText {
			return frame, nil
		}
		if err := c.control(first, frame); err != nil {
			return nil, err
		}
	}
}

// readPayload returns so many bytes where they lie in the buffer, or in memory of their own if there are too many.
func (c *wsConn) readPayload(length int) (payload []byte, err error) {
	if length <= c.in.Size() {
		payload, err = c.in.Peek(length)
		c.unread = len(payload)
		return payload, err
	}
	c.large = slices.Grow(c.large[:0], length)[:length]
	_, err = io.ReadFull(c.in, c.large)
	return c.large, err
}

// control answers a ping and fails for what ends the connection or is not understood.
func (c *wsConn) control(first byte, payload []byte) error {
	switch first {
	case final | opPing:
		_, err := c.conn.Write(appendFrame(nil, opPong, payload))
		return err
	case final | opPong:
		return nil
	case final | opClose:
		return fmt.Errorf("the server closed the WebSocket: %q", payload)
	default:
		return fmt.Errorf("a frame that begins with %#x", first)
	}
}

// skip forgets the newest frame.
func (c *wsConn) skip() error {
	_, err := c.in.Discard(c.unread)
	c.unread = 0
	return err
}

// readHead returns the first byte of a frame, flags and opcode, and the length of its payload.
func (c *wsConn) readHead() (first byte, length int, err error) {
	head, err := c.in.Peek(2)
	if err != nil {
		return 0, 0, err
	}
	first, length = head[0], int(head[1]&0x7F)
	size := 2
	switch length {
	case 126:
		size = 4
	case 127:
		size = 10
	}
	if head, err = c.in.Peek(size); err != nil {
		return 0, 0, err
	}
	switch length {
	case 126:
		length = int(binary.BigEndian.Uint16(head[2:]))
	case 127:
		length = int(binary.BigEndian.Uint64(head[2:]))
	}
	_, err = c.in.Discard(size)
	return first, length, err
}

// appendFrame appends a client's frame.
func appendFrame(dst []byte, opcode byte, payload []byte) []byte {
	dst = append(dst, final|opcode)
	switch n := len(payload); {
	case n < 126:
		dst = append(dst, 0x80|byte(n))
	case n < 1<<16:
		dst = binary.BigEndian.AppendUint16(append(dst, 0x80|126), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, 0x80|127), uint64(n))
	}
	return append(append(dst, 0, 0, 0, 0), payload...)
}
