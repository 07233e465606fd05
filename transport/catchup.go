package transport

import (
	"context"
	"errors"

	"go.uber.org/zap"

	"graphy/eventstore"
)

// resetsMost is how many resets in a row one session is given.
const resetsMost = 5

// catchUp gives the client what it needs before events can follow, one thing after the other, as fast as it takes them.
// It runs on a goroutine of its own, one at a time.
func (s *session) catchUp() {
	defer s.recoverPanic()
	tries, resets := 0, 0
	for s.awaitRoom(s.ctx) {
		next, err := s.need()
		if err != nil {
			s.sockets.server.logger.Debug("catch-up waits", zap.String("graphId", s.graph), zap.Error(err))
			if !pause(s.ctx, tries) {
				return
			}
			tries++
			continue
		}
		if next.ask == nil || next.ask.status != reset {
			resets = 0
		} else if resets++; resets > resetsMost {
			err = eventstore.ErrBroken
		}
		done := false
		if err == nil {
			done, err = s.meet(next)
		}
		if err != nil {
			s.endUnreadable(err)
		}
		if done || err != nil {
			return
		}
		tries = 0
	}
}

// meet gives the client what it needs. It reports whether that was all.
func (s *session) meet(next needed) (done bool, err error) {
	switch {
	case next.none:
		return s.resume(), nil
	case next.ask == nil:
		s.advance(next.frames, next.to)
		return false, nil
	}
	return false, s.tell(s.ctx, *next.ask)
}

// needed is what a client needs next: nothing but events; frames that lead its cursor to a position; or the answer to a
// question.
type needed struct {
	none   bool
	frames [][]byte
	to     eventstore.Position
	ask    *ask
}

// need finds out.
func (s *session) need() (needed, error) {
	if question, asked := s.nextAsk(); asked {
		return needed{ask: &question}, nil
	}
	at := s.position()
	switch s.hub.pull(at, 1, 1).verdict {
	case level, more:
		return needed{none: true}, nil
	case diverged:
		return needed{ask: &ask{status: reset}}, nil
	}
	if s.isFarBehind() {
		s.sockets.metrics.lagging.Inc()
		return needed{ask: &ask{status: full}}, nil
	}
	frames, to, err := s.hub.page(s.ctx, at)
	switch {
	case errors.Is(err, errDiverged):
		return needed{ask: &ask{status: reset}}, nil
	case errors.Is(err, eventstore.ErrBroken):
		s.endUnreadable(err)
	}
	return needed{frames: frames, to: to}, err
}

// isFarBehind tells whether a state brings the client to the present sooner than all it has missed.
func (s *session) isFarBehind() bool {
	head := s.hub.position().Version
	_, end := s.hub.endAt(head)
	s.mu.Lock()
	defer s.mu.Unlock()
	return head-min(s.at.Version, head) > lagEvents || end-min(s.passed, end) > lagBytes
}

// tell answers a question by a sync.
func (s *session) tell(ctx context.Context, question ask) error {
	made, err := s.answer(ctx, question)
	if err != nil {
		return err
	}
	passed, _ := s.hub.endAt(made.at.Version)
	s.restart(made, passed)
	return nil
}
