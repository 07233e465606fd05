package transport

import (
	"github.com/go-json-experiment/json/jsontext"

	"graphy/command"
)

// presence takes what the client shows to the others on its graph.
func (s *session) presence(frame []byte) {
	var shown struct {
		Type string         `json:"type"`
		Data jsontext.Value `json:"data"`
	}
	if err := decode(frame, &shown, "frame", strictly); err != nil {
		s.sendError(err)
		return
	}
	data, err := presenceData(shown.Data)
	if err != nil {
		s.sendError(err)
		return
	}
	s.sockets.presences.show(s, data)
}

// presenceData returns the value in memory of its own and on one line, as frames that are joined need it; nil for null.
func presenceData(value jsontext.Value) ([]byte, error) {
	switch {
	case value == nil:
		return nil, refuse(command.InvalidPayload, "the frame has no data; null says that there is nothing to show")
	case value.Kind() == 'n':
		return nil, nil
	}
	data := value.Clone()
	if err := data.Compact(); err != nil {
		return nil, refuse(command.MalformedJSON, "data is not a JSON value")
	}
	if len(data) > presenceMost {
		return nil, refuse(command.TooLarge, "data has %d bytes, and at most %d are passed on", len(data), presenceMost)
	}
	return data, nil
}

// presenceFrame tells of a client's presence; with nil data that it is gone.
func presenceFrame(key presenceKey, data []byte) []byte {
	frame := append(make([]byte, 0, 64+len(key.client)+len(key.user)+len(data)), `{"type":"presence"`...)
	frame = appendText(frame, "clientId", key.client)
	frame = appendText(frame, "userId", key.user)
	frame = appendName(frame, "data")
	if data == nil {
		return append(frame, `null}`...)
	}
	return append(append(frame, data...), '}')
}
