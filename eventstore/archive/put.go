package archive

import (
	"context"
	"errors"
	"fmt"

	"graphy/eventstore"
)

// putAttempts is how often an object is written that is not read back as it was written.
const putAttempts = 3

// Put keeps events of graph, which lead on from from, as one segment: whoever has many splits them, by SegmentEvents and
// SegmentBytes. When it returns, they were read back and verified. Put again it changes nothing, unless what is there is
// damaged: then it is written anew. Events that do not chain are a *eventstore.ChainError, and nothing is written.
func (a *Archive) Put(ctx context.Context, graph string, from eventstore.Position, events []eventstore.Event) (Segment, error) {
	if len(events) == 0 {
		return Segment{}, errors.New("archive: a segment without events")
	}
	if err := errors.Join(checkGraph(graph), checkPosition(from)); err != nil {
		return Segment{}, fmt.Errorf("archive: %w", err)
	}
	segment, object, err := encodeSegment(graph, from, events)
	if err != nil {
		return Segment{}, fmt.Errorf("archive: %w", err)
	}
	err = a.put(ctx, graph, segment.name(), object, func(object []byte) error {
		// Data that chain from the same hash to the same hash are the same.
		segment.Bytes = int64(len(object))
		return checkSegment(segment, object)
	})
	return segment, err
}

// PutBase keeps a base of graph, in the same way.
func (a *Archive) PutBase(ctx context.Context, graph string, base eventstore.Base) error {
	if base.Version == 0 || len(base.Data) == 0 {
		return errors.New("archive: a base without version or data")
	}
	object, err := encodeBase(graph, base)
	if err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	return a.put(ctx, graph, baseName(graph, base.Position), object, func(object []byte) error {
		// Who encodes a state anew may do so in other bytes; the position says that it is the same state.
		_, err := decodeBase(graph, base.Position, object)
		return err
	})
}

// settler is a Store in which something can be found that is not there for good yet.
type settler interface {
	settle(ctx context.Context, name string) error
}

// put writes object under name unless there is one that is good, and reads it back.
func (a *Archive) put(ctx context.Context, graph, name string, object []byte, check func(object []byte) error) error {
	a.contents.drop(graph)
	defer a.contents.drop(graph)
	for attempt := 0; ; attempt++ {
		kept, err := a.fetch(ctx, name)
		if err == nil {
			err = check(kept)
		}
		if settler, ok := a.store.(settler); ok && err == nil && attempt == 0 {
			err = settler.settle(ctx, name)
		}
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrDamaged):
			return err
		case attempt == putAttempts:
			return fmt.Errorf("%s, written and read back: %w", name, err)
		}
		if err := a.store.Put(ctx, name, object); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
}
