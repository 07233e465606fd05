package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/redis/rueidis"
)

const (
	scanPage = 1000 // keys that a Redis looks at in one go
	scanMost = 200  // pages of a Redis that are looked at
)

// checkLeftovers looks for what was being built beside logs and read models, and will never go away: it is made to, so
// only an act that was broken off in the worst moment, or somebody's hand, can leave such keys.
func checkLeftovers(ctx context.Context, l *look) []finding {
	keys, err := l.rewritten(ctx)
	if err != nil {
		return unknown("Leftovers", err)
	}
	strays, err := l.strays(ctx)
	if err != nil {
		return unknown("Leftovers", err)
	}
	var left []string
	waiting := 0
	for key, ttl := range l.lifetimes(ctx, append(keys, strays...)) {
		if ttl == -1 {
			left = append(left, key)
		} else if ttl > 0 {
			waiting++
		}
	}
	switch {
	case len(left) > 0:
		return []finding{warn(fmt.Sprintf("%d keys of content that was never put in its place do not go away by themselves, such as %s.", len(left), left[0]),
			"Remove them (redis-cli UNLINK) while no rebuild, restore, copy or import is under way.")}
	case waiting > 0:
		return []finding{good("%d keys of content that is being written, or was given up, go away by themselves.", waiting)}
	}
	return []finding{good("Nothing was left behind by acts that were broken off.")}
}

// rewritten returns the keys of new content for logs that graphs know of.
func (l *look) rewritten(ctx context.Context) (keys []string, err error) {
	graphs, _, err := l.graphs(ctx)
	if err != nil {
		return nil, err
	}
	client := l.opts.Client
	for page := range slices.Chunk(graphs, sampled) {
		commands := make(rueidis.Commands, len(page))
		for i, graph := range page {
			commands[i] = client.B().Smembers().Key(l.keys.Rewrites(graph)).Build()
		}
		for i, result := range client.DoMulti(ctx, commands...) {
			tokens, err := result.AsStrSlice()
			if err != nil && isTroubleOfRedis(err) {
				return nil, err
			}
			for _, token := range tokens {
				for _, part := range []string{"events", "operations", "base"} {
					keys = append(keys, l.keys.Rewrite(page[i], token, part))
				}
			}
		}
	}
	return keys, nil
}

// strays looks through a part of all keys, where that is allowed, for content of whatever graph.
func (l *look) strays(ctx context.Context) (keys []string, err error) {
	pattern := escapePattern(l.keys.Prefix) + "graph:{*}:*:*:*"
	l.masters(func(n *node) {
		for cursor, page := uint64(0), 0; page < scanMost && err == nil; page++ {
			var entry rueidis.ScanEntry
			entry, err = n.client.Do(ctx, n.client.B().Scan().Cursor(cursor).Match(pattern).Count(scanPage).Build()).AsScanEntry()
			for _, key := range entry.Elements {
				if isStaged(key) {
					keys = append(keys, key)
				}
			}
			if cursor = entry.Cursor; cursor == 0 {
				break
			}
		}
	})
	if _, refused := missingRight(err); refused {
		return nil, nil
	}
	return keys, err
}

func isStaged(key string) bool {
	_, rest, _ := strings.Cut(key, "}:")
	return strings.HasPrefix(rest, "staged:") || strings.HasPrefix(rest, "rewrite:") && !strings.HasSuffix(rest, ":done")
}

// lifetimes returns the milliseconds that keys live on; -1: for ever, -2: there is none.
func (l *look) lifetimes(ctx context.Context, keys []string) map[string]int64 {
	client := l.opts.Client
	commands := make(rueidis.Commands, len(keys))
	for i, key := range keys {
		commands[i] = client.B().Pttl().Key(key).Build()
	}
	ttls := map[string]int64{}
	for i, result := range client.DoMulti(ctx, commands...) {
		if ttl, err := result.AsInt64(); err == nil {
			ttls[keys[i]] = ttl
		}
	}
	return ttls
}
