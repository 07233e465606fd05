package upkeep

import (
	"context"
	"errors"
	"fmt"

	"graphy/eventstore"
)

// CompareLogs finds out where the histories of two graphs part. A hash stands for all that was before it, so it takes few
// reads. Where one of them was trimmed, and there is no archive, Common is the zero Position if they part before that.
func (k *Keeper) CompareLogs(ctx context.Context, a, b string) (Compared, error) {
	var c Compared
	var err error
	if c.A, err = k.headOf(ctx, a); err != nil {
		return Compared{}, err
	}
	if c.B, err = k.headOf(ctx, b); err != nil {
		return Compared{}, err
	}
	c.Same = c.A == c.B
	if c.Same {
		c.Common = c.A
		return c, nil
	}
	// The histories are the same up to below, and not at above.
	below, above := eventstore.Position{}, min(c.A.Version, c.B.Version)+1
	for above-below.Version > 1 {
		version := below.Version + (above-below.Version)/2
		one, reached, err := k.hash(ctx, a, version)
		if err != nil {
			return Compared{}, err
		}
		other, both, err := k.hash(ctx, b, version)
		switch {
		case err != nil:
			return Compared{}, err
		case !reached || !both:
			// Nothing is known below it; should they part there, they have in common what nobody can see.
			same, err := k.sameAfter(ctx, a, b, version)
			if err != nil {
				return Compared{}, err
			}
			if same.Version == 0 {
				return c, nil
			}
			below = same
		case one == other:
			below = eventstore.Position{Version: version, Hash: one}
		default:
			above = version
		}
	}
	c.Common = below
	return c, nil
}

// headOf returns where the log of a graph stands that has to be there.
func (k *Keeper) headOf(ctx context.Context, graph string) (eventstore.Position, error) {
	head, err := k.head(ctx, graph)
	if err == nil && head.Version == 0 {
		err = unknownGraph(graph)
	}
	if err != nil {
		return eventstore.Position{}, fmt.Errorf("head of %q: %w", graph, err)
	}
	return head, nil
}

// hash returns the hash of a version; false if it was trimmed.
func (k *Keeper) hash(ctx context.Context, graph string, version eventstore.Version) (eventstore.Hash, bool, error) {
	event, found, err := k.entry(ctx, k.stores.Log, graph, version)
	if errors.Is(err, eventstore.ErrTrimmed) {
		return "", false, nil
	}
	return event.Hash, found, err
}

// sameAfter returns the first position after version that both graphs still have, if it is the same; else the zero one.
func (k *Keeper) sameAfter(ctx context.Context, a, b string, version eventstore.Version) (eventstore.Position, error) {
	for _, graph := range []string{a, b} {
		_, err := k.read(ctx, k.stores.Log, graph, version-1, 1)
		if trimmed, ok := errors.AsType[*eventstore.TrimmedError](err); ok {
			version = max(version, trimmed.First)
		} else if err != nil {
			return eventstore.Position{}, err
		}
	}
	one, found, err := k.hash(ctx, a, version)
	if err != nil || !found {
		return eventstore.Position{}, err
	}
	other, found, err := k.hash(ctx, b, version)
	if err != nil || !found || one != other {
		return eventstore.Position{}, err
	}
	return eventstore.Position{Version: version, Hash: one}, nil
}
