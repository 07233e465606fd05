package transport

import (
	"bytes"
	"strings"

	"github.com/go-json-experiment/json"

	"graphy/command"
	"graphy/eventstore"
)

// receive takes a message. It runs on the connection's read loop, so commands are handed on in the order sent. If the
// client does not take its answers it is not listened to meanwhile; that is the only wait here, and harms nobody else.
func (s *session) receive(message []byte) {
	if !s.batch {
		s.receiveFrame(message)
		return
	}
	for line := range bytes.Lines(message) {
		if line = bytes.TrimSpace(line); len(line) > 0 {
			s.receiveFrame(line)
		}
	}
}

func (s *session) receiveFrame(frame []byte) {
	if s.isCongested() && !s.awaitHearing() || s.over.Load() {
		return
	}
	kind := strings.ToLower(frameType(frame))
	if !s.isInRate(kind, frame) {
		return
	}
	switch kind {
	case "command":
		s.submit(frame, s.sockets.server.parser.ParseFrame)
	case "undo", "redo":
		s.submit(frame, s.sockets.server.parser.ParseUndoFrame)
	case "heartbeat":
		s.heartbeat(frame)
	case "request_sync":
		s.requestSync(frame)
	case "presence":
		s.presence(frame)
	case "auth":
		s.authenticate(frame)
	default:
		s.refuseFrame(frame, kind)
	}
}

// awaitHearing waits until the client has taken most of its answers.
func (s *session) awaitHearing() bool {
	s.deaf.Store(true)
	room := s.awaitRoom(s.ctx)
	s.line.heard.Store(s.sockets.clock.Load())
	s.deaf.Store(false)
	return room
}

// send queues a frame for this client alone. One that takes too little of what it is sent is cut off.
func (s *session) send(frame []byte) {
	if !s.reply(frame) {
		s.end(closeTooSlow, "too slow")
	}
}

func (s *session) sendError(err error) { s.send(errorFrame(problemOf(err))) }

// heartbeat notes what the client has applied and answers how far it has been sent events.
func (s *session) heartbeat(frame []byte) {
	var beat struct {
		Type          string  `json:"type"`
		ClientVersion *uint64 `json:"clientVersion"`
	}
	if err := decodeFrame(frame, &beat, strictly); err != nil {
		s.sendError(err)
		return
	}
	if beat.ClientVersion != nil {
		s.applied(eventstore.Version(*beat.ClientVersion))
	}
	s.send(heartbeatFrame(s.position().Version))
}

// requestSync has the session caught up from where the client says it is.
func (s *session) requestSync(frame []byte) {
	var request struct {
		Type          string  `json:"type"`
		ClientVersion *uint64 `json:"clientVersion"`
		Hash          *string `json:"hash"`
	}
	if err := decodeFrame(frame, &request, strictly); err != nil {
		s.sendError(err)
		return
	}
	var question ask
	if request.ClientVersion != nil {
		question.known, question.claimed = true, true
		question.version = eventstore.Version(min(*request.ClientVersion, maxVersion))
	}
	if request.Hash != nil {
		if !question.known {
			s.sendError(refuse(command.InvalidPayload, "hash is the one of clientVersion, which is missing"))
			return
		}
		question.hash, question.hashed = eventstore.Hash(*request.Hash), true
	}
	if !s.demand(question) {
		s.sendError(refuse(command.Unavailable, "more than %d syncs are asked for already", asksMost))
	}
}

// decodeFrame decodes a small frame.
func decodeFrame(frame []byte, into any, how ...json.Options) error {
	return decode(frame, into, "frame", how...)
}

// refuseFrame answers a frame that nothing here handles.
func (s *session) refuseFrame(frame []byte, kind string) {
	var named struct {
		OperationID string `json:"operationId"`
	}
	if err := decodeFrame(frame, &named); err != nil {
		s.sendError(err)
		return
	}
	err := refuse(command.UnknownCommand, "frames of type %.64q are not known here", kind)
	switch kind {
	case "":
		err = refuse(command.InvalidPayload, "the frame names no type")
	case "presence":
		err = refuse(command.UnknownCommand, "frames of type %q are not supported here", kind)
	}
	if named.OperationID != "" && command.CheckID(named.OperationID, "") == nil {
		s.send(revertFrame(named.OperationID, problemOf(err), nil))
		return
	}
	s.sendError(err)
}
