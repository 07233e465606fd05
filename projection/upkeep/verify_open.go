package upkeep

import (
	"context"
	"errors"
	"fmt"

	"graphy/eventstore"
	"graphy/eventstore/archive"
	"graphy/projection"
)

// open finds out where the log begins, and returns how far to go.
func (v *verification) open(ctx context.Context) (head eventstore.Version, err error) {
	if head, err = v.head(ctx); err != nil {
		return 0, err
	}
	if v.base, err = v.readBase(ctx); err != nil {
		return 0, err
	}
	head = max(head, v.base.Version)
	if v.stood, err = v.checkpoint(ctx, head); err != nil {
		return 0, err
	}
	switch {
	case head > 0:
	case v.stood.Version == 0:
		return 0, fmt.Errorf("%w: %q", ErrUnknown, v.graph)
	default:
		v.found.add(projection.Mismatch{Kind: "chain", Version: 1,
			Detail: fmt.Sprintf("the log is gone, while the read models are at version %d", v.stood.Version)})
		return 0, nil
	}
	if err := v.beginning(ctx); err != nil {
		return 0, err
	}
	if v.limit > 0 {
		head = min(head, v.start+eventstore.Version(v.limit))
	}
	v.walk = v.Keeper.walk(v.graph, v.position, head)
	v.walk.rest = v.rest
	return head, nil
}

// head returns where the log ends; forever if its last entry is none, so that all there is is read.
func (v *verification) head(ctx context.Context) (eventstore.Version, error) {
	call, cancel := v.call(ctx)
	defer cancel()
	head, err := v.stores.Log.Head(call, v.graph)
	if isChainError(err) {
		return forever, nil
	}
	return head.Version, err
}

// checkpoint returns where the read models stand. If that cannot be read, they are compared with where the log ends.
func (v *verification) checkpoint(ctx context.Context, head eventstore.Version) (checkpoint projection.Checkpoint, err error) {
	call, cancel := v.call(ctx)
	defer cancel()
	if checkpoint, err = v.stores.Models.Checkpoint(call, v.graph); err != nil && !passing(err) {
		checkpoint = projection.Checkpoint{}
		checkpoint.Version, err = head, nil
	}
	return checkpoint, err
}

func (v *verification) readBase(ctx context.Context) (eventstore.Base, error) {
	call, cancel := v.call(ctx)
	defer cancel()
	base, err := v.stores.Maintainer.Base(call, v.graph)
	if err == nil || passing(err) {
		return base, err
	}
	if !v.strict {
		v.found.add(projection.Mismatch{Kind: "base", Detail: err.Error()})
	}
	return eventstore.Base{}, nil
}

// begin begins with a state.
func (v *verification) begin(state *projection.Graph) {
	v.state, v.position, v.start = state, state.Position, state.Position.Version
}

// beginning begins with the state given, else with version 1 if that can be read, else with the base.
func (v *verification) beginning(ctx context.Context) error {
	if v.from != nil {
		state, err := v.from()
		if err == nil {
			v.begin(state)
		}
		return err
	}
	v.begin(projection.NewGraph(v.graph))
	v.first = 1
	if v.base.Version == 0 {
		return v.before(ctx)
	}
	first, err := v.floor(ctx)
	if err != nil || first == 1 {
		return err
	}
	if v.unread != nil && !v.strict {
		v.found.add(projection.Mismatch{Kind: "chain", Version: 1, Detail: v.unread.Error()})
	}
	state, err := projection.DecodeBase(v.graph, v.base)
	if err != nil {
		v.found.add(projection.Mismatch{Kind: "base", Version: v.base.Version, Detail: err.Error()})
		v.state, v.position, v.start = nil, v.base.Position, v.base.Version
	} else {
		v.begin(state)
	}
	if v.first = first; first <= v.base.Version {
		return v.remainder(ctx)
	}
	return nil
}

// floor returns the oldest event that can be read: of the archive, or, where that is damaged, of the log alone.
func (v *verification) floor(ctx context.Context) (eventstore.Version, error) {
	log := v.stores.Log
	if v.unread != nil {
		log = v.stream()
	}
	_, err := v.read(ctx, log, v.graph, 0, 1)
	if errors.Is(err, archive.ErrDamaged) {
		return 0, err
	}
	if trimmed, ok := errors.AsType[*eventstore.TrimmedError](err); ok {
		return trimmed.First, nil
	}
	if err != nil && passing(err) {
		return 0, err
	}
	return 1, nil // what is wrong with it is found on the way
}

// before finds entries before version 1.
func (v *verification) before(ctx context.Context) error {
	call, cancel := v.call(ctx)
	defer cancel()
	_, err := v.stores.Log.ReadBackward(call, v.graph, 2, 2)
	if broken, ok := errors.AsType[*eventstore.ChainError](err); ok {
		if broken.Version > 0 {
			return nil // the walk will come to it
		}
		v.found.add(projection.Mismatch{Kind: "chain", Version: broken.Version, Detail: broken.Reason})
		return nil
	}
	if errors.Is(err, eventstore.ErrTrimmed) {
		return nil
	}
	return err
}

// remainder verifies the chain of events that the log still has and that are part of its base. Nothing needs them to be
// folded, so a strict pass looks for their operations alone.
func (v *verification) remainder(ctx context.Context) error {
	old := &verification{Keeper: v.Keeper, graph: v.graph, scope: scope{rest: v.rest}, base: v.base}
	old.position = eventstore.Position{Version: v.first - 1}
	old.walk = v.Keeper.walk(v.graph, old.position, v.base.Version)
	defer old.walk.close()
	err := old.follow(ctx, v.base.Version)
	v.indexed, v.events, v.torn = old.indexed, old.events, old.torn
	for _, m := range old.found.first {
		if !v.strict || m.Kind == "operation" {
			v.found.add(m)
		}
	}
	if err == nil && !v.strict && old.position != v.base.Position && old.found.count == 0 {
		v.found.add(projection.Mismatch{Kind: "base", ID: "hash", Version: v.base.Version, Want: string(old.position.Hash),
			Found: string(v.base.Hash)})
	}
	return err
}
