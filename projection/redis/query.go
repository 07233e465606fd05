package redis

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/redis/rueidis"

	"graphy/projection"
)

// Entity implements projection.ReadModels.
func (m *Models) Entity(ctx context.Context, graph string, kind projection.Kind, id string) (jsontext.Value, error) {
	if kind == projection.Viewport {
		hashes, err := m.load(ctx, graph, m.keys.Viewport(graph))
		if err != nil {
			return nil, err
		}
		return hashes[0].object(), nil
	}
	ctx, cancel := m.deadline(ctx)
	defer cancel()
	value, err := m.client.Do(ctx, m.client.B().Hget().Key(m.entities(graph, kind)).Field(id).Build()).AsBytes()
	if rueidis.IsRedisNil(err) {
		return nil, nil
	}
	return value, failed(err, "read "+string(kind), graph)
}

// Entities implements projection.ReadModels.
func (m *Models) Entities(ctx context.Context, graph string, kind projection.Kind) ([]jsontext.Value, error) {
	hashes, err := m.load(ctx, graph, m.entities(graph, kind))
	if err != nil {
		return nil, err
	}
	return sorted(hashes[0], strings.Compare), nil
}

// Incident implements projection.ReadModels.
func (m *Models) Incident(ctx context.Context, graph, node string) (edges []jsontext.Value, found bool, err error) {
	call, cancel := m.deadline(ctx)
	defer cancel()
	keys := []string{m.keys.Nodes(graph), m.keys.Incident(graph, node), m.keys.Edges(graph)}
	answer, err := incidentScript.Exec(call, m.client, keys, []string{node}).ToArray()
	if split(err) {
		return m.incidentApart(ctx, graph, node)
	}
	if err != nil {
		return nil, false, failed(err, "edges at a node", graph)
	}
	if len(answer) == 0 {
		return nil, false, nil
	}
	if found, _ := answer[0].AsInt64(); found == 0 {
		return nil, false, nil
	}
	return sorted(content{items: answer[1:]}, strings.Compare), true, nil
}

// Conflicts implements projection.ReadModels.
func (m *Models) Conflicts(ctx context.Context, graph string) ([]jsontext.Value, error) {
	hashes, err := m.load(ctx, graph, m.keys.Conflicts(graph))
	if err != nil {
		return nil, err
	}
	return sorted(hashes[0], projection.CompareConflicts), nil
}

// Stats implements projection.ReadModels.
func (m *Models) Stats(ctx context.Context, graph string) (projection.Stats, error) {
	hashes, err := m.load(ctx, graph, m.keys.State(graph), m.keys.Stats(graph))
	if err != nil {
		return projection.Stats{}, err
	}
	var stats projection.Stats
	if stats.Checkpoint, err = hashes[0].checkpoint(graph); err != nil {
		return projection.Stats{}, err
	}
	if stats.ByType, stats.Completed, err = hashes[1].stats(graph); err != nil {
		return projection.Stats{}, err
	}
	for _, events := range stats.ByType {
		stats.Events += events
	}
	return stats, nil
}

// The fields of a stats hash: completed nodes, and events by command type.
const (
	completedField = "completed"
	typeField      = "type:"
)

func (m *Models) entities(graph string, kind projection.Kind) string {
	switch kind {
	case projection.Edge:
		return m.keys.Edges(graph)
	case projection.Viewport:
		return m.keys.Viewport(graph)
	}
	return m.keys.Nodes(graph)
}

// sorted returns the values in the order that compare gives to their ids.
func sorted(c content, compare func(a, b string) int) []jsontext.Value {
	byID := make(map[string]jsontext.Value, len(c.items)/2)
	for id, value := range c.all {
		byID[id] = value
	}
	values := make([]jsontext.Value, 0, len(byID))
	for _, id := range slices.SortedFunc(maps.Keys(byID), compare) {
		values = append(values, byID[id])
	}
	return values
}
