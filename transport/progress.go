package transport

import "graphy/eventstore"

const (
	asksMost  = 8       // syncs asked for that wait for their answer
	lagEvents = 5000    // a client further behind, or
	lagBytes  = 4 << 20 // by so many bytes, is given a state
)

// progress is how far a client has come in its graph's history, and what it is to be told of it. It is guarded by its
// outbox's mu.
//
// Events are held back while a goroutine (catchUp) makes what the client needs first: the answer to its question, a page
// of the log because the ring does not reach back to it, or a state because that would take too long or it stands in
// another history.
type progress struct {
	at     eventstore.Position // the cursor: what was taken for the client leads to it
	passed uint64              // bytes of all frames up to it, as the hub counts them
	synced bool                // at counts: a sync was sent or is on its way
	held   bool
	asks   []ask
	chase  func() // starts catchUp

	has     eventstore.Position // what the client has by its own account,
	claims  bool                // when it asked for a sync,
	reports bool                // or since
}

// answer is a sync, ready to be sent, and the position it leads to.
type answer struct {
	sync *bulk
	at   eventstore.Position
}

// takeEvents moves what follows the cursor from the hub's ring to w. Where there is no way on from there it has the
// client catch up. It is called with mu held.
func (o *outbox) takeEvents(w *wire, h *hub) {
	for w.room() > 0 {
		next := h.pull(o.at, ringFrames, w.room())
		if next.verdict == beyond || next.verdict == diverged {
			o.hold()
			return
		}
		for _, frame := range next.frames {
			w.text(frame)
			o.passed += uint64(len(frame))
		}
		o.at = next.to
		if next.verdict == level {
			return
		}
	}
}

// hold keeps events back until catchUp has seen to the client. It is called with mu held.
func (o *outbox) hold() {
	if !o.held {
		o.held = true
		o.chase()
	}
}

// demand has the client get an answer to a before it goes on. It reports false if too many such demands wait already.
func (o *outbox) demand(a ask) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.asks) >= asksMost {
		return false
	}
	o.asks = append(o.asks, a)
	o.hold()
	return true
}

// restart sends a sync; what follows it begins at the version after.
func (o *outbox) restart(made answer, passed uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return
	}
	o.sync, o.page = made.sync, nil
	o.at, o.passed, o.synced = made.at, passed, true
	o.start()
}

// advance sends frames that lead from the cursor to at. They are shared.
func (o *outbox) advance(frames [][]byte, at eventstore.Position) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return
	}
	for _, frame := range frames {
		o.passed += uint64(len(frame))
	}
	o.page, o.at = frames, at
	o.start()
}

// resume lets events through, unless the client has asked for something else meanwhile; then it reports false.
func (o *outbox) resume() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.asks) > 0 {
		return false
	}
	o.held = false
	o.start()
	return true
}

// nextAsk returns the oldest question.
func (o *outbox) nextAsk() (a ask, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.asks) == 0 {
		return ask{}, false
	}
	a = o.asks[0]
	o.asks = append(o.asks[:0], o.asks[1:]...)
	return a, true
}

// position returns the cursor.
func (o *outbox) position() eventstore.Position {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.at
}

// claim notes what the client had when it asked for a sync.
func (o *outbox) claim(has eventstore.Position) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.has, o.claims = has, true
}

// disclaim forgets what the client had: it is given a state instead.
func (o *outbox) disclaim() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.has, o.claims, o.reports = eventstore.Position{}, false, false
}

// report notes what the client says it has applied, of what it was sent.
func (o *outbox) report(has eventstore.Position) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.has, o.reports = has, true
}

// known returns what the client is known to have, if anything. What it reported counts; else what it was sent, if it
// left in good order; else what it had at first.
func (o *outbox) known(leftPolitely bool) (has eventstore.Position, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.reports && o.synced && leftPolitely {
		return o.at, true
	}
	return o.has, o.reports || o.claims
}
