package redis

import (
	"context"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/redis/rueidis"

	"graphy/eventstore"
	"graphy/projection"
)

// stateFields are the fields of a state hash that make up a Checkpoint, in the order that decodeCheckpoint takes
// their values; commit.lua writes them (policy where there is one), stall.lua stalled. There is one more, letter: the version of the graph's
// last dead letter.
var stateFields = []string{"version", "hash", "checksum", "lastModified", "lastOperationId", "nodes", "edges", "stalled", "policy"}

// Checkpoint implements projection.ReadModels.
func (m *Models) Checkpoint(ctx context.Context, graph string) (projection.Checkpoint, error) {
	ctx, cancel := m.deadline(ctx)
	defer cancel()
	return m.decodeState(graph, m.client.Do(ctx, m.readState(graph)))
}

// Checkpoints implements projection.ReadModels.
func (m *Models) Checkpoints(ctx context.Context, graphs []string) ([]projection.Checkpoint, error) {
	if len(graphs) == 0 {
		return nil, nil
	}
	ctx, cancel := m.deadline(ctx)
	defer cancel()
	commands := make(rueidis.Commands, len(graphs))
	for i, graph := range graphs {
		commands[i] = m.readState(graph)
	}
	checkpoints := make([]projection.Checkpoint, len(graphs))
	for i, result := range m.client.DoMulti(ctx, commands...) {
		checkpoint, err := m.decodeState(graphs[i], result)
		if err != nil {
			return nil, err
		}
		checkpoints[i] = checkpoint
	}
	return checkpoints, nil
}

func (m *Models) readState(graph string) rueidis.Completed {
	return m.client.B().Hmget().Key(m.keys.State(graph)).Field(stateFields...).Build()
}

func (m *Models) decodeState(graph string, result rueidis.RedisResult) (projection.Checkpoint, error) {
	values, err := result.ToArray()
	if err != nil {
		return projection.Checkpoint{}, failed(err, "checkpoint", graph)
	}
	text := make([]string, len(stateFields))
	for i := range values {
		text[i], _ = values[i].ToString() // nil is ""
	}
	return decodeCheckpoint(graph, text)
}

// decodeCheckpoint decodes the values of stateFields, "" for absent ones.
func decodeCheckpoint(graph string, text []string) (checkpoint projection.Checkpoint, err error) {
	number := func(field int) uint64 {
		if text[field] == "" {
			return 0
		}
		number, failure := strconv.ParseUint(text[field], 10, 63)
		if failure != nil && err == nil {
			err = damaged(graph, "%s is %.64q", stateFields[field], text[field])
		}
		return number
	}
	checkpoint.Version = eventstore.Version(number(0))
	checkpoint.Hash = eventstore.Hash(text[1])
	if text[2] != "" {
		sum, failure := strconv.ParseUint(text[2], 16, 64)
		if failure != nil {
			err = damaged(graph, "checksum is %.64q", text[2])
		}
		checkpoint.Checksum = projection.Checksum(sum)
	}
	checkpoint.LastModified = int64(number(3))
	checkpoint.LastOperationID = text[4]
	checkpoint.Nodes, checkpoint.Edges = int(number(5)), int(number(6))
	checkpoint.Stalled = text[7]
	if text[8] != "" {
		checkpoint.Policy = jsontext.Value(text[8])
	}
	return checkpoint, err
}

func version(v eventstore.Version) string { return strconv.FormatUint(uint64(v), 10) }
