package projection

import (
	"time"

	"github.com/cespare/xxhash/v2"

	"graphy/eventstore"
)

// Division says which graphs are a projector's where several share the work. It is advice that spares double work, never
// a lease: two may hold that a graph is theirs, or nobody, for a while or for ever, and the read models are right all
// the same; what its owner leaves behind, the others take up. Implementations are safe for concurrent use.
type Division interface {
	// Owns tells whether graph is this projector's. It must be quick and do no I/O.
	Owns(graph string) bool
}

// everything is what a projector owns that is alone.
type everything struct{}

func (everything) Owns(string) bool { return true }

// Owner returns which of members graph belongs to; "" if there are none. Whoever knows the same members comes to the same
// answer, each member owns about as many graphs as any other, and when one comes or goes, only graphs that it wins or had
// change hands.
func Owner(graph string, members []string) (owner string) {
	var highest uint64
	for _, member := range members {
		var digest xxhash.Digest
		digest.Reset()
		_, _ = digest.WriteString(member)
		_, _ = digest.WriteString(graph)
		score := digest.Sum64()
		if owner == "" || score > highest || score == highest && member < owner {
			owner, highest = member, score
		}
	}
	return owner
}

// laggards are graphs whose read models were found behind their logs, with where and since when. A graph whose
// checkpoint moves is in somebody's hands. They belong to the goroutine that sweeps.
type laggards map[string]laggard

type laggard struct {
	at    eventstore.Position
	since time.Time
	seen  time.Time
}

// late takes note of a graph that is found behind, and tells whether it has stood there for as long as patience.
func (l laggards) late(graph string, at eventstore.Position, patience time.Duration, now time.Time) bool {
	known, found := l[graph]
	if !found || known.at != at {
		known = laggard{at: at, since: now}
	}
	known.seen = now
	l[graph] = known
	return now.Sub(known.since) >= patience
}

// forget drops graphs that have not been found behind since then.
func (l laggards) forget(then time.Time) {
	for graph, known := range l {
		if known.seen.Before(then) {
			delete(l, graph)
		}
	}
}
