package transport

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"

	"github.com/gorilla/websocket"
	"github.com/olahol/melody"
)

// listen takes what the client sends until the connection ends. It is the connection's read loop.
func (s *session) listen() {
	conn := s.ws.WebsocketConnection()
	conn.SetReadLimit(s.sockets.limits.frame)
	conn.SetCloseHandler(s.saysGoodbye)
	for {
		kind, reader, err := conn.NextReader()
		switch {
		case err != nil:
			s.hangUp(err)
			return
		case s.over.Load(): // it may go on until it has seen that it is closed
		case kind != websocket.TextMessage:
			s.end(websocket.CloseUnsupportedData, "text frames only")
		default:
			s.hear(reader)
		}
	}
}

// hear reads a message and handles it. Its size is bounded as it comes, which the library sees to, and as it is
// inflated: what is above the bound is not even read.
func (s *session) hear(reader io.Reader) {
	buffer := borrow()
	defer giveBack(buffer)
	var err error
	buffer.bytes, err = appendAtMost(buffer.bytes, reader, int(s.sockets.limits.frame))
	var corrupt flate.CorruptInputError
	switch {
	case err == nil:
		s.receive(bytes.Clone(buffer.bytes)) // a command keeps its parts
	case errors.Is(err, errTooLarge):
		s.end(websocket.CloseMessageTooBig, "the message is too large")
	case errors.As(err, &corrupt):
		s.end(websocket.CloseInvalidFramePayloadData, "the message cannot be inflated")
	} // else the next frame cannot be read either
}

var errTooLarge = errors.New("transport: too large")

// appendAtMost appends all that reader has, or fails with errTooLarge as soon as that is more than most bytes.
func appendAtMost(dst []byte, reader io.Reader, most int) ([]byte, error) {
	most += len(dst)
	for {
		if len(dst) == cap(dst) {
			dst = append(dst, 0)[:len(dst)]
		}
		n, err := reader.Read(dst[len(dst):min(cap(dst), most+1)])
		switch dst = dst[:len(dst)+n]; {
		case len(dst) > most:
			return dst, errTooLarge
		case err == io.EOF:
			return dst, nil
		case err != nil:
			return dst, err
		}
	}
}

// saysGoodbye answers the client's close frame. It does not wait for what is on its way.
func (s *session) saysGoodbye(code int, _ string) error {
	s.polite.Store(true)
	if !s.over.Swap(true) {
		if code == websocket.CloseNoStatusReceived {
			code = websocket.CloseNormalClosure
		}
		s.finish(melody.FormatCloseMessage(code, ""), true)
		s.cancel()
	}
	return nil
}

// overheard takes a frame that the library would have written: a pong, or why it closes the connection.
func (s *session) overheard(frame []byte) {
	opcode, payload := frame[0]&0xf, frame[2:]
	if opcode != closeFrame {
		s.control(opcode, payload)
		return
	}
	code := websocket.CloseProtocolError
	if len(payload) > 1 {
		code = int(payload[0])<<8 | int(payload[1])
	}
	s.endWith(code, bytes.Clone(payload), true)
}

// hangUp ends the connection after reading from it has: what is on its way still goes out, unless the peer is gone.
func (s *session) hangUp(err error) {
	if isGone(err) {
		s.over.Store(true)
		return
	}
	s.line.hurry(lingerTime)
	<-s.written()
	if !s.polite.Load() {
		s.line.drain()
	}
}
