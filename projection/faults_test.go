package projection_test

import (
	"context"
	"iter"
	"math/rand/v2"
	"sync"

	"graphy/eventstore"
	"graphy/projection"
)

// lossyLog loses, doubles and disorders notices, and hides who has appended.
type lossyLog struct {
	eventstore.Log
	deaf bool // loses all

	mu     sync.Mutex
	random *rand.Rand
}

func (l *lossyLog) dice(n int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.random.IntN(n)
}

func (l *lossyLog) Appends(ctx context.Context) iter.Seq[eventstore.Notice] {
	return func(yield func(eventstore.Notice) bool) {
		var held []eventstore.Notice
		for notice := range l.Log.Appends(ctx) {
			if l.dice(3) == 0 {
				notice.Events = nil
			}
			switch dice := l.dice(8); {
			case l.deaf || dice == 0:
				continue
			case dice == 1:
				held = append(held, notice)
				continue
			case dice == 2 && !yield(notice):
				return
			}
			if !yield(notice) {
				return
			}
			for _, late := range held {
				if !yield(late) {
					return
				}
			}
			held = nil
		}
	}
}

// listedLog lists streams whether they are there or not.
type listedLog struct {
	eventstore.Log
	streams []string
}

func (l *listedLog) Streams(ctx context.Context, cursor string, limit int) ([]string, error) {
	if cursor == "" {
		return l.streams, nil
	}
	return nil, nil
}

// freezing read models hang in a commit until they thaw, and then carry it out.
type freezing struct {
	projection.ReadModels
	at   int // the commit that hangs
	thaw chan struct{}

	mu      sync.Mutex
	commits int
}

func (f *freezing) Commit(ctx context.Context, graph string, from eventstore.Position, update *projection.Update) error {
	f.mu.Lock()
	f.commits++
	hangs := f.commits == f.at
	f.mu.Unlock()
	if hangs {
		<-f.thaw
	}
	return f.ReadModels.Commit(ctx, graph, from, update)
}
