package main

import (
	"strconv"
	"sync"

	"github.com/gorilla/websocket"
	"github.com/labstack/echo/v4"
)

// plainHub is the least that fans out: it numbers what comes and writes it, as one frame made once, to every connection,
// the sender's too. It keeps nothing, checks nothing, and waits for the slowest.
type plainHub struct {
	upgrader websocket.Upgrader

	mu      sync.Mutex
	version int64
	conns   map[*websocket.Conn]struct{}
}

func newPlainHub() *plainHub {
	return &plainHub{upgrader: websocket.Upgrader{ReadBufferSize: 4 << 10, WriteBufferSize: 4 << 10}, conns: map[*websocket.Conn]struct{}{}}
}

func (h *plainHub) serve(c echo.Context) error {
	conn, err := h.upgrader.Upgrade(c.Response(), c.Request(), nil)
	if err != nil {
		return nil // the upgrader has answered
	}
	defer conn.Close()
	if err := h.enter(conn); err != nil {
		return nil
	}
	defer h.leave(conn)
	for {
		_, message, err := conn.ReadMessage()
		if err != nil {
			return nil
		}
		if err := h.publish(message); err != nil {
			return err
		}
	}
}

// enter greets a connection as Graphy does, and counts it in.
func (h *plainHub) enter(conn *websocket.Conn) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.conns[conn] = struct{}{}
	greeting := strconv.AppendInt([]byte(`{"type":"sync","status":"full","version":`), h.version, 10)
	return conn.WriteMessage(websocket.TextMessage, append(greeting, '}'))
}

func (h *plainHub) leave(conn *websocket.Conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.conns, conn)
}

// publish writes a message to all. A connection that fails is left to its reader.
func (h *plainHub) publish(message []byte) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.version++
	frame, err := websocket.NewPreparedMessage(websocket.TextMessage, plainUpdate(h.version, message))
	if err != nil {
		return err
	}
	for conn := range h.conns {
		_ = conn.WritePreparedMessage(frame)
	}
	return nil
}

// plainRest makes a frame of the hub about as long as the state_update of a move.
const plainRest = `","userId":"anonymous","clientId":"tab-1","timestamp":1760000000001,"request":"1f3a9c02",` +
	`"changes":[{"op":"patch","kind":"node","id":"n17","set":{"position":{"x":1021,"y":2210},"updatedAt":1760000000001},` +
	`"was":{"position":{"x":80,"y":1120},"updatedAt":1759999999000}}],"checksum":"9f86d081884c7d65","hash":"6bd2f1a903c4e5d76bd2f1a903c4e5d7"}`

// plainUpdate is the frame for a command: its operation id, and the rest as in any other.
func plainUpdate(version int64, message []byte) []byte {
	frame := strconv.AppendInt([]byte(`{"type":"state_update","version":`), version, 10)
	id, _ := operationOf(message)
	frame = append(append(frame, `,"commandType":"UPDATE_NODE_POSITION","operationId":"`...), id...)
	return append(frame, plainRest...)
}
