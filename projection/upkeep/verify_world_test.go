package upkeep_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"graphy/eventstore"
	"graphy/eventstore/memory"
	"graphy/projection"
	models "graphy/projection/memory"
	"graphy/projection/projectiontest"
	"graphy/projection/upkeep"
)

// log is what graphs are kept in: a log and its upkeep.
type log interface {
	eventstore.Log
	eventstore.Maintainer
}

// kept are read models and all that belongs to them.
type kept interface {
	projection.ReadModels
	projection.Workshop
	projection.Snapshots
	projection.DeadLetters
}

// world is what a Keeper works on.
type world struct {
	log    log
	models kept
	stores upkeep.Stores
	keeper *upkeep.Keeper
}

// inMemory returns an empty world. Change what is in stores, and call open.
func inMemory() *world {
	events := memory.New()
	w := &world{log: events, models: models.New(events)}
	return w.open()
}

func (w *world) open() *world {
	w.stores = upkeep.Stores{Log: w.log, Maintainer: w.log, Models: w.models, Workshop: w.models,
		Snapshots: projection.WithBase(w.models, w.log), Letters: w.models}
	w.keeper = upkeep.New(w.stores, upkeep.Options{Timeout: 5 * time.Second})
	return w
}

// write appends a history to the log of graph and returns who can go on with it.
func (w *world) write(t testing.TB, graph string, seed uint64, events int) *projectiontest.Writer {
	t.Helper()
	writer := projectiontest.NewWriter(graph, rand.New(rand.NewPCG(seed, 7)))
	w.append(t, writer, events)
	return writer
}

func (w *world) append(t testing.TB, writer *projectiontest.Writer, events int) {
	t.Helper()
	for events > 0 {
		n := min(events, 500)
		projectiontest.Append(t, w.log, writer.Graph.ID, writer.Events(n)...)
		events -= n
	}
}

// project brings the read models up to what writers have written.
func (w *world) project(t testing.TB, writers ...*projectiontest.Writer) {
	t.Helper()
	projector := projection.NewProjector(w.log, w.models, projection.ProjectorOptions{Linger: time.Nanosecond, Sweep: 20 * time.Millisecond,
		Snapshots: w.stores.Snapshots})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- projector.Run(ctx) }()
	for _, writer := range writers {
		projectiontest.Await(t, projector, writer.Graph)
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// verify verifies a graph and fails if that is not possible.
func (w *world) verify(t testing.TB, graph string) upkeep.Verified {
	t.Helper()
	verified, err := w.keeper.Verify(t.Context(), graph)
	if err != nil {
		t.Fatalf("verify: %v", err)
	}
	return verified
}

// mustBeWhole fails unless nothing is wrong with a graph, and its read models are its fold.
func (w *world) mustBeWhole(t testing.TB, writer *projectiontest.Writer) {
	t.Helper()
	verified := w.verify(t, writer.Graph.ID)
	if !verified.OK || verified.Version != writer.Graph.Position.Version || verified.Checkpoint != verified.Version {
		t.Fatalf("got %+v, want nothing wrong up to version %d", verified, writer.Graph.Position.Version)
	}
	projectiontest.Same(t, w.models, writer.Graph)
}

// find tells whether one of mismatches is of kind, and, if these are not zero, of that id and version.
func find(mismatches []projection.Mismatch, kind, id string, version eventstore.Version) bool {
	for _, m := range mismatches {
		if m.Kind == kind && (id == "" || m.ID == id) && (version == 0 || m.Version == version) {
			return true
		}
	}
	return false
}

// seal returns a log's events with the hashes that their data lead to.
func seal(from eventstore.Position, events []eventstore.Event) []eventstore.Event {
	for i := range events {
		events[i].Hash = eventstore.NextHash(from.Hash, events[i].Data)
		from = events[i].Position()
	}
	return events
}
