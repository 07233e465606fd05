package redis

import (
	"context"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/redis/rueidis"

	"graphy/projection"
)

// Load implements projection.ReadModels. It fails with projection.ErrChecksum, or ErrDamaged, where the keys are not
// what a commit left behind.
func (m *Models) Load(ctx context.Context, graph string) (*projection.Graph, error) {
	hashes, err := m.load(ctx, graph, m.keys.State(graph), m.keys.Nodes(graph), m.keys.Edges(graph), m.keys.Viewport(graph),
		m.keys.Conflicts(graph))
	if err != nil {
		return nil, err
	}
	checkpoint, err := hashes[0].checkpoint(graph)
	if err != nil {
		return nil, err
	}
	loaded := projection.NewGraph(graph)
	for i, kind := range []projection.Kind{projection.Node, projection.Edge} {
		for id, value := range hashes[i+1].all {
			if err := loaded.Load(kind, id, value); err != nil {
				return nil, fmt.Errorf("%w: %w", projection.ErrChecksum, err)
			}
		}
	}
	if viewport := hashes[3].object(); viewport != nil {
		if err := loaded.Load(projection.Viewport, projection.ViewportID, viewport); err != nil {
			return nil, fmt.Errorf("%w: %w", projection.ErrChecksum, err)
		}
	}
	if loaded.Checksum != checkpoint.Checksum {
		return nil, fmt.Errorf("load %q: %w: the entities have %s, the checkpoint says %s", graph, projection.ErrChecksum,
			loaded.Checksum, checkpoint.Checksum)
	}
	loaded.Position = checkpoint.Position
	loaded.LastModified, loaded.LastOperationID = checkpoint.LastModified, checkpoint.LastOperationID
	loaded.Policy, loaded.Conflicts = checkpoint.Policy, projection.NewConflictLog(hashes[4].all)
	return loaded, nil
}

// load reads hashes of one graph at one moment.
func (m *Models) load(ctx context.Context, graph string, keys ...string) ([]hash, error) {
	hashes, err := m.loadTogether(ctx, graph, keys...)
	if split(err) {
		return m.loadApart(ctx, graph, keys)
	}
	return hashes, err
}

func (m *Models) loadTogether(ctx context.Context, graph string, keys ...string) ([]hash, error) {
	ctx, cancel := m.deadline(ctx)
	defer cancel()
	contents, err := loadScript.Exec(ctx, m.client, keys, nil).ToArray()
	if err != nil {
		return nil, failed(err, "load", graph)
	}
	hashes := make([]hash, len(contents))
	for i := range contents {
		if hashes[i], err = contents[i].ToArray(); err != nil {
			return nil, failed(err, "load", graph)
		}
	}
	return hashes, nil
}

// hash is the content of a Redis hash: fields and values in turn.
type hash []rueidis.RedisMessage

// all yields the fields and their values, which may be kept and must not be written to.
func (h hash) all(yield func(string, jsontext.Value) bool) {
	for i := 0; i+1 < len(h); i += 2 {
		field, _ := h[i].ToString()
		value, _ := h[i+1].AsBytes()
		if !yield(field, value) {
			return
		}
	}
}

func (h hash) checkpoint(graph string) (projection.Checkpoint, error) {
	text := make([]string, len(stateFields))
	for field, value := range h.all {
		if i := slices.Index(stateFields, field); i >= 0 {
			text[i] = string(value)
		}
	}
	return decodeCheckpoint(graph, text)
}

// object returns the canonical object whose members the hash holds, nil if there are none.
func (h hash) object() jsontext.Value {
	if len(h) == 0 {
		return nil
	}
	type member struct{ name, value []byte }
	var members []member
	for name, value := range h.all {
		members = append(members, member{[]byte(name), value})
	}
	slices.SortFunc(members, func(a, b member) int { return projection.CompareNames(a.name, b.name) })
	object := []byte{'{'}
	for i, member := range members {
		if i > 0 {
			object = append(object, ',')
		}
		object = append(append(append(object, '"'), member.name...), '"', ':')
		object = append(object, member.value...)
	}
	return append(object, '}')
}
