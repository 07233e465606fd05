package upkeep

import (
	"context"
	"errors"
	"fmt"

	"graphy/eventstore"
	"graphy/projection"
)

// Skip takes the event of a version out of the log of graph that cannot be folded: because it is no event, does not fit
// the state or the checksum, does not chain, or is not there at all. In its place comes an event of type SKIP, without
// changes, that says why and by whom, so every later rebuild passes over it and nobody needs a list. The events after it
// are kept, with new checksums and hashes. Where some of those cannot be folded without it, they are named in Needs and
// nothing is done, unless opts say to skip them too.
//
// What is taken out goes into the archive before, as far as it chains, and into dead letters. Clients learn that the
// history is another one, and get a state. A version that can be folded is an ErrConflict; one that was skipped before is
// not.
func (k *Keeper) Skip(ctx context.Context, graph string, version eventstore.Version, opts SkipOptions) (Skipped, error) {
	report, err := k.skip(ctx, graph, version, opts)
	if err != nil {
		return Skipped{}, fmt.Errorf("skip version %d of %q: %w", version, graph, err)
	}
	return report, nil
}

func (k *Keeper) skip(ctx context.Context, graph string, version eventstore.Version, opts SkipOptions) (Skipped, error) {
	base, err := k.base(ctx, graph)
	if err != nil {
		return Skipped{}, err
	}
	m := &mending{k: k, graph: graph, version: version, opts: opts, base: base, known: []eventstore.Hash{base.Hash}}
	if version <= base.Version {
		return Skipped{}, fmt.Errorf("%w: the log begins after version %d", ErrConflict, base.Version)
	}
	if m.state = projection.NewGraph(graph); base.Version > 0 {
		if m.state, err = projection.DecodeBase(graph, base); err != nil {
			return Skipped{}, err
		}
	}
	if m.draft, err = k.draft(ctx, graph, base, opts.DryRun); err != nil {
		return Skipped{}, err
	}
	defer m.draft.discard(ctx)
	for range commitTries {
		s, err := k.survey(ctx, graph)
		if err != nil {
			return Skipped{}, err
		}
		if s.end == 0 && !s.foreign {
			return Skipped{}, unknownGraph(graph)
		}
		if err := m.mend(ctx, s); err != nil {
			if errors.Is(err, errSkipped) {
				return m.report(), k.release(ctx, graph)
			}
			return Skipped{}, err
		}
		if report := m.report(); len(report.Needs) > 0 || opts.DryRun {
			return report, nil
		}
		if err := m.keep(ctx, s); err != nil {
			return Skipped{}, err
		}
		committed, err := m.draft.commit(ctx, s.expected)
		if err != nil {
			return Skipped{}, err
		}
		if committed {
			return m.report(), m.close(ctx)
		}
	}
	return Skipped{}, fmt.Errorf("%w: the log moves on faster than it is rewritten", ErrBusy)
}

// report tells what was done, or would have to be.
func (m *mending) report() Skipped {
	report := Skipped{GraphID: m.graph, DryRun: m.opts.DryRun, Version: m.state.Position.Version}
	for _, t := range m.taken {
		report.Skipped = append(report.Skipped, t.version)
	}
	if len(report.Skipped) > 1 && !m.opts.Cascade {
		report.Skipped, report.Needs = []eventstore.Version{}, report.Skipped[1:]
	}
	return report
}
