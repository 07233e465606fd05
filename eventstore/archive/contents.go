package archive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"graphy/eventstore"
)

// contents are what there is of one graph, by the names of its objects. They are not written to.
type contents struct {
	segments []Segment // in order of their ends
	bases    []eventstore.Position
	byEnd    map[eventstore.Position][]Segment // the longest first
	listed   time.Time
}

// contentsAge is when contents are listed anew. They are, too, when something is not found in them.
const contentsAge = 30 * time.Second

func (a *Archive) list(ctx context.Context, graph string) (*contents, error) {
	c := &contents{byEnd: map[eventstore.Position][]Segment{}, listed: time.Now()}
	for object, err := range a.store.List(ctx, graphPrefix(graph)) {
		if err != nil {
			return nil, fmt.Errorf("list the archive of %q: %w", graph, err)
		}
		segment, ok := parseName(object.Name)
		if !ok || segment.GraphID != graph {
			continue
		}
		if segment.Bytes = object.Size; segment.From == segment.To {
			c.bases = append(c.bases, segment.To)
		} else {
			c.segments = append(c.segments, segment)
		}
	}
	slices.SortFunc(c.segments, func(a, b Segment) int {
		return cmp.Or(comparePositions(a.To, b.To), comparePositions(a.From, b.From))
	})
	slices.SortFunc(c.bases, comparePositions)
	for _, segment := range c.segments {
		c.byEnd[segment.To] = append(c.byEnd[segment.To], segment)
	}
	a.contents.put(graph, c, 1+len(c.segments)+len(c.bases))
	return c, nil
}

func comparePositions(a, b eventstore.Position) int {
	return cmp.Or(cmp.Compare(a.Version, b.Version), cmp.Compare(a.Hash, b.Hash))
}

// with does act on the contents of graph, and again on fresh ones if it did not find something.
func with[T any](ctx context.Context, a *Archive, graph string, act func(*contents) (T, error)) (T, error) {
	if c, ok := a.contents.get(graph); ok && time.Since(c.listed) < contentsAge {
		if result, err := act(c); !errors.Is(err, ErrNotFound) {
			return result, err
		}
	}
	c, err := a.list(ctx, graph)
	if err != nil {
		var none T
		return none, err
	}
	return act(c)
}

// Segments returns the segments of graph, of all its histories, in order of their ends.
func (a *Archive) Segments(ctx context.Context, graph string) ([]Segment, error) {
	c, err := a.list(ctx, graph)
	if err != nil {
		return nil, err
	}
	return slices.Clone(c.segments), nil
}

// Tips returns where the histories of graph end, the longest first.
func (a *Archive) Tips(ctx context.Context, graph string) ([]eventstore.Position, error) {
	c, err := a.list(ctx, graph)
	if err != nil {
		return nil, err
	}
	goesOn := map[eventstore.Position]bool{}
	for _, segment := range c.segments {
		goesOn[segment.From] = true
	}
	var tips []eventstore.Position
	for _, segment := range slices.Backward(c.segments) {
		at := segment.To
		if goesOn[at] {
			continue
		}
		goesOn[at] = true // however many end there
		// It may be in the middle of a longer one. One that is damaged is no part of anything.
		_, err := a.containing(ctx, c, at)
		switch {
		case errors.Is(err, ErrNotFound), errors.Is(err, ErrDamaged):
			tips = append(tips, at)
		case err != nil:
			return nil, err
		}
	}
	return tips, nil
}

// Graphs yields the ids of the graphs that have something in the archive, in no particular order. It ends with the first
// error.
func (a *Archive) Graphs(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		last := ""
		for object, err := range a.store.List(ctx, "") {
			if err != nil {
				yield("", fmt.Errorf("list the archive: %w", err))
				return
			}
			// The objects of a graph stand together.
			if segment, ok := parseName(object.Name); ok && segment.GraphID != last {
				if last = segment.GraphID; !yield(last, nil) {
					return
				}
			}
		}
	}
}

// Delete removes all that the archive has of graph. After an error, call it again.
func (a *Archive) Delete(ctx context.Context, graph string) error {
	defer a.contents.drop(graph)
	var names []string
	for object, err := range a.store.List(ctx, graphPrefix(graph)) {
		if err != nil {
			return fmt.Errorf("list the archive of %q: %w", graph, err)
		}
		if segment, ok := parseName(object.Name); ok && segment.GraphID == graph {
			names = append(names, object.Name)
		}
	}
	// The newest goes first: what is left of a history is one that reaches less far.
	for _, name := range slices.Backward(names) {
		a.segments.drop(name)
		if err := a.store.Delete(ctx, name); err != nil {
			return fmt.Errorf("delete from the archive of %q: %w", graph, err)
		}
	}
	return nil
}
