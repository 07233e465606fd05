package redis

import (
	"sync"

	"graphy/eventstore"
)

// maxQueued is how many bytes of events wait for a slow Tail. Beyond, they are dropped, and it reads them from the
// stream when it gets there.
const maxQueued = 4 << 20

// queue is what has come for one Tail.
type queue struct {
	ready chan struct{} // holds one token while there is something to take

	mu sync.Mutex
	queued
}

type queued struct {
	events  []eventstore.Event
	bytes   int
	lost    bool // events are missing
	deleted bool // the stream was deleted
}

func newQueue() *queue { return &queue{ready: make(chan struct{}, 1)} }

func (q *queue) put(events []eventstore.Event) {
	q.change(func() {
		if q.lost {
			return // it reads the stream anyhow
		}
		for _, event := range events {
			q.bytes += len(event.Data)
		}
		if q.bytes > maxQueued {
			q.events, q.bytes, q.lost = nil, 0, true
			return
		}
		q.events = append(q.events, events...)
	})
}

func (q *queue) setLost()    { q.change(func() { q.lost = true }) }
func (q *queue) setDeleted() { q.change(func() { q.deleted = true }) }

func (q *queue) change(change func()) {
	q.mu.Lock()
	change()
	q.mu.Unlock()
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// take empties the queue.
func (q *queue) take() queued {
	q.mu.Lock()
	defer q.mu.Unlock()
	taken := q.queued
	q.queued = queued{}
	return taken
}
