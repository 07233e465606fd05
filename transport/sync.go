package transport

import (
	"context"
	"errors"

	"graphy/eventstore"
)

// full is the status of a sync that brings the whole state because it was asked for or the way is too long.
const full deltaStatus = "full"

const syncChanges, syncBytes = 1000, 1 << 20 // most that a sync brings as changes

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
				s.sockets.clients.reported(s)
			}
			frame.status, frame.at = way.status, way.at
			return answer{frame.withChanges(way.updates), way.at}, nil
		}
		frame.status = way.status
	}
	if frame.status == "" {
		frame.status = full
	}
	atLeast := s.position().Version // never older than what it was sent, unless that is void
	if frame.status == reset {
		atLeast = 0
	}
	state, err := s.hub.state(ctx, atLeast)
	if err != nil {
		return answer{}, err
	}
	frame.at = state.Position
	s.disclaim()
	s.sockets.clients.reported(s)
	if s.line.deflates && len(state.JSON) >= worthCompressing {
		return answer{frame.withDeflated(state), frame.at}, nil
	}
	return answer{frame.withState(state), frame.at}, nil
}

// way leads from a client's version to one at or near the head, as state_update frames.
type way struct {
	status   deltaStatus
	from, at eventstore.Position
	updates  [][]byte
}

// delta finds the way from what the client has: out of the ring, and before that out of pages of the log that all who
// join share.
func (h *hub) delta(ctx context.Context, a ask) (way, error) {
	if !a.hashed && a.version+syncChanges < h.position().Version {
		return way{status: full}, nil
	}
	from, status, err := h.place(ctx, a.version)
	switch {
	case err != nil || status != "":
		return way{status: status}, err
	case a.hashed && a.hash != from.Hash:
		return way{status: conflicting}, nil
	}
	found := way{status: inSync, from: from, at: from}
	for size := 0; len(found.updates) <= syncChanges && size <= syncBytes; {
		next := h.pull(found.at, syncChanges+1, syncBytes)
		switch {
		case next.verdict == diverged:
			return way{}, errDiverged
		case next.verdict == beyond:
			if next.frames, next.to, err = h.page(ctx, found.at); err != nil {
				return way{}, err
			}
		case len(next.frames) == 0:
			return found, nil
		}
		for _, frame := range next.frames {
			size += len(frame)
		}
		found.updates = append(found.updates, next.frames...)
		found.status, found.at = behind, next.to
	}
	return way{status: full}, nil
}

// place returns the position of a version, or the status of a client that says it is there if there is none: the log is
// not that far, or no longer reaches back to it.
func (h *hub) place(ctx context.Context, version eventstore.Version) (eventstore.Position, deltaStatus, error) {
	if version > h.position().Version {
		head, err := h.sockets.server.services.Live.Head(ctx, h.graph)
		if err == nil && head.Version < version {
			return head, conflicting, nil
		}
		if err == nil {
			err = h.advance(ctx, version)
		}
		if err != nil {
			return head, "", err
		}
	}
	if known, ok := h.positionOf(version); ok {
		return known, "", nil
	}
	part, err := h.pages.get(ctx, h, version)
	if errors.Is(err, errDiverged) {
		return eventstore.Position{}, reset, nil
	}
	if err != nil {
		return eventstore.Position{}, "", err
	}
	known, ok := part.position(version)
	if !ok {
		return known, "", errBehind
	}
	return known, "", nil
}
