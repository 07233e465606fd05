package transport

import (
	"context"
	"errors"
	"fmt"

	"graphy/command"
	"graphy/eventstore"
	"graphy/projection"
)

// Queries of the past are answered from the log and its snapshots, not from the read models. They may take the time and
// the memory of a whole graph, so few of them are at work at a time, and they have a time limit of their own.

// enterPast waits for one of the places for queries that take as much as a whole graph; the caller calls leave at the
// end. It fails if none falls free in the time that other queries have altogether.
func (s *Server) enterPast(ctx context.Context) (leave func(), err error) {
	waiting, cancel := context.WithTimeout(ctx, s.opts.ReadLimit)
	defer cancel()
	select {
	case s.past <- struct{}{}:
		return func() { <-s.past }, nil
	case <-waiting.Done():
		return nil, refuse(command.Unavailable, "too many queries read the past already")
	}
}

// steadily calls read again where a log did not go on as it had begun: it may have been trimmed, or deleted and begun
// anew, between two pages. A log that is damaged is so each time.
func steadily(read func() error) (err error) {
	for range 3 {
		err = read()
		meanwhile := errors.Is(err, eventstore.ErrTrimmed) && !errors.Is(err, projection.ErrTrimmed)
		if !meanwhile && !errors.Is(err, eventstore.ErrBroken) {
			break
		}
	}
	return err
}

// refuseTrimmed is the refusal of what the log no longer reaches back to.
func refuseTrimmed(err error) *command.Error {
	detail := "the log no longer reaches back that far"
	if trimmed, ok := errors.AsType[*eventstore.TrimmedError](err); ok {
		detail = fmt.Sprintf("the log of graph %q begins with version %d by now", trimmed.Stream, trimmed.First)
	}
	return &command.Error{Code: command.HistoryTrimmed,
		Detail: detail + ": go on from the current state; an operator can restore what was archived"}
}
