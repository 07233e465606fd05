package command

import (
	"context"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"graphy/eventstore"
	"graphy/projection"
)

// doneBefore returns the first answer of a command that is in the log already; nil if it is not known to be. The newest
// ids are in memory, done holds what the log's index has said.
func (s *session) doneBefore(ctx context.Context, c *Command, done map[string]eventstore.Version) (*Outcome, error) {
	if event := s.recent.operation(c.OperationID); event != nil {
		return s.recallFrom(ctx, c, event)
	}
	if version := done[c.OperationID]; version != 0 {
		return s.recall(ctx, c, version)
	}
	for i := range c.Operations {
		part := &c.Operations[i]
		if part.OperationID != "" && (s.recent.operation(part.OperationID) != nil || done[part.OperationID] != 0) {
			return nil, refuse(OperationIDReused, part.pointer+"/operationId", "the operation %q was done before", part.OperationID)
		}
	}
	return nil, nil
}

// recall answers a command again that the event of version settled, or refuses it if that was another request.
func (s *session) recall(ctx context.Context, c *Command, version eventstore.Version) (*Outcome, error) {
	event, err := s.settled(ctx, version)
	if err != nil {
		return nil, err
	}
	return s.recallFrom(ctx, c, event)
}

// settled returns the event of a version that the log's index names, having folded it if another process appended it.
// While commands are being decided the index names no version above the head.
func (s *session) settled(ctx context.Context, version eventstore.Version) (*record, error) {
	if version > s.graph.Position.Version {
		if err := s.catchUp(ctx, version); err != nil {
			return nil, err
		}
	}
	return s.readEvent(ctx, version)
}

func (s *session) recallFrom(ctx context.Context, c *Command, event *record) (*Outcome, error) {
	commandType, request := event.CommandType, event.Request
	if part := event.part(c.OperationID); part >= 0 {
		commandType, request = event.Operations[part].Type, event.Operations[part].Request
	}
	if commandType != c.Type || request != c.Request {
		return nil, refuse(OperationIDReused, c.fieldPointer("operationId"), "the operation %q was another request", c.OperationID)
	}
	outcome, err := s.outcomeOf(ctx, c.OperationID, event, c.write.id)
	if err != nil {
		return nil, err
	}
	outcome.Duplicate = true
	return outcome, nil
}

// part returns which operation of a batch has the id, -1 if it is the event's own.
func (r *record) part(id string) int {
	if id == r.OperationID {
		return -1
	}
	for i := range r.Operations {
		if r.Operations[i].OperationID == id {
			return i
		}
	}
	return -1
}

// outcomeOf makes the answer to an operation from the event that settled it. target is the entity that the command
// named, which an event without changes does not tell; "" if that is not known.
func (s *session) outcomeOf(ctx context.Context, id string, event *record, target string) (*Outcome, error) {
	outcome := &Outcome{OperationID: id, Version: event.Version, Hash: event.Hash, Status: statusOf(event), Conflict: event.Conflict,
		Undoes: event.Undoes, Redoes: event.Redoes, Skipped: event.Skipped}
	if result := resultOf(&event.Event); result != nil {
		outcome.Result = result
		return outcome, nil
	}
	kind, entity := event.entity(target)
	before, err := s.valuesBefore(ctx, event, Target{kind, entity})
	if err != nil {
		return nil, err
	}
	if len(event.Operations) == 0 {
		if entity != "" {
			outcome.Result = before.replay(event.CommandType, kind, entity, event.Changes)
		}
		return outcome, nil
	}
	results := append(jsontext.Value(nil), `{"results":[`...)
	wanted, changes := event.part(id), event.Changes
	for i := range event.Operations {
		operation := &event.Operations[i]
		if operation.Changes > len(changes) {
			return nil, fmt.Errorf("%w: version %d has fewer changes than its operations made", projection.ErrEvent, event.Version)
		}
		result := before.replay(operation.Type, operation.Kind, operation.ID, changes[:operation.Changes])
		changes = changes[operation.Changes:]
		if i == wanted {
			outcome.Result = result
			return outcome, nil
		}
		if i > 0 {
			results = append(results, ',')
		}
		results = append(results, result...)
	}
	outcome.Result = append(results, "]}"...)
	return outcome, nil
}

// resultOf returns the result of an event whose command was about no entity in particular, nil for others.
func resultOf(event *projection.Event) jsontext.Value {
	switch event.CommandType {
	case Undo, Redo, Resolve:
		return changesResult(event.Changes)
	case Restore:
		return restoreResult(event.Restored)
	case SetPolicy:
		return event.Policy
	}
	return nil
}

// entity returns the entity that the command of an event was about; target is the id that the command named, "" if that is
// not known.
func (r *record) entity(target string) (projection.Kind, string) {
	kind := kindOf(r.CommandType)
	switch {
	case len(r.Operations) > 0:
	case len(r.Changes) > 0:
		last := &r.Changes[len(r.Changes)-1]
		return last.Kind, last.ID
	case target == "":
		for path := range projection.Elements(projection.Member(r.Conflict, "paths")) {
			return kind, projection.Text(projection.Member(path, "id"))
		}
	}
	return kind, target
}

// kindOf returns the kind of entity that a type of command is about.
func kindOf(commandType string) projection.Kind {
	switch commandType {
	case CreateEdge, UpdateEdge, DeleteEdge:
		return projection.Edge
	case UpdateViewport:
		return projection.Viewport
	}
	return projection.Node
}

// entityValues are the values of the entities that an event is about, while its changes are replayed.
type entityValues map[Target]jsontext.Value

// valuesBefore returns what the entities that an event is about, and target, were before it: what they are now, with
// everything since taken back.
func (s *session) valuesBefore(ctx context.Context, event *record, target Target) (entityValues, error) {
	targets := []Target{target}
	for i := range event.Changes {
		targets = append(targets, Target{event.Changes[i].Kind, event.Changes[i].ID})
	}
	for i := range event.Operations {
		targets = append(targets, Target{event.Operations[i].Kind, event.Operations[i].ID})
	}
	since, err := s.events(ctx, event.Version-1, targets)
	if err != nil {
		return nil, err
	}
	values := entityValues{}
	for _, target := range targets {
		values[target] = since.valueBefore(target.Kind, target.ID, s.graph.Value(target.Kind, target.ID))
	}
	return values, nil
}

// replay applies the changes of one operation and returns its result.
func (v entityValues) replay(commandType string, kind projection.Kind, id string, changes []projection.Change) jsontext.Value {
	var edges []jsontext.Value
	was := bareEntity(id) // deleted already
	if v[Target{kind, id}] != nil {
		was = jsontext.Value("null") // it stays
	}
	removed := commandType == DeleteNode || commandType == DeleteEdge
	for i := range changes {
		change := &changes[i]
		target := Target{change.Kind, change.ID}
		switch change.Op {
		case projection.Put:
			v[target] = change.Value
		case projection.Patch:
			v[target] = projection.Overlay(v[target], change.Set)
		case projection.Delete:
			v[target] = nil
			if change.Kind == kind && change.ID == id {
				was = change.Was
			} else {
				edges = append(edges, change.Was)
			}
		}
	}
	switch value := v[Target{kind, id}]; {
	case removed:
		return removalResult(kind, was, edges)
	case value == nil && kind == projection.Viewport:
		return jsontext.Value(projection.DefaultViewport)
	case value == nil:
		return jsontext.Value("null")
	default:
		return value
	}
}
