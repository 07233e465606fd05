// Package upkeep does what operators do to graphs: it verifies them, rebuilds their read models, trims their logs into
// an archive and brings them back, takes poisonous events out, copies, exports and imports.
//
// Every act is on one graph, may be cancelled by its context and made again: what it writes stands beside what is
// served until one step puts it in its place. Nothing stops writers or readers. Any number of acts on one graph, here
// and in other processes, leave a right result; the slower of two does its work for nothing.
//
// A Keeper is safe for concurrent use. Who may do all this, and how it is asked for, is left to transport and cmd.
package upkeep

import (
	"cmp"
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"graphy/eventstore"
	"graphy/eventstore/archive"
	"graphy/projection"
)

// Stores are what a Keeper works on.
type Stores struct {
	Log        eventstore.Log        // with an archive, one that reads through it
	Maintainer eventstore.Maintainer // one that is a Log, too, is the log without the archive
	Models     projection.ReadModels
	Workshop   projection.Workshop
	Snapshots  projection.Snapshots
	Letters    projection.DeadLetters
	Archive    *archive.Archive // nil: what is trimmed is gone
	// Needed returns the lowest version of graph that a client who may come back has; false if there is none. With nil
	// there are no clients.
	Needed func(ctx context.Context, graph string) (eventstore.Version, bool, error)
}

// Options configure a Keeper. The zero value is ready to use.
type Options struct {
	Timeout time.Duration // of any single call to the stores; default 10s
	Logger  *zap.Logger   // default discards
}

// Keeper does the upkeep of graphs.
type Keeper struct {
	stores  Stores
	opts    Options
	metrics *metrics
	kept    *keeping
}

// New returns a Keeper on stores.
func New(stores Stores, opts Options) *Keeper {
	opts.Timeout = cmp.Or(opts.Timeout, 10*time.Second)
	opts.Logger = cmp.Or(opts.Logger, zap.NewNop())
	return &Keeper{stores: stores, opts: opts, metrics: newMetrics(), kept: newKeeping()}
}

// Errors that an act ends with because of what was asked, not because of the stores.
var (
	ErrUnknown  = errors.New("upkeep: there is no such graph")
	ErrConflict = errors.New("upkeep: something is there already, or is not as it should be for this")
	ErrBusy     = errors.New("upkeep: another process is at it")
)
