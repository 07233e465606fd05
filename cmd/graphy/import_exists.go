package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"graphy/cmd/graphy/graphfile"
)

// storedGraph is what the graph held when it was last asked.
type storedGraph struct{ nodes, edges map[string]graphfile.Object }

// sendMissing sends those of a refused chunk that the graph lacks. What it has with the same content counts as
// imported: another run, or one with batches of another size, has brought it. Other content under the same id is
// an error.
func (im *importer) sendMissing(ctx context.Context, whole chunk, wait bool, refusal error) error {
	fresh := false // whether the graph was asked after the refusal
	for attempt := 0; ; attempt++ {
		if im.stored == nil {
			if err := im.fetchStored(ctx); err != nil {
				return err
			}
			fresh = true
		}
		missing, present, different := im.compare(whole)
		if len(different) > 0 {
			return differing(different)
		}
		if len(present) > 0 {
			im.existing.add(present)
			im.progress.add(len(present))
			if len(missing) == 0 {
				return nil
			}
			return im.send(ctx, missing, wait)
		}
		im.stored = nil
		if !fresh {
			continue
		}
		if attempt == 8 {
			return fmt.Errorf("the graph cannot be read up to its newest version: %w", refusal)
		}
		if err := im.retrier.wait(ctx, firstDelay<<min(attempt, 5)); err != nil { // the read model is behind
			return err
		}
	}
}

func (im *importer) fetchStored(ctx context.Context) error {
	var state graphState
	path := "/state"
	if im.version > 0 {
		path = fmt.Sprintf("/state?minVersion=%d&timeout=10000", im.version)
	}
	if err := im.retrier.do(ctx, func() error { return im.client.get(ctx, path, &state) }); err != nil {
		return err
	}
	im.stored = &storedGraph{byID(state.Nodes), byID(state.Edges)}
	return nil
}

func byID(entities []graphfile.Object) map[string]graphfile.Object {
	indexed := make(map[string]graphfile.Object, len(entities))
	for _, entity := range entities {
		indexed[entity.ID()] = entity
	}
	return indexed
}

// compare divides a chunk into what the graph lacks, what it has, and what it has with other content.
func (im *importer) compare(whole chunk) (missing, present, different chunk) {
	for _, op := range whole {
		stored := im.stored.nodes
		if op.kind == "edge" {
			stored = im.stored.edges
		}
		switch found, ok := stored[op.entity.ID()]; {
		case op.kind == "viewport" || !ok:
			missing = append(missing, op)
		case sameContent(op.entity, found):
			present = append(present, op)
		default:
			different = append(different, op)
		}
	}
	return missing, present, different
}

// sameContent compares but for what the server sets.
func sameContent(ours, theirs graphfile.Object) bool {
	plain := make(graphfile.Object, len(theirs))
	for name, value := range theirs {
		if name != "createdAt" && name != "updatedAt" {
			plain[name] = value
		}
	}
	if len(plain) != len(ours) {
		return false
	}
	a, errA := canonicalJSON(ours)
	b, errB := canonicalJSON(plain)
	return errA == nil && errB == nil && a == b
}

func canonicalJSON(object graphfile.Object) (string, error) {
	encoded, err := json.Marshal(object)
	if err != nil {
		return "", err
	}
	value := jsontext.Value(encoded)
	err = value.Canonicalize()
	return string(value), err
}

func differing(different chunk) error {
	const listed = 5
	var names []string
	for _, op := range different[:min(listed, len(different))] {
		names = append(names, fmt.Sprintf("%s %q", op.kind, op.entity.ID()))
	}
	text := strings.Join(names, ", ")
	if more := len(different) - listed; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return errors.New("the graph already has, with other content: " + text + "; import into another graph, or delete them first")
}
