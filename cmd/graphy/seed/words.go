package seed

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

var (
	kinds      = []string{"task", "idea", "note", "person", "question"}
	statuses   = []string{"todo", "doing", "done"}
	tags       = []string{"design", "backend", "research", "customer", "risk", "release"}
	labels     = []string{"needs", "follows", "is part of", "asks", "speaks against", "speaks for"}
	verbs      = []string{"Draw", "Check", "Plan", "Explain", "Measure", "Build", "Test", "Sort out"}
	adjectives = []string{"new", "shared", "slow", "first", "missing", "quiet", "open", "simple"}
	things     = []string{"map", "door", "engine", "index", "garden", "bridge", "story", "budget"}
	firsts     = []string{"Now:", "Later:", "Really:", "Please:"}
	lasts      = []string{"today", "together", "again", "in time"}
)

type object map[string]any

// encode returns a value of our own making as JSON.
func encode(value any) jsontext.Value {
	if value == nil {
		return nil
	}
	encoded, err := json.Marshal(value, json.Deterministic(true))
	if err != nil {
		panic(err) // objects, lists, texts and numbers have a form
	}
	return encoded
}
