package upkeep

import (
	"context"
	"errors"
	"fmt"

	"graphy/eventstore"
	"graphy/projection"
)

// Copy makes a new graph, to, out of the log of from up to version at; 0: all of it. The events are the same byte for
// byte, and so are their hashes. Where from was trimmed, and there is no archive that reaches back, the copy begins with a
// base too. It fails with ErrUnknown if there is no such graph, with ErrConflict if there is one called to, or one that
// left something behind, and with projection.ErrAhead if the log does not come to at.
func (k *Keeper) Copy(ctx context.Context, from, to string, at eventstore.Version) (Copied, error) {
	copied, err := k.copy(ctx, from, to, at)
	if err != nil {
		return Copied{}, fmt.Errorf("copy %q to %q: %w", from, to, err)
	}
	return copied, nil
}

func (k *Keeper) copy(ctx context.Context, from, to string, at eventstore.Version) (Copied, error) {
	head, err := k.headOf(ctx, from)
	if err != nil {
		return Copied{}, err
	}
	if at > head.Version {
		return Copied{}, fmt.Errorf("%w, %d", projection.ErrAhead, head.Version)
	}
	if at == 0 {
		at = head.Version
	}
	if err := k.vacant(ctx, to); err != nil {
		return Copied{}, err
	}
	base, err := k.beginning(ctx, from, at)
	if err != nil {
		return Copied{}, err
	}
	end := base.Position
	if base, err = renamed(base, from, to); err != nil {
		return Copied{}, err
	}
	d, err := k.draft(ctx, to, base, false)
	if err != nil {
		return Copied{}, err
	}
	defer d.discard(ctx)
	for page, err := range ahead(ctx, func(ctx context.Context) pageSeq { return k.pages(ctx, k.stores.Log, from, end, at) }) {
		if err == nil {
			err = d.write(ctx, page)
		}
		if err != nil {
			return Copied{}, err
		}
		end = page[len(page)-1].Position()
	}
	committed, err := d.commit(ctx, eventstore.Position{})
	if err == nil && !committed {
		err = occupied(to)
	}
	return Copied{GraphID: to, From: from, Version: end.Version, Hash: end.Hash}, err
}

func occupied(graph string) error { return fmt.Errorf("%w: there is a graph %q", ErrConflict, graph) }

// vacant makes sure that there is no graph of that name, neither log nor read models.
func (k *Keeper) vacant(ctx context.Context, graph string) error {
	head, err := k.head(ctx, graph)
	if errors.Is(err, eventstore.ErrBroken) || err == nil && head.Version > 0 {
		return occupied(graph)
	}
	if err != nil {
		return err
	}
	ctx, cancel := k.call(ctx)
	defer cancel()
	checkpoint, err := k.stores.Models.Checkpoint(ctx, graph)
	if err == nil && checkpoint.Version > 0 {
		return occupied(graph)
	}
	return err
}

// beginning returns what the log of graph begins with, as far back as it reaches through the archive: the zero Base, or
// the oldest that there is; none above version at.
func (k *Keeper) beginning(ctx context.Context, graph string, at eventstore.Version) (eventstore.Base, error) {
	_, err := k.read(ctx, k.stores.Log, graph, 0, 1)
	trimmed, ok := errors.AsType[*eventstore.TrimmedError](err)
	if !ok {
		return eventstore.Base{}, err
	}
	base, err := k.base(ctx, graph)
	if err != nil {
		return eventstore.Base{}, err
	}
	if k.stores.Archive != nil {
		older, found, err := k.archivedBase(ctx, graph, base.Position, at)
		if err != nil || found {
			return older, err
		}
	}
	if base.Version == 0 || base.Version > at {
		return eventstore.Base{}, &eventstore.TrimmedError{Stream: graph, First: max(trimmed.First, base.Version+1)}
	}
	return base, nil
}

// archivedBase returns the oldest base in the archive, up to version at, that the history to through reaches back to.
func (k *Keeper) archivedBase(ctx context.Context, graph string, through eventstore.Position, at eventstore.Version) (base eventstore.Base, found bool, err error) {
	call, cancel := k.transfer(ctx)
	defer cancel()
	for at > 0 {
		older, any, err := k.stores.Archive.Bases(call, graph, through, at)
		if err != nil || !any {
			return base, found, err
		}
		base, found, at = older, true, older.Version-1
	}
	return base, found, nil
}

// renamed returns the base of one graph as that of another.
func renamed(base eventstore.Base, from, to string) (eventstore.Base, error) {
	if base.Version == 0 {
		return base, nil
	}
	state, err := projection.DecodeBase(from, base)
	if err != nil {
		return eventstore.Base{}, err
	}
	state.ID = to
	snapshot, err := state.Snapshot()
	return snapshot.Base(), err
}
