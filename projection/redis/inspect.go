package redis

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/redis/rueidis"

	"graphy/eventstore"
	"graphy/projection"
)

const (
	inspectParts = 3    // tries to read the incidence sets in parts
	inspectWhole = 10   // tries to read everything by one script
	setsAtOnce   = 1000 // incidence sets in one part
)

// Inspect implements projection.Workshop. What is read in parts is of one moment if the checkpoint has not moved in
// between. (A swap at the same version may have come in between: what it replaced by the same was not damaged, and what
// was damaged is reported as it was found.) If it moves too often, one script reads everything.
func (m *Models) Inspect(ctx context.Context, graph string, named []string) (*projection.Contents, error) {
	var ids []string
	for range inspectParts {
		found, err := m.inspectHashes(ctx, graph, nil)
		if err != nil {
			return nil, err
		}
		ids = found.allNodes(named)
		moved, err := m.inspectSets(ctx, found, ids)
		if err != nil {
			return nil, err
		}
		if !moved {
			return found.contents(), nil
		}
	}
	for range inspectWhole {
		found, err := m.inspectHashes(ctx, graph, ids)
		if err != nil {
			return nil, err
		}
		known := len(ids)
		if ids = found.allNodes(ids); len(ids) == known {
			return found.contents(), nil
		} // else some nodes were created since
	}
	return nil, fmt.Errorf("inspection of %q: %w again and again", graph, projection.ErrStale)
}

// inspection are contents in the making.
type inspection struct {
	projection.Contents
	graph string
	from  eventstore.Position // the checkpoint as it can be read
}

// inspectHashes reads all hashes, and the incidence sets of nodes, at one moment.
func (m *Models) inspectHashes(ctx context.Context, graph string, ids []string) (*inspection, error) {
	hashes := m.hashes(graph)
	read, err := m.read(ctx, graph, hashes, m.incidents(graph, ids))
	if err != nil {
		return nil, err
	}
	found := &inspection{graph: graph, from: read[state].position()}
	for i, name := range []string{"state", "nodes", "edges", "viewport", "conflicts", "stats"} {
		if damage := read[i].damage; damage != "" {
			found.damaged("%s: %s", name, damage)
		}
	}
	found.state(read[state])
	found.stats(read[stats])
	found.Nodes, found.Edges = maps.Collect(read[nodes].all), maps.Collect(read[edges].all)
	found.Viewport, found.Conflicts = read[viewport].object(), maps.Collect(read[conflicts].all)
	found.Incident = map[string][]string{}
	for i, node := range ids {
		set := read[len(hashes)+i]
		found.set(node, set.members(), set.damage)
	}
	return found, nil
}

// inspectSets reads the incidence sets of nodes, and tells whether the checkpoint has moved since the hashes were read.
func (m *Models) inspectSets(ctx context.Context, found *inspection, ids []string) (moved bool, err error) {
	for page := range slices.Chunk(ids, setsAtOnce) {
		read, err := m.readSets(ctx, found.graph, page)
		if err != nil {
			return false, err
		}
		for i, node := range page {
			found.set(node, read[i].members, read[i].damage)
		}
	}
	after, err := m.read(ctx, found.graph, []string{m.keys.State(found.graph)}, nil)
	if err != nil {
		return false, err
	}
	return after[0].position() != found.from, nil
}

// readSets reads incidence sets, one after the other but together, which takes Redis half as long as a script.
func (m *Models) readSets(ctx context.Context, graph string, nodes []string) ([]set, error) {
	ctx, cancel := m.deadline(ctx)
	defer cancel()
	commands := make(rueidis.Commands, len(nodes))
	for i, node := range nodes {
		commands[i] = m.client.B().Smembers().Key(m.keys.Incident(graph, node)).Build()
	}
	read := make([]set, len(nodes))
	for i, result := range m.client.DoMulti(ctx, commands...) {
		members, err := result.AsStrSlice()
		if err = failed(err, "inspect", graph); errors.Is(err, ErrDamaged) {
			read[i].damage = err.Error()
		} else if err != nil {
			return nil, err
		}
		slices.Sort(members)
		read[i].members = members
	}
	return read, nil
}

// set is what an incidence set holds, sorted.
type set struct {
	members []string
	damage  string // why it is none
}

func (m *Models) incidents(graph string, nodes []string) []string {
	keys := make([]string, len(nodes))
	for i, node := range nodes {
		keys[i] = m.keys.Incident(graph, node)
	}
	return keys
}

// set takes the incidence set of a node in.
func (i *inspection) set(node string, members []string, damage string) {
	switch {
	case damage != "":
		i.damaged("incident:%s: %s", node, damage)
	case len(members) > 0:
		i.Incident[node] = members
	}
}

// allNodes returns the ids of the nodes there are and of those named, sorted.
func (i *inspection) allNodes(named []string) []string {
	ids := slices.AppendSeq(slices.Clone(named), maps.Keys(i.Nodes))
	slices.Sort(ids)
	return slices.Compact(ids)
}

func (i *inspection) contents() *projection.Contents {
	slices.Sort(i.Damage)
	return &i.Contents
}
