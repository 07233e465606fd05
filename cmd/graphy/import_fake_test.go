package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"graphy/cmd/graphy/graphfile"
)

// fakeAPI is the part of the API that import and export use, for one graph, as strict as the contract.
type fakeAPI struct {
	*httptest.Server
	t testing.TB
	// fault is asked with the number of each batch request, from 1; nil: no faults.
	fault func(n int) fault

	mu         sync.Mutex
	requests   int
	version    uint64
	nodes      map[string]graphfile.Object
	edges      map[string]graphfile.Object
	viewport   graphfile.Object
	operations map[string]outcome
	maxOps     int
	lag        int // so many reads of the stats are at the version before
	headers    []http.Header
}

type outcome struct {
	version uint64
	request string
}

// fault is what goes wrong with one request.
type fault int

const (
	none        fault = iota
	busy              // 429, nothing is accepted
	unavailable       // 503, nothing is accepted
	cutBefore         // the connection ends, nothing is accepted
	cutAfter          // the connection ends, all is accepted
	unknown           // 504, all is accepted
)

func newFakeAPI(t testing.TB) *fakeAPI {
	api := &fakeAPI{t: t, nodes: map[string]graphfile.Object{}, edges: map[string]graphfile.Object{},
		operations: map[string]outcome{}, maxOps: maxOperations}
	api.Server = httptest.NewServer(api)
	t.Cleanup(api.Close)
	return api
}

func (a *fakeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.headers = append(a.headers, r.Header)
	switch r.Method + " " + r.URL.Path {
	case "POST /api/v2/graphs/g/batch":
		a.batch(w, r)
	case "GET /api/v2/graphs/g/stats":
		version := a.version
		if a.lag > 0 {
			a.lag--
			version--
		}
		reply(w, 200, map[string]any{"version": version, "nodes": len(a.nodes), "edges": len(a.edges), "progress": 0})
	case "GET /api/v2/graphs/g/state":
		state := map[string]any{"graphId": "g", "version": a.version, "nodes": values(a.nodes), "edges": values(a.edges),
			"viewport": map[string]int{"x": 0, "y": 0, "zoom": 1}}
		if a.viewport != nil {
			state["viewport"] = a.viewport
		}
		reply(w, 200, state)
	default:
		problem(w, 404, "not-found", "")
	}
}

func (a *fakeAPI) batch(w http.ResponseWriter, r *http.Request) {
	a.requests++
	failure := none
	if a.fault != nil {
		failure = a.fault(a.requests)
	}
	switch failure {
	case busy, unavailable:
		w.Header().Set("Retry-After", "3")
		problem(w, map[fault]int{busy: 429, unavailable: 503}[failure], "try-later", "")
		return
	case cutBefore:
		panic(http.ErrAbortHandler)
	}
	recorded := httptest.NewRecorder()
	a.accept(recorded, r)
	switch failure {
	case cutAfter:
		panic(http.ErrAbortHandler)
	case unknown:
		problem(w, 504, "outcome-unknown", "")
		return
	}
	for name, value := range recorded.Header() {
		w.Header()[name] = value
	}
	w.WriteHeader(recorded.Code)
	_, _ = w.Write(recorded.Body.Bytes())
}

func (a *fakeAPI) accept(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil || len(body) > 1<<20 {
		problem(w, 413, "too-large", "")
		return
	}
	var batch struct {
		OperationID string `json:"operationId"`
		Atomic      bool   `json:"atomic"`
		Operations  []struct {
			Type    string           `json:"type"`
			Payload graphfile.Object `json:"payload"`
		} `json:"operations"`
	}
	if err := json.Unmarshal(body, &batch, json.RejectUnknownMembers(true)); err != nil {
		a.t.Errorf("the batch %.300s is not in the contract: %v", body, err)
		problem(w, 400, "malformed-json", "")
		return
	}
	if r.Header.Get("Content-Type") != "application/json" || !batch.Atomic || !graphfile.ValidID(batch.OperationID) {
		a.t.Errorf("content type %q, atomic %v, operation id %q", r.Header.Get("Content-Type"), batch.Atomic, batch.OperationID)
	}
	if len(batch.Operations) == 0 || len(batch.Operations) > a.maxOps {
		problem(w, 413, "too-large", "")
		return
	}
	operations := fmt.Sprint(batch.Operations)
	if done, ok := a.operations[batch.OperationID]; ok {
		if done.request != operations {
			a.t.Errorf("operation id %s is used for two requests", batch.OperationID)
			problem(w, 422, "operation-id-reused", "")
			return
		}
		reply(w, 202, map[string]any{"accepted": true, "operationId": batch.OperationID, "version": done.version, "duplicate": true})
		return
	}
	nodes, edges := map[string]graphfile.Object{}, map[string]graphfile.Object{}
	for i, op := range batch.Operations {
		pointer, id := "/operations/"+strconv.Itoa(i)+"/payload", op.Payload.ID()
		exists := func(name string) bool {
			end, _ := op.Payload.Text(name)
			return a.nodes[end] != nil || nodes[end] != nil
		}
		switch {
		case op.Type == "CREATE_NODE" && a.nodes[id] == nil && nodes[id] == nil:
			nodes[id] = stamped(op.Payload)
		case op.Type == "CREATE_EDGE" && !(exists("source") && exists("target")):
			problem(w, 422, "node-not-found", pointer+"/source")
			return
		case op.Type == "CREATE_EDGE" && a.edges[id] == nil && edges[id] == nil:
			edges[id] = stamped(op.Payload)
		case op.Type == "UPDATE_VIEWPORT":
			a.viewport = op.Payload
		default:
			problem(w, 409, "already-exists", pointer+"/id")
			return
		}
	}
	a.version++
	a.operations[batch.OperationID] = outcome{a.version, operations}
	for id, node := range nodes {
		a.nodes[id] = node
	}
	for id, edge := range edges {
		a.edges[id] = edge
	}
	reply(w, 202, map[string]any{"accepted": true, "operationId": batch.OperationID, "version": a.version, "status": "processing"})
}

func stamped(entity graphfile.Object) graphfile.Object {
	entity["createdAt"], entity["updatedAt"] = jsontext.Value("1"), jsontext.Value("1")
	return entity
}

func values(entities map[string]graphfile.Object) []graphfile.Object {
	list := []graphfile.Object{}
	for _, entity := range entities {
		list = append(list, entity)
	}
	return list
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.MarshalWrite(w, body)
}

func problem(w http.ResponseWriter, status int, code, pointer string) {
	body := map[string]any{"type": "/problems/" + code, "title": strings.ReplaceAll(code, "-", " "), "status": status, "code": code}
	if pointer != "" {
		body["errors"] = []map[string]string{{"pointer": pointer, "detail": "it is so"}}
	}
	encoded, _ := json.Marshal(body)
	w.Header().Set("Content-Type", "application/problem+json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(encoded)
}
