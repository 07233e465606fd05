package redis

import (
	"context"
	"errors"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/redis/rueidis"
	"golang.org/x/sync/errgroup"

	"graphy/projection"
)

// While a slot of a cluster moves, no script can read several of its keys unless all are on one side, and those that do not
// exist are on none. Nor can one write, so commits wait; but reads go on, key by key.

// split tells whether err says so.
func split(err error) bool {
	answer, ok := errors.AsType[*rueidis.RedisError](err)
	return ok && answer.IsTryAgain()
}

// readersApart is how many keys are read at once.
const readersApart = 16

// readApart is read, key by key, and again if the checkpoint has moved in between.
func (m *Models) readApart(ctx context.Context, graph string, hashes, sets []string) ([]content, error) {
	for {
		before, err := m.readTogether(ctx, graph, []string{m.keys.State(graph)}, nil)
		if err != nil {
			return nil, err
		}
		read, err := m.readEach(ctx, graph, hashes, sets)
		if err != nil {
			return nil, err
		}
		after, err := m.readTogether(ctx, graph, []string{m.keys.State(graph)}, nil)
		if err != nil {
			return nil, err
		}
		if before[0].position() == after[0].position() {
			return read, nil
		}
	}
}

func (m *Models) readEach(ctx context.Context, graph string, hashes, sets []string) ([]content, error) {
	read := make([]content, len(hashes)+len(sets))
	readers, ctx := errgroup.WithContext(ctx)
	readers.SetLimit(readersApart)
	for i := range read {
		var hash, set []string
		if i < len(hashes) {
			hash = hashes[i : i+1]
		} else {
			set = sets[i-len(hashes):][:1]
		}
		readers.Go(func() error {
			one, err := m.readTogether(ctx, graph, hash, set)
			if err == nil {
				read[i] = one[0]
			}
			return err
		})
	}
	return read, readers.Wait()
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
