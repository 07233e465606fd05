package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"go.uber.org/zap"

	"graphy/eventstore"
	"graphy/projection"
)

// page is how many events are read from the log at once.
const page = 500

// load builds the graph at the head of the log: the read model, which its checksum and the log's hash at its checkpoint
// vouch for, and the events after it. Without a read model that fits, all events from the first, or, where the log is
// trimmed, its base and the events after that.
func (s *session) load(ctx context.Context) error {
	s.forget()
	graph, err := s.loadReadModel(ctx)
	if err != nil {
		return err
	}
	err = s.loadFrom(ctx, graph)
	if at := graph.Position.Version; errors.Is(err, eventstore.ErrTrimmed) {
		base, failure := projection.Beginning(ctx, s.p.opts.Snapshots, s.id)
		if err = cmp.Or(failure, err); failure == nil && base.Position.Version > at {
			err = s.loadFrom(ctx, base)
		}
	}
	if err != nil {
		s.forget()
		return fmt.Errorf("load graph %q: %w", s.id, err)
	}
	return nil
}

// loadFrom makes graph the session's and folds what the log holds after it.
func (s *session) loadFrom(ctx context.Context, graph *projection.Graph) error {
	graph.ByType = nil // a session goes back over what was not appended, and has no use for counts
	s.graph, s.recent = graph, newRecent(graph.Position.Version, s.p.opts.RecentEvents, s.p.opts.RecentBytes)
	return s.readOn(ctx)
}

// loadReadModel returns the read model, or what the log begins with if there is none that can be trusted.
func (s *session) loadReadModel(ctx context.Context) (*projection.Graph, error) {
	graph, err := s.p.models.Load(ctx, s.id)
	switch {
	case errors.Is(err, projection.ErrChecksum), errors.Is(err, projection.ErrEvent):
		s.p.opts.Logger.Warn("read model does not match its checksum, folding the log instead",
			zap.String("graphId", s.id), zap.Error(err))
		return s.beginning(ctx)
	case err != nil:
		return nil, err
	case graph.Position.Version == 0:
		return graph, nil
	}
	entries, err := s.p.log.Read(ctx, s.id, graph.Position.Version-1, 1)
	same := err == nil && len(entries) == 1 && entries[0].Position() == graph.Position
	if trimmed, ok := errors.AsType[*eventstore.TrimmedError](err); ok {
		if trimmed.First > graph.Position.Version+1 {
			return s.beginning(ctx) // far behind
		}
		same, err = projection.Vouches(ctx, s.p.log, s.id, graph.Position)
	}
	if err != nil {
		return nil, err
	}
	if same {
		return graph, nil
	}
	head, err := s.p.log.Head(ctx, s.id)
	if err != nil {
		return nil, err
	}
	s.p.opts.Metrics.regressions.Inc()
	s.p.opts.Logger.Error("the read model is of another history than the log", zap.String("graphId", s.id),
		zap.Uint64("version", uint64(graph.Position.Version)), zap.Uint64("head", uint64(head.Version)))
	if head.Version == 0 {
		return nil, &Error{Code: Unavailable, Detail: "this graph is stopped: its log is gone and needs an operator"}
	}
	return s.beginning(ctx)
}

// beginning returns the state that the log begins with: that of its base, or the empty graph, from which all that there is
// can be folded if the base is damaged.
func (s *session) beginning(ctx context.Context) (*projection.Graph, error) {
	graph, err := projection.Beginning(ctx, s.p.opts.Snapshots, s.id)
	if errors.Is(err, projection.ErrEvent) || errors.Is(err, projection.ErrChecksum) {
		return projection.NewGraph(s.id), nil
	}
	return graph, err
}

// readOn folds what the log holds after the graph's position, verifying the chain.
func (s *session) readOn(ctx context.Context) error {
	for {
		entries, err := s.p.log.Read(ctx, s.id, s.graph.Position.Version, page)
		if err != nil {
			return err
		}
		if err := eventstore.VerifyChain(s.id, s.graph.Position, entries); err != nil {
			return err
		}
		for _, entry := range entries {
			event, err := decodeRecord(entry)
			if err != nil {
				return err
			}
			if err := s.graph.Apply(&event.Event, event.Hash); err != nil {
				return err
			}
			s.recent.push(event)
			s.stacks.push(event)
		}
		if len(entries) < page {
			s.head.Store(uint64(s.graph.Position.Version))
			return nil
		}
	}
}

func decodeRecord(entry eventstore.Event) (*record, error) {
	event, err := projection.DecodeEvent(entry.Data)
	if err != nil {
		return nil, err
	}
	if event.Version != entry.Version {
		return nil, fmt.Errorf("%w: entry %d says it is version %d", projection.ErrEvent, entry.Version, event.Version)
	}
	return &record{Event: event, Hash: entry.Hash, size: len(entry.Data) + 512}, nil
}

// catchUp folds what others have appended since. A log that has gone back, or has another history (then head may well be
// the version that the graph has), is loaded anew.
func (s *session) catchUp(ctx context.Context, head eventstore.Version) error {
	position := s.graph.Position
	if head > position.Version {
		err := s.readOn(ctx)
		if err == nil || !errors.Is(err, eventstore.ErrBroken) && !errors.Is(err, eventstore.ErrTrimmed) {
			if err != nil {
				s.forget()
			}
			return err
		}
	} else {
		s.p.opts.Metrics.regressions.Inc()
		s.p.opts.Logger.Warn("the log is not the one that was loaded: deleted by another process, or a suffix was lost",
			zap.String("graphId", s.id), zap.Uint64("version", uint64(position.Version)), zap.Uint64("head", uint64(head)))
	}
	return s.load(ctx)
}
