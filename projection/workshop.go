package projection

import (
	"context"
	"errors"
)

// ErrUncounted matches the error of a Stage of contents without counts by type: they are of a fold that began with a
// snapshot which has none.
var ErrUncounted = errors.New("projection: events were not counted by type")

// Workshop is where read models are looked at as a whole and built anew beside those that are served. Implementations
// are those of ReadModels, and pass projectiontest.RunWorkshop.
type Workshop interface {
	// Inspect returns the read models of graph at one moment, with the incidence sets of its own nodes and of the nodes
	// named. Damaged keys are no error, but Damage; a checkpoint whose version cannot be read is at version 0. It fails
	// with ErrStale if the read models move all the time: inspect again.
	Inspect(ctx context.Context, graph string, nodes []string) (*Contents, error)

	// Stage writes contents beside the read models of graph, unseen by readers, as much of it as differs from live (what
	// Inspect returned before; nil: all of it). What is abandoned goes away by itself within the hour. It fails with
	// ErrUncounted if contents have no counts.
	Stage(ctx context.Context, graph string, contents, live *Contents) (Staged, error)
}

// Staged are read models in the making. It is for one goroutine.
type Staged interface {
	// Swap puts them in the place of the graph's read models, all in one step with the checkpoint, after update, which
	// leads on from what was staged (nil: nothing does). It fails with ErrStale, and changes nothing, if the log does not
	// hold the position that this comes to, if the read models have come further than that in the log's history, if they
	// are not where they were inspected (with nil for live they may be anywhere), or if what was staged is gone: inspect and
	// stage again, all of it if need be. Once it was carried out, it fails with ErrStale when called again.
	Swap(ctx context.Context, update *Update) error

	// Discard removes what was staged and not swapped.
	Discard(ctx context.Context) error
}
