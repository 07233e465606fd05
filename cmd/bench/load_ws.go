package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"time"
)

// Opcodes of RFC 6455.
const (
	opText  = 1
	opClose = 8
	opPing  = 9
	opPong  = 10
)

// wsConn is a client's WebSocket that does the least: frames are masked with zero, which spares the generator the
// work of masking and not the server that of unmasking.
type wsConn struct {
	conn   net.Conn
	in     *bufio.Reader
	unread int // of the newest frame
}

// dialWS connects and shakes hands; when ctx is done the connection fails.
func dialWS(ctx context.Context, addr, path string) (*wsConn, error) {
	conn, err := dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	_ = conn.SetDeadline(time.Now().Add(dialLimit))
	c := &wsConn{conn: conn, in: bufio.NewReaderSize(conn, readBuffer)}
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: bench\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", path)
	for first := true; ; first = false {
		text, err := c.in.ReadSlice('\n')
		if err == nil && first && !bytes.HasPrefix(text, []byte("HTTP/1.1 101 ")) {
			err = fmt.Errorf("handshake at %s: %s", path, text)
		}
		if err != nil {
			conn.Close()
			return nil, err
		}
		if len(text) <= len("\r\n") {
			break
		}
	}
	_ = conn.SetDeadline(time.Time{})
	return c, nil
}

// next returns the next text frame, valid until the next call; of one larger than the buffer, its beginning. It
// answers pings.
func (c *wsConn) next() ([]byte, error) {
	for {
		if err := c.skip(); err != nil {
			return nil, err
		}
		opcode, length, err := c.readHead()
		if err != nil {
			return nil, err
		}
		var frame []byte
		if length > readBuffer {
			if frame, err = c.in.Peek(excerpt); err == nil {
				_, err = io.CopyN(io.Discard, c.in, int64(length))
			}
		} else {
			frame, err = c.in.Peek(length)
			c.unread = len(frame)
		}
		switch {
		case err != nil:
			return nil, err
		case opcode == opText:
			return frame, nil
		case opcode == opClose:
			return nil, fmt.Errorf("the server closed the WebSocket: %q", frame)
		case opcode == opPing:
			if _, err := c.conn.Write(appendFrame(nil, opPong, frame)); err != nil {
				return nil, err
			}
		}
	}
}

// skip forgets the newest frame.
func (c *wsConn) skip() error {
	_, err := c.in.Discard(c.unread)
	c.unread = 0
	return err
}

func (c *wsConn) readHead() (opcode byte, length int, err error) {
	head, err := c.in.Peek(2)
	if err != nil {
		return 0, 0, err
	}
	opcode, length = head[0]&0x0F, int(head[1]&0x7F)
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
	return opcode, length, err
}

// appendFrame appends a client's frame.
func appendFrame(dst []byte, opcode byte, payload []byte) []byte {
	dst = append(dst, 0x80|opcode)
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

// closedWS returns a worker that keeps window messages outstanding. next appends a message; answers tells of a line
// that came whether it answers one, in the order sent, or an error. All else that comes is read and dropped.
func closedWS(addr, path string, window int, next func(dst []byte, now time.Time) []byte, answers func(text []byte) (bool, error)) worker {
	return func(ctx context.Context, r *recorder) error {
		c, err := dialWS(ctx, addr, path)
		if err != nil {
			return err
		}
		defer c.conn.Close()
		sent := make([]time.Time, window) // a ring: those without an answer, oldest at head
		head, open := 0, 0
		var out, message []byte
		for {
			// What has come already is taken first, so that one system call carries what became free by it.
			if open == 0 || open < window && c.in.Buffered() == 0 {
				now := time.Now()
				out = out[:0]
				for ; open < window; open++ {
					sent[(head+open)%window] = now
					message = next(message[:0], now)
					out = appendFrame(out, opText, message)
				}
				if _, err := c.conn.Write(out); err != nil {
					return err
				}
			}
			frame, err := c.next()
			if err != nil {
				return err
			}
			for text := range bytes.SplitSeq(frame, newline) {
				answered, err := answers(text)
				if err != nil {
					return err
				}
				if answered && open > 0 {
					r.done(time.Since(sent[head]))
					head, open = (head+1)%window, open-1
				}
			}
			if err := c.skip(); err != nil {
				return err
			}
		}
	}
}

var newline = []byte("\n")

// answersCommand knows what Graphy answers to a command.
func answersCommand(text []byte) (bool, error) {
	if bytes.HasPrefix(text, []byte(`{"type":"command_result"`)) {
		return true, nil
	}
	if bytes.HasPrefix(text, []byte(`{"type":"revert"`)) || bytes.HasPrefix(text, []byte(`{"type":"error"`)) {
		return false, fmt.Errorf("a command was refused: %.300s", text)
	}
	return false, nil
}

// answersEcho takes every line for an answer.
func answersEcho([]byte) (bool, error) { return true, nil }
