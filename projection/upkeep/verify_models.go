package upkeep

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"graphy/eventstore"
	"graphy/projection"
)

// models goes on to where the read models stand, and compares them.
func (v *verification) models(ctx context.Context) error {
	if v.stood.Version < v.start {
		if v.strict && v.stood.Version > 0 {
			v.found.add(projection.Mismatch{Kind: "state", ID: "version", Found: decimal(v.stood.Version),
				Detail: "it is behind what the log begins with, version " + decimal(v.start)})
		}
		return nil // the projector begins there, too
	}
	if err := v.follow(ctx, v.stood.Version); err != nil || v.state == nil {
		return err
	}
	contents, err := v.inspect(ctx)
	if err != nil {
		return err
	}
	at := contents.Checkpoint.Version
	if at < v.position.Version && len(contents.Damage) == 0 && v.stood.Version <= v.position.Version {
		return fmt.Errorf("%w: its read models went back to version %d", errChanged, at)
	}
	v.stood = contents.Checkpoint
	if err := v.follow(ctx, at); err != nil || v.state == nil {
		return err
	}
	v.contents = contents
	if v.position.Version < at {
		v.found.add(projection.Mismatch{Kind: "state", ID: "version", Want: decimal(v.position.Version), Found: decimal(at),
			Detail: "the log ends before that"})
		return nil
	}
	v.found.compare(contents, v.state)
	return nil
}

// inspect returns the read models at one moment.
func (v *verification) inspect(ctx context.Context) (*projection.Contents, error) {
	call, cancel := v.long(ctx)
	defer cancel()
	nodes := slices.Clone(v.removed)
	for id := range v.state.All(projection.Node) {
		nodes = append(nodes, id)
	}
	for {
		contents, err := v.stores.Workshop.Inspect(call, v.graph, nodes)
		if !errors.Is(err, projection.ErrStale) || call.Err() != nil {
			return contents, err
		}
	}
}

func decimal(version eventstore.Version) string { return strconv.FormatUint(uint64(version), 10) }
