package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"graphy/cmd/graphy/graphfile"
)

const (
	maxOperations = 1000 // the API's limit for a batch
	// chunkBytes bounds a batch's body: half of the API's limit, so that the event made of it, which holds the
	// same entities and more, passes to every subscriber in one frame.
	chunkBytes = 512 << 10
)

// operation is one command of a batch and the entity that it is about.
type operation struct {
	kind   string // "node", "edge" or "viewport"
	entity graphfile.Object
	body   jsontext.Value
}

// chunk is what goes into the graph by one atomic batch: one event, one version.
type chunk []operation

// plan divides a document into chunks of at most size operations, nodes before edges, so that every edge finds its
// ends. The same document and size give the same chunks.
func plan(doc *graphfile.Document, size int) []chunk {
	operations := make([]operation, 0, len(doc.Nodes)+len(doc.Edges)+1)
	for _, node := range doc.Nodes {
		operations = append(operations, newOperation("node", "CREATE_NODE", node))
	}
	for _, edge := range doc.Edges {
		operations = append(operations, newOperation("edge", "CREATE_EDGE", edge))
	}
	if doc.Viewport != nil {
		operations = append(operations, newOperation("viewport", "UPDATE_VIEWPORT", doc.Viewport))
	}
	var chunks []chunk
	var current chunk
	bytes := 0
	for _, op := range operations {
		if len(current) > 0 && (len(current) == size || bytes+len(op.body) > chunkBytes) {
			chunks = append(chunks, current)
			current, bytes = nil, 0
		}
		current = append(current, op)
		bytes += len(op.body) + 1
	}
	if len(current) > 0 {
		chunks = append(chunks, current)
	}
	return chunks
}

func newOperation(kind, command string, entity graphfile.Object) operation {
	body := struct {
		Type    string           `json:"type"`
		Payload graphfile.Object `json:"payload"`
	}{command, entity}
	encoded, err := json.Marshal(body, json.Deterministic(true))
	if err != nil {
		encoded = []byte("null") // a Document holds valid JSON only; the server would refuse this
	}
	return operation{kind, entity, exponents(encoded)}
}

// body returns the batch's body. Its operation id is made of the run and of all that the batch holds: whoever sends
// the same again, whenever, gets the first outcome.
func (c chunk) body(run string) []byte {
	sum := sha256.New()
	fmt.Fprintf(sum, "%d %s", len(run), run)
	var operations strings.Builder
	for i, op := range c {
		if i > 0 {
			operations.WriteByte(',')
		}
		operations.Write(op.body)
	}
	sum.Write([]byte(operations.String()))
	id := "import-" + hex.EncodeToString(sum.Sum(nil)[:16])
	return []byte(`{"operationId":"` + id + `","atomic":true,"operations":[` + operations.String() + `]}`)
}
