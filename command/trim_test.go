package command_test

import (
	"context"
	"slices"
	"testing"

	"graphy/command"
	"graphy/eventstore"
)

// trimmedLog no longer holds the events up to floor.
type trimmedLog struct {
	eventstore.Log
	floor eventstore.Version
}

func (l *trimmedLog) Read(ctx context.Context, stream string, after eventstore.Version, limit int) ([]eventstore.Event, error) {
	if after < l.floor {
		return nil, &eventstore.TrimmedError{Stream: stream, First: l.floor + 1}
	}
	return l.Log.Read(ctx, stream, after, limit)
}

func (l *trimmedLog) ReadBackward(ctx context.Context, stream string, before eventstore.Version, limit int) ([]eventstore.Event, error) {
	events, err := l.Log.ReadBackward(ctx, stream, before, limit)
	kept := slices.DeleteFunc(events, func(e eventstore.Event) bool { return e.Version <= l.floor })
	if err == nil && len(kept) == 0 && l.floor > 0 {
		return nil, &eventstore.TrimmedError{Stream: stream, First: l.floor + 1}
	}
	return kept, err
}

func TestTrimmedLog(t *testing.T) {
	s, log := newSite()
	history(t, s, 10, 2)
	s.log = &trimmedLog{Log: log, floor: 5}
	p := s.start(t, command.Options{})
	_, err := do(t, p, `{"type":"UPDATE_VIEWPORT","payload":{"x":1},"clientVersion":4}`)
	wantCode(t, "base below what the log keeps", err, command.HistoryTrimmed)
	_, err = do(t, p, `{"type":"UPDATE_VIEWPORT","payload":{"x":2},"clientVersion":4,"hash":"00"}`)
	wantCode(t, "hash below what the log keeps", err, command.HistoryTrimmed)
	_, err = do(t, p, `{"type":"UPDATE_VIEWPORT","payload":{"x":3},"clientVersion":5,"timestamp":1}`)
	wantCode(t, "base right below what the log keeps", err, "")
	_, err = do(t, p, create("n1"))
	wantCode(t, "repeated, and its event is gone", err, command.HistoryTrimmed)
	if outcome := mustDo(t, p, create("n8")); !outcome.Duplicate || outcome.Version != 9 {
		t.Errorf("repeated: got %+v", outcome)
	}
	if head := s.head(t); head != 11 {
		t.Errorf("head: got %d", head)
	}
}
