package redis

import (
	"context"
	_ "embed"
	"strconv"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/redis/rueidis"

	"graphy/eventstore/redis"
)

//go:embed lua/lease.lua
var leaseSource string

//go:embed lua/unlease.lua
var unleaseSource string

var (
	leaseScript   = rueidis.NewLuaScript(leaseSource)
	unleaseScript = rueidis.NewLuaScript(unleaseSource)
)

// Lease lets one process at a time do some work: each lease is a key that holds its holder's name, and ends by itself.
type Lease struct {
	client rueidis.Client
	keys   redis.Keys
	self   string
}

// NewLease returns what one process takes leases by. The client stays the caller's to close.
func NewLease(client rueidis.Client, keys redis.Keys) *Lease {
	return &Lease{client: client, keys: keys, self: ulid.Make().String()}
}

// Hold implements upkeep.Lease.
func (l *Lease) Hold(ctx context.Context, name string, long time.Duration) (bool, error) {
	args := []string{l.self, strconv.FormatInt(max(long.Milliseconds(), 1), 10)}
	held, err := leaseScript.Exec(ctx, l.client, []string{l.keys.Lease(name)}, args).AsInt64()
	return held == 1, failed(err, "lease", name)
}

// Release implements upkeep.Lease.
func (l *Lease) Release(ctx context.Context, name string) error {
	return failed(unleaseScript.Exec(ctx, l.client, []string{l.keys.Lease(name)}, []string{l.self}).Error(), "release of lease", name)
}
