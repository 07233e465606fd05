// Package redis keeps the read models in Redis: for each graph a hash of nodes, of edges, of the viewport, of stats,
// of open conflicts, a set of edge ids for each node, and the state hash with the checkpoint they all belong to; beside
// them snapshots of the past, a string each, and their index; and for all graphs together the dead letters, a stream of
// open ones and one of those that were dealt with.
//
// A commit is one script: it writes everything and moves the checkpoint, or, if the checkpoint is not where the fold
// started or the log does not hold the event it leads to, nothing (I3, I5). Reads of more than one key are scripts
// too. All keys of a graph share a slot, and scripts touch no key but those they are given, so all of it works in a
// cluster; while a slot moves, commits to its graphs wait, and reads do not.
//
// Read models that are built anew (Stage, Swap) stand under keys of their own, which go away by themselves, until one
// script puts them in the place of those that are served. Such scripts remove keys and write to them again, which fails
// halfway while a slot moves; so they are given a key that does not exist, with which they are refused before they begin.
//
// Projectors is apart from that: how the processes that project divide the graphs among each other.
//
// Nothing is retried in here: every call may simply be made again, a commit that was carried out succeeds again.
// Models is safe for concurrent use. Folding, and what to do about failures, is left to projection.Projector.
package redis

import (
	"cmp"
	"context"
	_ "embed"
	"time"

	"github.com/redis/rueidis"

	"graphy/eventstore/redis"
	"graphy/projection"
)

// Options configure Models. The zero value is ready to use.
type Options struct {
	Timeout time.Duration // of any single call; default 5s
}

// Models are the read models, the snapshots and the dead letters in Redis.
type Models struct {
	client  rueidis.Client
	keys    redis.Keys
	opts    Options
	staging staging
}

var (
	_ projection.ReadModels  = (*Models)(nil)
	_ projection.Snapshots   = (*Models)(nil)
	_ projection.Workshop    = (*Models)(nil)
	_ projection.DeadLetters = (*Models)(nil)
)

// New returns the read models under keys. The client stays the caller's to close.
func New(client rueidis.Client, keys redis.Keys, opts Options) *Models {
	opts.Timeout = cmp.Or(opts.Timeout, 5*time.Second)
	return &Models{client: client, keys: keys, opts: opts}
}

func (m *Models) deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, m.opts.Timeout)
}

//go:embed lua/load.lua
var loadSource string

//go:embed lua/incident.lua
var incidentSource string

//go:embed lua/writes.lua
var writesSource string

//go:embed lua/position.lua
var positionSource string

//go:embed lua/commit.lua
var commitSource string

//go:embed lua/stall.lua
var stallSource string

//go:embed lua/deadletter.lua
var deadLetterSource string

//go:embed lua/delete.lua
var deleteSource string

//go:embed lua/snapshot.lua
var snapshotSource string

var (
	loadScript       = rueidis.NewLuaScriptReadOnly(loadSource)
	incidentScript   = rueidis.NewLuaScriptReadOnly(incidentSource)
	commitScript     = rueidis.NewLuaScript(writesSource + commitSource)
	stallScript      = rueidis.NewLuaScript(stallSource)
	deadLetterScript = rueidis.NewLuaScript(deadLetterSource)
	deleteScript     = rueidis.NewLuaScript(positionSource + deleteSource)
	snapshotScript   = rueidis.NewLuaScript(snapshotSource)
)
