package redis

import (
	"context"
	"errors"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/redis/rueidis"

	"graphy/projection"
)

// While a slot of a cluster moves, no script can read several of its keys unless all are on one side, and those that do not
// exist are on none. Nor can one write, so commits wait; but reads go on, key by key.

// split tells whether err says so.
func split(err error) bool {
	answer, ok := errors.AsType[*rueidis.RedisError](err)
	return ok && answer.IsTryAgain()
}

// loadApart is load, key by key, and again if the checkpoint has moved in between.
func (m *Models) loadApart(ctx context.Context, graph string, keys []string) ([]hash, error) {
	for {
		before, err := m.Checkpoint(ctx, graph)
		if err != nil {
			return nil, err
		}
		hashes := make([]hash, len(keys))
		for i, key := range keys {
			one, err := m.loadTogether(ctx, graph, key)
			if err != nil {
				return nil, err
			}
			hashes[i] = one[0]
		}
		after, err := m.Checkpoint(ctx, graph)
		if err != nil {
			return nil, err
		}
		if before.Position == after.Position {
			return hashes, nil
		}
	}
}

// incidentApart is Incident from the edges themselves.
func (m *Models) incidentApart(ctx context.Context, graph, node string) (edges []jsontext.Value, found bool, err error) {
	hashes, err := m.load(ctx, graph, m.keys.Nodes(graph), m.keys.Edges(graph))
	if err != nil {
		return nil, false, err
	}
	for id := range hashes[0].all {
		found = found || id == node
	}
	if !found {
		return nil, false, nil
	}
	for _, edge := range sorted(hashes[1], strings.Compare) {
		if end(edge, "source") == node || end(edge, "target") == node {
			edges = append(edges, edge)
		}
	}
	return edges, true, nil
}

func end(edge jsontext.Value, name string) string {
	return projection.Text(projection.Member(edge, name))
}
