package projection

import (
	"context"

	"graphy/eventstore"
)

// Snapshots keeps states of the past, so that none has to be folded from the beginning. It is a cache: what is in it may
// be missing, damaged, or of another history than the log's, and whoever takes something out finds out (At does).
// Implementations are safe for concurrent use and pass projectiontest.RunSnapshots. Errors of a store out of reach are
// eventstore.ErrUnavailable.
type Snapshots interface {
	// Save keeps s, in the place of any other of the same version. It may be called again. It fails with ErrStale, and
	// keeps nothing, if the log does not hold s's version with s's hash: so a deleted graph stays deleted.
	Save(ctx context.Context, graph string, s Snapshot) error

	// Nearest returns the newest snapshot at or before version at; false if there is none. One that is listed and yet
	// missing is passed over.
	Nearest(ctx context.Context, graph string, at eventstore.Version) (s Snapshot, found bool, err error)

	// NearestPosition returns where the newest snapshot stands that is listed at or before version at, without looking
	// whether it is there; the zero Position if none is listed.
	NearestPosition(ctx context.Context, graph string, at eventstore.Version) (eventstore.Position, error)

	// Forget removes all snapshots of versions below below.
	Forget(ctx context.Context, graph string, below eventstore.Version) error
}
