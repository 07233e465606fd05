// Package memory is the log in memory: what other packages test against.
//
// It keeps every rule of eventstore.Log, and one more for its users' sake: an append whose events do not chain to the
// head fails. Appends are ordered by a mutex and applied at once; nothing is retried. It is safe for concurrent use,
// starts no goroutine, and waits on channels only, so that loops over it run in testing/synctest. Nothing is kept on
// disk and nothing is bounded.
package memory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"graphy/eventstore"
)

// Log is a log in memory. Make one with New.
type Log struct {
	// Fail, if set, decides which calls fail: it is given the call ("append", "read", "head", "operations", "delete",
	// "streams", "active", "settle", "base", "rebase", "trim", "rewrite", "write", "commit", "index", "reindex"; a Tail
	// reads) and the stream before anything is done, and "appended", "deleted", "rebased", "trimmed", "written",
	// "committed" or "reindexed" after a write was carried out. Its error becomes the call's, so let it be
	// eventstore.ErrUnavailable before and eventstore.ErrUnknown after. Set it before the log is shared; it is called
	// from many goroutines.
	Fail func(call, stream string) error

	mu      sync.Mutex
	streams map[string]*stream
	marks   map[string]time.Time
	queues  map[*noticeQueue]struct{}
}

// stream is one stream until it is deleted; then a new one takes its place.
type stream struct {
	base       eventstore.Base
	floor      eventstore.Position // of the last event that was trimmed, never above base
	events     []eventstore.Event  // those after floor
	operations map[string]eventstore.Version
	changed    chan struct{} // closed, and replaced, by each append, and by the deletion
	deleted    bool
}

var _ eventstore.Log = (*Log)(nil)

// New returns an empty log.
func New() *Log {
	return &Log{streams: map[string]*stream{}, marks: map[string]time.Time{}, queues: map[*noticeQueue]struct{}{}}
}

// begin is how every call starts.
func (l *Log) begin(ctx context.Context, call, name string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s %q: %w: %w", call, name, eventstore.ErrUnavailable, err)
	}
	return l.fail(call, name)
}

func (l *Log) fail(call, name string) error {
	if l.Fail == nil {
		return nil
	}
	return l.Fail(call, name)
}

// get returns the stream of that name, new and empty where there is none. The caller holds mu.
func (l *Log) get(name string) *stream {
	if l.streams[name] == nil {
		l.streams[name] = &stream{operations: map[string]eventstore.Version{}, changed: make(chan struct{})}
	}
	return l.streams[name]
}

func (s *stream) head() eventstore.Position {
	if len(s.events) == 0 {
		return s.floor
	}
	return s.events[len(s.events)-1].Position()
}

// at returns the event of that version, if the stream holds it.
func (s *stream) at(version eventstore.Version) (eventstore.Event, bool) {
	if version <= s.floor.Version || version > s.head().Version {
		return eventstore.Event{}, false
	}
	return s.events[version-s.floor.Version-1], true
}

// after returns the events after version, which are not to be written to.
func (s *stream) after(name string, version eventstore.Version) ([]eventstore.Event, error) {
	if version < s.floor.Version {
		return nil, &eventstore.TrimmedError{Stream: name, First: s.floor.Version + 1}
	}
	from := min(int(version-s.floor.Version), len(s.events))
	return s.events[from:len(s.events):len(s.events)], nil
}

// Append implements eventstore.Log. Events that do not chain to the head are a *eventstore.ChainError.
func (l *Log) Append(ctx context.Context, name string, expected eventstore.Position, events []eventstore.Event) (eventstore.AppendResult, error) {
	if len(events) == 0 {
		return eventstore.AppendResult{}, errors.New("append: no events")
	}
	if err := l.begin(ctx, "append", name); err != nil {
		return eventstore.AppendResult{}, err
	}
	l.mu.Lock()
	result, err := l.append(name, expected, events)
	l.mu.Unlock()
	if err == nil && result.Outcome == eventstore.Applied {
		err = l.fail("appended", name)
	}
	if err != nil {
		return eventstore.AppendResult{}, err
	}
	return result, nil
}

func (l *Log) append(name string, expected eventstore.Position, events []eventstore.Event) (eventstore.AppendResult, error) {
	s := l.get(name)
	head, last := s.head(), events[len(events)-1]
	if head != expected {
		result := eventstore.AppendResult{Outcome: eventstore.Conflict, Head: head.Version}
		end := expected.Version + eventstore.Version(len(events))
		if held, ok := s.at(end); ok && held.Hash == last.Hash {
			result.Outcome = eventstore.Applied
		} else if end <= s.floor.Version {
			return result, &eventstore.TrimmedError{Stream: name, First: s.floor.Version + 1}
		}
		return result, nil
	}
	if done := s.done(events); len(done) > 0 {
		return eventstore.AppendResult{Outcome: eventstore.Duplicate, Head: head.Version, Done: done}, nil
	}
	if err := eventstore.VerifyChain(name, head, events); err != nil {
		return eventstore.AppendResult{}, err
	}
	l.mark(name)
	s.add(events)
	close(s.changed)
	s.changed = make(chan struct{})
	l.notify(eventstore.Notice{Stream: name, Head: last.Version, Events: events})
	return eventstore.AppendResult{Head: last.Version}, nil
}

func (s *stream) add(events []eventstore.Event) {
	for _, event := range events {
		for _, id := range event.Operations {
			s.operations[id] = event.Version
		}
		event.Operations = nil
		s.events = append(s.events, event)
	}
}

func (s *stream) done(events []eventstore.Event) map[string]eventstore.Version {
	done := map[string]eventstore.Version{}
	for _, event := range events {
		for _, id := range event.Operations {
			if version := s.operations[id]; version > 0 {
				done[id] = version
			}
		}
	}
	return done
}

// Read implements eventstore.Log.
func (l *Log) Read(ctx context.Context, name string, after eventstore.Version, limit int) ([]eventstore.Event, error) {
	if err := l.begin(ctx, "read", name); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if limit <= 0 {
		return nil, nil
	}
	events, err := l.get(name).after(name, after)
	if err != nil {
		return nil, err
	}
	return slices.Clone(events[:min(limit, len(events))]), nil
}

// ReadBackward implements eventstore.Log.
func (l *Log) ReadBackward(ctx context.Context, name string, before eventstore.Version, limit int) ([]eventstore.Event, error) {
	if err := l.begin(ctx, "read", name); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.get(name)
	if limit <= 0 || before == 1 {
		return nil, nil
	}
	events := s.events
	if before > 0 {
		last := max(before-1, s.floor.Version) - s.floor.Version
		events = events[:min(last, eventstore.Version(len(events)))]
	}
	if len(events) == 0 && s.floor.Version > 0 {
		return nil, &eventstore.TrimmedError{Stream: name, First: s.floor.Version + 1}
	}
	page := slices.Clone(events[len(events)-min(limit, len(events)):])
	slices.Reverse(page)
	return page, nil
}

// Head implements eventstore.Log.
func (l *Log) Head(ctx context.Context, name string) (eventstore.Position, error) {
	if err := l.begin(ctx, "head", name); err != nil {
		return eventstore.Position{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.get(name).head(), nil
}

// Operations implements eventstore.Log.
func (l *Log) Operations(ctx context.Context, name string, ids ...string) ([]eventstore.Version, error) {
	if err := l.begin(ctx, "operations", name); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	versions := make([]eventstore.Version, len(ids))
	for i, id := range ids {
		versions[i] = l.get(name).operations[id]
	}
	return versions, nil
}
