package memory

import (
	"context"
	"iter"

	"graphy/eventstore"
)

// Tail implements eventstore.Log.
func (l *Log) Tail(ctx context.Context, name string, after eventstore.Version) iter.Seq2[eventstore.Event, error] {
	return func(yield func(eventstore.Event, error) bool) {
		l.mu.Lock()
		s := l.get(name)
		l.mu.Unlock()
		for {
			events, changed, err := l.since(ctx, name, s, after)
			if err != nil {
				yield(eventstore.Event{}, err)
				return
			}
			for _, event := range events {
				if ctx.Err() != nil {
					break
				}
				if after = event.Version; !yield(event, nil) {
					return
				}
			}
			if len(events) > 0 {
				continue
			}
			select {
			case <-ctx.Done():
			case <-changed:
			}
		}
	}
}

// since returns the events of s after version after, and a channel that is closed when there are more.
func (l *Log) since(ctx context.Context, name string, s *stream, after eventstore.Version) ([]eventstore.Event, <-chan struct{}, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	if err := l.fail("read", name); err != nil {
		return nil, nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.deleted || after > s.head().Version {
		return nil, nil, eventstore.ErrReset
	}
	events, err := s.after(name, after)
	return events, s.changed, err
}

// Appends implements eventstore.Log.
func (l *Log) Appends(ctx context.Context) iter.Seq[eventstore.Notice] {
	return func(yield func(eventstore.Notice) bool) {
		q := &noticeQueue{ready: make(chan struct{}, 1)}
		l.mu.Lock()
		l.queues[q] = struct{}{}
		l.mu.Unlock()
		defer func() {
			l.mu.Lock()
			delete(l.queues, q)
			l.mu.Unlock()
		}()
		for {
			select {
			case <-ctx.Done():
				return
			case <-q.ready:
			}
			l.mu.Lock()
			notices := q.notices
			q.notices = nil
			l.mu.Unlock()
			for _, notice := range notices {
				if ctx.Err() != nil || !yield(notice) {
					return
				}
			}
		}
	}
}

// noticeQueue holds what one consumer of Appends has not taken yet; the log's mutex guards it.
type noticeQueue struct {
	ready   chan struct{} // holds one token while there is something to take
	notices []eventstore.Notice
}

// notify tells all consumers of Appends. The caller holds mu.
func (l *Log) notify(notice eventstore.Notice) {
	for q := range l.queues {
		q.notices = append(q.notices, notice)
		select {
		case q.ready <- struct{}{}:
		default:
		}
	}
}
