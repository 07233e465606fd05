package transport

import (
	"bytes"
	"context"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"graphy/command"
	"graphy/projection"
)

const (
	revertEntities = 100         // of a refused batch
	revertPatience = time.Second // for the read models
)

// entity is what the server has of one entity: nil if there is none.
type entity struct {
	command.Target
	value jsontext.Value
}

// revertFrame tells a client that a command was refused, or lost, and the values to fall back to.
func revertFrame(operation string, p problem, entities []entity) []byte {
	frame := appendString([]byte(`{"type":"revert","operationId":`), operation)
	frame = append(p.append(append(frame, `,"error":`...)), `,"entities":[`...)
	for i, e := range entities {
		if i > 0 {
			frame = append(frame, ',')
		}
		frame = appendString(append(frame, `{"kind":`...), string(e.Kind))
		frame = appendText(frame, "id", e.ID)
		frame = appendName(frame, "value")
		if e.value == nil {
			frame = append(frame, `null`...)
		}
		frame = append(append(frame, e.value...), '}')
	}
	return append(frame, `]}`...)
}

// lostFrame tells the sender of an accepted command what the server has where others have won, or may yet win.
func lostFrame(outcome *command.Outcome) []byte {
	lost := make([]entity, len(outcome.Reverted))
	for i, reverted := range outcome.Reverted {
		lost[i] = entity{reverted.Target, reverted.Value}
	}
	return revertFrame(outcome.OperationID, problemOf(&command.Error{Code: conflictLost, OperationID: outcome.OperationID,
		Detail: "the command is accepted, but paths of these entities were lost to others or stay open; the conflict tells which"}), lost)
}

// entities reads what the read models have of targets, once they have come as far as this process has seen the graph.
// What cannot be read is left out.
func (s *session) entities(targets []command.Target) []entity {
	ctx, cancel := context.WithTimeout(s.ctx, revertPatience)
	defer cancel()
	services := &s.sockets.server.services
	if services.Await != nil && services.Await(ctx, s.graph, s.hub.position().Version) != nil && ctx.Err() != nil {
		return nil
	}
	var read []entity
	for _, target := range targets[:min(len(targets), revertEntities)] {
		if target.ID == "" {
			continue
		}
		value, err := s.entity(ctx, target)
		if err != nil {
			break
		}
		read = append(read, entity{target, value})
	}
	return read
}

func (s *session) entity(ctx context.Context, target command.Target) (jsontext.Value, error) {
	if target.Kind != projection.Viewport {
		return s.sockets.server.services.Models.Entity(ctx, s.graph, target.Kind, target.ID)
	}
	state, _, err := s.sockets.server.states.get(ctx, s.graph)
	if err != nil {
		return nil, err
	}
	return viewportOf(state.JSON), nil
}

// viewportOf returns the viewport of an encoded state: its last member, in which there is nothing but numbers.
func viewportOf(state []byte) jsontext.Value {
	name := []byte(`,"viewport":`)
	if at := bytes.LastIndex(state, name); at >= 0 {
		return state[at+len(name) : len(state)-1]
	}
	return nil
}

// targetsOf returns what a command that could not be parsed seems to be about.
func targetsOf(frame []byte) []command.Target {
	object, err := projection.Canonical(frame)
	if err != nil {
		return nil
	}
	name := projection.Text(projection.Member(object, "command"))
	if data := projection.Member(object, "data"); data != nil {
		object, name = data, projection.Text(projection.Member(data, "type"))
	}
	payload := projection.Member(object, "payload")
	target := command.Target{Kind: projection.Node, ID: projection.Text(projection.Member(payload, "nodeId"))}
	switch name {
	case command.CreateNode:
		target.ID = projection.Text(projection.Member(payload, "id"))
	case command.CreateEdge:
		target = command.Target{Kind: projection.Edge, ID: projection.Text(projection.Member(payload, "id"))}
	case command.UpdateEdge, command.DeleteEdge:
		target = command.Target{Kind: projection.Edge, ID: projection.Text(projection.Member(payload, "edgeId"))}
	case command.UpdateViewport:
		return []command.Target{{Kind: projection.Viewport, ID: projection.ViewportID}}
	}
	if command.CheckID(target.ID, "") != nil {
		return nil
	}
	return []command.Target{target}
}
