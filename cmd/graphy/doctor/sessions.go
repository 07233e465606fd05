package doctor

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

// staleAfter is how many grace periods nobody has looked at a graph's connections, which takes the old ones off.
const staleAfter = 3

// checkSessions looks for connections that nobody has heard of for long: they keep logs from being trimmed.
func checkSessions(ctx context.Context, l *look) []finding {
	graphs, _, err := l.graphs(ctx)
	if err != nil {
		return unknown("Sessions", err)
	}
	oldest := time.Now().Add(-staleAfter * l.opts.Grace)
	var stale []string
	connections, old := 0, 0
	client := l.opts.Client
	for page := range slices.Chunk(graphs, sampled) {
		commands := make(rueidis.Commands, len(page))
		for i, graph := range page {
			commands[i] = client.B().Hgetall().Key(l.keys.Connections(graph)).Build()
		}
		for i, result := range client.DoMulti(ctx, commands...) {
			seen, err := result.AsStrMap()
			if err != nil && isTroubleOfRedis(err) {
				return unknown("Sessions", err)
			}
			before := old
			for _, value := range seen {
				connections++
				_, at, _ := strings.Cut(value, " ")
				if millis, err := strconv.ParseInt(at, 10, 64); err != nil || time.UnixMilli(millis).Before(oldest) {
					old++
				}
			}
			if old > before {
				stale = append(stale, page[i])
			}
		}
	}
	if old > 0 {
		return []finding{note("%d connections to %s were last heard of more than %v ago, and are remembered still: they go when somebody connects, or a log is trimmed.",
			old, some(stale), staleAfter*l.opts.Grace)}
	}
	return []finding{good("%d connections of clients are known, none of them stale.", connections)}
}

// isTroubleOfRedis tells a Redis that cannot be asked, or may not be, from a key of another type.
func isTroubleOfRedis(err error) bool {
	answer, ours := rueidis.IsRedisErr(err)
	return !ours || !strings.HasPrefix(answer.Error(), "WRONGTYPE")
}
