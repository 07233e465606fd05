package memory

import (
	"cmp"
	"context"
	"slices"
	"time"

	"graphy/eventstore"
)

// Delete implements eventstore.Log.
func (l *Log) Delete(ctx context.Context, name string) error {
	if err := l.begin(ctx, "delete", name); err != nil {
		return err
	}
	l.mu.Lock()
	s := l.get(name)
	s.deleted = true
	close(s.changed)
	delete(l.streams, name)
	delete(l.marks, name)
	l.mu.Unlock()
	return l.fail("deleted", name)
}

// Streams implements eventstore.Log.
func (l *Log) Streams(ctx context.Context, cursor string, limit int) ([]string, error) {
	if err := l.begin(ctx, "streams", cursor); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var names []string
	for name, s := range l.streams {
		if name > cursor && s.head().Version > 0 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names[:min(max(limit, 0), len(names))], nil
}

// mark puts a stream on the Active list, by a time that only grows. The caller holds mu.
func (l *Log) mark(name string) {
	now := time.Now().Truncate(time.Millisecond)
	if last, ok := l.marks[name]; ok && !now.After(last) {
		now = last.Add(time.Millisecond)
	}
	l.marks[name] = now
}

// Active implements eventstore.Log.
func (l *Log) Active(ctx context.Context, limit int) ([]eventstore.ActiveStream, error) {
	if err := l.begin(ctx, "active", ""); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var active []eventstore.ActiveStream
	for name, marked := range l.marks {
		active = append(active, eventstore.ActiveStream{Stream: name, Marked: marked})
	}
	slices.SortFunc(active, func(a, b eventstore.ActiveStream) int {
		return cmp.Or(a.Marked.Compare(b.Marked), cmp.Compare(a.Stream, b.Stream))
	})
	return active[:min(max(limit, 0), len(active))], nil
}

// Settle implements eventstore.Log.
func (l *Log) Settle(ctx context.Context, name string, marked time.Time) error {
	if err := l.begin(ctx, "settle", name); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if at, ok := l.marks[name]; ok && at.Equal(marked) {
		delete(l.marks, name)
	}
	return nil
}
