package command

import (
	"context"
	"errors"

	"graphy/eventstore"
)

// Operation returns the state of an operation on graph, or, with graph "", of the newest operation of that id on any
// graph. An unknown one is an *Error with Code NotFound.
func (p *Processor) Operation(ctx context.Context, graph, id string) (Operation, error) {
	entry, recorded, err := p.recorder.Find(ctx, id)
	if graph == "" {
		if err != nil {
			return Operation{}, p.refusal(graph, err)
		}
		if !recorded {
			return Operation{}, notFound(id)
		}
		graph = entry.GraphID
	}
	versions, indexErr := p.log.Operations(ctx, graph, id)
	switch {
	case indexErr != nil:
		return Operation{}, p.refusal(graph, indexErr)
	case versions[0] == 0 && err != nil:
		return Operation{}, p.refusal(graph, err)
	case versions[0] != 0:
		return p.accepted(ctx, graph, id, versions[0])
	case recorded && entry.GraphID == graph && entry.Err != nil:
		return Operation{Outcome: Outcome{OperationID: id, Status: StatusFailed}, GraphID: graph, Type: entry.Type, Err: entry.Err,
			CreatedAt: entry.Timestamp, CompletedAt: entry.Timestamp}, nil
	}
	return Operation{}, notFound(id)
}

// Refused takes note of a command that was refused for its form and so never submitted, that it may be asked about by
// its id. What names no operation is passed over, and so are dry runs.
func (p *Processor) Refused(graph string, identity Identity, err error) {
	var refusal *Error
	if !errors.As(err, &refusal) || refusal.OperationID == "" || refusal.dry {
		return
	}
	p.opts.Metrics.commands.WithLabelValues(string(refusal.Code)).Inc()
	p.recorder.Record(Entry{OperationID: refusal.OperationID, GraphID: graph, Type: refusal.Type, UserID: identity.UserID,
		Err: refusal, Timestamp: p.opts.Now().UnixMilli()})
}

func notFound(id string) *Error {
	return &Error{Code: NotFound, Detail: "there is no such operation", OperationID: id}
}

// accepted describes an operation that the log holds.
func (p *Processor) accepted(ctx context.Context, graph, id string, version eventstore.Version) (Operation, error) {
	operation := Operation{GraphID: graph}
	err := p.inspect(ctx, graph, func(ctx context.Context, s *session) error {
		if err := s.open(ctx); err != nil {
			return err
		}
		event, err := s.settled(ctx, version)
		if err != nil {
			return err
		}
		target := ""
		operation.Type, operation.CreatedAt = event.CommandType, event.Timestamp
		if part := event.part(id); part >= 0 {
			operation.Type, target = event.Operations[part].Type, event.Operations[part].ID
		}
		outcome, err := s.outcomeOf(ctx, id, event, target)
		if err == nil {
			operation.Outcome = *outcome
			operation.Status = s.statusNow(event)
		}
		return err
	})
	if err != nil {
		return Operation{}, err
	}
	checkpoint, err := p.models.Checkpoint(ctx, graph)
	if err != nil {
		return Operation{}, p.refusal(graph, err)
	}
	if checkpoint.Version >= version && operation.Status != StatusConflict {
		operation.Status, operation.CompletedAt = StatusCompleted, operation.CreatedAt
	}
	return operation, nil
}

// statusNow is a conflict for as long as one is open that the event left to people.
func (s *session) statusNow(event *record) string {
	for id := range openedBy(event) {
		if _, open := s.graph.Conflicts.Record(id); open {
			return StatusConflict
		}
	}
	return StatusProcessing
}

// readEvent returns the event of a version that the log's index knows.
func (s *session) readEvent(ctx context.Context, version eventstore.Version) (*record, error) {
	if event := s.remembered(version); event != nil {
		return event, nil
	}
	entries, err := s.p.log.Read(ctx, s.id, version-1, 1)
	if errors.Is(err, eventstore.ErrTrimmed) || err == nil && len(entries) == 0 {
		return nil, trimmed()
	}
	if err != nil {
		return nil, err
	}
	return decodeRecord(entries[0])
}
