package transport

import (
	"context"
	"errors"
	"fmt"
	"time"

	"graphy/eventstore"
	"graphy/projection"
)

// full is the status of a sync that brings the whole state because it was asked for or the way is too long.
const full deltaStatus = "full"

const (
	syncChanges, syncBytes = 1000, 1 << 20   // most that a sync brings as changes
	staleState             = 2 * time.Second // how long a read model may show a history that is not the log's
)

// ask is what a sync has to answer.
type ask struct {
	known       bool // the client has everything up to version
	claimed     bool // by its own account, now or before it left
	version     eventstore.Version
	hash        eventstore.Hash
	hashed      bool        // hash is given
	status      deltaStatus // reset: whatever it has is void; "": to be found out
	reconnected bool
}

// answer makes a sync. It tries again while the stores are out of reach, until ctx is done.
func (s *session) answer(ctx context.Context, a ask) (answer, error) {
	for tries := 0; ; tries++ {
		made, err := s.answerOnce(ctx, a)
		if err == nil || errors.Is(err, eventstore.ErrBroken) || !pause(ctx, tries) {
			return made, err
		}
	}
}

func (s *session) answerOnce(ctx context.Context, a ask) (answer, error) {
	frame := syncFrame{status: a.status, clientID: s.identity.ClientID, reconnected: a.reconnected}
	if a.known && a.status == "" {
		way, err := s.hub.delta(ctx, a)
		if err != nil {
			return answer{}, err
		}
		if way.status == inSync || way.status == behind {
			if a.claimed && way.from.Version == a.version {
				s.claim(way.from)
			}
			frame.status, frame.at = way.status, way.at
			return answer{frame.withChanges(way.updates), way.at}, nil
		}
		frame.status = way.status
	}
	if frame.status == "" {
		frame.status = full
	}
	state, at, err := s.hub.state(ctx)
	if err != nil {
		return answer{}, err
	}
	frame.at = at
	return answer{frame.withState(state), at}, nil
}

// way leads from a client's version to one at or near the head, as state_update frames.
type way struct {
	status   deltaStatus
	from, at eventstore.Position
	updates  [][]byte
}

// delta finds the way from what the client has: out of the ring if it reaches back that far, else from the log.
func (h *hub) delta(ctx context.Context, a ask) (way, error) {
	if found, ok := h.nearDelta(a); ok {
		return found, nil
	}
	limit := syncChanges
	if a.version+syncChanges < h.position().Version {
		limit = 1 // too far for changes: it is only to be seen whether the histories agree
	}
	d, err := readDelta(ctx, h.sockets.server.tails, changesRequest{
		graph: h.graph, since: a.version, limit: limit, hash: a.hash, hasHash: a.hashed})
	if err != nil {
		return way{}, err
	}
	found := way{status: d.status, at: d.last}
	size := 0
	for _, event := range d.events {
		size += len(event.Data)
	}
	if d.status != behind {
		found.from = d.last
		return found, nil
	}
	if d.last.Version < d.current || size > syncBytes {
		return way{status: full}, nil
	}
	for _, event := range d.events {
		found.updates = append(found.updates, stateUpdate(event))
	}
	if a.hashed {
		found.from = eventstore.Position{Version: a.version, Hash: a.hash}
	}
	return found, nil
}

// nearDelta is delta out of the ring.
func (h *hub) nearDelta(a ask) (found way, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	from, ok := h.ring.position(a.version)
	switch {
	case !ok:
		return way{}, false
	case a.hashed && a.hash != from.Hash:
		return way{status: conflicting}, true
	}
	updates, at := h.ring.after(a.version, syncChanges, syncBytes)
	switch {
	case at != h.ring.head():
		return way{status: full}, true
	case len(updates) == 0:
		return way{status: inSync, from: from, at: at}, true
	}
	return way{status: behind, from: from, at: at, updates: updates}, true
}

// state returns a state of the graph that lies on the log's history, at whatever version the read models have reached.
// A read model of a history that the log does not hold (deleted, lost in a failover) is soon replaced; if that takes too
// long, the empty state is as good, since everything follows it.
func (h *hub) state(ctx context.Context) ([]byte, eventstore.Position, error) {
	deadline := time.Now().Add(staleState)
	for tries := 0; ; tries++ {
		state, _, err := h.sockets.server.states.get(ctx, h.graph)
		if err != nil && !errors.Is(err, projection.ErrChecksum) {
			return nil, eventstore.Position{}, err
		}
		if err == nil {
			if holds, err := h.holds(ctx, state.Position); holds || err != nil {
				return state.JSON, state.Position, err
			}
		}
		if late := time.Now().After(deadline); late || h.position().Version == 0 {
			holds, err := h.holds(ctx, eventstore.Position{})
			if holds || err != nil {
				return projection.NewGraph(h.graph).AppendState(nil), eventstore.Position{}, err
			}
			if late {
				return nil, eventstore.Position{}, fmt.Errorf("no state of %q fits its log: %w", h.graph, eventstore.ErrUnavailable)
			}
		}
		if !pause(ctx, tries) {
			return nil, eventstore.Position{}, ctx.Err()
		}
	}
}

// holds tells whether the log goes on from position without a hole.
func (h *hub) holds(ctx context.Context, position eventstore.Position) (bool, error) {
	if known, ok := h.positionOf(position.Version); ok {
		return known == position, nil
	}
	after := max(position.Version, 1) - 1
	events, err := h.sockets.server.services.Log.Read(ctx, h.graph, after, 1)
	switch {
	case err != nil:
		return false, err
	case position.Version == 0:
		return len(events) == 0 || events[0].Version == 1, nil
	}
	return len(events) == 1 && events[0].Position() == position, nil
}
