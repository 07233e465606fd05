package memory

import (
	"reflect"
	"strconv"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"graphy/eventstore"
	"graphy/projection"
)

// Vandal is a projectiontest.Vandal of read models in memory.
type Vandal struct{ *Models }

// Field implements projectiontest.Vandal. It tells whether anything has changed.
func (v Vandal) Field(_ testing.TB, graph, hash, field, value string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	kept := v.graphs[graph]
	number, err := strconv.ParseInt(value, 10, 64)
	switch hash {
	case "nodes":
		return alter(kept.nodes, field, value)
	case "edges":
		return alter(kept.edges, field, value)
	case "conflicts":
		return alter(kept.conflicts, field, value)
	case "viewport":
		was := string(kept.viewport)
		kept.viewport = jsontext.Value(value)
		if value == "" {
			kept.viewport = nil
		}
		return was != value
	case "stats":
		if err == nil {
			kept.byType[field] = number
		}
		return err == nil
	}
	if err != nil && field != "hash" && field != "lastOperationId" {
		return false // a number is always one
	}
	before := kept.Checkpoint
	kept.Checkpoint = altered(before, field, value, number)
	return !reflect.DeepEqual(kept.Checkpoint, before)
}

func alter(values map[string]jsontext.Value, field, value string) bool {
	was, is := values[field]
	if value == "" {
		delete(values, field)
		return is
	}
	values[field] = jsontext.Value(value)
	return string(was) != value
}

func altered(c projection.Checkpoint, field, value string, number int64) projection.Checkpoint {
	switch field {
	case "version":
		c.Version = eventstore.Version(number)
	case "hash":
		c.Hash = eventstore.Hash(value)
	case "checksum":
		c.Checksum = projection.Checksum(number)
	case "lastModified":
		c.LastModified = number
	case "lastOperationId":
		c.LastOperationID = value
	case "nodes":
		c.Nodes = int(number)
	case "edges":
		c.Edges = int(number)
	}
	return c
}

// Member implements projectiontest.Vandal.
func (v Vandal) Member(_ testing.TB, graph, node, edge string, is bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	kept := v.graphs[graph]
	if kept.incident[node] == nil {
		kept.incident[node] = map[string]struct{}{}
	}
	if is {
		kept.incident[node][edge] = struct{}{}
	} else {
		delete(kept.incident[node], edge)
	}
}

// Retype implements projectiontest.Vandal: in memory there are no keys.
func (v Vandal) Retype(testing.TB, string, string) bool { return false }
