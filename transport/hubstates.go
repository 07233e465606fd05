package transport

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"graphy/eventstore"
	"graphy/projection"
)

const (
	staleState = 2 * time.Second  // how long a read model may be behind, or show a history that is not the log's
	freshTimes = 10               // times what it took to make, a state serves those who join whatever happens meanwhile,
	freshState = time.Second      // but no longer than that
	stateAge   = 10 * time.Second // after that it is let go of
)

// hubStates is the state that sessions join with: loaded once for all of a wave, and kept while the ring leads from it
// to the newest event.
type hubStates struct {
	loads singleflight.Group

	mu   sync.Mutex
	kept *encodedState
	read time.Time     // when it was, or was found to be what the read models have
	cost time.Duration // to make one
}

// state returns a state of the graph, not older than atLeast nor the hub, that lies on the log's history: all that
// follows it can be pulled. An atLeast above the newest event counts as that.
func (h *hub) state(ctx context.Context, atLeast eventstore.Version) (*encodedState, error) {
	deadline := time.Now().Add(staleState)
	for tries := 0; ; tries++ {
		if state := h.keptState(atLeast); state != nil {
			return state, nil
		}
		late := time.Now().After(deadline) || h.position().Version == 0 // the empty graph is soon made
		answer := h.states.loads.DoChan(fmt.Sprint(late), func() (_ any, err error) {
			defer recovered("load a state", &err)
			if late {
				return h.foldState()
			}
			return h.loadState()
		})
		select {
		case result := <-answer:
			state, _ := result.Val.(*encodedState)
			switch {
			case result.Err == nil && state != nil && state.Version >= min(atLeast, h.position().Version):
				return state, nil
			case result.Err != nil && !errors.Is(result.Err, eventstore.ErrReset):
				return nil, result.Err
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if !pause(ctx, tries) {
			return nil, ctx.Err()
		}
	}
}

// keptState returns the state that is kept, if it is good for who has come to atLeast.
func (h *hub) keptState(atLeast eventstore.Version) *encodedState {
	h.states.mu.Lock()
	defer h.states.mu.Unlock()
	kept := h.states.kept
	if kept == nil {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	head := h.ring.head().Version
	if known, ok := h.ring.position(kept.Version); !ok || known != kept.Position || kept.Version < min(atLeast, head) {
		return nil
	}
	if kept.Version < head && time.Since(h.states.read) > min(freshTimes*h.states.cost, freshState) {
		return nil
	}
	return kept
}

// loadState takes the state from the read models, at whatever version they have reached. It returns nil if they show a
// history that is not the log's (deleted, lost in a failover), or nothing that can be trusted: that is soon replaced.
func (h *hub) loadState() (*encodedState, error) {
	ctx, cancel := context.WithTimeout(h.ctx, loadLimit)
	defer cancel()
	read := time.Now()
	h.sockets.metrics.states.Inc()
	state, _, err := h.sockets.server.states.get(ctx, h.graph)
	if err != nil {
		if errors.Is(err, projection.ErrChecksum) {
			return nil, nil
		}
		return nil, err
	}
	return h.admitState(ctx, state, read)
}

// foldState makes the state from the log, where the read models do not have it in time.
func (h *hub) foldState() (*encodedState, error) {
	ctx, cancel := context.WithTimeout(h.ctx, loadLimit)
	defer cancel()
	read := time.Now()
	h.sockets.metrics.states.Inc()
	graph, err := h.sockets.server.graphAt(ctx, h.graph, h.position().Version)
	if err != nil {
		return nil, fmt.Errorf("no state of %q fits its log: %w: %w", h.graph, eventstore.ErrUnavailable, err)
	}
	return h.admitState(ctx, encode(graph), read)
}

// admitState returns state if the log goes through it, and has the hub come as far; else nil.
func (h *hub) admitState(ctx context.Context, state *encodedState, read time.Time) (*encodedState, error) {
	err := h.advance(ctx, state.Version)
	if errors.Is(err, errBehind) || errors.Is(err, errDiverged) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if holds, err := h.holds(ctx, state.Position); err != nil || !holds {
		return nil, err
	}
	h.states.mu.Lock()
	defer h.states.mu.Unlock()
	if kept := h.states.kept; kept == nil || kept.Position != state.Position {
		h.states.kept = state
		h.states.cost = time.Since(read)
	}
	h.states.read = read
	return h.states.kept, nil
}

// holds tells whether the log goes on from position without a hole.
func (h *hub) holds(ctx context.Context, position eventstore.Position) (bool, error) {
	if known, ok := h.positionOf(position.Version); ok {
		return known == position, nil
	}
	after := max(position.Version, 1) - 1
	events, err := h.sockets.server.services.Live.Read(ctx, h.graph, after, 1)
	switch {
	case errors.Is(err, eventstore.ErrTrimmed): // the read model is far behind, and will soon have come further
		return false, nil
	case err != nil:
		return false, err
	case position.Version == 0:
		return true, nil
	}
	return len(events) == 1 && events[0].Position() == position, nil
}

// forget lets go of the state: the log has another history now.
func (s *hubStates) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept = nil
}

// trim lets go of a state that was loaded a while ago.
func (s *hubStates) trim(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept != nil && now.Sub(s.read) > stateAge {
		s.kept = nil
	}
}
