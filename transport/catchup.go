package transport

import (
	"go.uber.org/zap"

	"graphy/eventstore"
)

const (
	asksMost              = 8              // syncs asked for that wait for their answer
	pageFrames, pageBytes = 256, 256 << 10 // sent at a time to one who catches up
	resetsMost            = 5              // resets of one session without a frame between them
)

// catchUp brings the session to where the hub stands, page by page as fast as it takes them, and then makes it live.
// It runs on a goroutine of its own, one at a time.
func (s *session) catchUp() {
	tries, resets := 0, 0
	for s.awaitRoom(s.ctx) {
		next := s.hub.next(s)
		if next.level {
			return
		}
		if next.ask == nil && next.frames == nil {
			s.readPage(&next)
		}
		switch {
		case next.err != nil:
			s.sockets.server.logger.Debug("catch-up waits", zap.String("graphId", s.graph), zap.Error(next.err))
			tries++
		case next.ask != nil:
			if resets++; resets > resetsMost {
				s.endUnreadable(eventstore.ErrBroken)
				return
			}
			answer, err := s.answer(s.ctx, *next.ask)
			if err != nil {
				s.endUnreadable(err)
				return
			}
			s.restart(answer)
			continue
		default:
			s.advance(next.frames, next.at)
			tries, resets = 0, 0
			continue
		}
		if !pause(s.ctx, tries) {
			return
		}
	}
}

// step is what a session that catches up gets next: it is level with the hub, or an answer to ask, or frames that lead
// to at; none of them, and the next page is to be read from the log.
type step struct {
	level  bool
	ask    *ask
	frames [][]byte
	at     eventstore.Position
	err    error
}

// next returns what s gets next. If it is level it is live from now on.
func (h *hub) next(s *session) step {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(s.asks) > 0 {
		next := s.asks[0]
		s.asks = append(s.asks[:0], s.asks[1:]...)
		return step{ask: &next}
	}
	if h.isLevel(s) {
		s.catching = false
		h.live[s] = struct{}{}
		return step{level: true}
	}
	at := s.position()
	switch known, ok := h.ring.position(at.Version); {
	case !ok:
		return step{}
	case known != at:
		return step{ask: &ask{status: reset}}
	}
	frames, at := h.ring.after(at.Version, pageFrames, pageBytes)
	return step{frames: frames, at: at}
}

// readPage reads the next page from the log: the session is further behind than the hub remembers.
func (s *session) readPage(next *step) {
	at := s.position()
	events, err := s.sockets.server.services.Log.Read(s.ctx, s.graph, at.Version, pageFrames)
	switch {
	case err != nil:
		next.err = err
	case len(events) == 0: // the hub will soon find out what has become of the log
		next.err = errDiverged
	case eventstore.VerifyChain(s.graph, at, events) != nil:
		next.ask = &ask{status: reset}
	default:
		next.at = events[len(events)-1].Position()
		for _, event := range events {
			next.frames = append(next.frames, stateUpdate(event))
		}
	}
}
