package redis

import (
	"context"
	_ "embed"

	"github.com/redis/rueidis"

	"graphy/eventstore"
)

//go:embed lua/forget.lua
var forgetSource string

var forgetScript = rueidis.NewLuaScript(forgetSource)

// forgottenAtOnce is how many snapshots are removed by one call.
const forgottenAtOnce = 100

// Forget implements projection.Snapshots.
func (m *Models) Forget(ctx context.Context, graph string, below eventstore.Version) error {
	for {
		found, removed, err := m.forget(ctx, graph, below)
		if err != nil || found < forgottenAtOnce || removed == 0 {
			return err
		}
	}
}

// forget removes the oldest snapshots below a version, and tells how many it found, and removed.
func (m *Models) forget(ctx context.Context, graph string, below eventstore.Version) (found, removed int, err error) {
	ctx, cancel := m.deadline(ctx)
	defer cancel()
	members, err := m.client.Do(ctx, m.client.B().Zrangebyscore().Key(m.keys.Snapshots(graph)).Min("-inf").Max("("+version(below)).
		Limit(0, forgottenAtOnce).Build()).AsStrSlice()
	if err != nil || len(members) == 0 {
		return 0, 0, failed(err, "list snapshots", graph)
	}
	keys := []string{m.keys.Snapshots(graph)}
	for _, member := range members {
		s, _ := parseMember(member) // of one that nobody wrote there is no key, only the member to remove
		keys = append(keys, m.keys.Snapshot(graph, s.Version))
	}
	count, err := forgetScript.Exec(ctx, m.client, keys, members).AsInt64()
	return len(members), int(count), failed(err, "forget snapshots", graph)
}
