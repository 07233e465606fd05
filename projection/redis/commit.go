package redis

import (
	"context"
	"fmt"
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
		if old, err = m.incidentKeys(ctx, graph, from); err != nil {
			return err
		}
	}
	ctx, cancel := m.deadline(ctx)
	defer cancel()
	keys, args := m.encodeCommit(graph, from, update, old)
	answer, err := commitScript.Exec(ctx, m.client, keys, args).AsInt64()
	switch {
	case err != nil:
		return failed(err, "commit", graph)
	case answer == 0:
		return fmt.Errorf("commit of %q from version %d: %w", graph, from.Version, projection.ErrStale)
	case answer < 0:
		return fmt.Errorf("commit of %q to version %d, which is not in the log: %w", graph, update.To.Version, projection.ErrStale)
	}
	return nil
}

// incidentKeys returns the keys of the incidence sets of a graph whose read models stand at from. It fails with
// ErrStale if they do not.
func (m *Models) incidentKeys(ctx context.Context, graph string, from eventstore.Position) ([]string, error) {
	hashes, err := m.load(ctx, graph, m.keys.State(graph), m.keys.Nodes(graph))
	if err != nil {
		return nil, err
	}
	checkpoint, err := hashes[0].checkpoint(graph)
	if err != nil {
		return nil, err
	}
	if checkpoint.Position != from {
		return nil, fmt.Errorf("read models of %q are at version %d, want %d: %w", graph, checkpoint.Version, from.Version, projection.ErrStale)
	}
	keys := make([]string, 0, len(hashes[1])/2)
	for id := range hashes[1].all {
		keys = append(keys, m.keys.Incident(graph, id))
	}
	return keys, nil
}

// encodeCommit returns what commit.lua takes; old are the keys of sets to remove first.
func (m *Models) encodeCommit(graph string, from eventstore.Position, update *projection.Update, old []string) (keys, args []string) {
	keys = append(make([]string, 0, 6+len(update.Link)+len(update.Unlink)+len(old)),
		m.keys.State(graph), m.keys.Events(graph), m.keys.Nodes(graph), m.keys.Edges(graph),
		m.keys.Viewport(graph), m.keys.Stats(graph))
	a := arguments{list: make([]string, 0, 48+2*len(update.Nodes)+2*len(update.Edges))}
	a.add(version(from.Version), string(from.Hash), version(update.To.Version), string(update.To.Hash))
	a.add(flag(update.Reset), flag(update.Viewport != nil))

	sets := 0
	countAt := len(a.list)
	a.add("")
	a.counted(func() { a.add(encodeCheckpoint(&update.To)...) })
	a.entities(update.Nodes)
	a.entities(update.Edges)
	a.counted(func() {
		for name, value := range projection.Members(update.Viewport) {
			a.add(rueidis.BinaryString(name), rueidis.BinaryString(value))
		}
	})
	a.counted(func() {
		for name, count := range update.ByType {
			a.add(typeField+name, strconv.FormatInt(count, 10))
		}
		if update.Completed != 0 {
			a.add(completedField, strconv.Itoa(update.Completed))
		}
	})
	set := func(node string) {
		keys = append(keys, m.keys.Incident(graph, node))
		a.counted(func() { a.add(update.Link[node]...) })
		a.counted(func() { a.add(update.Unlink[node]...) })
		sets++
	}
	for node := range update.Link {
		set(node)
	}
	for node := range update.Unlink {
		if _, done := update.Link[node]; !done {
			set(node)
		}
	}
	a.list[countAt] = strconv.Itoa(sets)
	return append(keys, old...), a.list
}

// arguments are those of a script, some of them lists with their length in front.
type arguments struct{ list []string }

func (a *arguments) add(arguments ...string) { a.list = append(a.list, arguments...) }

// counted puts in front of what add appends how much it is.
func (a *arguments) counted(add func()) {
	start := len(a.list)
	a.add("0")
	add()
	if count := len(a.list) - start - 1; count > 0 {
		a.list[start] = strconv.Itoa(count)
	}
}

// entities adds two lists: ids and new values, and ids to remove.
func (a *arguments) entities(values map[string]jsontext.Value) {
	a.counted(func() {
		for id, value := range values {
			if value != nil {
				a.add(id, rueidis.BinaryString(value))
			}
		}
	})
	a.counted(func() {
		for id, value := range values {
			if value == nil {
				a.add(id)
			}
		}
	})
}

func flag(set bool) string {
	if set {
		return "1"
	}
	return "0"
}
