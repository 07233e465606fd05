package redis

import (
	"context"
	"fmt"
	"maps"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/redis/rueidis"

	"graphy/eventstore"
	"graphy/projection"
)

// Commit implements projection.ReadModels.
func (m *Models) Commit(ctx context.Context, graph string, from eventstore.Position, update *projection.Update) error {
	var old []string
	if update.Reset {
		var err error
		if old, err = m.incidentKeys(ctx, graph, from, update.Nodes); err != nil {
			return err
		}
	}
	ctx, cancel := m.deadline(ctx)
	defer cancel()
	keys, args := m.encodeCommit(graph, from, update, old)
	answer, err := commitScript.Exec(ctx, m.client, keys, args).AsInt64()
	switch {
	case err != nil:
		return commitFailed(err, graph)
	case answer == 0:
		return fmt.Errorf("commit of %q from version %d: %w", graph, from.Version, projection.ErrStale)
	case answer < 0:
		return fmt.Errorf("commit of %q to version %d, which is not in the log: %w", graph, update.To.Version, projection.ErrStale)
	}
	return nil
}

// incidentKeys returns the keys of the incidence sets of a graph whose read models stand at from; where its nodes cannot be
// read, those of others. It fails with ErrStale if the read models are elsewhere.
func (m *Models) incidentKeys(ctx context.Context, graph string, from eventstore.Position, others map[string]jsontext.Value) ([]string, error) {
	read, err := m.read(ctx, graph, m.hashes(graph)[state:nodes+1], nil)
	if err != nil {
		return nil, err
	}
	if at := read[state].position(); at != from {
		return nil, fmt.Errorf("read models of %q are at version %d, want %d: %w", graph, at.Version, from.Version, projection.ErrStale)
	}
	known := maps.All(others)
	if read[nodes].damage == "" {
		known = read[nodes].all
	}
	var keys []string
	for id := range known {
		keys = append(keys, m.keys.Incident(graph, id))
	}
	return keys, nil
}

// encodeCommit returns what commit.lua takes; old are the keys of sets to remove first.
func (m *Models) encodeCommit(graph string, from eventstore.Position, update *projection.Update, old []string) (keys, args []string) {
	w := writes{
		keys: make([]string, 0, 8+len(update.Link)+len(update.Unlink)+len(old)),
		args: make([]string, 0, 32+2*len(update.Nodes)+2*len(update.Edges)),
	}
	w.keys = append(w.keys, m.keys.State(graph), m.keys.Events(graph))
	w.args = append(append(w.args, version(from.Version), string(from.Hash)), stateValues(&update.To)...)
	if update.Reset {
		for _, key := range append(old, m.keys.State(graph), m.keys.Nodes(graph), m.keys.Edges(graph),
			m.keys.Conflicts(graph), m.keys.Stats(graph)) {
			w.write("DEL", key)
		}
	}
	m.encodeUpdate(&w, graph, update)
	if update.Reset || update.Viewport != nil { // keys are removed and then written to
		w.keys = append(w.keys, m.keys.Absent(graph))
	}
	return w.keys, w.args
}

// encodeUpdate adds the writes of an update, without its checkpoint.
func (m *Models) encodeUpdate(w *writes, graph string, update *projection.Update) {
	w.entities(m.keys.Nodes(graph), update.Nodes)
	w.entities(m.keys.Edges(graph), update.Edges)
	w.entities(m.keys.Conflicts(graph), update.Conflicts)
	if update.Reset || update.Viewport != nil {
		w.write("DEL", m.keys.Viewport(graph))
	}
	if update.Viewport.Kind() == '{' {
		w.members(m.keys.Viewport(graph), update.Viewport)
	}
	for node, edges := range update.Link {
		w.write("SADD", m.keys.Incident(graph, node), edges...)
	}
	for node, edges := range update.Unlink {
		w.write("SREM", m.keys.Incident(graph, node), edges...)
	}
	// Counts come last: what can be repeated without harm may fail before them, where a key is of a wrong type.
	for name, count := range update.ByType {
		w.write("HINCRBY", m.keys.Stats(graph), typeField+name, strconv.FormatInt(count, 10))
	}
	if update.Completed != 0 {
		w.write("HINCRBY", m.keys.Stats(graph), completedField, strconv.Itoa(update.Completed))
	}
}

// entities writes new values into a hash, and removes those that are gone.
func (w *writes) entities(key string, values map[string]jsontext.Value) {
	gone := 0
	w.begin("HSET", key)
	for id, value := range values {
		if value == nil {
			gone++
			continue
		}
		w.add(id, rueidis.BinaryString(value))
	}
	w.end()
	if gone == 0 {
		return
	}
	w.begin("HDEL", key)
	for id, value := range values {
		if value == nil {
			w.add(id)
		}
	}
	w.end()
}

// members writes the members of an object into a hash.
func (w *writes) members(key string, object jsontext.Value) {
	w.begin("HSET", key)
	for name, value := range projection.Members(object) {
		w.add(rueidis.BinaryString(name), rueidis.BinaryString(value))
	}
	w.end()
}

// stateValues are the arguments that commit.lua and swap.lua write into a state hash: version, hash and so on.
func stateValues(to *projection.Checkpoint) []string {
	return []string{version(to.Version), string(to.Hash), to.Checksum.String(), strconv.FormatInt(to.LastModified, 10),
		to.LastOperationID, strconv.Itoa(to.Nodes), strconv.Itoa(to.Edges), rueidis.BinaryString(to.Policy)}
}
