package transport

import "graphy/eventstore"

// This file keeps the place of a session in its graph's history in step with the frames of its outbox.

// answer is a sync, ready to be sent, and the position it leads to.
type answer struct {
	frame []byte
	at    eventstore.Position
}

// restart sends a sync; what follows it begins at the version after.
func (o *outbox) restart(sync answer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.syncBytes = len(sync.frame)
	o.add(sync.frame)
	o.at, o.synced = sync.at, true
}

// advance sends frames that lead from where the session stands to at.
func (o *outbox) advance(frames [][]byte, at eventstore.Position) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, frame := range frames {
		o.add(frame)
	}
	o.at = at
}

// deliver sends the live frame that leads from previous to at. Where that is not possible it returns what to ask
// instead, and ok is false: the session has too much on its way, or stands in another history.
func (o *outbox) deliver(previous, at eventstore.Position, frame []byte) (instead ask, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.at == previous:
		if o.frames >= liveFrames || o.bytes >= liveBytes {
			return ask{known: true, version: o.at.Version, hash: o.at.Hash, hashed: true}, false
		}
		o.add(frame)
		o.at = at
	case o.at.Version > at.Version, o.at == at: // it has read ahead of the hub
	default:
		return ask{status: reset}, false
	}
	return ask{}, true
}

// position returns where the frames sent so far lead to.
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
