package main

import "io"

// readMessage copies the payload of the next message, of any number of frames, to w and tells whether it is compressed.
func (c *wsConn) readMessage(w io.Writer) (deflated bool, err error) {
	for {
		first, length, err := c.readHead()
		if err != nil {
			return deflated, err
		}
		switch opcode := first &^ (final | compressed); opcode {
		case opText, opMore:
			deflated = deflated || first&compressed != 0
			if _, err := io.CopyN(w, c.in, int64(length)); err != nil || first&final != 0 {
				return deflated, err
			}
		default:
			payload, err := c.in.Peek(length)
			if err == nil {
				err = c.control(first, payload)
			}
			if err == nil {
				_, err = c.in.Discard(length)
			}
			if err != nil {
				return deflated, err
			}
		}
	}
}
