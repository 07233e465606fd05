package main

import (
	"bytes"
	"context"
	"fmt"
	"time"
)

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
