package redis

import (
	"context"
	_ "embed"
	"fmt"
	"strconv"

	"github.com/redis/rueidis"

	"graphy/eventstore/redis"
	"graphy/transport/limit"
)

//go:embed lua/take.lua
var takeSource string

var takeScript = rueidis.NewLuaScript(takeSource)

// Rates keep token buckets: the key rate:{kind}:{key} holds when the bucket will be full, and goes away by itself then.
// Time is that of the Redis, so that the clocks of processes do not matter. (The limiter that comes with the driver
// counts in fixed windows, which lets twice the rate through around the end of each.)
type Rates struct {
	client rueidis.Client
	keys   redis.Keys
	clock  string // Unix microseconds in the place of the Redis's own; "" outside tests
}

var _ limit.Source = (*Rates)(nil)

// NewRates returns Rates on client, which stays the caller's to close.
func NewRates(client rueidis.Client, keys redis.Keys) *Rates {
	return &Rates{client: client, keys: keys}
}

// Take implements limit.Source. It fails with the driver's error.
func (r *Rates) Take(ctx context.Context, kind, key string, p limit.Policy, need, extra int) (limit.Grant, error) {
	args := []string{strconv.FormatFloat(p.Rate, 'f', -1, 64), strconv.Itoa(p.Burst), strconv.Itoa(need), strconv.Itoa(extra), r.clock}
	answer, err := takeScript.Exec(ctx, r.client, []string{r.keys.Rate(kind, key)}, args).AsIntSlice()
	switch {
	case err != nil:
		return limit.Grant{}, fmt.Errorf("take from the rate of %s: %w", kind, err)
	case len(answer) != 2:
		return limit.Grant{}, fmt.Errorf("take from the rate of %s: answer of %d parts", kind, len(answer))
	}
	return limit.Grant{Tokens: int(answer[0]), Missing: float64(answer[1]) / 1e6 * p.Rate}, nil
}
