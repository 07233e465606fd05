package upkeep

import (
	"context"
	"slices"

	"github.com/cespare/xxhash/v2"

	"graphy/eventstore"
	"graphy/projection"
)

// operation is what has to be in the index.
type operation struct {
	id      string
	version eventstore.Version
}

// span is events from and to, both included.
type span struct{ from, to eventstore.Version }

// settle takes note of the operations of an event.
func (v *verification) settle(event *projection.Event) {
	v.settled = append(v.settled, operation{event.OperationID, event.Version})
	for i := range event.Operations {
		if id := event.Operations[i].OperationID; id != "" {
			v.settled = append(v.settled, operation{id, event.Version})
		}
	}
}

// lookUp holds the index against the operations that were settled from version first on.
func (v *verification) lookUp(ctx context.Context, first eventstore.Version) error {
	settled := v.settled
	v.settled = v.settled[:0]
	if v.unsought || len(settled) == 0 {
		return nil
	}
	wrong, err := v.wrong(ctx, settled)
	if isChainError(err) {
		v.unsought = true
		v.found.add(projection.Mismatch{Kind: "operation", Detail: err.Error()})
		v.torn = append(v.torn, span{first, forever})
		return nil
	}
	if err != nil {
		return err
	}
	v.indexed += int64(len(settled) - len(wrong))
	for _, is := range wrong {
		m := projection.Mismatch{Kind: "operation", ID: is.id, Version: is.version, Want: decimal(is.version)}
		if is.found > 0 {
			m.Found = decimal(is.found)
		}
		v.found.add(m)
	}
	if len(wrong) > 0 {
		v.torn = append(v.torn, span{wrong[0].version, wrong[len(wrong)-1].version})
	}
	return nil
}

// misplaced is an operation that the index has at another version, or not at all (0).
type misplaced struct {
	operation
	found eventstore.Version
}

// wrong returns the operations that are not in the index as they should be. Those of events that are part of the base
// may be gone.
func (v *verification) wrong(ctx context.Context, settled []operation) (wrong []misplaced, err error) {
	ids := make([]string, len(settled))
	for i := range settled {
		ids[i] = settled[i].id
	}
	call, cancel := v.call(ctx)
	defer cancel()
	versions, err := v.stores.Log.Operations(call, v.graph, ids...)
	if err != nil {
		return nil, err
	}
	for i, is := range settled {
		if versions[i] != is.version {
			wrong = append(wrong, misplaced{is, versions[i]})
		}
	}
	if len(wrong) == 0 {
		return nil, nil
	}
	base, err := v.stores.Maintainer.Base(call, v.graph)
	if err != nil && passing(err) {
		return nil, err
	}
	trimmed := 0
	wrong = slices.DeleteFunc(wrong, func(is misplaced) bool {
		gone := is.found == 0 && is.version <= base.Version
		if gone {
			trimmed++
		}
		return gone
	})
	v.indexed -= int64(trimmed)
	return wrong, nil
}

// count finds out whether the index holds more than it should.
func (v *verification) count(ctx context.Context) error {
	if v.unsought {
		return nil
	}
	call, cancel := v.call(ctx)
	defer cancel()
	there, err := v.stores.Maintainer.Indexed(call, v.graph)
	if err != nil {
		return v.unreadable(err)
	}
	if there <= v.indexed {
		return nil
	}
	head, err := v.head(ctx) // what was appended since may be the reason
	if err == nil {
		err = v.follow(ctx, head)
	}
	if err != nil || there <= v.indexed || v.over() {
		return err
	}
	return v.seek(ctx)
}

// unreadable takes note of an index that is none.
func (v *verification) unreadable(err error) error {
	if !isChainError(err) {
		return err
	}
	v.found.add(projection.Mismatch{Kind: "operation", Detail: err.Error()})
	v.unsought, v.torn = true, append(v.torn, span{1, forever})
	return nil
}

// seek finds the operations in the index that no event settles. It goes through the events once more.
func (v *verification) seek(ctx context.Context) error {
	known, err := v.sums(ctx)
	if err != nil {
		return err
	}
	v.surplus = map[string]eventstore.Version{}
	for page, err := range v.stores.Maintainer.Index(ctx, v.graph) {
		if err != nil {
			return v.unreadable(err)
		}
		for id, version := range page {
			if _, is := slices.BinarySearch(known, xxhash.Sum64String(id)); is || version > v.position.Version {
				continue
			}
			if _, is := v.surplus[id]; !is && len(v.surplus) < mostSurplus {
				v.found.add(projection.Mismatch{Kind: "operation", ID: id, Found: decimal(version), Detail: "no event settles it"})
				v.surplus[id] = version
			}
		}
	}
	return nil
}

// mostSurplus is how many operations that no event settles are named, and removed, at once.
const mostSurplus = 100_000

// sums returns the sorted hashes of the ids of all operations that events settle.
func (v *verification) sums(ctx context.Context) ([]uint64, error) {
	ctx, cancel := context.WithCancel(ctx)
	w := v.Keeper.walk(v.graph, eventstore.Position{Version: v.first - 1}, v.position.Version)
	w.rest = v.rest
	defer w.close()
	defer cancel()
	var known []uint64
	for {
		events, err := w.take(ctx, v.position.Version)
		if isChainError(err) {
			next, failure := w.skip(ctx)
			if failure == nil && next > 0 {
				continue
			}
			return known, failure
		}
		if err != nil || len(events) == 0 {
			slices.Sort(known)
			return known, err
		}
		for i := range events {
			if event, err := projection.DecodeEvent(events[i].Data); err == nil {
				for _, id := range event.OperationIDs() {
					known = append(known, xxhash.Sum64String(id))
				}
			}
		}
	}
}
