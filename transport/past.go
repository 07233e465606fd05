package transport

import (
	"context"
	"errors"

	"graphy/command"
	"graphy/eventstore"
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
		if err = read(); !errors.Is(err, eventstore.ErrBroken) {
			break
		}
	}
	return err
}
