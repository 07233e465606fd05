package transport

import (
	"bytes"
	"errors"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

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
	if s.isCongested() && !s.awaitRoom(s.ctx) || s.over.Load() {
		return
	}
	switch kind := strings.ToLower(frameType(frame)); kind {
	case "command":
		s.submit(frame, s.sockets.server.parser.ParseFrame)
	case "undo", "redo":
		s.submit(frame, s.sockets.server.parser.ParseUndoFrame)
	case "heartbeat":
		s.heartbeat(frame)
	case "request_sync":
		s.requestSync(frame)
	default:
		s.refuseFrame(frame, kind)
	}
}

// send queues a frame for this client alone. One that takes too little of what it is sent is cut off.
func (s *session) send(frame []byte) {
	if !s.reply(frame) {
		s.end(closeTooSlow, "too slow")
	}
}

func (s *session) sendError(err error) { s.send(errorFrame(problemOf(err))) }

// heartbeat notes what the client has applied and answers how far the graph is known to be.
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
		if has, ok := s.hub.positionOf(eventstore.Version(*beat.ClientVersion)); ok {
			s.report(has)
		}
	}
	s.send(heartbeatFrame(s.hub.position().Version))
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
	if !s.hub.demand(s, question) {
		s.sendError(refuse(command.Unavailable, "more than %d syncs are asked for already", asksMost))
	}
}

// strictly refuses members that a type of frame does not have.
var strictly = json.RejectUnknownMembers(true)

// decodeFrame decodes a small frame.
func decodeFrame(frame []byte, into any, how ...json.Options) error {
	err := json.Unmarshal(frame, into, how...)
	var syntactic *jsontext.SyntacticError
	var semantic *json.SemanticError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &syntactic):
		return refuse(command.MalformedJSON, "the frame is not one JSON object: see byte %d", syntactic.ByteOffset)
	case errors.As(err, &semantic) && semantic.JSONPointer != "":
		detail := "has no place in such a frame, or is of the wrong type"
		return &command.Error{Code: command.InvalidPayload, Detail: string(semantic.JSONPointer) + " " + detail,
			Fields: []command.FieldError{{Pointer: string(semantic.JSONPointer), Detail: detail}}}
	}
	return refuse(command.InvalidPayload, "the frame is not of its type's form")
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
	case "presence", "auth":
		err = refuse(command.UnknownCommand, "frames of type %q are not supported here", kind)
	}
	if named.OperationID != "" && command.CheckID(named.OperationID, "") == nil {
		s.send(revertFrame(named.OperationID, problemOf(err), nil))
		return
	}
	s.sendError(err)
}
