package redis

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/oklog/ulid/v2"

	"graphy/projection"
)

const (
	stagedItems  = 1000    // arguments written by one call, about
	stagedBytes  = 1 << 20 // bytes written by one call, about
	linkedAtOnce = 100     // edges at a node, up to which its set is written by the swap itself
)

// Stage implements projection.Workshop. Each part is written together with the time after which it goes away.
func (m *Models) Stage(ctx context.Context, graph string, contents, live *projection.Contents) (projection.Staged, error) {
	if contents.ByType == nil {
		return nil, fmt.Errorf("stage %q: %w", graph, projection.ErrUncounted)
	}
	s := &staged{models: m, graph: graph, token: ulid.Make().String(), to: contents.Checkpoint}
	if live != nil {
		s.from = &live.Checkpoint.Position
	}
	if err := s.stage(ctx, contents, live); err != nil {
		_ = s.Discard(context.WithoutCancel(ctx)) // if that fails too, it goes away by itself
		return nil, err
	}
	m.staging.add(s)
	return s, nil
}

func (s *staged) stage(ctx context.Context, contents, live *projection.Contents) error {
	w := stager{staged: s}
	w.reset()
	if err := w.hashes(ctx, contents, live); err != nil {
		return err
	}
	if err := w.sets(ctx, contents, live); err != nil {
		return err
	}
	return w.flush(ctx)
}

// hashes stages those hashes that differ from live.
func (w *stager) hashes(ctx context.Context, contents, live *projection.Contents) error {
	keys, all := w.models.hashes(w.graph), live == nil || len(live.Damage) > 0
	if live == nil {
		live = &projection.Contents{}
	}
	for _, hash := range []struct {
		place  int
		same   bool
		fields iter.Seq2[string, jsontext.Value]
	}{
		{nodes, same(contents.Nodes, live.Nodes), maps.All(contents.Nodes)},
		{edges, same(contents.Edges, live.Edges), maps.All(contents.Edges)},
		{conflicts, same(contents.Conflicts, live.Conflicts), maps.All(contents.Conflicts)},
		{viewport, string(contents.Viewport) == string(live.Viewport), memberFields(contents.Viewport)},
		{stats, contents.Completed == live.Completed && maps.Equal(contents.ByType, live.ByType), countFields(contents)},
	} {
		if hash.same && !all {
			continue
		}
		if err := w.hash(ctx, keys[hash.place], hash.fields); err != nil {
			return err
		}
	}
	return nil
}

func same(a, b map[string]jsontext.Value) bool {
	return maps.EqualFunc(a, b, func(a, b jsontext.Value) bool { return string(a) == string(b) })
}

func memberFields(object jsontext.Value) iter.Seq2[string, jsontext.Value] {
	return func(yield func(string, jsontext.Value) bool) {
		for name, value := range projection.Members(object) {
			if !yield(string(name), value) {
				return
			}
		}
	}
}

func countFields(contents *projection.Contents) iter.Seq2[string, jsontext.Value] {
	return func(yield func(string, jsontext.Value) bool) {
		for name, events := range contents.ByType {
			if !yield(typeField+name, strconv.AppendInt(nil, events, 10)) {
				return
			}
		}
		if contents.Completed != 0 {
			yield(completedField, strconv.AppendInt(nil, int64(contents.Completed), 10))
		}
	}
}

// sets stages those incidence sets that differ from live, the small ones as what the swap writes, and notes which ones are
// to go; where live has damage, or is not known, all of them.
func (w *stager) sets(ctx context.Context, contents, live *projection.Contents) error {
	all := live == nil || len(live.Damage) > 0
	for node, ids := range contents.Incident {
		if !all && slices.Equal(ids, live.Incident[node]) {
			continue
		}
		if len(ids) <= linkedAtOnce {
			w.linked = append(w.linked, link{w.models.keys.Incident(w.graph, node), ids})
			continue
		}
		key := w.place(w.models.keys.Incident(w.graph, node))
		for _, id := range ids {
			if err := w.add(ctx, "SADD", key, id); err != nil {
				return err
			}
		}
	}
	if live == nil {
		w.contents = contents // what else there is will be looked up by Swap
		return nil
	}
	known := slices.Collect(maps.Keys(live.Incident))
	if all {
		known = slices.AppendSeq(known, maps.Keys(live.Nodes))
		known = slices.AppendSeq(known, maps.Keys(contents.Nodes))
	}
	w.gone = append(w.gone, w.without(contents, known)...)
	return nil
}

// without returns the keys of the incidence sets of those of nodes that have no edges in contents.
func (s *staged) without(contents *projection.Contents, nodes []string) (keys []string) {
	slices.Sort(nodes)
	for _, node := range slices.Compact(nodes) {
		if len(contents.Incident[node]) == 0 {
			keys = append(keys, s.models.keys.Incident(s.graph, node))
		}
	}
	return keys
}
