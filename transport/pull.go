package transport

import (
	"context"

	"graphy/eventstore"
)

// verdict says where a cursor stands in what a hub keeps.
type verdict int8

const (
	level    verdict = iota // it has come to the newest event
	more                    // there is more than was taken
	beyond                  // it lies before all that is kept: read the log, see page
	diverged                // it is of another history: begin anew from a state
)

// pulled is what follows a cursor, in order and without a hole. The frames are shared and must not be written to.
type pulled struct {
	frames  [][]byte
	to      eventstore.Position // where they lead to: the cursor from now on
	verdict verdict
}

// pull returns what follows at, as far as it is kept: up to that many frames and bytes, at least one if there is one.
// It never waits. A hub that has failed gives nothing more, see wait.
func (h *hub) pull(at eventstore.Position, frames, bytes int) pulled {
	h.mu.Lock()
	defer h.mu.Unlock()
	known, ok := h.ring.position(at.Version)
	switch {
	case !ok && at.Version < h.ring.base.Version:
		return pulled{to: at, verdict: beyond}
	case !ok || known != at: // nobody is handed a position that the hub has not come to, see state and page
		return pulled{to: at, verdict: diverged}
	}
	taken := pulled{verdict: more}
	taken.frames, taken.to = h.ring.after(at.Version, frames, bytes)
	if taken.to == h.ring.head() {
		taken.verdict = level
	}
	return taken
}

// changed returns a channel that is closed at the next event or reset, or if the hub has failed. Ask for it before
// pulling: what comes in between is not missed then.
func (h *hub) changed() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.news == nil {
		h.news = make(chan struct{})
		if h.err != nil {
			close(h.news)
		}
	}
	return h.news
}

// page returns what follows a cursor that lies before what the hub keeps, out of the log: one read for all who need the
// same part of it. Its error wraps errDiverged if the log does not go through at.
func (h *hub) page(ctx context.Context, at eventstore.Position) ([][]byte, eventstore.Position, error) {
	part, err := h.pages.get(ctx, h, at.Version)
	if err != nil {
		return nil, at, err
	}
	if known, ok := part.position(at.Version); !ok || known != at {
		return nil, at, errDiverged
	}
	frames, to := part.after(at.Version, pageEvents, pageBytes)
	if len(frames) == 0 { // the log ends where the hub knows more: it will soon find out what has become of it
		return nil, at, errBehind
	}
	// The log may be ahead of the hub, and no cursor is to be.
	if err := h.advance(ctx, to.Version); err != nil {
		return nil, at, err
	}
	return frames, to, nil
}
