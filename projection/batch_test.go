package projection_test

import (
	"context"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"graphy/eventstore"
	memorylog "graphy/eventstore/memory"
	"graphy/projection"
	"graphy/projection/memory"
	"graphy/projection/projectiontest"
)

// recording read models keep what was committed last.
type recording struct {
	projection.ReadModels

	mu   sync.Mutex
	last *projection.Update
}

func (r *recording) Commit(ctx context.Context, graph string, from eventstore.Position, update *projection.Update) error {
	r.mu.Lock()
	r.last = update
	r.mu.Unlock()
	return r.ReadModels.Commit(ctx, graph, from, update)
}

// TestOnlyConflictsThatChangedAreWritten, however many there are.
func TestOnlyConflictsThatChangedAreWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := memorylog.New()
		models := &recording{ReadModels: memory.New(log)}
		projector, stop := project(t, log, models, projection.ProjectorOptions{})
		defer stop()
		w := projectiontest.NewWriter("g", source(1))
		steps := []struct {
			name   string
			events func() []eventstore.Event
			want   []string // ids of the records written
		}{
			{"open", func() []eventstore.Event {
				return []eventstore.Event{w.CreateNode(), w.CreateNode(), w.Conflict("n1", "n3"), w.Conflict("n1", "n1")}
			}, []string{"3-0", "3-1", "4-0"}},
			{"a move", func() []eventstore.Event { return []eventstore.Event{w.Move("n1")} }, nil},
			{"one more", func() []eventstore.Event { return []eventstore.Event{w.Conflict("n3", "n3"), w.Move("n1")} }, []string{"6-0"}},
			{"resolved and reopened", func() []eventstore.Event { return []eventstore.Event{w.Resolve(), w.Reopen()} }, nil},
		}
		for _, step := range steps {
			projectiontest.Append(t, log, "g", step.events()...)
			settle()
			if got := slices.Sorted(maps.Keys(models.last.Conflicts)); !slices.Equal(got, step.want) {
				t.Errorf("%s: got records %v written, want %v", step.name, got, step.want)
			}
		}
		projectiontest.Await(t, projector, w.Graph)
		projectiontest.Same(t, models, w.Graph)
	})
}
