package transport

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/maypok86/otter/v2"
	"golang.org/x/sync/singleflight"

	"graphy/eventstore"
	"graphy/projection"
)

// loadLimit bounds a load that its first caller may have left.
const loadLimit = 10 * time.Second

// states hands out graphs' states as clients get them. Each version is loaded and encoded once, however many ask for
// it at the same time, and kept within a bound in bytes. What is handed out is never older than the read model's
// checkpoint when get was called: a kept state is checked against it each time.
type states struct {
	models projection.ReadModels
	kept   *otter.Cache[string, *encodedState]
	loads  singleflight.Group
}

// encodedState is the state of one graph at one version. It is read only and shared.
type encodedState struct {
	eventstore.Position
	JSON []byte // as in API.md, GET …/state
	ETag string

	compress sync.Once
	gzip     []byte
	deflated []byte // within gzip
}

func newStates(models projection.ReadModels, limit int) *states {
	return &states{models: models, kept: otter.Must(&otter.Options[string, *encodedState]{
		MaximumWeight: uint64(limit),
		Weigher: func(graph string, state *encodedState) uint32 {
			return uint32(min(len(graph)+len(state.JSON)+len(state.JSON)/4+256, 1<<31)) // a quarter for the compressed form
		},
	})}
}

// get returns the state of graph, and whether it was kept ready. An unknown graph is version 0, empty.
func (s *states) get(ctx context.Context, graph string) (state *encodedState, hit bool, err error) {
	checkpoint, err := s.models.Checkpoint(ctx, graph)
	if err != nil {
		return nil, false, err
	}
	return s.at(ctx, graph, checkpoint.Position)
}

// at is get for a caller who has asked for the checkpoint already.
func (s *states) at(ctx context.Context, graph string, checkpoint eventstore.Position) (*encodedState, bool, error) {
	if state, ok := s.kept.GetIfPresent(graph); ok && state.Position == checkpoint {
		return state, true, nil
	}
	// Only those who saw the same checkpoint share a load, so nobody is given a state older than theirs. The load goes
	// on without whoever began it.
	key := graph + "@" + strconv.FormatUint(uint64(checkpoint.Version), 10) + string(checkpoint.Hash)
	answer := s.loads.DoChan(key, func() (state any, err error) {
		defer func() {
			if cause := recover(); cause != nil { // on a goroutine of its own it would end the process
				err = fmt.Errorf("load the state of %q: panic: %v", graph, cause)
			}
		}()
		return s.load(context.WithoutCancel(ctx), graph)
	})
	select {
	case result := <-answer:
		if result.Err != nil {
			return nil, false, result.Err
		}
		return result.Val.(*encodedState), false, nil
	case <-ctx.Done():
		return nil, false, ctx.Err()
	}
}

func (s *states) load(ctx context.Context, graph string) (*encodedState, error) {
	ctx, cancel := context.WithTimeout(ctx, loadLimit)
	defer cancel()
	loaded, err := s.models.Load(ctx, graph)
	if err != nil {
		return nil, fmt.Errorf("load the state of %q: %w", graph, err)
	}
	state := encode(loaded)
	if state.Version > 0 {
		s.kept.Set(graph, state)
	}
	return state, nil
}

func encode(graph *projection.Graph) *encodedState {
	buffer := borrow()
	defer giveBack(buffer)
	buffer.bytes = graph.AppendState(buffer.bytes)
	return &encodedState{Position: graph.Position, JSON: bytes.Clone(buffer.bytes), ETag: entityTag(graph.Position)}
}

// past returns the state of graph at a position of its history, if it is kept. It has not changed since: a position
// stands for all events before it.
func (s *states) past(graph string, at eventstore.Position) (*encodedState, bool) {
	if state, ok := s.kept.GetIfPresent(graph); ok && state.Position == at {
		return state, true
	}
	return s.kept.GetIfPresent(pastKey(graph, at))
}

// keepPast returns what past returns of graph from now on.
func (s *states) keepPast(graph *projection.Graph) *encodedState {
	state := encode(graph)
	if state.Version > 0 {
		s.kept.Set(pastKey(graph.ID, state.Position), state)
	}
	return state
}

// pastKey is no graph's id, under which its current state is kept: ids have no slash.
func pastKey(graph string, at eventstore.Position) string {
	return graph + "/" + strconv.FormatUint(uint64(at.Version), 10) + "-" + string(at.Hash)
}

// forget drops the state that is kept of a graph that was deleted. Those of its past are not asked for any more.
func (s *states) forget(graph string) { s.kept.Invalidate(graph) }

// entityTag names the state at position. The position's hash stands for the whole history, so the tag of a graph
// that was deleted and begun anew is another one.
func entityTag(position eventstore.Position) string {
	return `"` + strconv.FormatUint(uint64(position.Version), 10) + "-" + string(position.Hash) + `"`
}

// Gzip returns the JSON, compressed once for all who ask.
func (e *encodedState) Gzip() []byte {
	e.compress.Do(func() {
		var out bytes.Buffer
		writer, _ := gzip.NewWriterLevel(&out, gzip.DefaultCompression) // fails for a level out of range alone
		_, _ = writer.Write(e.JSON)                                     // a bytes.Buffer takes everything
		_ = writer.Flush()
		flushed := out.Len()
		_ = writer.Close()
		e.gzip = out.Bytes()
		e.deflated = e.gzip[gzipHeader:flushed]
	})
	return e.gzip
}

// gzipHeader is the length of what gzip puts before the compressed bytes of a file without a name (RFC 1952, 2.3).
const gzipHeader = 10

// Deflated returns the JSON as DEFLATE blocks, none of them the final one, that end at a byte: out of the same bytes.
func (e *encodedState) Deflated() []byte {
	e.Gzip()
	return e.deflated
}
