package redis

import (
	"context"
	"iter"
	"sync"

	"graphy/eventstore"
)

const (
	maxNotices     = 1 << 16 // streams with notices that wait for a slow consumer; further ones are left to the sweeper
	maxNoticeBytes = 8 << 20 // bytes of events that wait with them; further notices come without events
)

// notices tell of appends: of this Store's directly and with their events, of others' by the channel of all appends,
// to which it is subscribed while anybody listens. A Store that has listeners of its own does not use the channel: else
// all projectors everywhere would do the same work.
type notices struct {
	feeds   *feeds
	channel string
	sender  string // the Store's own, whose messages are doubles

	mu     sync.Mutex
	queues map[*noticeQueue]struct{}
	cancel context.CancelFunc // ends the subscription
}

// Appends implements eventstore.Log.
func (s *Store) Appends(ctx context.Context) iter.Seq[eventstore.Notice] {
	return func(yield func(eventstore.Notice) bool) {
		q := s.notify.join()
		defer s.notify.leave(q)
		for {
			select {
			case <-ctx.Done():
				return
			case <-q.ready:
			}
			for _, notice := range q.take() {
				if over(ctx) || !yield(notice) {
					return
				}
			}
		}
	}
}

func (n *notices) join() *noticeQueue {
	q := &noticeQueue{ready: make(chan struct{}, 1)}
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.queues) == 0 {
		n.queues = map[*noticeQueue]struct{}{}
		var ctx context.Context
		ctx, n.cancel = context.WithCancel(context.Background())
		go n.feeds.subscribe(ctx, n.channel, false, func() {}, n.message)
	}
	n.queues[q] = struct{}{}
	return q
}

func (n *notices) leave(q *noticeQueue) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.queues, q)
	if len(n.queues) == 0 {
		n.cancel()
	}
}

// listening tells whether this Store's appends are heard here: then nobody else has to be told.
func (n *notices) listening() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.queues) > 0
}

// appended tells of an append of this Store.
func (n *notices) appended(stream string, events []eventstore.Event) {
	n.put(eventstore.Notice{Stream: stream, Head: events[len(events)-1].Version, Events: events})
}

// message tells of an append of another Store. What it does not understand is left to the sweeper.
func (n *notices) message(text string) {
	bell, err := parseDoorbell(text)
	if err == nil && bell.sender != n.sender {
		n.put(eventstore.Notice{Stream: bell.stream, Head: bell.head})
	}
}

func (n *notices) put(notice eventstore.Notice) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for q := range n.queues {
		q.put(notice)
	}
}

// noticeQueue holds what one consumer of Appends has not taken yet.
type noticeQueue struct {
	ready chan struct{} // holds one token while there is something to take

	mu      sync.Mutex
	notices []eventstore.Notice
	bytes   int
}

func (q *noticeQueue) put(notice eventstore.Notice) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.notices) >= maxNotices {
		return
	}
	size := 0
	for _, event := range notice.Events {
		size += len(event.Data)
	}
	if q.bytes+size > maxNoticeBytes {
		size, notice.Events = 0, nil
	}
	q.bytes += size
	q.notices = append(q.notices, notice)
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

func (q *noticeQueue) take() []eventstore.Notice {
	q.mu.Lock()
	defer q.mu.Unlock()
	taken := q.notices
	q.notices, q.bytes = nil, 0
	return taken
}
